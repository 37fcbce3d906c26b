"""Flower strategies: one thin file each, over the pure rules of ``fedbreath.aggregation``.

A strategy is a module with a ``Config`` dataclass and one class that takes it and the
run's seed. The class is a Flower strategy (`strategies.federated`), and has the members of
`Strategy` beside it: the rounds read and check replies once, and hand over arrays.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar, Protocol

from flwr.app import ArrayRecord, ConfigRecord, Message
from flwr.serverapp import Grid
from numpy.typing import NDArray

from strategies.replies import Reply

Weights = dict[str, NDArray[Any]]


class Strategy(Protocol):
    """A component of the group ``strategy``.

    A round is two steps, so that a mechanism of central differential privacy can take the
    place of the first: `combine` makes one set of weights of the replies, `advance` moves
    the global weights by what was combined, and touches no reply.

    Attributes:
        central_privacy: Why `combine` must not be replaced by a noised uniform mean, in
            one sentence; empty where it may.
        buffers: Names of the arrays that are statistics and no parameters; whoever has the
            network says so before the first round.
    """

    central_privacy: ClassVar[str]
    buffers: frozenset[str]

    @property
    def min_available_nodes(self) -> int:
        """Clients that must be connected before a round starts."""
        ...

    @property
    def least(self) -> int:
        """Usable replies without which `combine` has no answer."""
        ...

    def configure_train(
        self, server_round: int, arrays: ArrayRecord, config: ConfigRecord, grid: Grid
    ) -> Iterable[Message]:
        """The messages of a round; what a strategy wants of clients travels in them."""
        ...

    def combine(self, number: int, weights: Weights, replies: Sequence[Reply]) -> Weights:
        """One set of weights from at least one usable reply.

        Args:
            number: The round, from 1.
            weights: The global weights that were sent.
            replies: In the order of node ids.
        """
        ...

    def advance(self, number: int, weights: Weights, combined: Weights) -> Weights:
        """The server's step from the old global weights to the new.

        Args:
            number: The round, from 1.
            weights: The global weights that were sent.
            combined: What `combine`, or a mechanism in its place, made of the replies.
        """
        ...

    def state(self) -> Weights:
        """What the server must keep for the next round: momentum, control variate."""
        ...

    def restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Go on from a `state`; an empty one is the start."""
        ...
