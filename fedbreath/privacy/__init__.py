"""Mechanisms: one file each. How a step's gradient is made, and what that guarantees.

A mechanism is a module with a ``Config`` dataclass (what is asked: the privacy
specification) and one class that takes it. It draws the recordings of a step and turns
their loss into the gradient the optimiser sees, so that sampling, clipping and noise
stand in one place. What was achieved is a `Guarantee`, a different type.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

#: Indices of recordings, and draws -> their views, each with one row a recording.
MakeViews = Callable[[NDArray[np.int64], np.random.Generator], Sequence[Tensor]]

#: Who adds the noise.
Place = Literal["nowhere", "site", "server"]


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


@dataclass(frozen=True)
class Plan:
    """What a run intends, which its noise is calibrated for.

    Attributes:
        rounds: Rounds of the run.
        steps: Steps of each site in a round.
    """

    rounds: int
    steps: int


@dataclass(frozen=True)
class Site:
    """What a mechanism is told of the site that it works at.

    Attributes:
        people: The person behind each recording, None where none is known.
        population: The public number of units; None where no privacy is asked for.
    """

    people: Sequence[str | None]
    population: int | None = None


class Mechanism(Protocol):
    """A component of the group ``privacy``.

    A class may have ``check(run)`` beside it, which refuses a configuration that it cannot
    make private before any data are touched.

    Attributes:
        place: Who adds the noise.
    """

    place: Place

    @property
    def tells_metrics(self) -> bool:
        """Whether loss, norms and counts of a client may leave it in the clear."""
        ...

    def step(
        self,
        module: nn.Module,
        site: Site,
        make_views: MakeViews,
        batch_size: int,
        rng: np.random.Generator,
    ) -> float | None:
        """Fill the gradients of one step.

        Args:
            module: What is trained: views -> the mean loss over their rows.
            site: Whose recordings can be drawn.
            make_views: Makes views of recordings.
            batch_size: Recordings of a step, where the mechanism does not draw by a rate.
            rng: The run's own draws of this site and round: known to the coordinator.

        Returns:
            The mean loss, or None where it must not be known.
        """
        ...

    def guarantee(self, released: str) -> Guarantee:
        """What holds for all that the planned run releases."""
        ...
