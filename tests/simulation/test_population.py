"""A declared population: nobody is drawn but who is called, and the weights are those of a list."""

import dataclasses
import hashlib
import json
import pickle
import time
import tracemalloc
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fedbreath.audio import FrontEnd
from fedbreath.datasets import simulated
from fedbreath.errors import ConfigError
from fedbreath.features import Selection
from simulation.data import prepare
from simulation.engines import Engine
from simulation.engines.in_process import Config as OneConfig
from simulation.engines.in_process import InProcess
from simulation.engines.process_pool import Config, ProcessPool
from simulation.population import Population, names_of
from tests.simulation.tiny import Tiny

ONE = InProcess(OneConfig())
PHONES = (
    "data.cohorts=2", "data.persons=4", "partition=per_subject", "tasks=[coswara_cough_vs_breath]",
    "training.optimizer_state=fresh", "training.head=averaged", "strategy.cohort=3",
)  # fmt: skip


def data(**more: Any) -> simulated.Config:
    return simulated.Config(cohorts=2, persons=4, sessions=1, **more)


def beyond(count: int) -> Population:
    return Population.beyond(data(), FrontEnd(), count, (4, 4))


def listed(tiny: Tiny) -> Population:
    config = tiny.config(*PHONES)
    return Population.listed(config.data.config, config.front_end)


@pytest.fixture(scope="module")
def dealt(tiny: Tiny) -> Mapping[str, Selection]:
    """The same persons, read into a store and dealt."""
    return prepare(tiny.config(*PHONES)).clients


@pytest.fixture(scope="module")
def pools() -> Iterator[dict[int, Engine]]:
    engines = {count: ProcessPool(Config(count)) for count in (1, 2)}
    for engine in engines.values():
        engine.start()
    yield {**engines}
    for engine in engines.values():
        engine.close()


def outcome(folder: Path) -> tuple[str, list[Any]]:
    """The digest of the last checkpoint, and who took part with which loss."""
    rounds = [json.loads(line) for line in (folder / "rounds.jsonl").read_text().splitlines()]
    told = [[(p["name"], p["loss"], p["recordings"]) for p in r["participants"]] for r in rounds]
    return hashlib.sha256((folder / "checkpoint.safetensors").read_bytes()).hexdigest(), told


def run(
    engine: Engine, tiny: Tiny, clients: Mapping[str, Selection], folder: Path, *more: str
) -> tuple[str, list[Any]]:
    words = tiny.words(*PHONES, *more)
    engine.federate(words, clients, folder, lambda *_: None, lambda _: None)
    return outcome(folder)


def test_its_persons_are_those_of_a_list(tiny: Tiny, dealt: Mapping[str, Selection]) -> None:
    population = listed(tiny)
    assert list(population) == list(names_of(population)) == list(dealt)
    for number, (name, expected) in enumerate(dealt.items()):
        assert population.client(number)[0] == name
        found = population[name]
        plain = [dataclasses.replace(e, offset=0) for e in found.entries]
        assert plain == [dataclasses.replace(e, offset=0) for e in expected.entries]
        assert found.people == expected.people
        for i in range(len(expected)):
            assert np.array_equal(found.frames(i), expected.frames(i))


def test_the_weights_are_those_of_a_list_on_any_engine(
    tiny: Tiny, tmp_path: Path, dealt: Mapping[str, Selection], pools: dict[int, Engine]
) -> None:
    expected = run(ONE, tiny, dealt, tmp_path / "dealt")
    assert [len(told) for told in expected[1]] == [3, 3, 3]
    for number, engine in enumerate((ONE, pools[1], pools[2])):
        assert run(engine, tiny, listed(tiny), tmp_path / str(number)) == expected
        assert not (tmp_path / str(number) / "sites").exists(), "a phone keeps nothing"


