"""Mechanisms: one file each. How a step's gradient is made, and what that guarantees.

A mechanism is a module with a ``Config`` dataclass (what is asked: the privacy
specification) and one class that takes it. It draws the recordings of a step and turns
their loss into the gradient the optimiser sees, so that sampling, clipping and noise
stand in one place. What was achieved is a `Guarantee`, a different type.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

#: Indices of recordings -> their views, each of shape (B, mels, frames).
MakeViews = Callable[[NDArray[np.int64]], Sequence[Tensor]]


@dataclass(frozen=True)
class Guarantee:
    """What a mechanism achieved. A number never stands without the rest.

    Attributes:
        mechanism: The YAML's name.
        epsilon: None when there is no bound.
        delta: None when there is no bound.
        unit: What is hidden: ``recording``, ``patient``, ``client``, or ``nothing``.
        adjacency: ``add/remove``, ``replace-one``, or ``none``.
        trust_model: ``local``, ``central``, ``distributed``, or ``none``.
        accountant: What computed epsilon.
        released: What leaves the site.
        assumptions: What must be true for it to hold, and what it was computed for.
    """

    mechanism: str
    epsilon: float | None
    delta: float | None
    unit: str
    adjacency: str
    trust_model: str
    accountant: str
    released: str
    assumptions: tuple[str, ...] = ()

    def sentence(self) -> str:
        """The guarantee in words for a report."""
        if self.epsilon is None:
            return (
                f"No formal privacy guarantee (mechanism: {self.mechanism}). "
                f"Recordings stay at their site; {self.released} leave it in the clear, and "
                "model weights can reveal what they were trained on."
            )
        return (
            f"({self.epsilon:.3g}, {self.delta:g})-differential privacy per {self.unit}, "
            f"{self.adjacency} adjacency, {self.trust_model} trust model, by "
            f"{self.accountant}; released: {'; '.join((self.released, *self.assumptions))}."
        )


class Mechanism(Protocol):
    """A component of the group ``privacy``."""

    @property
    def tells_metrics(self) -> bool:
        """Whether loss, norms and counts of a client may leave it in the clear."""
        ...

    def draw(
        self, subjects: Sequence[str | None], batch_size: int, rng: np.random.Generator
    ) -> NDArray[np.int64]:
        """Positions of the recordings that one step uses, shape (B,), from each one's person."""
        ...

    def backward(
        self,
        loss: Callable[[Sequence[Tensor]], Tensor],
        model: nn.Module,
        make_views: MakeViews,
        drawn: NDArray[np.int64],
    ) -> float:
        """Fill the model's gradients for one step; return the mean loss."""
        ...

    def guarantee(self, released: str) -> Guarantee:
        """What holds for all that was released."""
        ...
