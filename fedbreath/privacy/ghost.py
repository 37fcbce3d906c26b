"""Clipped sums by book-keeping: one forward and one backward pass for all units.

The inputs of the trainable layers are kept, autograd is asked for the gradients of their
outputs alone, and both together give each unit's norm and then the weighted sum, in which no
unit's gradient of a large layer is ever written out (Bu et al., ICML 2023, arXiv 2210.00038;
norms as in `ghost_layers`). The gradients of the weights that a plain backward pass would
compute are not, so that all this costs little more than such a pass.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from fedbreath.privacy.ghost_layers import Flow, Share, shares
from fedbreath.privacy.layer_calls import (
    Call,
    check_uses,
    leaves,
    recorded,
    trainable,
    trainable_layers,
)
from fedbreath.privacy.unit_gradients import factors


def clipped(
    module: nn.Module, views: Sequence[Tensor], units: int, clip: float
) -> dict[str, Tensor]:
    """`clipping.clipped_sum` of all units at once.

    Raises:
        ConfigError: Rows cannot be told apart, or a parameter is used beside its layer.
    """
    while units:
        found = _shares(module, views, units)
        squared = [share.squared for share in found.values()]
        scale = factors(torch.stack(squared).sum(0), clip) if squared else torch.ones(units)
        kept = scale > 0
        if kept.all():
            parts = {name: share.total(scale) for name, share in found.items()}
            return {
                name: parts[name] if name in parts else torch.zeros_like(p)
                for name, p in trainable(module).items()
            }
        # What is not a number would spread through the sum: again without such units.
        del found
        views = [torch.unflatten(v, 0, (units, -1))[kept.to(v.device)].flatten(0, 1) for v in views]
        units = int(kept.sum())
    return {name: torch.zeros_like(p) for name, p in trainable(module).items()}


def _shares(module: nn.Module, views: Sequence[Tensor], units: int) -> dict[str, Share]:
    """The share of each parameter that the loss depends on, by its name."""
    with recorded(module, len(views[0])) as calls:
        loss = module(*leaves(views))
    check_uses(loss, calls, module)
    flows = _flows(loss, calls, units)
    found: dict[str, Share] = {}
    for prefix, layer in trainable_layers(module).items():
        if layer in flows:
            # Given up layer by layer: what was written out needs neither of the two.
            for name, share in shares(layer, flows.pop(layer), units).items():
                found[f"{prefix}.{name}" if prefix else name] = share
    return found


def _flows(loss: Tensor, calls: Sequence[Call], units: int) -> dict[nn.Module, list[Flow]]:
    """Inputs and gradients of outputs, by layer.

    The loss is the mean over the units of theirs: times U, its gradient in a row is that of
    the row's own unit.
    """
    flows: dict[nn.Module, list[Flow]] = {}
    if not calls:
        return flows
    edges = [call.edge for call in calls]
    scale = torch.full_like(loss, units)
    errors = torch.autograd.grad(loss, edges, scale, allow_unused=True)
    for call, error in zip(calls, errors, strict=True):
        if error is not None:  # what the loss does not use has no gradient
            # Mixed precision: norms and sums are in that of the parameters.
            dtype = next(call.layer.parameters(recurse=False)).dtype
            flow = Flow(call.input().to(dtype), error.to(dtype))
            flows.setdefault(call.layer, []).append(flow)
    return flows
