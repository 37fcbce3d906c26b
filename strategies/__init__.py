"""Flower strategies: one thin file each, over the pure rules of ``fedbreath.aggregation``.

A strategy is a module with a ``Config`` dataclass and one class that takes it and the
run's seed. The class is a Flower strategy, and has the method of `Strategy` beside it:
the rounds read and check replies once, and hand over arrays.
"""

from collections.abc import Iterable, Sequence
from typing import Any, Protocol

from flwr.app import ArrayRecord, ConfigRecord, Message
from flwr.serverapp import Grid
from numpy.typing import NDArray

from strategies.replies import Reply

Weights = dict[str, NDArray[Any]]


class Strategy(Protocol):
    """A component of the group ``strategy``."""

    @property
    def min_available_nodes(self) -> int:
        """Clients that must be connected before a round starts."""
        ...

    def configure_train(
        self, server_round: int, arrays: ArrayRecord, config: ConfigRecord, grid: Grid
    ) -> Iterable[Message]:
        """The messages of a round."""
        ...

    def aggregate(self, number: int, replies: Sequence[Reply]) -> Weights:
        """New global weights from at least one usable reply, in the order of node ids."""
        ...
