"""Multi-Krum: the mean of the clients that Krum likes best (Blanchard et al. 2017).

arXiv 1703.02757, section 4: with f hostile clients of n >= 2 f + 3, the mean of the m clients
with the least Krum scores, m <= n - f - 2 (El Mhamdi et al. 2018, arXiv 1802.07927). What
Flower's own does otherwise is said in `strategies.krum`; it also averages by the clients'
own word on their number of recordings, and takes any m.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from fedbreath.aggregation import robust
from fedbreath.errors import UserError
from strategies import Weights
from strategies.byzantine import Bounded, Hostile
from strategies.replies import Reply


@dataclass(frozen=True)
class Config(Hostile):
    """Whom to call, how many may be hostile, and how many are averaged.

    Attributes:
        keep: m, the clients averaged; None is the most, n - f - 2.
    """

    minimum: int = 5
    keep: int | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.keep is not None and self.keep < 1:
            raise ValueError(f"keep must be >= 1, got {self.keep}")


class MultiKrum(Bounded[Config]):
    """The uniform mean of the clients with the least scores."""

    beyond = 3
    central_privacy: ClassVar[str] = (
        "multi-Krum chooses whom to average by everybody's data, so no constant bounds what "
        "one client changes"
    )

    def combine(self, number: int, weights: Weights, replies: Sequence[Reply]) -> Weights:  # noqa: ARG002
        """The mean of the clients that multi-Krum chooses."""
        self.require(number, len(replies))
        most = len(replies) - self.config.byzantine - 2
        if self.config.keep is not None and self.config.keep > most:
            raise UserError(
                f"round {number}: strategy.keep={self.config.keep} of {len(replies)} usable "
                f"replies, but with strategy.byzantine={self.config.byzantine} at most {most} may "
                "be averaged: lower strategy.keep, or set it to null for the most"
            )
        return robust.multi_krum(
            [r.arrays for r in replies], self.config.byzantine, self.config.keep
        )
