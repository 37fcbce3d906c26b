"""What FedAdam and FedYogi share: their settings, their moments, and what is kept of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from numpy.typing import NDArray

from fedbreath.aggregation.optimizers import Adaptive, adaptive_step
from strategies import Weights
from strategies.federated import Federated, Weighted, kept, mean, part
from strategies.replies import Reply


@dataclass(frozen=True)
class AdaptiveConfig(Weighted):
    """Whom to call, how much each counts, and the server's step.

    Attributes:
        learning_rate: eta, the server's step size.
        beta1: Share of the first moment that stays for the next round.
        beta2: Share of the second moment that stays.
        tau: Degree of adaptivity, added to the root of the second moment.
    """

    learning_rate: float = 0.01
    beta1: float = 0.9
    beta2: float = 0.99
    tau: float = 1e-3

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("learning_rate", "tau"):
            if getattr(self, name) <= 0:
                raise ValueError(f"{name} must be > 0, got {getattr(self, name)}")
        for name in ("beta1", "beta2"):
            if not 0 <= getattr(self, name) < 1:
                raise ValueError(f"{name} must lie in [0, 1), got {getattr(self, name)}")


class AdaptiveServer(Federated[AdaptiveConfig]):
    """The clients' mean change, stepped along by an adaptive rule."""

    rule: ClassVar[Literal["adam", "yogi"]]

    def __init__(self, config: AdaptiveConfig, seed: int) -> None:
        super().__init__(config, seed)
        self._first: Weights = {}
        self._second: Weights = {}

    def combine(self, number: int, weights: Weights, replies: Sequence[Reply]) -> Weights:  # noqa: ARG002
        """The mean of the clients' weights."""
        return mean(replies, self.config.weighting)

    def advance(self, number: int, weights: Weights, combined: Weights) -> Weights:  # noqa: ARG002
        """A step of the rule."""
        c = self.config
        new, self._first, self._second = adaptive_step(
            self.rule,
            weights,
            combined,
            (self._first, self._second),
            Adaptive(c.learning_rate, c.beta1, c.beta2, c.tau),
            self.buffers,
        )
        return new

    def state(self) -> Weights:
        """Both moments."""
        return kept(first=self._first, second=self._second)

    def restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Go on from a `state`."""
        self._first, self._second = part(state, "first"), part(state, "second")
