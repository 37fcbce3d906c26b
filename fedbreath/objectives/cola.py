"""COLA: contrastive learning of general-purpose audio representations.

Saeed, Grangier and Zeghidour, ICASSP 2021 (arXiv 2010.10915). Two crops of one
recording are a positive pair; the other recordings of the batch are negatives. With
embeddings h1, h2 of shape (B, D) and a head g (linear, LayerNorm, tanh) of output P,

    s(i, j) = g(h1_i)^T W g(h2_j) / sqrt(P),        W of shape (P, P)
    loss    = -1/B sum_i log( exp s(i, i) / sum_j exp s(i, j) ).

Bilinear similarity, no temperature (their equation 2). The constant 1 / sqrt(P) is ours: it
only scales W, and keeps the first similarities of order one. Without it the loss starts
above that of guessing and, at a learning rate of 1e-3, falls into the constant embedding
(a loss of exactly log B) within some tens of steps. The loss of one recording depends
on the others of its batch: it does not decompose, so clipping per recording does not
bound what one recording can do.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from fedbreath.encoders import Encoder
from fedbreath.objectives import Given, Objective


@dataclass(frozen=True)
class Config:
    """Shape of the head.

    Attributes:
        projection: Length P of the projected embedding.
    """

    projection: int = 512

    def __post_init__(self) -> None:
        if self.projection < 1:
            raise ValueError(f"projection must be >= 1, got {self.projection}")


class Cola(Objective):
    """Bilinear contrast of two crops against the rest of the batch."""

    views = 2
    decomposable = False
    COUPLING: ClassVar[str] = "its negatives are the other recordings of the batch"
    minimum = 2

    def __init__(self, config: Config, given: Given) -> None:
        super().__init__()
        size = config.projection
        self.head = nn.Sequential(nn.Linear(given.dim, size), nn.LayerNorm(size), nn.Tanh())
        self.bilinear = nn.Linear(size, size, bias=False)

    def similarity(self, first: Tensor, second: Tensor) -> Tensor:
        """Embeddings (B, D), (B, D) -> similarities (B, B), row i against column j."""
        left, right = self.head(first), self.head(second)
        scores: Tensor = left @ self.bilinear(right).T / left.shape[1] ** 0.5
        return scores

    def forward(self, encoder: Encoder, views: Sequence[Tensor]) -> Tensor:
        """Two views of shape (B, mels, frames) -> the mean cross-entropy, a scalar."""
        scores = self.similarity(encoder(views[0]), encoder(views[1]))
        return F.cross_entropy(scores, torch.arange(len(scores), device=scores.device))
