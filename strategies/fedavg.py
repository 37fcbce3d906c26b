"""FedAvg: the weighted mean of the clients' weights (McMahan et al. 2017, algorithm 1).

``w_new = sum_k n_k w_k / sum_k n_k``, arXiv 1602.05629, with n_k the client's number of
training recordings, or one for each client (``weighting=uniform``). What Flower's own FedAvg
does otherwise is said in `strategies.federated`.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from strategies import Weights
from strategies.federated import Federated, Weighted, mean
from strategies.replies import Reply


@dataclass(frozen=True)
class Config(Weighted):
    """Whom to call, and how much each counts."""


class FedAvg(Federated[Config]):
    """The mean of the clients' weights."""

    def combine(self, number: int, weights: Weights, replies: Sequence[Reply]) -> Weights:  # noqa: ARG002
        """The mean; one client's weights come back bit for bit."""
        return mean(replies, self.config.weighting)
