"""From a file to log-mel: decode, mono, 16 kHz, level, short-time spectrum, mel, log.

The chain, in order:

1. decode, by `fedbreath.soundfiles`;
2. mono: the channel with the greatest root mean square. Channels are never averaged,
   since the two sides of a telephone call are different signals;
3. resample to `FrontEnd.sample_rate` with soxr HQ, whose alias rejection keeps the
   recording device's rate from marking the spectrum near the band edge;
4. level: divide by the recording's root mean square (`FrontEnd.level`);
5. |STFT|^2 with a Hann window, mel filter bank (HTK scale), natural logarithm of the
   energy, no lower than `FrontEnd.floor`.

All of it is per recording: no number is taken from other recordings. What cannot be used is
refused with an `AudioError` whose text is ``kind: detail``.
"""

import functools
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import soxr
import torch
import xxhash
from numpy.typing import NDArray

from fedbreath import _torchaudio, soundfiles
from fedbreath import tracks as frame_tracks
from fedbreath.errors import AudioError
from fedbreath.recording import Recording

#: A peak below this (-80 dB re full scale) counts as silence.
SILENT_PEAK = 1e-4

#: A peak above this is no sound: float files may exceed full scale, and integers written as
#: floats reach 2^31, but energies beyond would not be finite.
LOUDEST_PEAK = 1e10

#: Magnitudes within 0.1 % of the peak count as its level ...
_AT_PEAK = 0.999

#: ... and where the peak is below this share of full scale, nothing was clipped.
_CLIPPING_FROM = 0.5


#: Samples whose squares are added in single precision.
_ROW = 4096

#: Frames transformed at once: their spectra stay in the cache of a core.
_BLOCK = 128

#: Frames whose tracks are computed at once: each takes 30 kB meanwhile.
_TRACKED = 256

#: Mel bands multiplied at once.
_BANDS = 16


