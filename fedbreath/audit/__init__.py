"""Audits: is what a mechanism claims true of the code that runs?

`sensitivity` looks at sums before noise and searches for a unit that moves one of them by more
than the mechanism claims; `empirical` plays the attacker against noised sums. Both call the
mechanism's own production function, and release nothing.

What is audited is a `Summed`: a sum over units, with its claim. `site` makes one of a run whose
sites add the noise, `server` one of a run whose server does, where units are whole updates.
"""

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from fedbreath.privacy.terms import Bound

Floats = NDArray[np.float32]


class Summed(Protocol):
    """A sum over units before noise, whatever a unit is.

    A unit is an array of the shape (pieces, ...), its pieces being recordings, for
    example. Unit i keeps its name, and so its own randomness, whoever else takes part.

    Attributes:
        bound: D_add as claimed, by which one unit moves the sum at most, L2.
        rule: The claim as the mechanism states it.
        unit: What a unit is.
        shape: Of one piece.
        pieces: How many pieces a unit may have.
        silent: What an entry is where nothing is heard.
        epsilon: Machine epsilon of the arithmetic.
    """

    bound: float
    rule: str
    unit: str
    shape: tuple[int, ...]
    pieces: tuple[int, ...]
    silent: float
    epsilon: float

    def total(self, units: Sequence[Floats], key: int, without: int | None = None) -> Tensor:
        """The sum as one vector.

        Args:
            units: Who is drawn.
            key: Which of many fixed random choices of views, groups ...
            without: A unit that is not there.
        """
        ...

    def left_behind(
        self, units: Sequence[Floats], key: int, canary: int, first: set[int]
    ) -> Tensor:
        """What a step leaves that is not its sum, as one vector.

        The sum of a later step of all but the canary, and what travels and is not trained.

        Args:
            units: All there are.
            key: As for `total`.
            canary: Who takes no part in the later step.
            first: Who takes part in the first step.
        """
        ...

    def noise(self) -> Tensor:
        """The noise that a step would add to the sum, drawn anew, as one vector."""
        ...

    def claim(self) -> Bound:
        """Epsilon claimed of one step in which the unit is drawn for certain (q = 1)."""
        ...