def test_a_phone_that_keeps_something_has_a_folder_once_called(tiny: Tiny, tmp_path: Path) -> None:
    _, told = run(ONE, tiny, beyond(1000), tmp_path, "training.head=local")
    called = {name for told_ in told for name, *_ in told_}
    assert {path.name for path in (tmp_path / "sites").iterdir()} == called


def test_resumed_it_goes_on_where_it_stopped(
    tiny: Tiny, tmp_path: Path, pools: dict[int, Engine]
) -> None:
    class StopError(Exception):
        pass

    def stop(number: int, _: object) -> None:
        if number == 2:
            raise StopError

    expected = run(ONE, tiny, beyond(50), tmp_path / "whole")
    with pytest.raises(StopError):
        ONE.federate(tiny.words(*PHONES), beyond(50), tmp_path / "cut", stop, lambda _: None)
    assert run(pools[2], tiny, beyond(50), tmp_path / "cut") == expected


def test_who_is_called_is_who_a_list_would_have_called(tiny: Tiny) -> None:
    strategy = tiny.config("strategy.cohort=40").strategy
    assert strategy is not None
    drawn = strategy.build(7)
    for number in range(1, 20):
        nodes = range(1, 12_001)
        assert drawn.draw(number, nodes) == drawn.draw(number, list(nodes))
        assert len(set(drawn.draw(number, nodes))) == 40


def test_a_million_phones_take_no_memory_and_no_time() -> None:
    tracemalloc.start()
    started = time.perf_counter()
    population = beyond(1_000_000)
    names = names_of(population)
    assert len(population) == len(names) == 1_000_000
    assert names[0] == "cohort-00-person-0004"
    assert names[-1] == "cohort-01-person-500003"
    assert names[-1] in population
    assert pickle.loads(pickle.dumps(population)) == population
    assert time.perf_counter() - started < 1
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 1e6
    assert len(pickle.dumps(population)) < 10_000


def test_a_round_over_a_million_allocates_for_its_cohort(tiny: Tiny, tmp_path: Path) -> None:
    run(ONE, tiny, beyond(10), tmp_path / "first", "rounds=1")  # what is imported once
    peaks = []
    for count in (100, 1_000_000):
        tracemalloc.start()
        _, told = run(ONE, tiny, beyond(count), tmp_path / str(count), "rounds=2")
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert [len(r) for r in told] == [3, 3]
    assert peaks[1] < peaks[0] + 2e6, "two bytes a phone would be more"


def test_persons_begin_behind_those_that_are_listed() -> None:
    few = Population.beyond(data(), FrontEnd(), 5, (4, 7))
    assert list(few) == [
        "cohort-00-person-0004", "cohort-00-person-0005", "cohort-00-person-0006",
        "cohort-01-person-0007", "cohort-01-person-0008",
    ]  # fmt: skip
    assert [few.name(k) for k in range(5)] == list(few)
    assert few.names[1:3] == list(few)[1:3]
    for absent in (
        "cohort-00-person-0003", "cohort-00-person-0007", "cohort-02-person-0000",
        "cohort-0-person-0004", "cohort-00-person-00004", "somebody",
    ):  # fmt: skip
        assert absent not in few
        with pytest.raises(KeyError):
            few[absent]
    with pytest.raises(IndexError):
        few.names[5]


@pytest.mark.parametrize("count", [0, -3])
def test_no_phone_is_no_population(count: int) -> None:
    with pytest.raises(ValueError, match=f"phones must be >= 1, got {count}"):
        beyond(count)


@pytest.mark.parametrize("engine", [ONE, ProcessPool(Config(1))])
def test_a_cohort_larger_than_the_population_is_refused(
    tiny: Tiny, tmp_path: Path, engine: Engine
) -> None:
    with pytest.raises(ConfigError, match=r"strategy.cohort=3 clients a round, but there are 2"):
        run(engine, tiny, beyond(2), tmp_path)
    assert not list(tmp_path.iterdir()), "nothing was begun"
