"""FedEMA: clients start between the global weights and their own last (Zhuang et al. 2022).

arXiv 2204.04385, equations 4 to 6: ``mu w_k + (1 - mu) w`` with
``mu = min(lambda_k ||w - w_k||, 1)`` and ``lambda_k = tau / ||w - w_k||`` from a client's first
round (the autoscaler). The server averages as FedAvg does and sends tau; the client does
the rest with what it keeps (`fedbreath.guidance`), so the server holds nothing about any
client. Flower has none.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from fedbreath import guidance
from strategies import Weights
from strategies.federated import Federated, Weighted, mean
from strategies.replies import Reply


@dataclass(frozen=True)
class Config(Weighted):
    """Whom to call, how much each counts, and how much a client keeps.

    Attributes:
        tau: A client's first mu, in (0, 1]; the paper's is 0.7.
    """

    tau: float = 0.7

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 < self.tau <= 1:
            raise ValueError(f"tau must lie in (0, 1], got {self.tau}")


class FedEMA(Federated[Config]):
    """The mean of clients that keep a part of their own weights."""

    def guidance(self) -> Mapping[str, float]:
        """The autoscaler's target."""
        return {guidance.EMA: self.config.tau}

    def combine(self, number: int, weights: Weights, replies: Sequence[Reply]) -> Weights:  # noqa: ARG002
        """The mean of the clients' weights."""
        return mean(replies, self.config.weighting)
