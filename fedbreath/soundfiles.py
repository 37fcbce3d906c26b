"""The samples of a file: libsndfile (WAV, FLAC, Ogg, MP3 ...), else FFmpeg (WebM, M4A ...).

What cannot be used, or holds less than its header says, is refused with an `AudioError`.
"""

import re
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from fedbreath.errors import AudioError

#: Audio longer than this is refused: a bound on memory, far above any recording here.
MAX_SECONDS = 3600.0

#: More samples than this, over all channels, are refused: 1 GiB as float32.
MAX_SAMPLES = 2**28

#: Hz. Sample rates outside are a broken header, or sound that no lung makes.
RATES = (1_000, 384_000)

#: A stream may be this much shorter than its container says, and a second, before it counts
#: as cut short: codecs pad, and containers round.
_COMPLETE = 0.9

#: What libsndfile says of a FLAC stream whose encoder could not know its length.
_UNKNOWN_FRAMES = 2**63 - 1


def decode(path: Path) -> tuple[NDArray[np.float32], int]:
    """Decode a file.

    Returns:
        Samples of shape (channels, samples), float32, full scale 1; and the rate, Hz.

    Raises:
        AudioError: The file is missing, empty, not audio, truncated, or beyond a bound above.
    """
    try:
        size = path.stat().st_size if path.is_file() else None
    except OSError as error:
        raise AudioError(f"missing: {error.strerror}") from None
    if size is None:
        raise AudioError("missing: no such file")
    if size == 0:
        raise AudioError("empty: the file has no bytes")
    try:
        file = soundfile.SoundFile(path)
    except soundfile.LibsndfileError as error:
        return _decode_with_ffmpeg(path, error.error_string)
    with file:
        claimed, rate = file.frames, file.samplerate
        if claimed == _UNKNOWN_FRAMES:
            return _decode_with_ffmpeg(path, "length unknown")
        _refuse_beyond_bounds(claimed, rate, file.channels)
        try:
            if file.subtype == "PCM_16":
                # The same numbers as libsndfile's own conversion, three times as fast.
                whole = file.read(dtype="int16", always_2d=True).T
                samples = whole * np.float32(1 / 32_768)
            else:
                samples = file.read(dtype="float32", always_2d=True).T
        except soundfile.LibsndfileError as error:
            raise AudioError(f"broken: {error.error_string}") from None
        if samples.shape[1] < claimed or _holds_less_than_claimed(file.extra_info):
            raise AudioError("truncated: the file holds less than its header says")
        if claimed == 0 and file.format == "OGG":
            # libsndfile finds the length on the last page, which a cut takes away.
            raise AudioError("truncated: an Ogg stream without its last page")
        return samples, rate


def _refuse_beyond_bounds(samples: int, rate: int, channels: int) -> None:
    """Refuse what no recording here is, before memory is taken for it."""
    if not RATES[0] <= rate <= RATES[1]:
        raise AudioError(f"sample rate: {rate} Hz is outside {RATES[0]} to {RATES[1]} Hz")
    if samples / rate > MAX_SECONDS:
        raise AudioError(f"too long: more than {MAX_SECONDS / 60:.0f} min")
    if samples * channels > MAX_SAMPLES:
        raise AudioError(f"too large: {samples} samples of {channels} channels")


def _holds_less_than_claimed(log: str) -> bool:
    """Whether libsndfile's log of a WAV or AIFF file shows a data chunk cut short.

    >>> _holds_less_than_claimed("data : 96000 (should be 47978)")
    True
    """
    found = re.search(r"^\s*(?:data|SSND) *: *(\d+) \(should be (\d+)\)", log, re.MULTILINE)
    # A recorder that wrote to a pipe could not know the size, and said "very much".
    return found is not None and int(found[2]) < int(found[1]) < 0x7FFF_0000


def _decode_with_ffmpeg(path: Path, first: str) -> tuple[NDArray[np.float32], int]:
    import av  # noqa: PLC0415 - 30 ms of import that most data sets never need

    try:
        with av.open(str(path), metadata_errors="ignore") as container:
            if not container.streams.audio:
                raise AudioError("not audio: holds no audio stream")
            stream = container.streams.audio[0]
            if getattr(stream, "codec_context", None) is None:
                raise AudioError("not audio: a kind that FFmpeg does not know")
            rate = int(stream.rate)
            claimed = float((stream.duration or 0) * (stream.time_base or 0))
            resampler = av.AudioResampler(format="fltp", rate=rate)
            blocks: list[NDArray[np.float32]] = []
            total = 0
            for frame in container.decode(stream):
                for block in resampler.resample(frame):
                    blocks.append(block.to_ndarray().astype(np.float32, copy=False))
                    total += blocks[-1].shape[1]
                    _refuse_beyond_bounds(total, rate, len(blocks[-1]))
        samples = np.concatenate(blocks, axis=1) if blocks else np.empty((1, 0), np.float32)
    except (av.FFmpegError, ValueError) as error:
        # Its own text repeats the path, which a list of problems names already.
        reason = getattr(error, "strerror", None) or str(error)
        raise AudioError(f"not audio: libsndfile says {first!r}, FFmpeg says {reason!r}") from None
    if total and total / rate < claimed * _COMPLETE - 1:
        raise AudioError(f"truncated: {total / rate:.1f} s of the {claimed:.1f} s that it claims")
    return samples, rate
