"""Views: what an objective compares. Random crops, gain and masks of log-mel features.

Every random choice comes from the generator that is passed in, one generator a client
and round, so that a seed fixes the views and their order of use does not depend on
workers. No parameter depends on data, and no view mixes two recordings.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Views:
    """How a view is cut and changed.

    Attributes:
        seconds: Length of a crop; shorter recordings are repeated to fill it.
        gain_db: Half-width of the uniform random gain, dB.
        noise: Greatest deviation of Gaussian noise added to normalised log-mels; each view
            draws its own between 0 and this.
        time_mask: Longest masked stretch of time, as a share of the crop (SpecAugment,
            Park et al. 2019).
        mel_mask: Widest masked band, as a share of the mel bands.
    """

    seconds: float = 1.0
    gain_db: float = 3.0
    noise: float = 0.2
    time_mask: float = 0.2
    mel_mask: float = 0.2

    def __post_init__(self) -> None:
        if self.seconds <= 0:
            raise ValueError(f"seconds must be > 0, got {self.seconds}")
        if self.gain_db < 0:
            raise ValueError(f"gain_db must be >= 0, got {self.gain_db}")
        if self.noise < 0:
            raise ValueError(f"noise must be >= 0, got {self.noise}")
        for name in ("time_mask", "mel_mask"):
            if not 0 <= getattr(self, name) < 1:
                raise ValueError(f"{name} must lie in [0, 1), got {getattr(self, name)}")


def augment(
    crops: NDArray[np.float32], views: Views, rng: np.random.Generator, *, scale: float
) -> NDArray[np.float32]:
    """Change crops in place: a gain, noise, one time mask and one mel mask for each.

    Args:
        crops: Normalised natural-log mel energies, shape (B, frames, mels).
        views: What to change.
        rng: The client's generator of this round.
        scale: Standard deviation by which the log-mels were divided, in nepers of power;
            a gain of g dB adds g ln(10) / 10 / scale.

    Returns:
        The same array; masked cells hold 0, the normalised mean.
    """
    batch, frames, mels = crops.shape
    if views.gain_db:
        gain = rng.uniform(-views.gain_db, views.gain_db, (batch, 1, 1)) * np.log(10) / 10 / scale
        crops += gain.astype(np.float32)
    if views.noise:
        deviation = rng.uniform(0, views.noise, (batch, 1, 1)).astype(np.float32)
        crops += deviation * rng.standard_normal(crops.shape, np.float32)
    if views.time_mask:
        crops[_stretches(batch, frames, views.time_mask, rng)] = 0.0
    if views.mel_mask:
        crops.transpose(0, 2, 1)[_stretches(batch, mels, views.mel_mask, rng)] = 0.0
    return crops


def _stretches(batch: int, size: int, share: float, rng: np.random.Generator) -> NDArray[np.bool_]:
    """One random stretch a row, of uniform length up to `share` of `size`; (B, size)."""
    width = rng.integers(0, int(share * size) + 1, batch)
    start = rng.integers(0, size - width + 1)
    where = np.arange(size)
    return (where >= start[:, None]) & (where < (start + width)[:, None])
