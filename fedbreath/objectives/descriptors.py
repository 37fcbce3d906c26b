"""Descriptor prediction: say of a masked, noisy view what was measured on the clean crop.

In the manner of PASE (Pascual et al., Interspeech 2019, arXiv 1904.03416), whose workers
regress hand-made features of the signal. With d(x) the descriptors of a recording's clean
crop (`fedbreath.descriptors`: functionals of mels, cepstra and tracks of the linear
spectrum), m and s their public means and deviations, v the changed view of the crop's
log-mels, f the encoder and h a linear head,

    y    = clip((d(x) - m) / s, -c, c),
    loss = mean over recordings and descriptors of huber(h(f(v)) - y),

huber(e) = e^2 / 2 where |e| < 1, else |e| - 1/2. The targets are of a recording's own crop,
and m and s are constants of simulated sound (`public`), nobody's recording: the loss
**decomposes over recordings**, and one is enough. They must not be computed from pooled
private recordings: that would be a release of its own.

The encoder sees log-mels alone; the tracks, which it must infer, are in the targets. A crop of
silence has finite targets like any other.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from fedbreath import descriptors
from fedbreath.encoders import Encoder
from fedbreath.errors import ConfigError
from fedbreath.objectives import Crops, Floats, Given, Objective, public, upright
from fedbreath.views import Views, augment


@dataclass(frozen=True)
class Config:
    """Targets.

    Attributes:
        clip: Standardised targets lie within so many deviations.
    """

    clip: float = 5.0

    def __post_init__(self) -> None:
        if self.clip <= 0:
            raise ValueError(f"clip must be > 0, got {self.clip}")


class DescriptorPrediction(Objective):
    """A view and the standardised descriptors of its clean crop -> the error."""

    views = 2
    tracks = True
    decomposable = True
    minimum = 1

    def __init__(self, config: Config, given: Given) -> None:
        super().__init__()
        front_end = given.front_end
        if not front_end.tracks:
            raise ConfigError("objective=descriptors needs front_end.tracks=true: they are targets")
        self.clip, self.mels = config.clip, front_end.mels
        self.mean, self.sd = public.standard(front_end, given.frames)
        self.head = nn.Linear(given.dim, descriptors.count(front_end.mels))

    def make(
        self, crops: Crops, views: Views, rng: np.random.Generator, scale: float
    ) -> list[Floats]:
        """The changed log-mels, (B, mels, frames), and the targets, (B, D)."""
        clean = upright(crops())
        targets = self.targets(torch.from_numpy(np.ascontiguousarray(clean)))
        changed = augment(clean[:, : self.mels].transpose(0, 2, 1).copy(), views, rng, scale=scale)
        return [upright(changed), targets.numpy()]

    @torch.no_grad()
    def targets(self, clean: Tensor) -> Tensor:
        """Standardised descriptors, (B, mels + tracks, frames) -> (B, D)."""
        found = (descriptors.describe(clean, self.mels) - self.mean) / self.sd
        return found.clamp(-self.clip, self.clip)

    def forward(self, encoder: Encoder, views: Sequence[Tensor]) -> Tensor:
        """View (B, mels, frames) and targets (B, D) -> the mean error, a scalar."""
        view, targets = views
        return F.smooth_l1_loss(self.head(encoder(view)), targets)
