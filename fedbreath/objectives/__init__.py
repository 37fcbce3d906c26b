"""Objectives: one file per self-supervised loss, with paper, equation and shapes.

An objective is a module with a ``Config`` dataclass and one subclass of `Objective` that
takes the configuration and the encoder's dimension. It owns what is learnt beside the
encoder (the projection head).
"""

from collections.abc import Callable, Sequence
from typing import ClassVar

import torch
from torch import Tensor, nn

from fedbreath.config import Component

#: An encoder as an objective sees it: (B, mels, frames) -> (B, D).
Encode = Callable[[Tensor], Tensor]


class Objective(nn.Module):
    """A loss over the views of a batch of recordings.

    Attributes:
        views: Number of views of each recording that the loss compares.
        decomposable: True when each recording's loss depends on no other recording.
        minimum: Recordings that a batch needs at least.
    """

    views: ClassVar[int]
    decomposable: ClassVar[bool]
    minimum: ClassVar[int]

    def forward(
        self,
        encoder: Encode,  # noqa: ARG002 - the contract
        views: Sequence[Tensor],  # noqa: ARG002
    ) -> Tensor:
        """Views of shape (B, mels, frames) each -> the mean loss, a scalar."""
        raise TypeError(f"{type(self).__name__} does not say what its loss is")


def build(component: Component, dim: int, seed: int) -> Objective:
    """An objective with the head that `seed` gives; the global generator is left alone."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        objective: Objective = component.build(dim)
    return objective
