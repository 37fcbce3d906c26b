"""The parts of the process pool, each by itself and without a network."""

import dataclasses
import os
import time
from collections.abc import Iterator
from multiprocessing.connection import Connection
from multiprocessing.shared_memory import SharedMemory
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from flwr.app import ConfigRecord, MetricRecord, RecordDict

from fedbreath.errors import UserError
from fedbreath.features import Selection
from simulation.pool import deal, parcels
from simulation.pool.costs import Costs
from simulation.pool.crew import AHEAD, Crew, Order, Outcome
from simulation.pool.deal import Deal
from simulation.pool.segments import Segments, memory_of
from simulation.pool.worker import READY, Done
from tests.flower import arrays
from tests.stores import noise, person, store


def content() -> RecordDict:
    beside = arrays({"c": np.arange(3, dtype=np.int64), "none": np.zeros((0, 2))})
    return RecordDict(
        {
            "arrays": arrays({"w": np.arange(6, dtype=np.float32).reshape(2, 3)}),
            "metrics": MetricRecord({"loss": 0.5, "steps": 3}),
            "config": ConfigRecord({"name": "a site", "server-round": 4}),
            "control": beside,
        }
    )


def test_a_parcel_comes_out_as_it_went_in() -> None:
    memory = memoryview(bytearray(parcels.size_of(content())))
    parcel = parcels.write(content(), "s", memory, 7)
    found = parcels.read(parcel, memory)
    assert found == content()
    memory[:] = bytes(len(memory))
    assert found == content(), "it shares no memory with the segment"
    assert (parcel.segment, parcel.number) == ("s", 7)


def test_a_parcel_that_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match="do not fit into 10"):
        parcels.write(content(), "s", memoryview(bytearray(10)), 0)


def test_own_changes_nothing_of_others() -> None:
    shared = content()
    mine = parcels.own(shared)
    mine.config_records["config"]["server-round"] = 9
    mine.array_records["arrays"]["w"].data = b""
    del mine["control"]
    assert shared == content()


def test_a_worker_sees_the_clients_that_were_dealt() -> None:
    people = [person(n, take) for n in range(4) for take in range(2)]
    first, second = store(people, noise(8)), store(people[:3], noise(3, seed=1), "other")
    clients = {
        "both": Selection(((first, (5, 0, 3)), (second, (2,)))),
        "other": second.select(),
        "nothing": Selection(()),
    }
    dealt = Deal(memoryview(b"".join(deal.pack(clients))))
    for index, (name, selection) in enumerate(clients.items()):
        known, found = dealt.client(index)
        assert known == name
        assert found.people == selection.people
        assert found.entries == selection.entries
        for k in range(len(selection)):
            np.testing.assert_array_equal(found.frames(k), selection.frames(k))


def test_stores_on_disk_are_opened_by_their_path(tmp_path: Path) -> None:
    made = store([person(n) for n in range(3)], noise(3))
    path = tmp_path / "features.f16"
    made.features.tofile(path)
    mapped = dataclasses.replace(made, path=path)
    with Segments(tmp_path) as shared:
        segment = SharedMemory(deal.write({"a": mapped.select()}, shared))
        assert segment.size < made.features.nbytes
        dealt = Deal(memory_of(segment))
        _, found = dealt.client(0)
        np.testing.assert_array_equal(found.frames(2), made.select().frames(2))
        assert dealt.client(0) is dealt.client(0)
        segment.close()


def test_shared_memory_is_gone_at_the_end_whatever_happens(tmp_path: Path) -> None:
    shared, names = Segments(tmp_path), list[str]()

    def fail() -> None:
        with shared:
            names.extend(shared.allocate(size).name for size in (1, 5000))
            shared.free(shared._held[names[0]])
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    for name in names:
        with pytest.raises(FileNotFoundError):
            SharedMemory(name)


def test_what_a_killed_process_left_is_taken_away(tmp_path: Path) -> None:
    killed, other = Segments(tmp_path), Segments(tmp_path / "other")
    name, kept = killed.allocate(10).name, other.allocate(10).name
    with Segments(tmp_path) as shared:
        assert shared.allocate(10).name != name
        with pytest.raises(FileNotFoundError):
            SharedMemory(name)
        assert SharedMemory(kept).size >= 10, "another run's"
    other.__exit__(None, None, None)


def test_too_little_shared_memory_is_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Usage:
        free = 2_000_000

    monkeypatch.setattr("simulation.pool.segments.shutil.disk_usage", lambda _: Usage)
    with Segments(tmp_path) as shared, pytest.raises(UserError, match="has 2 MB free and 3 MB"):
        shared.allocate(3_000_000)


def test_costs_are_a_moving_average() -> None:
    costs = Costs(0.5)
    assert costs.expected("a", 7) == 7
    costs.learn("a", 10, 2.0)
    costs.learn("a", 10, 4.0)
    assert costs.expected("a", 10) == 3.0
    assert costs.expected("b", 5) == pytest.approx(5 * 6 / 20)


def echoes(calls: Connection) -> None:
    """A worker whose jobs are numbers of seconds to sleep."""
    calls.send(READY)
    while True:
        seconds: Any = calls.recv()
        time.sleep(seconds)
        calls.send(Done(seconds))


@pytest.fixture(scope="module")
def crew() -> Iterator[Crew]:
    made = Crew(2, echoes)
    yield made
    made.close()


def orders(given: list[int], *seconds: float) -> list[Order]:
    """Orders that take so long, and note when they are given to a worker."""

    def order(position: int) -> Order:
        def job(_: int) -> Any:
            given.append(position)
            return seconds[position]

        return Order(job, seconds[position])

    return [order(position) for position in range(len(seconds))]


def position(outcome: Outcome) -> int:
    return outcome.position


def test_outcomes_come_in_order_and_the_longest_are_begun_first(crew: Crew) -> None:
    given: list[int] = []
    asked = orders(given, 0.0, 0.01, 0.3, 0.02, 0.3)
    assert list(crew.run(asked, None, position)) == [0, 1, 2, 3, 4]
    assert given == [2, 4, 3, 1, 0]


def test_nothing_is_begun_far_ahead_of_what_was_released(crew: Crew) -> None:
    ahead, given = 2 * AHEAD, list[int]()
    asked = orders(given, 1.0, *[0.0] * (2 * ahead))
    released = crew.run(asked, None, position)
    assert next(released) == 0
    # While the first one was at work the other worker did what may wait, and no more.
    assert max(given[:ahead]) == ahead - 1
    assert list(released) == list(range(1, len(asked)))


def test_a_run_that_is_left_leaves_no_work_behind(crew: Crew) -> None:
    going = crew.run(orders([], 0.0, 30.0), None, position)
    assert next(going) == 0
    going.close()
    started = time.monotonic()
    assert list(crew.run(orders([], 0.0, 0.0), None, position)) == [0, 1]
    assert time.monotonic() - started < 20


def test_workers_end_with_the_crew() -> None:
    crew = Crew(2, echoes)
    pids = [worker.process.pid for worker in crew._workers]
    crew.close()
    for pid in pids:
        assert pid is not None
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)
