"""Clipped sums with Opacus's gradients by row (Yousefpour et al. 2021, arXiv 2109.12298).

A second implementation, by others, of what `ghost` computes; slower, and there to be
compared with. Opacus keeps the gradient of every row of a batch and adds up the calls of a
layer; the rows of a unit are added here. What it cannot tell apart is refused as for `ghost`:
Opacus itself would add the rows of a public bank to those of the recordings.
"""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager

import torch
from torch import Tensor, nn

from fedbreath.errors import ConfigError
from fedbreath.privacy.layer_calls import (
    check_uses,
    leaves,
    recorded,
    trainable,
    trainable_layers,
)
from fedbreath.privacy.unit_gradients import combine


def clipped(
    module: nn.Module, views: Sequence[Tensor], units: int, clip: float
) -> dict[str, Tensor]:
    """`clipping.clipped_sum` of all units at once.

    Raises:
        ConfigError: Rows cannot be told apart, or a parameter is used beside its layer.
    """
    with _hooked(module):
        inputs = leaves(views)
        with recorded(module, len(inputs[0])) as calls:
            loss = module(*inputs)
        check_uses(loss, calls, module)
        # Asked for the views alone, so that no ordinary gradient of a weight is computed;
        # the hooks on the way to them do the work.
        floats = [view for view in inputs if view.requires_grad]
        torch.autograd.grad(loss, floats, torch.full_like(loss, units), allow_unused=True)
        for part in trainable_layers(module).values():
            if getattr(part, "activations", None):
                raise ConfigError(
                    f"a {type(part).__name__} is called without effect on the loss, and Opacus "
                    "cannot tell its calls apart: privacy.grad=ghost can"
                )
        return combine({n: _by_unit(p, units) for n, p in trainable(module).items()}, clip)


def _by_unit(parameter: nn.Parameter, units: int) -> Tensor:
    """Opacus's rows, (U * R, ...) or a list of such -> (U, ...); zeros where there are none."""
    found = parameter.grad_sample  # type: ignore[attr-defined]
    if found is None:
        return parameter.new_zeros(units, *parameter.shape)
    rows = torch.stack(found).sum(0) if isinstance(found, list) else found
    by_unit: Tensor = rows.unflatten(0, (units, -1)).sum(1)
    return by_unit


def _contiguous(_: nn.Module, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    return tuple(value.contiguous() for value in inputs)


@contextmanager
def _hooked(module: nn.Module) -> Iterator[None]:
    """Opacus's hooks within, no trace of them afterwards."""
    # Imported here: who does not ask for it need not wait for it.
    from opacus import GradSampleModule  # noqa: PLC0415

    with ExitStack() as stack:
        for part in module.modules():
            # Opacus hooks outputs by a view of them, which must not be overwritten.
            if getattr(part, "inplace", False):
                stack.callback(setattr, part, "inplace", True)
                part.inplace = False  # type: ignore[assignment]
            # Its patches are wrong, silently, where an input's channels are last in memory.
            if isinstance(part, nn.Conv1d | nn.Conv2d):
                stack.callback(part.register_forward_pre_hook(_contiguous).remove)
        for part in trainable_layers(module).values():
            # It ignores layers in evaluation mode; those served here do not have two modes.
            stack.callback(setattr, part, "training", part.training)
            part.training = True
            for name in ("activations", "max_batch_len"):
                stack.callback(part.__dict__.pop, name, None)
        hooks = GradSampleModule(module, strict=False, loss_reduction="sum")
        stack.callback(hooks.to_standard_module)
        yield
