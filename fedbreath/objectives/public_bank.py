"""Public-bank contrast: two crops of a recording against simulated sound only.

The loss of SimCLR (`nt_xent`) with its negatives taken from a bank that holds nobody's
recording. With z, z' of shape (B, P) the projections of two crops and b_1 ... b_K those of
the bank, each divided by its length,

    l(z, z') = -log( exp(z . z' / t) / (exp(z . z' / t) + sum_k exp(z . b_k / t)) ),
    loss     = mean over the batch of (l(z, z') + l(z', z)) / 2.

The bank is public, so the loss of one recording depends on the weights and on that recording
alone: it **decomposes over recordings**, and one recording is enough. A queue of private
embeddings (MoCo) would not do.

The bank (`fedbreath.objectives.bank`) is made when the objective is built and held in
memory, 1 MB with the defaults; it is neither sent nor written.

Cost: all K crops pass through the encoder in each step, forward and backward. With K twice
the batch, as many as the step's own crops, a step costs twice one of two crops alone; a
gradient for each recording apart passes backward through the bank for each. The gradient
must flow into the negatives: where it was stopped, training fell into the constant
embedding (a loss of exactly log(K + 1)) in twenty steps, since all could move together.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn import functional as F

from fedbreath.encoders import Encoder
from fedbreath.objectives import Given, Objective
from fedbreath.objectives.bank import crops_of
from fedbreath.objectives.heads import projector


@dataclass(frozen=True)
class Config:
    """Bank, head and sharpness.

    Attributes:
        size: Simulated takes in the bank, K.
        projection: Length P of the projection.
        hidden: Width of the head's hidden layer.
        temperature: Divides the cosines.
    """

    size: int = 64
    projection: int = 128
    hidden: int = 512
    temperature: float = 0.2

    def __post_init__(self) -> None:
        for name in ("size", "projection", "hidden"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be >= 1, got {getattr(self, name)}")
        if self.temperature <= 0:
            raise ValueError(f"temperature must be > 0, got {self.temperature}")


class PublicBank(Objective):
    """Contrast of two crops against a bank of simulated sound."""

    views = 2
    decomposable = True
    SEPARATE: ClassVar[bool] = False
    minimum = 1
    bank: Tensor

    def __init__(self, config: Config, given: Given) -> None:
        super().__init__()
        self.temperature = config.temperature
        self.head = projector(given.dim, config.hidden, config.projection)
        # Not persistent: neither the server nor the site's disk needs what anyone can make.
        self.register_buffer("bank", crops_of(config.size, given), persistent=False)

    def forward(self, encoder: Encoder, views: Sequence[Tensor]) -> Tensor:
        """Two views of shape (B, mels, frames) -> the mean cross-entropy, a scalar."""
        first, second, negatives = (self.head(encoder(x)) for x in (*views, self.bank))
        return against(first, second, negatives, self.temperature)


def against(first: Tensor, second: Tensor, negatives: Tensor, temperature: float) -> Tensor:
    """Projections (B, P), (B, P) and (K, P) of any length -> the mean loss, a scalar."""
    left, right, others = (F.normalize(t, dim=1) for t in (first, second, negatives))
    positive = (left * right).sum(dim=1, keepdim=True)
    losses = [
        -torch.cat([positive, anchor @ others.T], dim=1).div(temperature).log_softmax(dim=1)[:, 0]
        for anchor in (left, right)
    ]
    return torch.stack(losses).mean()
