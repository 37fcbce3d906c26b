"""FedProx: FedAvg whose clients are held near the global weights (Li et al. 2020).

arXiv 1812.06127, equation 2: a client minimises ``F_k(w) + mu/2 ||w - w_t||^2``. The server's
part is to send mu in a round's message, under Flower's own key (`fedbreath.guidance` has the
client's part). Flower's own FedProx does the same over Flower's FedAvg, whose sum and
draw are not ours.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from fedbreath import guidance
from strategies import Weights
from strategies.federated import Federated, Weighted, mean
from strategies.replies import Reply


@dataclass(frozen=True)
class Config(Weighted):
    """Whom to call, how much each counts, and how near a client stays.

    Attributes:
        mu: Weight of the proximal term; 0 is FedAvg.
    """

    mu: float = 0.01

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.mu < 0:
            raise ValueError(f"mu must be >= 0, got {self.mu}")


class FedProx(Federated[Config]):
    """The mean of clients that a proximal term holds back."""

    def guidance(self) -> Mapping[str, float]:
        """The proximal term's weight."""
        return {guidance.PROXIMAL: self.config.mu}

    def combine(self, number: int, weights: Weights, replies: Sequence[Reply]) -> Weights:  # noqa: ARG002
        """The mean of the clients' weights."""
        return mean(replies, self.config.weighting)
