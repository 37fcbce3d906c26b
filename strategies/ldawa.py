"""L-DAWA: layers count by their angle to the global one (Rehman et al. 2023).

arXiv 2307.07393: ``w_new[l] = 1/K sum_k cos(w[l], w_k[l]) w_k[l]`` for each layer l
(`fedbreath.aggregation.layerwise` says what the paper leaves open). Flower has none.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from fedbreath.aggregation.layerwise import divergence_weighted_mean
from strategies import Weights
from strategies.federated import Cohort, Federated
from strategies.replies import Reply


@dataclass(frozen=True)
class Config(Cohort):
    """Whom to call."""


class LDAWA(Federated[Config]):
    """The layer-wise divergence-aware mean."""

    central_privacy: ClassVar[str] = (
        "L-DAWA weighs each client's layers by their angle to the global ones, so one client's "
        "data decide how much it counts"
    )

    def combine(self, number: int, weights: Weights, replies: Sequence[Reply]) -> Weights:  # noqa: ARG002
        """Every layer by its angle to the global one."""
        return divergence_weighted_mean(weights, [r.arrays for r in replies], self.buffers)
