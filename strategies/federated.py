"""What all strategies share: whom a round calls, and Flower's interface over our two steps.

Flower's own FedAvg draws clients from Python's global generator, waits without bound for
missing nodes, averages integer counters, sums in the order of arrival and keeps no state
that a checkpoint could save. This adapter keeps Flower's interface and replaces those: the
draw depends on (seed, round), the caller has waited, counters take their maximum, clients
are summed in the order of their node ids, and the server's state goes in and comes out as
arrays by name.
"""

import typing
from abc import abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, Literal, TypeVar

import numpy as np
from flwr.app import (
    Array,
    ArrayRecord,
    ConfigRecord,
    Message,
    MessageType,
    MetricRecord,
    RecordDict,
)
from flwr.serverapp import Grid
from flwr.serverapp.strategy import FedAvg as FlowerFedAvg
from numpy.typing import NDArray

from fedbreath.aggregation import weighted_mean
from fedbreath.errors import UserError
from fedbreath.guidance import STAYS
from strategies import Weights
from strategies.replies import Reply, beside, moving, read, values

Weighting = Literal["examples", "uniform"]


@dataclass(frozen=True)
class Cohort:
    """Whom to call.

    Attributes:
        fraction: Share of the connected clients called in a round, at least one.
        cohort: So many clients are called in place of a share, or all where fewer are
            connected; None means the share. What a round costs then does not hang on how
            many there are.
        minimum: Clients that must be connected before a round starts, and whose replies it
            must be able to use (all of them where a round calls fewer).
    """

    fraction: float = 1.0
    cohort: int | None = None
    minimum: int = 1

    def __post_init__(self) -> None:
        if not 0 < self.fraction <= 1:
            raise ValueError(f"fraction must lie in (0, 1], got {self.fraction}")
        if self.minimum < 1:
            raise ValueError(f"minimum must be >= 1, got {self.minimum}")
        if self.cohort is not None and self.cohort < 1:
            raise ValueError(f"cohort must be >= 1 or null, got {self.cohort}")
        if self.cohort is not None and self.fraction != 1:
            raise ValueError(
                f"cohort={self.cohort} and fraction={self.fraction} both say how many clients a "
                "round calls: leave one of them out"
            )

    def size(self, connected: int) -> int:
        """How many of the connected clients a round calls.

        >>> Cohort(fraction=0.1).size(55), Cohort(cohort=200).size(10_000), Cohort(cohort=9).size(4)
        (6, 200, 4)
        """
        if self.cohort is not None:
            return min(connected, self.cohort)
        return min(connected, max(1, round(connected * self.fraction)))


@dataclass(frozen=True)
class Weighted(Cohort):
    """Whom to call, and how much each counts.

    Attributes:
        weighting: ``examples`` counts a client by its training recordings, ``uniform``
            counts all alike and asks nobody for a number.
    """

    weighting: Weighting = "examples"


C = TypeVar("C", bound=Cohort)


