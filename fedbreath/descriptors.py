"""Descriptors of a crop: functionals of its mel bands, cepstra and frame tracks.

Each row x(t) of a crop is a sequence over its frames: the log-mels, their first `CEPSTRA`
cepstra (DCT-II of the log-mels), and the frame `tracks`. Of each row:

================  =====  ==================================================================
functional        count  what
================  =====  ==================================================================
mean              1      over the frames
ln deviation      1      ln of the root of variance + 1e-4
skewness          1
ln kurtosis       1
quantiles         7      0, 5, 25, 50, 75, 95, 100 %, nearest rank
fluctuation       5      ln of the root mean square of the difference of adjacent moving
                         averages over 1, 2, 4, 8, 16 frames (Haar wavelet; Allan deviation)
================  =====  ==================================================================

Descriptors are computed from one crop alone: no number of another recording enters, so that
a loss that predicts them decomposes over recordings. They are the same bit for bit whatever
stands beside the crop in a batch and however the batch lies in memory.
"""

import functools

import torch
from torch import Tensor
from torch.nn import functional as F

from fedbreath import tracks

#: Cepstra beside the log-mels.
CEPSTRA = 20

QUANTILES = (0.0, 0.05, 0.25, 0.5, 0.75, 0.95, 1.0)

#: Frames that a moving average spans.
SPANS = (1, 2, 4, 8, 16)

#: Frames of a difference of two averages over the longest span, and one more; a shorter crop
#: is repeated from its start until it has them.
FRAMES = 2 * SPANS[-1] + 1

#: Functionals of each row.
FUNCTIONALS = 4 + len(QUANTILES) + len(SPANS)

#: What keeps a root or a logarithm of nothing finite: a deviation of 0.01.
_LEAST = 1e-4


def count(mels: int) -> int:
    """Descriptors of a crop of so many mel bands.

    >>> count(64)
    1984
    """
    return (mels + min(CEPSTRA, mels) + len(tracks.NAMES)) * FUNCTIONALS


def describe(crop: Tensor, mels: int) -> Tensor:
    """All descriptors of each crop.

    Args:
        crop: Normalised log-mels and the tracks below them, shape (B, mels + tracks,
            frames).
        mels: Mel bands.

    Returns:
        Shape (B, `count(mels)`), row by row.

    Raises:
        ValueError: Another number of rows, or no frames.

    >>> describe(torch.zeros(2, 64 + len(tracks.NAMES), 62), 64).shape
    torch.Size([2, 1984])
    """
    rows = mels + len(tracks.NAMES)
    if crop.ndim != 3 or crop.shape[1] != rows or not crop.shape[2]:
        raise ValueError(f"crops must have the shape (B, {rows}, frames), got {tuple(crop.shape)}")
    if crop.shape[2] < FRAMES:
        crop = crop[:, :, torch.arange(FRAMES, device=crop.device) % crop.shape[2]]
    crop = crop.contiguous()  # sums over frames depend on how they lie
    cepstra = torch.einsum("bmt,mk->bkt", crop[:, :mels], _dct(mels).to(crop))
    return functionals(torch.cat([crop, cepstra], dim=1)).flatten(1)


def functionals(rows: Tensor) -> Tensor:
    """(B, R, frames) -> (B, R, `FUNCTIONALS`)."""
    mean = rows.mean(dim=2, keepdim=True)
    centred = rows - mean
    square = centred.square()
    variance = square.mean(dim=2) + _LEAST
    # Not **1.5, whose last bit depends on where in a tensor a number stands.
    skewness = (square * centred).mean(dim=2) / (variance * variance.sqrt())
    kurtosis = (square.square().mean(dim=2) / variance**2 + 1e-3).log()
    ordered = rows.sort(dim=2).values
    places = [round(share * (rows.shape[2] - 1)) for share in QUANTILES]
    told = [mean[:, :, 0], variance.log() / 2, skewness, kurtosis]
    return torch.cat([torch.stack(told, dim=2), ordered[:, :, places], _fluctuation(rows)], dim=2)


def _fluctuation(rows: Tensor) -> Tensor:
    """(B, R, frames) -> (B, R, spans)."""
    sums = F.pad(rows.cumsum(dim=2), (1, 0))
    told = []
    for span in SPANS:
        averages = (sums[:, :, span:] - sums[:, :, :-span]) / span
        steps = averages[:, :, span:] - averages[:, :, :-span]
        told.append((steps.square().mean(dim=2) + _LEAST).log() / 2)
    return torch.stack(told, dim=2)


@functools.lru_cache(maxsize=4)
def _dct(mels: int) -> Tensor:
    """DCT-II, orthonormal but for its first column; (mels, cepstra)."""
    places = torch.arange(mels) + 0.5
    orders = torch.arange(min(CEPSTRA, mels))
    table: Tensor = torch.cos(torch.pi / mels * places[:, None] * orders) * (2 / mels) ** 0.5
    return table
