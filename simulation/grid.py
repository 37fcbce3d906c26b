"""A Flower Grid that calls the ClientApp in this process: no Ray, no sockets.

Flower builds a Grid's messages from three process-wide identities (task, run, node),
normally set by its runtime, and lets the SuperLink number the messages. Both are done
here, and nowhere else; this is the one module that touches Flower's internals.
"""

import copy
import itertools
from collections.abc import Callable, Iterable, Mapping

from flwr.app import Context, Message, RecordDict
from flwr.clientapp import ClientApp
from flwr.serverapp import Grid
from flwr.supercore.run import Run
from flwr.supercore.task_identity import TaskIdentity

#: The server's node id; clients count from 1.
SERVER = 0


class InProcessGrid(Grid):
    """Run every message at once, one client after another, in the order of sending.

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
        self._client_app = client_app
        self._contexts = contexts
        self._on_reply = on_reply
        self._numbers = itertools.count(1)
        self._replies: dict[str, Message] = {}
        self.set_run(Run.create_empty(run_id=1))

    def set_run(self, run: Run) -> None:
        """Make `run` the one whose messages are created in this process."""
        self._run = run
        TaskIdentity.run_id = run.run_id
        TaskIdentity.node_id = SERVER
        TaskIdentity.task_id = 0

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
        return list(self._contexts)

    def push_messages(self, messages: Iterable[Message]) -> Iterable[str]:
        """Run each message on its node; return the messages' ids."""
        return [self._deliver(message) for message in messages]

    def pull_messages(self, message_ids: Iterable[str]) -> Iterable[Message]:
        """The replies to these messages; each can be had once."""
        return [self._replies.pop(i) for i in message_ids if i in self._replies]

    def send_and_receive(
        self,
        messages: Iterable[Message],
        *,
        timeout: float | None = None,  # noqa: ARG002 - nothing is waited for
    ) -> Iterable[Message]:
        """Run the messages and return their replies, in the same order."""
        return self.pull_messages(self.push_messages(messages))

    def _deliver(self, message: Message) -> str:
        node = message.metadata.dst_node_id
        number = f"message-{next(self._numbers)}"
        message.metadata.__dict__["_message_id"] = number
        # The records are shared by all messages of a round, and an app may change its own.
        own = copy.deepcopy(message)
        reply = self._client_app(own, self._contexts[node])
        reply.metadata.__dict__["_message_id"] = f"reply-{number}"
        self._replies[number] = reply
        self._on_reply(node)
        return number
