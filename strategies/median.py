"""The median of each coordinate (Yin et al. 2018, arXiv 1803.01498, definition 1).

``w_new[j] = median_k w_k[j]`` bears fewer hostile clients than half. Flower's own FedMedian
turns integer counters into fractions.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from fedbreath.aggregation import robust
from strategies import Weights
from strategies.federated import Cohort, Federated
from strategies.replies import Reply


@dataclass(frozen=True)
class Config(Cohort):
    """Whom to call."""


class Median(Federated[Config]):
    """The coordinate-wise median."""

    central_privacy: ClassVar[str] = (
        "a median has no bounded sensitivity: one client can move it as far as the others' "
        "data let it"
    )

    def combine(self, number: int, weights: Weights, replies: Sequence[Reply]) -> Weights:  # noqa: ARG002
        """The median of the clients' weights."""
        return robust.median([reply.arrays for reply in replies])
