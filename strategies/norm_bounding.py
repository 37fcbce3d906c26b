"""The mean of updates whose norm is bounded (Sun et al. 2019, arXiv 1911.07963, section 4).

``w + 1/n sum_k (w_k - w) min(1, bound / ||w_k - w||)``: no client moves the mean farther than
bound / n. Without a bound it is the median of the round's norms, as in FLAME (Nguyen et
al. 2022, arXiv 2101.02281). Flower has none but as a part of differential privacy.
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
    """Whom to call, and how far each may move.

    Attributes:
        bound: Of the Euclidean norm of an update; None is the median of the round's norms.
    """

    bound: float | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.bound is not None and self.bound <= 0:
            raise ValueError(f"bound must be > 0, got {self.bound}")


class NormBounding(Federated[Config]):
    """The uniform mean of bounded updates."""

    central_privacy: ClassVar[str] = (
        "norm bounding is a rule for each client whose bound may follow the round's data; the "
        "mechanism clips to a bound of its own, so choose strategy=fedavg with it"
    )

    def combine(self, number: int, weights: Weights, replies: Sequence[Reply]) -> Weights:  # noqa: ARG002
        """The mean of bounded updates."""
        return robust.norm_bounded_mean(weights, [r.arrays for r in replies], self.config.bound)
