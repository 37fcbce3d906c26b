"""NT-Xent: the normalised, temperature-scaled cross-entropy of SimCLR.

Chen, Kornblith, Norouzi and Hinton, ICML 2020 (arXiv 2002.05709), equation 1. Two crops of
one recording are a positive pair; all other crops of the batch are negatives. With
embeddings of shape (B, D), a head g of output P, and z_1 ... z_2B the projections g(h) of
both views, each divided by its length,

    l(i, j) = -log( exp(z_i . z_j / t) / sum_{k != i} exp(z_i . z_k / t) ),
    loss    = 1 / 2B sum_i l(i, partner of i).

The head has LayerNorm where theirs has BatchNorm. The temperature t is a constant and not
learnt. The loss of one recording depends on the others of its batch: it does not decompose.
One recording alone has nothing to be told from, and its loss is 0.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn import functional as F

from fedbreath.encoders import Encoder
from fedbreath.objectives import Given, Objective
from fedbreath.objectives.heads import projector


@dataclass(frozen=True)
class Config:
    """Head and sharpness.

    Attributes:
        projection: Length P of the projection.
        hidden: Width of the head's hidden layer.
        temperature: Divides the cosines.
    """

    projection: int = 128
    hidden: int = 512
    temperature: float = 0.2

    def __post_init__(self) -> None:
        for name in ("projection", "hidden"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be >= 1, got {getattr(self, name)}")
        if self.temperature <= 0:
            raise ValueError(f"temperature must be > 0, got {self.temperature}")


class NtXent(Objective):
    """Cosine contrast of two crops against all other crops of the batch."""

    views = 2
    decomposable = False
    COUPLING: ClassVar[str] = "its negatives are the other recordings of the batch"
    minimum = 2

    def __init__(self, config: Config, given: Given) -> None:
        super().__init__()
        self.temperature = config.temperature
        self.head = projector(given.dim, config.hidden, config.projection)

    def forward(self, encoder: Encoder, views: Sequence[Tensor]) -> Tensor:
        """Two views of shape (B, mels, frames) -> the mean cross-entropy, a scalar."""
        first, second = (self.head(encoder(view)) for view in views)
        return nt_xent(first, second, self.temperature)


def nt_xent(first: Tensor, second: Tensor, temperature: float) -> Tensor:
    """Projections (B, P), (B, P) of any length -> the mean cross-entropy, a scalar.

    >>> one = torch.eye(2)
    >>> round(float(nt_xent(one, one, temperature=1.0)), 4)  # ln(e + 2) - 1
    0.5514
    """
    both = F.normalize(torch.cat([first, second]), dim=1)
    count = len(first)
    scores = both @ both.T / temperature
    itself = torch.eye(2 * count, dtype=torch.bool, device=both.device)
    partner = torch.arange(2 * count, device=both.device).roll(count)
    return F.cross_entropy(scores.masked_fill(itself, -torch.inf), partner)
