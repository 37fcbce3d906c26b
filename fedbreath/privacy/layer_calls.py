"""The calls of a network's trainable layers during one forward pass, each row a unit's own.

Whoever takes a layer's input and output apart row by row relies on row i being of unit
i // R and of no other. What breaks that is refused here: a call with another number of
rows, a call on what was not made from the units' rows (a public bank), a parameter used
other than by calling its layer, an input overwritten after the call.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from torch import Tensor, nn
from torch.autograd.graph import GradientEdge, Node, get_gradient_edge

from fedbreath.errors import ConfigError

#: Layers whose gradients can be taken apart. Exactly these classes: a subclass may compute
#: something else from the same parameters.
SERVED: tuple[type[nn.Module], ...] = (
    nn.Linear,
    nn.Conv1d,
    nn.Conv2d,
    nn.GroupNorm,
    nn.LayerNorm,
)

_REMEDY = "privacy.grad=vmap handles it"


@dataclass(frozen=True)
class Call:
    """One call of one layer.

    Attributes:
        layer: What was called.
        value: Its input, (U * R, ...).
        edge: Where the gradient of its output arrives. Held instead of the output, which
            an in-place ReLU overwrites, and which then is another node's output.
        version: Of `value`, to notice when it is overwritten.
    """

    layer: nn.Module
    value: Tensor
    edge: GradientEdge
    version: int

    def input(self) -> Tensor:
        """The input, if it still is what the layer saw.

        Raises:
            ConfigError: It was overwritten.
        """
        if self.value._version != self.version:
            raise ConfigError(
                f"the input of a {_kind(self.layer)} was overwritten in place: {_REMEDY}"
            )
        return self.value


def trainable(module: nn.Module) -> dict[str, nn.Parameter]:
    """Trainable parameters by name."""
    return {name: p for name, p in module.named_parameters() if p.requires_grad}


def trainable_layers(module: nn.Module) -> dict[str, nn.Module]:
    """The parts that hold a trainable parameter themselves, by name."""
    return {
        name: part
        for name, part in module.named_modules()
        if any(p.requires_grad for p in part.parameters(recurse=False))
    }


def check_layers(module: nn.Module) -> None:
    """Refuse trainable parameters that no served layer holds, or that two layers share.

    Raises:
        ConfigError: There are some.
    """
    for name, layer in trainable_layers(module).items():
        what = _kind(layer)
        padding_mode = getattr(layer, "padding_mode", "zeros")
        if padding_mode != "zeros" or isinstance(getattr(layer, "padding", 0), str):
            what = f"{what} with padding={layer.padding!r}, padding_mode={padding_mode!r}"
        elif type(layer) in SERVED:
            continue
        raise ConfigError(
            f"{name or 'the module'} is a {what} with trainable parameters, whose gradient "
            f"cannot be taken apart by layer: {_REMEDY}"
        )
    uses = Counter(id(p) for _, p in module.named_parameters(remove_duplicate=False))
    for name, parameter in trainable(module).items():
        if uses[id(parameter)] > 1:
            raise ConfigError(f"{name} belongs to several layers at once: {_REMEDY}")


def leaves(views: Sequence[Tensor]) -> list[Tensor]:
    """The views, marked so that whatever is computed from them requires a gradient."""
    return [v.detach().requires_grad_(v.is_floating_point()) for v in views]


@contextmanager
def recorded(module: nn.Module, rows: int) -> Iterator[list[Call]]:
    """Record every call of a trainable layer that a gradient can come back to.

    Args:
        module: Called within on what `leaves` gave.
        rows: U * R.

    Raises:
        ConfigError: By the call of a layer whose rows cannot be told apart.
    """
    calls: list[Call] = []

    def record(layer: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        if not output.requires_grad:  # under no_grad: a slow copy, a monitor
            return
        value = inputs[0]
        if len(value) != rows or not value.requires_grad:
            found = f"{len(value)} rows" if len(value) != rows else "rows of something else"
            raise ConfigError(
                f"the objective passes {found} through a {_kind(layer)} beside the {rows} rows "
                "of its views, so that the rows of a unit cannot be told apart: privacy.grad=vmap "
                "can"
            )
        calls.append(Call(layer, value.detach(), get_gradient_edge(output), value._version))

    hooks = [part.register_forward_hook(record) for part in trainable_layers(module).values()]
    try:
        yield calls
    finally:
        for hook in hooks:
            hook.remove()


def check_uses(loss: Tensor, calls: Sequence[Call], module: nn.Module) -> None:
    """Refuse a loss that uses a trainable parameter beside the calls of its layer.

    Raises:
        ConfigError: Its graph reaches a parameter more often than the calls do.
    """
    seen, uses = _graph(loss)
    called = Counter(
        id(parameter)
        for call in calls
        if call.edge.node in seen
        for parameter in call.layer.parameters(recurse=False)
    )
    for name, parameter in trainable(module).items():
        if uses[id(parameter)] > called[id(parameter)]:
            raise ConfigError(f"{name} is used without its layer being called: {_REMEDY}")


def _graph(loss: Tensor) -> tuple[set[Node], Counter[int]]:
    """The nodes behind a loss, and how often each leaf is used, by its id."""
    waiting: list[Node] = [loss.grad_fn] if loss.grad_fn is not None else []
    seen: set[Node] = set(waiting)
    uses: Counter[int] = Counter()
    while waiting:
        for node, _ in waiting.pop().next_functions:
            if node is None:
                continue
            leaf = getattr(node, "variable", None)
            if leaf is not None:
                uses[id(leaf)] += 1
            elif node not in seen:
                seen.add(node)
                waiting.append(node)
    return seen, uses


def _kind(layer: nn.Module) -> str:
    """``nn.Linear``, or a class of ours by its name."""
    kind = type(layer)
    return f"nn.{kind.__name__}" if kind.__module__.startswith("torch.nn.") else kind.__name__
