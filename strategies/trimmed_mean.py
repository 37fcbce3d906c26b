"""The mean of each coordinate without its extremes (Yin et al. 2018, definition 2).

arXiv 1803.01498: of n values of a coordinate the f greatest and f least are left out and the
n - 2 f others averaged; f is the number of hostile clients to bear, so n > 2 f. Flower's own
FedTrimmedAvg is told a share instead, which rounds down to no trimming at all with few
clients (0.2 of four), and turns integer counters into fractions.
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

    minimum: int = 3


class TrimmedMean(Bounded[Config]):
    """The coordinate-wise trimmed mean."""

    beyond = 1
    central_privacy: ClassVar[str] = (
        "a trimmed mean leaves out values by the others' data, so no constant bounds what one "
        "client changes"
    )

    def combine(self, number: int, weights: Weights, replies: Sequence[Reply]) -> Weights:  # noqa: ARG002
        """The trimmed mean of the clients' weights."""
        self.require(number, len(replies))
        return robust.trimmed_mean([r.arrays for r in replies], self.config.byzantine)
