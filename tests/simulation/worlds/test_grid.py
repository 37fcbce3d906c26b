"""Three clients by hand: who is heard, when a round is over, and what it carried."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from flwr.app import ConfigRecord, Message, MessageType, RecordDict
from numpy.typing import ArrayLike, NDArray

from fedbreath.config import Config, load
from fedbreath.guidance import STAYS
from simulation import PACKAGES
from simulation.worlds.grid import Trip, WorldGrid
from simulation.worlds.phones import Config as PhonesConfig
from strategies.replies import size_of
from tests.flower import FakeGrid, arrays, as_server, reply

W = {"w": np.ones(100, np.float32), "still": np.ones(50, np.float32)}


def trip(seconds: float, *, before: bool = False, after: bool = False) -> Trip:
    return Trip(seconds / 4, seconds / 2, seconds / 4, before, after)


@dataclass
class ByHand:
    """Trips and hours of presence as a test states them."""

    trips: Mapping[int, Trip]
    hours: Mapping[int, tuple[float, float]] = field(default_factory=dict)
    config: Any = field(default_factory=PhonesConfig)

    def there(self, clients: ArrayLike, time: float) -> NDArray[np.bool_]:
        hours = [self.hours.get(int(n), (0.0, np.inf)) for n in np.asarray(clients)]
        return np.array([first <= time < last for first, last in hours])

    def trip(self, client: int, number: int, size: tuple[int, int], steps: int) -> Trip:
        return self.trips[client]


class World:
    """A world of clients that count how often they train."""

    def __init__(self, rules: ByHand, *words: str) -> None:
        self.trained: list[int] = []

        def node(message: Message) -> Message:
            self.trained.append(message.metadata.dst_node_id)
            return reply(message.metadata.dst_node_id, {"w": W["w"]})

        config: Config = load(words, PACKAGES)
        nodes = sorted(rules.trips)
        names = {n: f"phone {n}" for n in nodes}
        self.grid = WorldGrid(FakeGrid(dict.fromkeys(nodes, node)), rules, config, names)

    def call(self, nodes: Sequence[int], number: int = 1, time: float = 0.0) -> dict[int, int]:
        """Node to 0, or the code that came for it."""
        assert self.grid.begin(number, time, 1)
        as_server()
        content = RecordDict(
            {"arrays": arrays(W), "config": ConfigRecord({"server-round": 1, STAYS: ["still"]})}
        )
        asked = [Message(content, n, MessageType.TRAIN) for n in nodes]
        replies = list(self.grid.send_and_receive(asked))
        assert [r.metadata.src_node_id for r in replies] == list(nodes)
        return {r.metadata.src_node_id: r.error.code if r.has_error() else 0 for r in replies}


def test_all_answer_and_the_slowest_ends_the_round() -> None:
    world = World(ByHand({1: trip(30), 2: trip(90), 3: trip(60)}))
    assert world.call([1, 2, 3], time=1000) == {1: 0, 2: 0, 3: 0}
    told = world.grid.told()
    assert (told.started, told.called, told.finished, told.there) == (1000, 1000, 1090, 3)
    down, up = size_of(arrays(W)), size_of(arrays({"w": W["w"]}))
    assert [(c.name, c.seconds, c.bytes_down, c.bytes_up) for c in told.clients] == [
        ("phone 1", 30, down, up), ("phone 2", 90, down, up), ("phone 3", 60, down, up),
    ]  # fmt: skip


def test_who_drops_out_trains_nothing_and_the_deadline_is_waited_for() -> None:
    rules = ByHand({1: trip(30, before=True), 2: trip(20, after=True), 3: trip(10)})
    world = World(rules)
    assert world.call([1, 2, 3]) == {1: 2001, 2: 2002, 3: 0}
    assert world.trained == [3]
    told = world.grid.told()
    assert told.finished == 600  # nobody tells the server that the others are gone
    assert [c.bytes_up > 0 for c in told.clients] == [False, False, True]
    assert [c.seconds for c in told.clients] == [None, None, 10]


def test_the_late_are_not_waited_for() -> None:
    world = World(ByHand({1: trip(601), 2: trip(600), 3: trip(10)}))
    assert world.call([1, 2, 3]) == {1: 2003, 2: 0, 3: 0}
    assert sorted(world.trained) == [2, 3]
    told = world.grid.told()
    assert told.finished == 600
    assert told.clients[0].bytes_up > 0  # it came, for nothing
    assert told.clients[0].outcome == "late"


@pytest.mark.parametrize(
    ("over", "heard", "end"), [(1.5, {2, 3}, 40), (3.0, {3}, 20), (1, None, 70)]
)
def test_over_selection_takes_the_fastest(over: float, heard: set[int] | None, end: float) -> None:
    rules = ByHand(
        {1: trip(70), 2: trip(40), 3: trip(20)}, config=PhonesConfig(over_selection=over)
    )
    world = World(rules)
    codes = world.call([1, 2, 3])
    assert {n for n, code in codes.items() if not code} == (heard or {1, 2, 3})
    assert set(codes.values()) <= {0, 2003}
    assert world.grid.told().finished == end
    assert set(world.trained) == (heard or {1, 2, 3})


def test_one_who_leaves_before_its_answer_arrives() -> None:
    world = World(ByHand({1: trip(30), 2: trip(30)}, hours={1: (0, 29), 2: (0, 31)}))
    assert world.call([1, 2]) == {1: 2002, 2: 0}


def test_a_round_waits_in_simulated_time_for_somebody() -> None:
    world = World(ByHand({1: trip(30), 2: trip(30)}, hours={1: (7000, 9000), 2: (8000, 9000)}))
    assert world.grid.begin(1, 50.0, least=2)
    told = world.grid.told()
    assert (told.started, told.called) == (50, 50 + 300 * 27)  # the first look after 8000
    assert list(world.grid.get_node_ids()) == [1, 2]


def test_patience_ends() -> None:
    rules = ByHand({1: trip(30)}, {1: (1e9, 2e9)}, PhonesConfig(patience=1000))
    world = World(rules)
    assert not world.grid.begin(1, 0.0, least=1)
    assert world.grid.told().finished == 900
    assert world.grid.told().clients == ()


CENTRAL = (
    "privacy=client_central", "privacy.population=1000", "privacy.cohort=200",
    "privacy.delta=1e-4", "strategy.weighting=uniform",
)  # fmt: skip


def test_under_noise_at_the_server_everybody_registered_can_be_drawn() -> None:
    """The draw hangs on nobody's presence, the clock on nobody's answer."""
    world = World(ByHand({1: trip(30), 2: trip(40)}, {1: (1e6, 2e6)}), *CENTRAL)
    assert world.call([1, 2]) == {1: 2000, 2: 0}
    assert list(world.grid.get_node_ids()) == [1, 2]
    assert world.trained == [2]
    told = world.grid.told()
    assert (told.called, told.finished, told.there) == (0, 600, 1)
    assert (told.clients[0].bytes_down, told.clients[0].outcome) == (0, "away")


def test_under_noise_at_the_sites_the_unheard_spend_their_budget() -> None:
    rules = ByHand({1: trip(30, after=True), 2: trip(601), 3: trip(9, before=True), 4: trip(9)})
    site = ("privacy=patient", "privacy.population=1000", "strategy.weighting=uniform")
    world = World(rules, *site)
    assert world.call([1, 2, 3, 4]) == {1: 2002, 2: 2003, 3: 2001, 4: 0}
    assert sorted(world.trained) == [1, 2, 4]


def test_over_selection_and_noise_at_the_server_are_refused() -> None:
    with pytest.raises(Exception, match=r"over_selection cannot go with .* 2 C"):
        load((*CENTRAL, "world=phones", "world.over_selection=1.3"), PACKAGES)
    load((*CENTRAL, "world=phones"), PACKAGES)
