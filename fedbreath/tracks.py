"""Frame tracks from the linear spectrum: what a log-mel has averaged away.

A track is one number a frame. Mel bands say nothing of how energy is spread inside a band
(a wheeze is a line, breath noise is flat) or inside a frame (a crackle lasts 5 ms); tracks
do. Each is a ratio, a logarithm or a position, so that its scale is a matter of definition
and not of data, and each is computed from one frame and the one before.

=================  =====  ================================================================
tracks             count  what
=================  =====  ================================================================
energy             1      ln of the frame's energy, in units of 6 nepers
moments            4      centroid and spread on an octave axis (0 is 1 kHz), skewness,
                          ln of 1 + kurtosis
roll-off           5      octave below which 10, 25, 50, 75, 90 % of the energy lies
entropy            1      of the bins' shares, over its greatest value: 0 a line, 1 flat
flux               1      Hellinger distance (times root two) of the shares to the frame before
share, 7 bands     7      ln of the band's share of the energy, in units of 6 nepers
flatness, 7 bands  7      ln of the geometric over the arithmetic mean (Johnston 1988)
peak, 7 bands      7      ln of the greatest bin over the mean
periodicity        2      highest normalised autocorrelation at lags of 2 to 14 ms, corrected
                          for the window (Boersma 1993), and that lag in octaves (0 is 5 ms)
zero crossings     1      root of the share of neighbouring samples of opposite sign
crest              1      ln of peak over root mean square of the window's samples
bursts             3      ln of the deviation of successive means of |x| over 1, 2, 4 ms,
                          in units of the root mean square
=================  =====  ================================================================

Sources of the choice: the low-level descriptors of openSMILE (Eyben et al., ACM Multimedia
2010), and what crackle and wheeze detectors measure. Energies of below 1e-7 of the level
count as silence, as in the log-mels.
"""

import functools
import itertools
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

#: Hz. Edges of the bands.
EDGES = (50.0, 200.0, 400.0, 800.0, 1_200.0, 2_000.0, 4_000.0, 8_000.0)

#: Shares of the energy whose roll-off is told.
ROLL_OFFS = (0.1, 0.25, 0.5, 0.75, 0.9)

#: s. Lags at which a period is looked for.
LAGS = (0.002, 0.014)

#: s. The shortest of the means that bursts are told from; each next one is twice as long.
BURST = 0.001
BURSTS = (1, 2, 4)

#: Least energy of a frame, where the level is one.
SILENCE = 1e-7

_BANDS = tuple(f"{low:g}-{high:g} Hz" for low, high in itertools.pairwise(EDGES))

#: What each track is, in order.
NAMES = (
    "energy", "centroid", "spread", "skewness", "kurtosis",
    *(f"roll-off {share:.0%}" for share in ROLL_OFFS),
    "entropy", "flux",
    *(f"{what} {band}" for what in ("share", "flatness", "peak") for band in _BANDS),
    "periodicity", "period", "zero crossings", "crest",
    *(f"bursts {BURST * 1000 * times:g} ms" for times in BURSTS),
)  # fmt: skip


@dataclass(frozen=True)
class Grid:
    """Where frames and bins lie.

    Attributes:
        sample_rate: Hz; at least twice the highest of `EDGES`.
        fft: Points of the transform.
        window: Samples of the Hann window.
    """

    sample_rate: int
    fft: int
    window: int

    def __post_init__(self) -> None:
        if self.sample_rate < 2 * EDGES[-1]:
            raise ValueError(
                f"tracks need sample_rate >= {2 * EDGES[-1]:g} Hz, got {self.sample_rate}"
            )
        if self.window < 2 * LAGS[1] * self.sample_rate:
            least = 2 * LAGS[1]
            raise ValueError(
                f"tracks need window >= {least:g} s, got {self.window / self.sample_rate:g}"
            )
        if self.sample_rate / self.fft > EDGES[0]:
            raise ValueError(
                f"tracks need fft >= {self.sample_rate / EDGES[0]:g} points, got {self.fft}"
            )