@dataclass(frozen=True)
class FrontEnd:
    """Parameters of the log-mel front end. ``docs/choices.md`` says what was measured.

    Attributes:
        sample_rate: Hz, after resampling.
        window: Hann window, s.
        hop: Step between frames, s.
        fft: Points of the transform, at least the window's samples.
        mels: Mel bands.
        low: Lower edge of the filter bank, Hz.
        high: Upper edge of the filter bank, Hz.
        floor: Least mel energy before the logarithm.
        level: ``rms`` divides each recording by its root mean square; ``none`` does not.
        min_seconds: Shorter recordings are refused.
        tracks: Whether the frame tracks (`fedbreath.tracks`) are kept beside the log-mels.
        mean: Public constant subtracted from log-mels before an encoder sees them.
        sd: Public constant that they are then divided by.
    """

    sample_rate: int = 16_000
    window: float = 0.032
    hop: float = 0.016
    fft: int = 1024
    mels: int = 64
    low: float = 50.0
    high: float = 8_000.0
    floor: float = 1e-7
    level: Literal["rms", "none"] = "rms"
    min_seconds: float = 0.2
    tracks: bool = True
    mean: float = 0.0
    sd: float = 6.0

    def __post_init__(self) -> None:
        for name in ("sample_rate", "window", "hop", "fft", "mels", "floor", "sd"):
            if getattr(self, name) <= 0:
                raise ValueError(f"{name} must be > 0, got {getattr(self, name)}")
        for name in ("window", "hop"):
            if getattr(self, f"{name}_samples") < 1:
                raise ValueError(f"{name} must be a sample or more, got {getattr(self, name)} s")
        if self.min_seconds * self.sample_rate < self.fft // 2 + 1:
            # The edges are reflected by half a transform.
            least = (self.fft // 2 + 1) / self.sample_rate
            raise ValueError(f"min_seconds must be >= {least:g}, got {self.min_seconds:g}")
        if self.fft < self.window_samples:
            raise ValueError(
                f"fft must be >= the window's {self.window_samples} samples, got {self.fft}"
            )
        if not 0 <= self.low < self.high <= self.sample_rate / 2:
            raise ValueError(
                f"low and high must satisfy 0 <= low < high <= {self.sample_rate / 2:g} Hz, "
                f"got {self.low:g} and {self.high:g}"
            )
        if self.tracks:
            try:
                _ = self.grid
            except ValueError as error:
                raise ValueError(f"{error}; or set front_end.tracks=false") from None

    @property
    def window_samples(self) -> int:
        """Samples of the window at `sample_rate`."""
        return round(self.window * self.sample_rate)

    @property
    def hop_samples(self) -> int:
        """Samples between two frames."""
        return round(self.hop * self.sample_rate)

    @property
    def grid(self) -> frame_tracks.Grid:
        """Where frames and bins lie, for the tracks."""
        return frame_tracks.Grid(self.sample_rate, self.fft, self.window_samples)

    @property
    def rows(self) -> int:
        """Numbers that a store keeps of a frame: log-mels, then tracks."""
        return self.mels + (len(frame_tracks.NAMES) if self.tracks else 0)

    def frames(self, seconds: float) -> int:
        """Frames of a crop of so many seconds, at least one.

        >>> FrontEnd().frames(1.0)
        62
        """
        return max(1, int(seconds / self.hop))


@dataclass(frozen=True)
class Sound:
    """A decoded, mono waveform.

    Attributes:
        samples: Shape (samples,), float32, full scale 1.
        sample_rate: Hz, as recorded.
    """

    samples: NDArray[np.float32]
    sample_rate: int

    @property
    def seconds(self) -> float:
        """Duration, s."""
        return len(self.samples) / self.sample_rate


@dataclass(frozen=True, slots=True)
class Condition:
    """What can be told of a sound without listening to it.

    Attributes:
        seconds: Duration as recorded, s.
        sample_rate: As recorded, Hz.
        level: Root mean square, dB re full scale.
        clipped: Share of samples in runs of three or more at the peak, where the peak is
            at least half of full scale.
        digest: Hash of the samples: equal for identical audio, whatever the file's name,
            tags, container or stated sample rate.
    """

    seconds: float
    sample_rate: int
    level: float
    clipped: float
    digest: str


def examine(sound: Sound) -> Condition:
    """The condition of a sound.

    >>> square = Sound(np.repeat(np.float32([1, -1, 1, -1]), 100), 8000)
    >>> examine(square).clipped, examine(square).level
    (1.0, 0.0)
    """
    return Condition(
        seconds=round(sound.seconds, 4),
        sample_rate=sound.sample_rate,
        level=round(float(10 * np.log10(_power(sound.samples))), 2),
        clipped=round(_clipped(sound.samples), 5),
        digest=xxhash.xxh3_128_hexdigest(sound.samples.data),
    )


def _power(samples: NDArray[np.float32]) -> np.float64:
    """The mean square; rows are added in double precision, so that length costs no accuracy."""
    whole = len(samples) // _ROW * _ROW
    rows, rest = samples[:whole].reshape(-1, _ROW), samples[whole:]
    total = np.vecdot(rows, rows).sum(dtype=np.float64) + np.dot(rest, rest)
    power: np.float64 = total / len(samples)
    return power


def _clipped(samples: NDArray[np.float32]) -> float:
    peak = max(samples.max(), -samples.min())
    if peak < _CLIPPING_FROM:
        return 0.0
    near = peak * _AT_PEAK
    at_peak = (samples >= near) | (samples <= -near)
    if np.count_nonzero(at_peak) < 3:
        return 0.0
    inside = at_peak[:-2] & at_peak[1:-1] & at_peak[2:]
    run = np.zeros(len(samples), bool)
    for shift in range(3):
        run[shift : shift + len(inside)] |= inside
    return float(run.mean())


def read(recording: Recording) -> Sound:
    """Decode a recording to one channel at its own sample rate.

    Raises:
        AudioError: The file is missing, empty, not audio, truncated, longer than an hour,
            holds values that are not finite, is silent, or beyond a bound.
    """
    if isinstance(recording.source, Path):
        samples, rate = soundfiles.decode(recording.source)
    else:
        samples, rate = recording.source()
        samples = np.atleast_2d(samples)
    if samples.shape[1] == 0:
        raise AudioError("empty: no samples")
    mono = loudest_channel(samples)
    peak = max(mono.max(), -mono.min())
    if not np.isfinite(peak):
        raise AudioError("not finite: holds NaN or infinite samples")
    if peak > LOUDEST_PEAK:
        raise AudioError(f"too loud: peak {peak:.1g} times full scale")
    if peak < SILENT_PEAK:
        raise AudioError(f"silent: peak below {20 * np.log10(SILENT_PEAK):.0f} dB of full scale")
    return Sound(mono, rate)


def loudest_channel(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """The channel with the greatest root mean square; (channels, n) -> (n,).

    >>> loudest_channel(np.array([[0.1, -0.1], [0.5, -0.5]], np.float32)).tolist()
    [0.5, -0.5]
    """
    samples = np.ascontiguousarray(samples)
    # A channel with NaN wins, so that it is refused rather than passed over.
    index = np.argmax([_power(channel) for channel in samples]) if len(samples) > 1 else 0
    loudest: NDArray[np.float32] = samples[index]
    return loudest


def log_mel(sound: Sound, front_end: FrontEnd) -> NDArray[np.float32]:
    """Natural-log mel energies of a sound.

    Args:
        sound: A mono waveform at any rate.
        front_end: The parameters.

    Returns:
        Shape (frames, mels), float32; frames = 1 + samples // hop, centred, with the
        edges reflected.

    Raises:
        AudioError: Shorter than `FrontEnd.min_seconds`.
    """
    return log_mels_of(power_of(*frames_of(sound, front_end), front_end), front_end)


def analyse(sound: Sound, front_end: FrontEnd) -> NDArray[np.float32]:
    """What a store keeps of a sound: the log-mels and, after them, its tracks.

    Args:
        sound: A mono waveform at any rate.
        front_end: The parameters.

    Returns:
        Shape (frames, rows), float32; frames as `log_mel` has them.

    Raises:
        AudioError: Shorter than `FrontEnd.min_seconds`.
    """
    frames, level = frames_of(sound, front_end)
    power = power_of(frames, level, front_end)
    log = log_mels_of(power, front_end)
    if not front_end.tracks:
        return log
    return np.concatenate([log, _tracks_of(frames, level, power, front_end)], axis=1)


def _tracks_of(
    frames: torch.Tensor, level: float, power: NDArray[np.float32], front_end: FrontEnd
) -> NDArray[np.float32]:
    """The frame tracks, (frames, tracks), block by block."""
    spectrum, grid, blocks = torch.from_numpy(power), front_end.grid, []
    for first in range(0, len(power), _TRACKED):
        before = min(first, 1)  # flux is from the frame before
        part = slice(first - before, first + _TRACKED)
        block = frame_tracks.of(frames[part] / level, spectrum[part], grid)
        blocks.append(block[before:])
    found: NDArray[np.float32] = torch.cat(blocks).numpy()
    return found


def frames_of(sound: Sound, front_end: FrontEnd) -> tuple[torch.Tensor, float]:
    """The samples under each window, resampled, and the level to divide them by.

    Args:
        sound: A mono waveform at any rate.
        front_end: The parameters.

    Returns:
        A view of shape (frames, window_samples), float32, not yet levelled nor windowed, with
        frames as `log_mel` has them; and the level.

    Raises:
        AudioError: Shorter than `FrontEnd.min_seconds`.
    """
    if sound.seconds < front_end.min_seconds:
        raise AudioError(
            f"too short: {sound.seconds:.3f} s, at least {front_end.min_seconds:g} s are needed"
        )
    samples = soxr.resample(sound.samples, sound.sample_rate, front_end.sample_rate, "HQ")
    level = float(np.sqrt(_power(samples))) if front_end.level == "rms" else 1.0
    fft, hop, length = front_end.fft, front_end.hop_samples, front_end.window_samples
    padded = np.pad(samples, fft // 2, "reflect")
    # The window is short of the transform by as much before as after.
    frames = torch.from_numpy(padded[(fft - length) // 2 :]).unfold(0, length, hop)
    return frames[: 1 + (len(padded) - fft) // hop], level


def power_of(frames: torch.Tensor, level: float, front_end: FrontEnd) -> NDArray[np.float32]:
    """|STFT|^2, (frames, window_samples) -> (frames, fft // 2 + 1)."""
    window, _ = _tables(front_end)
    # Dividing the window levels every frame, at the cost of one.
    window, fft = window / level, front_end.fft
    power = np.empty((len(frames), fft // 2 + 1), np.float32)
    for first in range(0, len(power), _BLOCK):
        part = power[first : first + _BLOCK]
        spectrum = torch.fft.rfft(frames[first : first + len(part)] * window, fft).numpy()
        np.square(spectrum.real, out=part)
        part += np.square(spectrum.imag)
    return power


def log_mels_of(power: NDArray[np.float32], front_end: FrontEnd) -> NDArray[np.float32]:
    """Natural-log mel energies, (frames, fft // 2 + 1) -> (frames, mels)."""
    _, bank = _tables(front_end)
    spectrum = torch.from_numpy(power)
    energy = torch.cat([spectrum[:, bins] @ part for bins, part in bank], dim=1)
    log: NDArray[np.float32] = energy.clamp_min_(front_end.floor).log_().numpy()
    return log


@functools.lru_cache(maxsize=8)
def _tables(front_end: FrontEnd) -> tuple[torch.Tensor, tuple[tuple[slice, torch.Tensor], ...]]:
    """The Hann window, and the mel filter bank in blocks of neighbouring bands.

    A block is the bins on which its bands are not zero, and weights of shape (bins, bands):
    the whole bank, (fft // 2 + 1, mels), is zero but for two bands of each bin.
    """
    bank = _torchaudio.load().functional.melscale_fbanks(
        n_freqs=front_end.fft // 2 + 1,
        f_min=front_end.low,
        f_max=front_end.high,
        n_mels=front_end.mels,
        sample_rate=front_end.sample_rate,
        norm=None,
        mel_scale="htk",
    )
    blocks = []
    for bands in bank.split(_BANDS, dim=1):
        used = bands.any(dim=1).nonzero().flatten().tolist()
        bins = slice(used[0], used[-1] + 1) if used else slice(0, 0)
        blocks.append((bins, bands[bins].contiguous()))
    return torch.hann_window(front_end.window_samples), tuple(blocks)
