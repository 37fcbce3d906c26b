"""FedAvg: the weighted mean of the clients' weights (McMahan et al. 2017, algorithm 1).

Flower's own FedAvg draws clients from Python's global generator, waits without bound for
missing nodes, averages integer counters and sums in the order of arrival. This adapter
keeps Flower's interface and replaces those four: the draw depends on (seed, round), the
caller has waited, counters take their maximum, and clients are summed in the order of
their node ids.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

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

from fedbreath.aggregation import weighted_mean
from strategies import Weights
from strategies.replies import Reply, read


@dataclass(frozen=True)
class Config:
    """Whom to call, and how much each counts.

    Attributes:
        fraction: Share of the connected clients called in a round, at least one.
        minimum: Clients that must be connected before a round starts.
    """

    fraction: float = 1.0
    minimum: int = 1

    def __post_init__(self) -> None:
        if not 0 < self.fraction <= 1:
            raise ValueError(f"fraction must lie in (0, 1], got {self.fraction}")
        if self.minimum < 1:
            raise ValueError(f"minimum must be >= 1, got {self.minimum}")


class FedAvg(FlowerFedAvg):
    """Mean weighted by the number of training recordings.

    Args:
        config: Whom to call.
        seed: The run's seed; with the round it fixes the draw of clients.
    """

    def __init__(self, config: Config, seed: int) -> None:
        super().__init__(
            fraction_train=config.fraction, min_available_nodes=config.minimum, min_train_nodes=1
        )
        self.seed = seed

    def configure_train(
        self, server_round: int, arrays: ArrayRecord, config: ConfigRecord, grid: Grid
    ) -> Iterable[Message]:
        """One message to each client called, in the order of node ids."""
        nodes = np.array(sorted(grid.get_node_ids()), dtype=np.uint64)
        size = min(len(nodes), max(1, round(len(nodes) * self.fraction_train)))
        rng = np.random.default_rng([self.seed, server_round])
        called = sorted(int(n) for n in rng.choice(nodes, size, replace=False))
        config["server-round"] = server_round
        record = RecordDict({"arrays": arrays, "config": config})
        return [
            Message(content=record, message_type=MessageType.TRAIN, dst_node_id=n) for n in called
        ]

    def aggregate(self, number: int, replies: Sequence[Reply]) -> Weights:  # noqa: ARG002
        """The weighted mean of usable replies, which are in the order of node ids."""
        counts = [reply.metrics["num-examples"] for reply in replies]
        return weighted_mean([reply.arrays for reply in replies], counts)

    def aggregate_train(
        self, server_round: int, replies: Iterable[Message]
    ) -> tuple[ArrayRecord | None, MetricRecord | None]:
        """`aggregate` behind Flower's interface; nothing when no reply is usable."""
        usable, _ = read(replies)
        if not usable:
            return None, None
        mean = self.aggregate(server_round, usable)
        arrays = ArrayRecord({name: Array(array) for name, array in mean.items()})
        return arrays, MetricRecord({"clients": len(usable)})