def of(frames: Tensor, power: Tensor, grid: Grid) -> Tensor:
    """The tracks of one recording.

    Args:
        frames: The samples under each window, level one, not windowed, shape
            (frames, window).
        power: |STFT|^2 of each frame under a Hann window, shape (frames, fft // 2 + 1).
        grid: What `power` was made with.

    Returns:
        Shape (frames, len(NAMES)), finite.

    >>> of(torch.zeros(63, 512), torch.zeros(63, 513), Grid(16_000, 1024, 512)).shape
    torch.Size([63, 40])
    """
    lowest, octaves, edges = _axes(grid)
    used = power[:, lowest:] + SILENCE / power.shape[1]
    energy = used.sum(dim=1, keepdim=True)
    shares = used / energy
    logs = shares.log()
    columns = [
        energy[:, 0].log() / 6,
        *_moments(shares, octaves),
        *_roll_offs(shares, octaves),
        -(shares * logs).sum(dim=1) / torch.tensor(len(octaves)).log(),
        _flux(shares),
        *_bands(shares, logs, edges),
        *_periodicity(power, grid),
        *_inside(frames, grid),
    ]
    return torch.stack(columns, dim=1)


@functools.lru_cache(maxsize=8)
def _axes(grid: Grid) -> tuple[int, Tensor, list[int]]:
    """The first bin that is used, the octave of each used bin, and where bands begin and end."""
    width = grid.sample_rate / grid.fft
    places = [round(edge / width) for edge in EDGES]
    places[-1] = min(places[-1], grid.fft // 2) + 1
    bins = torch.arange(places[0], places[-1])
    return places[0], (bins * width / 1000).log2(), [place - places[0] for place in places]


def _moments(shares: Tensor, octaves: Tensor) -> tuple[Tensor, ...]:
    """Centroid, spread, skewness, ln(1 + kurtosis), each (frames,)."""
    first, second, third, fourth = (
        shares @ torch.stack([octaves**k for k in (1, 2, 3, 4)], dim=1)
    ).unbind(dim=1)
    variance = (second - first**2).clamp_min(1e-4)
    spread = variance.sqrt()
    skewness = (third - 3 * first * second + 2 * first**3) / spread**3
    kurtosis = (fourth - 4 * first * third + 6 * first**2 * second - 3 * first**4) / variance**2
    return first, spread, skewness.clamp(-10, 10), kurtosis.clamp(0, 100).log1p()


def _roll_offs(shares: Tensor, octaves: Tensor) -> list[Tensor]:
    below = shares.cumsum(dim=1)
    wanted = torch.tensor(ROLL_OFFS).expand(len(shares), -1).contiguous()
    places = torch.searchsorted(below, wanted).clamp_max(len(octaves) - 1)
    return list(octaves[places].unbind(dim=1))


def _flux(shares: Tensor) -> Tensor:
    """Of the first frame: 0."""
    roots = shares.sqrt()
    steps = (roots[1:] - roots[:-1]).square().sum(dim=1).sqrt()
    return F.pad(steps, (1, 0))


def _bands(shares: Tensor, logs: Tensor, edges: list[int]) -> list[Tensor]:
    """Share, flatness and peak of every band, each (frames,)."""
    told: list[list[Tensor]] = [[], [], []]
    for low, high in itertools.pairwise(edges):
        band = shares[:, low:high]
        mean = band.mean(dim=1)
        told[0].append((mean * (high - low)).log() / 6)
        told[1].append(logs[:, low:high].mean(dim=1) - mean.log())
        told[2].append((band.amax(dim=1) / mean).log())
    return [track for kind in told for track in kind]


def _periodicity(power: Tensor, grid: Grid) -> tuple[Tensor, Tensor]:
    first, last = (round(lag * grid.sample_rate) for lag in LAGS)
    correlation = torch.fft.irfft(power, dim=1)
    window = torch.hann_window(grid.window)
    own = torch.fft.irfft(torch.fft.rfft(window, grid.fft).abs().square())
    found = correlation[:, first:last] / (correlation[:, :1] + SILENCE)
    height, place = (found / (own[first:last] / own[0])).max(dim=1)
    return height.clamp(-1, 2), ((place + first) / (0.005 * grid.sample_rate)).log2()


def _inside(frames: Tensor, grid: Grid) -> list[Tensor]:
    """Zero crossings, crest and bursts, each (frames,)."""
    crossings = (frames[:, 1:] * frames[:, :-1] < 0).float().mean(dim=1).sqrt()
    rms = (frames.square().mean(dim=1) + SILENCE / 100).sqrt()
    loud = frames.abs()
    crest = (loud.amax(dim=1) / rms + 1e-3).log()
    length = max(1, round(BURST * grid.sample_rate))
    whole = grid.window // (length * BURSTS[-1]) * length * BURSTS[-1]
    means = torch.unflatten(loud[:, :whole], 1, (-1, length)).mean(dim=2) / rms[:, None]
    bursts = [
        (torch.unflatten(means, 1, (-1, times)).mean(dim=2).diff(dim=1).std(dim=1) + 1e-3).log()
        for times in BURSTS
    ]
    return [crossings, crest, *bursts]
