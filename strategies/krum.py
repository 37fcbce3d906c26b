"""Krum: the one client that is closest to its nearest others (Blanchard et al. 2017).

arXiv 1703.02757, section 4: with f hostile clients of n >= 2 f + 3, the weights of the client
with the least sum of squared distances to its n - f - 2 nearest. Flower's own Krum does not
look whether n bears f, and takes distances from norms and products of float32 weights, in
which a small distance between large weights is lost.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from fedbreath.aggregation import robust
from strategies import Weights
from strategies.byzantine import Bounded, Hostile
from strategies.replies import Reply


@dataclass(frozen=True)
class Config(Hostile):
    """Whom to call, and how many of them may be hostile."""

    minimum: int = 5


class Krum(Bounded[Config]):
    """One client's weights, as they are."""

    beyond = 3
    central_privacy: ClassVar[str] = (
        "Krum releases one client's whole update, chosen by everybody's data"
    )

    def combine(self, number: int, weights: Weights, replies: Sequence[Reply]) -> Weights:  # noqa: ARG002
        """The weights of the client that Krum chooses."""
        self.require(number, len(replies))
        return robust.krum([r.arrays for r in replies], self.config.byzantine)
