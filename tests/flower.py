"""Flower's messages and a Grid, as tests of several parts of the application need them."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from flwr.app import (
    Array,
    ArrayRecord,
    ConfigRecord,
    Error,
    Message,
    MessageType,
    MetricRecord,
    RecordDict,
)
from flwr.clientapp import ClientApp
from flwr.serverapp import Grid
from flwr.supercore.run import Run
from numpy.typing import NDArray

from simulation.grid import InProcessGrid

#: What a node does with a message: it replies, or never does.
Node = Callable[[Message], Message | None]


def as_server() -> None:
    """Give this process a server's identity, without which no message can be made."""
    InProcessGrid(ClientApp(), {})


def arrays(values: Mapping[str, Any]) -> ArrayRecord:
    """An array record of these arrays."""
    return ArrayRecord({name: Array(np.asarray(value)) for name, value in values.items()})


def instruction(node: int, content: RecordDict | None = None) -> Message:
    """A message of the server to a node."""
    as_server()
    return Message(content or RecordDict(), node, MessageType.TRAIN)


def content(
    weights: ArrayRecord | None,
    metrics: Mapping[str, float] | None = None,
    site: str | None = "a site",
    number: int = 1,
) -> RecordDict:
    """What a client sends back in a round; None leaves a record out."""
    records: dict[str, ArrayRecord | MetricRecord | ConfigRecord] = {}
    if weights is not None:
        records["arrays"] = weights
    if metrics is not None:
        records["metrics"] = MetricRecord(dict(metrics))
    if site is not None:
        records["site"] = ConfigRecord({"name": site, "round": number})
    return RecordDict(records)


def number_of(message: Message) -> int:
    """The round that a message of the server is of."""
    number = message.content.config_records["config"]["server-round"]
    assert isinstance(number, int)
    return number


def reply(
    node: int, weights: Mapping[str, Any], count: float = 1, site: str = "", number: int = 1
) -> Message:
    """A node's well-formed reply."""
    told = {"num-examples": count, "steps": 1}
    sent = content(arrays(weights), told, site or f"site-{node}", number)
    return Message(sent, reply_to=instruction(node))


def refusal(node: int, code: int = 1000, reason: str = "SiteError") -> Message:
    """A node's refusal."""
    return Message(Error(code, reason), reply_to=instruction(node))


def numbers(record: ArrayRecord | None) -> dict[str, NDArray[Any]]:
    """The arrays of a record."""
    assert record is not None
    return {name: array.numpy() for name, array in record.items()}


class FakeGrid(Grid):
    """Nodes that are functions.

    Args:
        nodes: Node id to what it does with a message.
        connected: Numbers of nodes that are connected, one at each question; the last
            one stays. None means all.
    """

    def __init__(self, nodes: Mapping[int, Node], connected: Sequence[int] | None = None) -> None:
        as_server()
        self.nodes = dict(nodes)
        self.connected = list(connected or [len(self.nodes)])
        self.timeouts: list[float | None] = []

    def set_run(self, run: Run) -> None:
        raise NotImplementedError

    @property
    def run(self) -> Run:
        raise NotImplementedError

    def create_message(
        self,
        content: RecordDict,
        message_type: str,
        dst_node_id: int,
        group_id: str,
        ttl: float | None = None,
    ) -> Message:
        raise NotImplementedError

    def get_node_ids(self) -> Iterable[int]:
        count = self.connected.pop(0) if len(self.connected) > 1 else self.connected[0]
        return list(self.nodes)[:count]

    def push_messages(self, messages: Iterable[Message]) -> Iterable[str]:
        raise NotImplementedError

    def pull_messages(self, message_ids: Iterable[str]) -> Iterable[Message]:
        raise NotImplementedError

    def send_and_receive(
        self, messages: Iterable[Message], *, timeout: float | None = None
    ) -> Iterable[Message]:
        """The replies of the nodes that reply, in reverse order."""
        self.timeouts.append(timeout)
        replies = [self.nodes[m.metadata.dst_node_id](m) for m in messages]
        return [r for r in reversed(replies) if r is not None]
