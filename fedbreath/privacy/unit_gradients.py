"""Factors by which the gradients of units are scaled, and the sum of those at hand.

With g_u the gradient of unit u over all trainable parameters jointly,

    sum_u f_u g_u,    f_u = min(1, C / |g_u|),

so that one unit, added or removed, changes the sum by at most C (Abadi et al., CCS 2016,
arXiv 1607.00133, algorithm 1).
"""

from collections.abc import Mapping

import torch
from torch import Tensor


def factors(squared: Tensor, clip: float) -> Tensor:
    """Squared norms (U,) -> f (U,), and exactly 0 where a norm is not finite.

    >>> factors(torch.tensor([0.0, 1.0, 16.0, float("nan")]), 2.0)
    tensor([1.0000, 1.0000, 0.5000, 0.0000])
    """
    scaled = (clip / squared.sqrt()).clamp(max=1)
    return torch.where(squared.isfinite(), scaled, torch.zeros_like(scaled))


def squared_norms(gradient: Tensor) -> Tensor:
    """Each unit's share of its squared norm, (U, ...) -> (U,), in float64."""
    rows = gradient.reshape(len(gradient), -1)
    norms: Tensor = torch.linalg.vector_norm(rows, dim=1)
    return norms.double().square()


def weighted(weights: Tensor, gradient: Tensor) -> Tensor:
    """sum_u w_u g_u: (U,), (U, ...) -> (...)."""
    total: Tensor = torch.tensordot(weights.to(gradient.dtype), gradient, dims=1)
    return total


def combine(gradients: Mapping[str, Tensor], clip: float) -> dict[str, Tensor]:
    """The clipped sum of gradients that were computed one by one.

    Args:
        gradients: Of every trainable parameter, (U, ...).
        clip: C.
    """
    scale = factors(torch.stack([squared_norms(g) for g in gradients.values()]).sum(0), clip)
    kept = scale > 0
    if not kept.all():
        # 0 times what is not a number is not a number: such a unit must be left out.
        gradients, scale = {name: g[kept] for name, g in gradients.items()}, scale[kept]
    return {name: weighted(scale, g) for name, g in gradients.items()}
