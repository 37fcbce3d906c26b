"""Messages to workers and replies back: what a `LocalGrid` over a crew is given."""

import itertools
import logging
from collections.abc import Callable, Iterator, Sequence
from multiprocessing.shared_memory import SharedMemory

from flwr.app import Error, Message, RecordDict

from simulation.grid import Head, head_of
from simulation.pool import parcels
from simulation.pool.costs import Costs
from simulation.pool.crew import Crew, Order, Outcome
from simulation.pool.parcels import Parcel
from simulation.pool.segments import Segments, memory_of
from simulation.pool.worker import Federation, Job

#: Error code of a client whose worker died; the two below it are the client app's own.
DIED = 1002

log = logging.getLogger("fedbreath.simulation")


class ClientDefectError(Exception):
    """An exception in a client that is no refusal; the text is its traceback."""


class Delivery:
    """Has messages answered by a crew.

    Args:
        crew: Does the work.
        segments: Makes shared memory.
        federation: What all jobs have in common.
        names: Of the clients, in the order of node ids, which begin at 1.
        size: Tells a client's number of recordings.
        on_reply: Told a client's name after each reply, as they come.
    """

    def __init__(
        self,
        crew: Crew,
        segments: Segments,
        federation: Federation,
        names: Sequence[str],
        size: Callable[[str], int],
        on_reply: Callable[[str], None],
    ) -> None:
        self._crew, self._segments, self._federation = crew, segments, federation
        self._names, self._size, self._on_reply = names, size, on_reply
        self._costs = Costs()
        self._numbers = itertools.count()
        #: By what they are for: the k-th content that a round sends, a worker's replies.
        self._memory: dict[tuple[str, int], SharedMemory] = {}

    def __call__(self, messages: Sequence[Message], patience: float | None) -> Iterator[Message]:
        """The replies, in the order of the messages; one that took too long is left out.

        Raises:
            ClientDefectError: A client raised what is no refusal.
            UserError: As for `Crew.run` and `Segments.allocate`.
        """

        def receive(outcome: Outcome) -> Message | None:
            message = messages[outcome.position]
            name, recordings = self._client(message)
            if outcome.done is not None:
                self._costs.learn(name, recordings, outcome.done.seconds)
            reply = self._reply(outcome, message)
            self._on_reply(name)
            return reply

        for reply in self._crew.run(self._orders(messages), patience, receive):
            if reply is not None:
                yield reply

    def _client(self, message: Message) -> tuple[str, int]:
        name = self._names[message.metadata.dst_node_id - 1]
        return name, self._size(name)

    def _orders(self, messages: Sequence[Message]) -> list[Order]:
        """One a message; what several messages carry is written once."""
        sent: dict[int, Parcel] = {}
        orders = []
        for message in messages:
            content = message.content
            if id(content) not in sent:
                sent[id(content)] = self._write(content, len(sent))
            order = self._order(head_of(message), sent[id(content)], parcels.size_of(content))
            orders.append(Order(order, self._costs.expected(*self._client(message))))
        return orders

    def _order(self, head: Head, parcel: Parcel, size: int) -> Callable[[int], Job]:
        # A reply has the arrays that were sent, or is refused: it needs no more room.
        return lambda worker: Job(
            self._federation, head, parcel, self._segment(("reply", worker), size).name
        )

    def _write(self, content: RecordDict, place: int) -> Parcel:
        segment = self._segment(("sent", place), parcels.size_of(content))
        return parcels.write(content, segment.name, memory_of(segment), next(self._numbers))

    def _segment(self, purpose: tuple[str, int], size: int) -> SharedMemory:
        """Memory for a purpose, as large as it was ever needed."""
        found = self._memory.get(purpose)
        if found is None or found.size < size:
            if found is not None:
                self._segments.free(found)
            found = self._memory[purpose] = self._segments.allocate(size)
        return found

    def _reply(self, outcome: Outcome, message: Message) -> Message | None:
        done, name = outcome.done, self._client(message)[0]
        if outcome.died:
            log.warning("the worker that ran %s died (%s): no update", name, outcome.died)
            return Message(Error(DIED, "WorkerDied"), reply_to=message)
        if done is None:
            log.warning("the worker that ran %s took too long and was ended: no update", name)
            return None
        if done.defect:
            raise ClientDefectError(f"{name}\n{done.defect}")
        if done.error is not None:
            return Message(Error(*done.error), reply_to=message)
        assert done.parcel is not None
        content = parcels.read(done.parcel, memory_of(self._memory["reply", outcome.worker]))
        return Message(content, reply_to=message)
