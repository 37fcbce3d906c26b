"""The clipped sum of per-unit gradients: what a mechanism adds noise to.

    sum_u g_u min(1, C / |g_u|),

g_u the gradient of the loss of unit u alone (a recording, or all rows of a patient), |g_u| its
Euclidean norm over all trainable parameters jointly. One unit, added or removed, changes the
sum by at most C, if the loss decomposes over units: that is the objective's promise, not
checked here. Three ways to the same numbers:

* ``ghost``: one pass for all units, by layer (`ghost`). The fastest, for the usual layers.
* ``vmap``: each unit's gradient by itself, with ``torch.func``. For every module.
* ``opacus``: Opacus's gradients by row (`opacus_rows`), to compare with.
"""

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn
from torch.func import functional_call, grad, vmap
from torch.nn.attention import SDPBackend, sdpa_kernel

from fedbreath.errors import ConfigError, PrivacyError
from fedbreath.privacy import ghost, opacus_rows
from fedbreath.privacy.layer_calls import check_layers, trainable
from fedbreath.privacy.unit_gradients import combine

Method = Literal["ghost", "vmap", "opacus"]

#: Units at a time where each has a gradient of its own in memory.
CHUNK = 8


def check(module: nn.Module, method: Method) -> None:
    """Refuse a module whose per-unit gradients the method cannot give.

    Raises:
        ConfigError: It cannot; the sentence names the layer.
    """
    for name, part in module.named_modules():
        if isinstance(part, nn.modules.batchnorm._BatchNorm) and part.training:
            raise ConfigError(
                f"{name} is a {type(part).__name__}, which in training lets the rows of a batch "
                "see one another, so that clipping bounds nobody's influence: take GroupNorm or "
                "LayerNorm, or freeze it"
            )
    if method != "vmap":
        check_layers(module)


def clipped_sum(
    module: nn.Module,
    views: Sequence[Tensor],
    units: int,
    clip: float,
    method: Method = "ghost",
    microbatch: int | None = None,
) -> dict[str, Tensor]:
    """sum_u g_u min(1, C / |g_u|) for each trainable parameter by its name.

    A unit whose gradient is not finite, or whose squared norm overflows, contributes zero.
    The module is left as it was: no hooks, no ``.grad``.

    Args:
        module: ``module(*views)`` is the mean loss over the rows of the views, a scalar.
        views: Arrays (U * R, ...), the R rows of unit 0 first.
        units: U, may be 0; every unit has equally many rows.
        clip: C.
        method: How; the result differs by rounding alone.
        microbatch: Units at a time: less memory for more passes. None is all units for
            ``ghost``, else `CHUNK`.

    Raises:
        ConfigError: The method cannot serve the module, or a call within it.
        PrivacyError: `clip` is not > 0.
        ValueError: The views have not equally many rows for each unit.

    >>> class Mean(nn.Module):
    ...     def __init__(self):
    ...         super().__init__()
    ...         self.linear = nn.Linear(2, 1, bias=False)
    ...     def forward(self, rows):
    ...         return self.linear(rows).mean()
    >>> clipped_sum(Mean(), [torch.tensor([[3.0, 4.0], [0.0, 0.5]])], units=2, clip=1.0)
    {'linear.weight': tensor([[0.6000, 1.3000]])}
    """
    if not clip > 0:
        raise PrivacyError(f"clip must be > 0, got {clip!r}")
    if microbatch is not None and microbatch < 1:
        raise ValueError(f"microbatch must be >= 1, got {microbatch}")
    check(module, method)
    if not units or not trainable(module):
        return {name: torch.zeros_like(p) for name, p in trainable(module).items()}
    sizes = {len(view) for view in views}
    if len(sizes) != 1 or min(sizes) % units or not min(sizes):
        raise ValueError(f"views must have equally many rows for {units} units, got {sizes}")
    rows = min(sizes) // units
    size = microbatch or (units if method == "ghost" else CHUNK)
    how = {"ghost": ghost.clipped, "vmap": _vmapped, "opacus": opacus_rows.clipped}[method]
    total: dict[str, Tensor] = {}
    with torch.enable_grad():
        for start in range(0, units, size):
            part = [view[start * rows : (start + size) * rows] for view in views]
            found = how(module, part, len(part[0]) // rows, clip)
            total = {name: total[name] + t for name, t in found.items()} if start else found
    return total


def _vmapped(
    module: nn.Module, views: Sequence[Tensor], units: int, clip: float
) -> dict[str, Tensor]:
    """All units at once, each with its own gradient."""
    parameters = {name: p.detach() for name, p in trainable(module).items()}

    def loss(weights: dict[str, Tensor], *rows: Tensor) -> Tensor:
        found: Tensor = functional_call(module, weights, rows)
        return found

    each = vmap(grad(loss), in_dims=(None, *(0 for _ in views)))
    # The fused kernels of attention have no rule for many units at once.
    with sdpa_kernel(SDPBackend.MATH):
        gradients = each(parameters, *(torch.unflatten(view, 0, (units, -1)) for view in views))
    return combine(gradients, clip)