class Federated(FlowerFedAvg, Generic[C]):
    """A strategy without its rule: those in this package add `combine`, `advance` or both.

    Args:
        config: Whom to call, and the rule's own settings.
        seed: The run's seed; with the round it fixes the draw of clients.
    """

    central_privacy: ClassVar[str] = ""

    def __init__(self, config: C, seed: int) -> None:
        super().__init__(
            fraction_train=config.fraction, min_available_nodes=config.minimum, min_train_nodes=1
        )
        self.config = config
        self.seed = seed
        self.buffers: frozenset[str] = frozenset()
        self._sent: ArrayRecord | None = None
        self._stays: dict[str, Array] = {}
        self._beside: dict[str, ArrayRecord] = {}

    @property
    def least(self) -> int:
        """Usable replies without which the rule has no answer."""
        return 1

    def guidance(self) -> Mapping[str, float]:
        """What a round's message asks of the local fit, by the keys of `fedbreath.guidance`."""
        return {}

    def extras(self, arrays: ArrayRecord) -> Mapping[str, ArrayRecord]:  # noqa: ARG002
        """Arrays that travel beside the weights, and must come back in the same shapes.

        Args:
            arrays: The weights that come back.
        """
        return {}

    def configure_train(
        self, server_round: int, arrays: ArrayRecord, config: ConfigRecord, grid: Grid
    ) -> Iterable[Message]:
        """One message to each client called, in the order of node ids.

        Raises:
            UserError: The rule has no answer to as few replies as there are clients called.
        """
        called = self.draw(server_round, connected(grid))
        if called:
            self.require(server_round, len(called), "client(s) called")
        config["server-round"] = server_round
        config.update(self.guidance())
        stays = [str(name) for name in typing.cast(list[str], config.get(STAYS, []))]
        self._stays = {name: arrays[name] for name in stays}
        self._sent = moving(arrays, stays)
        record = RecordDict({"arrays": arrays, "config": config, **self.extras(self._sent)})
        self._beside = beside(record)
        return [
            Message(content=record, message_type=MessageType.TRAIN, dst_node_id=n) for n in called
        ]

    def draw(self, number: int, nodes: Sequence[int]) -> list[int]:
        """The clients that a round calls, of those connected, in the order of node ids."""
        if not nodes:
            return []
        # By place: a range of a million nodes is not listed.
        rng = np.random.default_rng([self.seed, number])
        places = rng.choice(len(nodes), self.config.size(len(nodes)), replace=False)
        return sorted(nodes[place] for place in places.tolist())

    def require(self, number: int, found: int, what: str = "usable reply(ies)") -> None:
        """Refuse a round in which the rule has no answer.

        Raises:
            UserError: Fewer than `least`.
        """
        if found < self.least:
            raise UserError(
                f"round {number}: {found} {what}, but {type(self).__name__} needs at least "
                f"{self.least}: call more clients (strategy.fraction or cohort, strategy.minimum)"
            )

    @abstractmethod
    def combine(self, number: int, weights: Weights, replies: Sequence[Reply]) -> Weights:
        """One set of weights from at least one usable reply (`strategies.Strategy`)."""

    def advance(self, number: int, weights: Weights, combined: Weights) -> Weights:  # noqa: ARG002
        """The combined weights as they are."""
        return combined

    def state(self) -> Weights:
        """Nothing is kept."""
        return {}

    def restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Nothing was kept."""

    def aggregate_train(
        self, server_round: int, replies: Iterable[Message]
    ) -> tuple[ArrayRecord | None, MetricRecord | None]:
        """Both steps behind Flower's interface; nothing when no reply is usable."""
        usable, _ = read(replies, self._sent, self._beside)
        if not usable:
            return None, None
        weights = values(self._sent) if self._sent is not None else {}
        combined = self.combine(server_round, weights, usable)
        new = self.advance(server_round, weights, combined)
        made = {name: Array(array) for name, array in new.items()}
        arrays = ArrayRecord({**made, **self._stays})
        return arrays, MetricRecord({"clients": len(usable)})


def connected(grid: Grid) -> Sequence[int]:
    """The ids of the nodes that are there, in order; a range stays one."""
    nodes = grid.get_node_ids()
    return nodes if isinstance(nodes, range) else sorted(nodes)


def mean(replies: Sequence[Reply], weighting: Weighting) -> Weights:
    """The mean of usable replies, which are in the order of node ids.

    Raises:
        UserError: Clients are to count by their recordings, and one does not tell them.
    """
    counts = [1.0] * len(replies)
    if weighting == "examples":
        silent = [reply.site for reply in replies if "num-examples" not in reply.metrics]
        if silent:
            raise UserError(
                f"{silent[0]} does not tell its number of recordings (under privacy nobody does): "
                "set strategy.weighting=uniform, which counts all clients alike"
            )
        counts = [reply.metrics["num-examples"] for reply in replies]
    return weighted_mean([reply.arrays for reply in replies], counts)


def kept(**groups: Mapping[str, NDArray[Any]]) -> Weights:
    """A strategy's state from its parts: ``momentum`` of ``w`` is called ``momentum.w``."""
    return {
        f"{group}.{n}": array for group, arrays in groups.items() for n, array in arrays.items()
    }


def part(state: Mapping[str, NDArray[Any]], group: str) -> Weights:
    """One part of what `kept` put together.

    >>> part(kept(momentum={"w": np.ones(1)}, moment={"w": np.zeros(1)}), "moment")
    {'w': array([0.])}
    """
    prefix = f"{group}."
    return {n.removeprefix(prefix): array for n, array in state.items() if n.startswith(prefix)}
