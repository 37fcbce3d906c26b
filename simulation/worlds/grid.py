"""A Grid in simulated time: between the server's rounds and a grid that reaches everybody.

What happens in a round is decided before anybody trains: who is away, drops out, or would answer
after the round is over gets an error for a reply, and only whose answer is taken is called.
Two exceptions of privacy. Under noise at the server everybody registered can be drawn, and who
is away or late contributes nothing: the draw must not depend on who is there. Nor may the clock
depend on who took part, since a client more would move when later rounds meet the others: such a
round always lasts until its deadline. Under noise at the sites, who trains and is not heard trains
nevertheless, since it spends its budget.

A client that was not heard goes on, next time, from what it kept before.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from flwr.app import Error, Message
from flwr.serverapp import Grid
from numpy.typing import ArrayLike, NDArray

from fedbreath.config import Config
from fedbreath.guidance import STAYS
from fedbreath.report.records import SimulatedClient, SimulatedRound
from server.forwarding import Forwarding
from strategies.replies import beside, moving, size_of

#: Error codes of what happens to clients, and the words that go with them.
AWAY, BEFORE, AFTER, LATE = 2000, 2001, 2002, 2003
REASONS = {
    AWAY: "away",
    BEFORE: "dropped out before training",
    AFTER: "dropped out after training",
    LATE: "late",
}

TOOK_PART = "took part"

#: s between two looks at who is there, while a round waits.
_LOOK = 300.0


@dataclass(frozen=True)
class Trip:
    """What a round takes a client, s, and whether it drops out."""

    down: float
    training: float
    up: float
    before: bool
    after: bool

    @property
    def seconds(self) -> float:
        """From the call to the answer."""
        return self.down + self.training + self.up


class Rules(Protocol):
    """Who is there, and what a round takes them (`simulation.worlds.phones`)."""

    @property
    def config(self) -> Any:
        """With deadline, over_selection, patience."""
        ...

    def there(self, clients: ArrayLike, time: float) -> NDArray[np.bool_]:
        """Which clients can be reached at a time."""
        ...

    def trip(self, client: int, number: int, size: tuple[int, int], steps: int) -> Trip:
        """What a round would take a client."""
        ...


class WorldGrid(Forwarding):
    """Lets the server see who is there, and hear who answers in time.

    Args:
        grid: Reaches every client at once.
        rules: The world.
        config: The run.
        names: Node id to the client's name.
    """

    def __init__(self, grid: Grid, rules: Rules, config: Config, names: Mapping[int, str]) -> None:
        super().__init__(grid)
        self._rules, self._names = rules, names
        self._nodes = np.fromiter(names, np.int64, len(names))
        self._steps = config.training.steps
        place: Any = config.privacy.target
        self._everybody = place.place == "server"
        self._leaves_a_trace = place.place == "site"
        self._number, self._from, self._opened, self._closed = 0, 0.0, 0.0, 0.0
        self._visits: list[SimulatedClient] = []

    @property
    def names(self) -> Mapping[int, str]:
        """Node id to the client's name."""
        return self._names

    @property
    def heard(self) -> int:
        """Clients of the round whose answers came in time."""
        return sum(visit.outcome == TOOK_PART for visit in self._visits)

    def begin(self, number: int, time: float, least: int) -> bool:
        """Begin a round as soon as enough clients are there.

        Args:
            number: The round.
            time: When the round before it was over, s since the federation began.
            least: So many are enough.

        Returns:
            Whether there are enough before patience ends; if not, time has passed.
        """
        self._number, self._from, self._visits = number, time, []
        self._opened = self._closed = time
        if self._everybody:
            return True
        looks = int(self._rules.config.patience // _LOOK)
        for look in range(looks + 1):
            self._opened = self._closed = time + look * _LOOK
            if len(self._there()) >= least:
                return True
        return False

    def told(self) -> SimulatedRound:
        """What happened since `begin`."""
        return SimulatedRound(
            started=self._from,
            called=self._opened,
            finished=self._closed,
            there=len(self._there()),
            clients=tuple(self._visits),
        )

    def get_node_ids(self) -> Iterable[int]:
        """Who is there; under noise at the server, who is registered."""
        return list(self._names) if self._everybody else self._there()

    def send_and_receive(
        self, messages: Iterable[Message], *, timeout: float | None = None
    ) -> Iterable[Message]:
        """The answers that come in time, and errors for the others, in the order of sending."""
        asked = list(messages)
        outcomes = self._outcomes(asked)
        heard = [m for m in asked if self._trains(outcomes[m.metadata.dst_node_id])]
        replies = {
            reply.metadata.src_node_id: reply
            for reply in self._grid.send_and_receive(heard, timeout=timeout)
        }
        for message in asked:
            node = message.metadata.dst_node_id
            code = outcomes[node]
            if code:
                replies[node] = Message(Error(code, REASONS[code]), reply_to=message)
        return [replies[m.metadata.dst_node_id] for m in asked if m.metadata.dst_node_id in replies]

    def _there(self) -> list[int]:
        found: list[int] = self._nodes[self._rules.there(self._nodes, self._opened)].tolist()
        return found

    def _trains(self, code: int) -> bool:
        return not code or (self._leaves_a_trace and code in (AFTER, LATE))

    def _outcomes(self, messages: Sequence[Message]) -> dict[int, int]:
        """Node id to an error code, or 0 for who is heard; the clock moves on."""
        size = _sizes(messages[0]) if messages else (0, 0)
        there = set(self._there())
        outcomes, trips = {}, {}
        for node in (m.metadata.dst_node_id for m in messages):
            if node not in there:
                outcomes[node] = AWAY
                continue
            trip = trips[node] = self._rules.trip(node, self._number, size, self._steps)
            arrives = self._opened + trip.seconds
            outcomes[node] = BEFORE if trip.before else AFTER if trip.after else 0
            if not outcomes[node] and not self._rules.there([node], arrives)[0]:
                outcomes[node] = AFTER
        answers = sorted((trips[n].seconds, n) for n, code in outcomes.items() if not code)
        own = self._rules.config
        needed = max(1, int(len(trips) / own.over_selection + 1e-9))
        taken = [(s, n) for s, n in answers if s <= own.deadline][:needed]
        for _, node in answers:
            if node not in {n for _, n in taken}:
                outcomes[node] = LATE
        enough = len(taken) == needed
        if trips or self._everybody:
            early = enough and not self._everybody
            self._closed = self._opened + (taken[-1][0] if early else own.deadline)
        self._visits = [self._visit(node, code, trips, size) for node, code in outcomes.items()]
        return outcomes

    def _visit(
        self, node: int, code: int, trips: Mapping[int, Trip], size: tuple[int, int]
    ) -> SimulatedClient:
        trip = trips.get(node)
        # Who drops out after training has been sent the weights, and sent nothing.
        return SimulatedClient(
            name=self._names[node],
            outcome=REASONS.get(code, TOOK_PART),
            seconds=trip.seconds if trip and code in (0, LATE) else None,
            bytes_down=size[0] if trip else 0,
            bytes_up=size[1] if code in (0, LATE) else 0,
        )


def _sizes(message: Message) -> tuple[int, int]:
    """Bytes of arrays to a client, and those of its answer, which has the same shapes."""
    content = message.content
    arrays, others = content.array_records["arrays"], beside(content).values()
    stays: Any = content.config_records["config"].get(STAYS, [])
    also = sum(map(size_of, others))
    return size_of(arrays) + also, size_of(moving(arrays, stays)) + also
