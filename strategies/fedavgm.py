"""FedAvgM: FedAvg whose server steps with momentum (Hsu, Qi and Brown 2019).

arXiv 1909.06335, section 4.3: ``m <- beta m + Delta``, ``w <- w + eta m``, with Delta the
mean change of the clients (`fedbreath.aggregation.optimizers`). Flower's own gives batch
statistics momentum too and turns integer counters into fractions; here both are what the
clients' mean says.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from fedbreath.aggregation.optimizers import momentum_step
from strategies import Weights
from strategies.federated import Federated, Weighted, kept, mean, part
from strategies.replies import Reply


@dataclass(frozen=True)
class Config(Weighted):
    """Whom to call, how much each counts, and the server's step.

    Attributes:
        learning_rate: eta, the server's step size.
        momentum: beta, the share of the momentum that stays for the next round.
    """

    learning_rate: float = 1.0
    momentum: float = 0.9

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.learning_rate <= 0:
            raise ValueError(f"learning_rate must be > 0, got {self.learning_rate}")
        if not 0 <= self.momentum < 1:
            raise ValueError(f"momentum must lie in [0, 1), got {self.momentum}")


class FedAvgM(Federated[Config]):
    """The clients' mean change, with momentum."""

    def __init__(self, config: Config, seed: int) -> None:
        super().__init__(config, seed)
        self._momentum: Weights = {}

    def combine(self, number: int, weights: Weights, replies: Sequence[Reply]) -> Weights:  # noqa: ARG002
        """The mean of the clients' weights."""
        return mean(replies, self.config.weighting)

    def advance(self, number: int, weights: Weights, combined: Weights) -> Weights:  # noqa: ARG002
        """A step along the momentum."""
        new, self._momentum = momentum_step(
            weights,
            combined,
            self._momentum,
            self.config.learning_rate,
            self.config.momentum,
            self.buffers,
        )
        return new

    def state(self) -> Weights:
        """The momentum."""
        return kept(momentum=self._momentum)

    def restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Go on from a `state`."""
        self._momentum = part(state, "momentum")
