"""Messages to Ray's actors and replies back: what a `LocalGrid` over a cluster is given."""

import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import ray
from flwr.app import Error, Message
from flwr.simulation.ray_transport.ray_actor import (
    BasicActorPool,
    ClientAppActor,
    pool_size_from_resources,
)
from ray.exceptions import RayError, RayTaskError

from fedbreath.errors import UserError
from simulation import sites
from simulation.cluster.desk import Federation, Job, desk
from simulation.grid import head_of
from simulation.pool.costs import Costs
from simulation.pool.crew import AHEAD, STILLBORN
from simulation.pool.delivery import DIED, ClientDefectError

#: s. How long a worker may take to start, on a cluster that does much else.
_STARTING = 300.0

log = logging.getLogger("fedbreath.simulation")


def actors(threads: int) -> BasicActorPool:
    """Flower's actors, as many as the cluster holds.

    Raises:
        UserError: It holds none.
    """
    needed: dict[str, int | float] = {"num_cpus": threads}
    pool: BasicActorPool = _fitting(partial(BasicActorPool, ClientAppActor, needed, {}))
    pool.add_actors_to_pool(pool.actors_capacity)
    return pool


def _fitting(call: Callable[[], Any]) -> Any:
    try:
        return call()
    except ValueError:
        raise UserError(
            "engine=ray: no machine of the cluster has as many CPUs as engine.threads asks for"
        ) from None


@dataclass(frozen=True)
class _Given:
    """A job that an actor is at.

    Attributes:
        position: Which message it is.
        actor: Python's id of the actor's handle.
        begun: When it was given, s.
        deadline: When it is given up, s.
    """

    position: int
    actor: int
    begun: float
    deadline: float | None


class Delivery:
    """Has messages answered by Flower's Ray actors.

    Whichever actor is free is given the client that is expected to take longest among the next
    few in the order of sending; replies are released in that order.

    Args:
        pool: The actors.
        federation: What all jobs have in common.
        clients: Their recordings by name, in the order of node ids, which begin at 1.
        on_reply: Told a client's name after each reply, as they come.
    """

    def __init__(
        self,
        pool: BasicActorPool,
        federation: Federation,
        clients: Mapping[str, int],
        on_reply: Callable[[str], None],
    ) -> None:
        self._pool, self._federation = pool, federation
        self._clients, self._on_reply = list(clients.items()), on_reply
        self._desk = ray.put(partial(desk, federation))
        self._costs = Costs()
        self._given: dict[Any, _Given] = {}
        #: Actors that have answered once, by Python's id of their handle.
        self._warm: set[int] = set()
        self._stillborn = 0

    def __call__(self, messages: Sequence[Message], patience: float | None) -> Iterator[Message]:
        """The replies, in the order of the messages; one that took too long is left out.

        Raises:
            ClientDefectError: A client raised what is no refusal.
            UserError: Workers die as they start, or a machine does not see the run's folder.
        """
        # Held here until the round is over: Ray forgets what nobody refers to.
        held = {id(m.content): ray.put(m.content) for m in _once(messages)}
        left, ready, released = set(range(len(messages))), dict[int, Message | None](), 0
        try:
            while released < len(messages):
                self._refill()
                ahead = released + AHEAD * self._pool.num_actors
                while self._pool.is_actor_available() and (near := [p for p in left if p < ahead]):
                    position = max(near, key=lambda p: (self._cost(messages[p]), -p))
                    left.remove(position)
                    message = messages[position]
                    self._give(position, message, held[id(message.content)], patience)
                for position, reply in self._wait(messages):
                    ready[position] = reply
                    self._on_reply(self._client(messages[position])[0])
                while released in ready:
                    if (reply := ready.pop(released)) is not None:
                        yield reply
                    released += 1
        finally:
            for reference in list(self._given):  # what they are at is of no use any more
                self._drop(reference)

    def _client(self, message: Message) -> tuple[str, int]:
        return self._clients[message.metadata.dst_node_id - 1]

    def _cost(self, message: Message) -> float:
        return self._costs.expected(*self._client(message))

    def _refill(self) -> None:
        """As many actors as there is room for: machines come, and go."""
        needed = self._pool.client_resources
        room = _fitting(lambda: pool_size_from_resources(needed))
        self._pool.add_actors_to_pool(max(0, room - self._pool.num_actors))

    def _give(self, position: int, message: Message, content: Any, patience: float | None) -> None:
        node = message.metadata.dst_node_id
        context = sites.context(node, self._federation.clients, self._federation.told)
        actor = id(self._pool.pool[-1])  # the one that the pool gives out
        job: Any = (self._desk, Job(head_of(message), content), str(node), context)
        reference = self._pool.submit(lambda one, *call: one.run.remote(*call), job)
        now = time.monotonic()
        if patience is not None:
            patience += 0.0 if actor in self._warm else _STARTING
        self._given[reference] = _Given(
            position, actor, now, None if patience is None else now + patience
        )

    def _wait(self, messages: Sequence[Message]) -> Iterator[tuple[int, Message | None]]:
        """What is done by now, or at the next deadline is not."""
        deadlines = [one.deadline for one in self._given.values() if one.deadline is not None]
        patience = max(0.0, min(deadlines) - time.monotonic()) if deadlines else None
        done, _ = ray.wait(list(self._given), timeout=patience)
        for reference in done:
            position = self._given[reference].position
            yield position, self._taken(reference, messages[position])
        now = time.monotonic()
        for reference, given in list(self._given.items()):
            if given.deadline is not None and now >= given.deadline:
                name = self._client(messages[given.position])[0]
                log.warning("the worker that ran %s took too long and was ended: no update", name)
                self._drop(reference)
                yield given.position, None

    def _taken(self, reference: Any, message: Message) -> Message:
        given, (name, recordings) = self._given[reference], self._client(message)
        try:
            answer: Any = self._pool.fetch_result_and_return_actor_to_pool(reference)[0]
        except RayTaskError as error:
            raise ClientDefectError(f"{name}\n{error}") from None
        except RayError as error:
            return self._died(reference, message, name, error)
        del self._given[reference]
        if isinstance(answer, UserError):
            raise answer
        if given.actor in self._warm:  # the first time an actor imports everything
            self._costs.learn(name, recordings, time.monotonic() - given.begun)
        self._warm.add(given.actor)
        self._stillborn = 0
        reply: Message = answer
        return reply

    def _died(self, reference: Any, message: Message, name: str, error: RayError) -> Message:
        self._stillborn += self._given[reference].actor not in self._warm
        self._drop(reference)
        how = next(iter(str(error).splitlines()), type(error).__name__)
        if self._stillborn >= STILLBORN:
            raise UserError(
                f"{STILLBORN} workers died one after another as they started (the last one: "
                f"{how}): is memory short, or is fedbreath[ray] not installed on every machine?"
            )
        log.warning("the worker that ran %s died (%s): no update", name, how)
        return Message(Error(DIED, "WorkerDied"), reply_to=message)

    def _drop(self, reference: Any) -> None:
        """Give an actor up, and what it is at."""
        self._warm.discard(self._given.pop(reference).actor)
        self._pool.add_actor_back_to_pool(reference)
        actor = self._pool.pool.pop()
        self._pool.num_actors -= 1
        ray.kill(actor)


def _once(messages: Sequence[Message]) -> list[Message]:
    """One message for each content that is sent."""
    return list({id(message.content): message for message in messages}.values())
