"""VICReg: variance, invariance, covariance. No negatives, no copy, no stopped gradient.

Bardes, Ponce and LeCun, ICLR 2022 (arXiv 2105.04906), equations 1 to 6. With Z, Z' of shape
(B, P) the projections of two crops of each recording,

    invariance s(Z, Z') = mean over B and P of (Z - Z')^2
    variance   v(Z)     = mean over P of max(0, 1 - sqrt(var over B + 1e-4))
    covariance c(Z)     = 1/P sum_{j != k} C(Z)_jk^2,   C the covariance over B
    loss = 25 s(Z, Z') + 25 (v(Z) + v(Z')) / 2 + c(Z) + c(Z').

The paper's equations sum the invariance over P and do not halve v; its published code
means and halves, and its weights 25, 25, 1 belong to the code. So do ours.

**Not decomposable**: variance and covariance are statistics of the batch, and one recording
moves the gradient of every other. A batch needs two recordings to have a variance. Where
all are alike (silence) the variance term is 0.99 and its gradient finite.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from fedbreath.encoders import Encoder
from fedbreath.objectives import Given, Objective
from fedbreath.objectives.heads import projector


@dataclass(frozen=True)
class Config:
    """Expander and weights.

    Attributes:
        projection: Length P of the projection, and width of the expander.
        invariance: Weight of s.
        variance: Weight of v.
        covariance: Weight of c.
    """

    projection: int = 512
    invariance: float = 25.0
    variance: float = 25.0
    covariance: float = 1.0

    def __post_init__(self) -> None:
        if self.projection < 1:
            raise ValueError(f"projection must be >= 1, got {self.projection}")
        for name in ("invariance", "variance", "covariance"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} must be >= 0, got {getattr(self, name)}")


class VicReg(Objective):
    """Crops agree, and the dimensions of the projection stay alive and apart."""

    views = 2
    decomposable = False
    COUPLING: ClassVar[str] = "its variance and covariance are taken over the batch"
    minimum = 2

    def __init__(self, config: Config, given: Given) -> None:
        super().__init__()
        self.weights = (config.invariance, config.variance, config.covariance)
        size = config.projection
        self.head = nn.Sequential(
            *projector(given.dim, size, size),
            nn.LayerNorm(size),
            nn.ReLU(),
            # No bias: it would cancel in every term.
            nn.Linear(size, size, bias=False),
        )

    def forward(self, encoder: Encoder, views: Sequence[Tensor]) -> Tensor:
        """Two views of shape (B, mels, frames) -> the weighted sum, a scalar."""
        first, second = (self.head(encoder(view)) for view in views)
        terms = (
            F.mse_loss(first, second),
            (variance(first) + variance(second)) / 2,
            covariance(first) + covariance(second),
        )
        return torch.stack([w * term for w, term in zip(self.weights, terms, strict=True)]).sum()


def variance(projected: Tensor) -> Tensor:
    """How far the standard deviations of the columns of (B, P) stay below 1, meaned."""
    return F.relu(1 - (projected.var(dim=0) + 1e-4).sqrt()).mean()


def covariance(projected: Tensor) -> Tensor:
    """Squared covariances of different columns of (B, P), summed and divided by P."""
    centred = projected - projected.mean(dim=0)
    matrix = centred.T @ centred / (len(projected) - 1)
    return (matrix.square().sum() - matrix.diagonal().square().sum()) / projected.shape[1]
