"""Flower Grids whose nodes are on this machine: no Ray, no sockets.

Flower builds a Grid's messages from three process-wide identities (task, run, node),
normally set by its runtime, and lets the SuperLink number the messages. Both are done
here, and nowhere else; this is the one module that touches Flower's internals.
"""

import copy
import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from flwr.app import Context, Message, RecordDict
from flwr.clientapp import ClientApp
from flwr.serverapp import Grid
from flwr.supercore.run import Run
from flwr.supercore.task_identity import TaskIdentity

#: The server's node id; clients count from 1.
SERVER = 0

#: Brings messages to their nodes and the replies back, in the order of sending; one that is not
#: answered is left out. It is told how long a node may take, s.
Deliver = Callable[[Sequence[Message], float | None], Iterator[Message]]

V = TypeVar("V")


class Numbered(Mapping[int, V]):
    """What belongs to each of the nodes 1 to `count`: made when it is asked for, and not kept.

    Args:
        count: How many nodes there are.
        make: Node id to what belongs to it.

    >>> squares = Numbered(1_000_000, lambda node: node**2)
    >>> squares[1000], len(squares), squares.nodes
    (1000000, 1000000, range(1, 1000001))
    """

    def __init__(self, count: int, make: Callable[[int], V]) -> None:
        self._nodes, self._make = range(1, count + 1), make

    def __getitem__(self, node: int) -> V:
        if node not in self._nodes:
            raise KeyError(node)
        return self._make(node)

    def __iter__(self) -> Iterator[int]:
        return iter(self._nodes)

    def __len__(self) -> int:
        return len(self._nodes)

    @property
    def nodes(self) -> range:
        """Their ids."""
        return self._nodes


class LocalGrid(Grid):
    """Nodes that are reached by a function.

    Args:
        nodes: Their ids.
        deliver: Reaches them.
    """

    def __init__(self, nodes: Iterable[int], deliver: Deliver) -> None:
        # A range is not listed: it may be a million phones.
        self._nodes: Sequence[int] = nodes if isinstance(nodes, range) else list(nodes)
        self._reach = deliver
        self._numbers = itertools.count(1)
        self._replies: dict[str, Message] = {}
        self.set_run(Run.create_empty(run_id=1))

    def set_run(self, run: Run) -> None:
        """Make `run` the one whose messages are created in this process."""
        self._run = run
        _become_server(run.run_id)

    @property
    def run(self) -> Run:
        """The run."""
        return self._run

    def create_message(
        self,
        content: RecordDict,
        message_type: str,
        dst_node_id: int,
        group_id: str,
        ttl: float | None = None,
    ) -> Message:
        """A message from the server to a node."""
        return Message(content, dst_node_id, message_type, ttl=ttl, group_id=group_id)

    def get_node_ids(self) -> Iterable[int]:
        """All nodes: they are always connected."""
        return self._nodes if isinstance(self._nodes, range) else list(self._nodes)

    def push_messages(self, messages: Iterable[Message]) -> Iterable[str]:
        """Let every node answer its message; return the messages' ids."""
        return self._push(list(messages), None)

    def pull_messages(self, message_ids: Iterable[str]) -> Iterable[Message]:
        """The replies to these messages; each can be had once."""
        return [self._replies.pop(i) for i in message_ids if i in self._replies]

    def send_and_receive(
        self, messages: Iterable[Message], *, timeout: float | None = None
    ) -> Iterable[Message]:
        """Let the nodes answer and return their replies, in the order of sending."""
        return self.pull_messages(self._push(list(messages), timeout))

    def _push(self, messages: list[Message], patience: float | None) -> list[str]:
        ids = [f"message-{next(self._numbers)}" for _ in messages]
        for message, number in zip(messages, ids, strict=True):
            _number(message, number)
        for reply in self._reach(messages, patience):
            answered = reply.metadata.reply_to_message_id
            _number(reply, f"reply-{answered}")
            self._replies[answered] = reply
        return ids


class InProcessGrid(LocalGrid):
    """Nodes whose app is called here, one after another.

    Args:
        client_app: The app that every node runs.
        contexts: Node id to its context.
        on_reply: Told the node id after each reply.
    """

    def __init__(
        self,
        client_app: ClientApp,
        contexts: Mapping[int, Context],
        on_reply: Callable[[int], None] = lambda _: None,
    ) -> None:
        def deliver(messages: Sequence[Message], _: float | None) -> Iterator[Message]:
            for message in messages:
                node = message.metadata.dst_node_id
                # The records are shared by all messages of a round, and an app may change its own.
                reply = client_app(copy.deepcopy(message), contexts[node])
                on_reply(node)
                yield reply

        super().__init__(contexts.nodes if isinstance(contexts, Numbered) else contexts, deliver)


@dataclass(frozen=True)
class Head:
    """What a message is without its content, as another process needs it.

    Attributes:
        number: The message's id.
        node: Whom it is for.
        kind: Its type.
        group: Its group.
        ttl: How long it is valid, s.
    """

    number: str
    node: int
    kind: str
    group: str
    ttl: float


def head_of(message: Message) -> Head:
    """The head of a message that was sent."""
    about = message.metadata
    return Head(about.message_id, about.dst_node_id, about.message_type, about.group_id, about.ttl)


def received(head: Head, content: RecordDict) -> Message:
    """The message again, in the process of its node."""
    _become_server(run_id=1)
    message = Message(content, head.node, head.kind, ttl=head.ttl, group_id=head.group)
    _number(message, head.number)
    return message


def _become_server(run_id: int) -> None:
    TaskIdentity.run_id = run_id
    TaskIdentity.node_id = SERVER
    TaskIdentity.task_id = 0


def _number(message: Message, number: str) -> None:
    message.metadata.__dict__["_message_id"] = number
