"""AdamW over torch's functional form, with its state as a plain dictionary.

Loshchilov and Hutter, ICLR 2019. The arithmetic is torch's (`torch.optim.adamw.adamw`,
fused: one pass over the weights a step). The class around it is ours for two reasons: a
site keeps the state between rounds as named tensors, and the first step of
``torch.optim.AdamW`` imports the compiler stack in every process, which a
node pays at every message.
"""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor
from torch.optim.adamw import adamw

#: Exponential decay of the two moments, and the term that keeps the root from zero.
BETAS = (0.9, 0.999)
EPSILON = 1e-8


class AdamW:
    """Decoupled weight decay on every parameter.

    Args:
        parameters: What is trained.
        learning_rate: Step size.
        weight_decay: Decay a step, times the step size.
        state: What `state` gave before, to go on from; empty starts afresh.
    """

    def __init__(
        self,
        parameters: Sequence[Tensor],
        learning_rate: float,
        weight_decay: float,
        state: Mapping[str, Tensor],
    ) -> None:
        self.parameters = list(parameters)
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.means = [_moment(state, "mean", i, p) for i, p in enumerate(self.parameters)]
        self.squares = [_moment(state, "square", i, p) for i, p in enumerate(self.parameters)]
        self.steps = [
            state.get(f"steps.{i}", torch.zeros(())).to(p.device, copy=True)
            for i, p in enumerate(self.parameters)
        ]

    def zero_grad(self) -> None:
        """Forget the gradients."""
        for parameter in self.parameters:
            parameter.grad = None

    @torch.no_grad()
    def step(self) -> None:
        """One update; a parameter without a gradient is left as it is."""
        live = [i for i, p in enumerate(self.parameters) if p.grad is not None]
        gradients = [p.grad for p in self.parameters if p.grad is not None]
        adamw(
            [self.parameters[i] for i in live],
            gradients,
            [self.means[i] for i in live],
            [self.squares[i] for i in live],
            [],
            [self.steps[i] for i in live],
            fused=True,
            amsgrad=False,
            beta1=BETAS[0],
            beta2=BETAS[1],
            lr=self.learning_rate,
            weight_decay=self.weight_decay,
            eps=EPSILON,
            maximize=False,
        )

    def state(self) -> dict[str, Tensor]:
        """Moments and step count, on the CPU, by name."""
        kept: dict[str, Tensor] = {}
        for i in range(len(self.parameters)):
            kept[f"mean.{i}"] = self.means[i].cpu()
            kept[f"square.{i}"] = self.squares[i].cpu()
            kept[f"steps.{i}"] = self.steps[i].cpu()
        return kept


def _moment(state: Mapping[str, Tensor], name: str, index: int, parameter: Tensor) -> Tensor:
    kept = state.get(f"{name}.{index}")
    if kept is None:
        return torch.zeros_like(parameter, requires_grad=False)
    return kept.to(parameter.device, copy=True)
