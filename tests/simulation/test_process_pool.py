"""The process pool gives what one process gives, bit for bit, and outlives its workers."""

import copy
import hashlib
import json
import multiprocessing
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from torch import Tensor

from fedbreath.errors import UserError
from fedbreath.features import Selection
from fedbreath.site.account import account
from simulation.data import prepare
from simulation.engines import Engine, process_pool
from simulation.engines.in_process import Config as OneConfig
from simulation.engines.in_process import InProcess
from simulation.engines.process_pool import Config, ProcessPool
from simulation.pool.crew import STILLBORN, Crew
from simulation.pool.delivery import ClientDefectError
from simulation.pool.segments import Segments
from tests.simulation import faults
from tests.simulation.test_private_messages import MECHANISMS
from tests.simulation.tiny import Tiny

ONE = InProcess(OneConfig())
CLIENTS = "data.cohorts=5"

#: Spares the search for the least noise, in every process.
SIGMA = "privacy.sigma=3"


@pytest.fixture(scope="module")
def clients(tiny: Tiny) -> Mapping[str, Selection]:
    return prepare(tiny.config(CLIENTS)).clients


@pytest.fixture(scope="module")
def pools() -> Iterator[dict[int, Engine]]:
    """Engines of 1, 2 and 4 workers, which all tests share, as the arms of a study do."""
    crew, found = Crew(4), {}
    for count in (1, 2, 4):
        part = copy.copy(crew)  # so that no more than four processes are started
        part._workers = crew._workers[:count]
        found[count] = ProcessPool(Config(count))
        found[count]._crew = part
    yield {**found}
    crew.close()
    assert not multiprocessing.active_children()


@pytest.fixture(scope="module")
def fault_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("faults") / "plan.json"


@pytest.fixture(scope="module")
def faulty(fault_file: Path) -> Iterator[Engine]:
    """Two workers that do what the plan says."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(faults.NAME, str(fault_file))
        patch.setattr(process_pool, "Crew", partial(Crew, target=faults.work))
        engine = ProcessPool(Config(2))
        engine.start()
        yield engine
        engine.close()


def run(
    engine: Engine,
    clients: Mapping[str, Selection],
    words: list[str],
    folder: Path,
    observe: Callable[[int, Mapping[str, Tensor]], None] = lambda *_: None,
) -> list[str]:
    """Federate; who was told of, in order."""
    told: list[str] = []
    engine.federate(words, clients, folder, observe, told.append)
    assert not left(folder), "shared memory is left"
    return told


def left(folder: Path) -> list[Path]:
    """Shared memory of a run's folder."""
    return list(Path("/dev/shm").glob(f"{Segments(folder).prefix}*"))


def outcome(folder: Path) -> dict[str, Any]:
    """Digests of the global weights and of what sites keep, and the rounds without times."""
    found: dict[str, Any] = {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*.safetensors")
    }
    found["rounds"] = lines(folder)
    for line in found["rounds"]:
        del line["seconds"]
        for participant in line["participants"]:
            del participant["seconds"]
    return found


def lines(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "rounds.jsonl").read_text().splitlines()]


def failures(folder: Path) -> list[dict[str, str]]:
    return [{f["name"]: f["code"] for f in line["failures"]} for line in lines(folder)]


@pytest.mark.parametrize("strategy", ["fedavg", "scaffold"])
def test_any_number_of_workers_gives_what_one_process_gives(
    tiny: Tiny,
    tmp_path: Path,
    clients: Mapping[str, Selection],
    pools: dict[int, Engine],
    strategy: str,
) -> None:
    words = tiny.words(CLIENTS, f"strategy={strategy}")
    told = run(ONE, clients, words, tmp_path / "one")
    expected = outcome(tmp_path / "one")
    assert len(expected["rounds"]) == 3
    assert any(name.startswith("sites/") for name in expected)
    for count, engine in pools.items():
        also = run(engine, clients, words, tmp_path / str(count))
        assert outcome(tmp_path / str(count)) == expected, f"{count} workers"
        assert sorted(also) == sorted(told)


class StopError(Exception):
    """Ends a run after a round."""


def test_resumed_with_other_numbers_of_workers(
    tiny: Tiny, tmp_path: Path, clients: Mapping[str, Selection], pools: dict[int, Engine]
) -> None:
    words = tiny.words(CLIENTS, "strategy=scaffold", "rounds=4")
    run(ONE, clients, words, tmp_path / "whole")

    def stop(last: int, number: int, _: object) -> None:
        if number == last:
            raise StopError

    cut = tmp_path / "cut"
    for last, engine in ((1, pools[2]), (2, ONE), (3, pools[4])):
        with pytest.raises(StopError):
            run(engine, clients, words, cut, partial(stop, last))
        assert not left(cut), "after an exception too"
    run(pools[1], clients, words, cut)
    assert outcome(cut) == outcome(tmp_path / "whole")


def test_the_order_of_replies_changes_nothing(
    tiny: Tiny,
    tmp_path: Path,
    clients: Mapping[str, Selection],
    faulty: Engine,
    fault_file: Path,
) -> None:
    words = tiny.words(CLIENTS, "strategy=scaffold", "rounds=2")
    run(ONE, clients, words, tmp_path / "one")
    orders = []
    for k, slow in enumerate((1, 3, 5)):
        fault_file.write_text(json.dumps({f"*/{slow}": "wait 0.6"}))
        orders.append(run(faulty, clients, words, tmp_path / str(k)))
        assert outcome(tmp_path / str(k)) == outcome(tmp_path / "one")
    assert len(set(map(tuple, orders))) > 1, "the delays changed no order"


def test_a_client_whose_worker_dies_or_hangs_is_a_counted_failure(
    tiny: Tiny,
    tmp_path: Path,
    clients: Mapping[str, Selection],
    faulty: Engine,
    fault_file: Path,
) -> None:
    names = list(clients)
    words = tiny.words(CLIENTS, "patience.reply=2")
    fault_file.write_text(json.dumps({"1/2": "die", "2/2": "die", "3/5": "hang"}))
    told = run(faulty, clients, words, tmp_path / "run")
    assert failures(tmp_path / "run") == [
        {"node 2": "1002: WorkerDied"},  # a name is known from replies alone
        {"node 2": "1002: WorkerDied"},
        {names[4]: "no reply in time"},
    ]
    assert sorted(told) == sorted(names * 3), "progress counts them too"


def test_all_of_them_dying_is_a_sentence(
    tiny: Tiny,
    tmp_path: Path,
    clients: Mapping[str, Selection],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(process_pool, "Crew", partial(Crew, target=faults.dies))
    with pytest.raises(UserError, match=f"{STILLBORN} worker processes died .* exit code 3"):
        run(ProcessPool(Config(1)), clients, tiny.words(CLIENTS), tmp_path / "run")
    assert not left(tmp_path / "run")


def test_a_defect_of_a_client_ends_the_run_with_its_traceback(
    tiny: Tiny,
    tmp_path: Path,
    clients: Mapping[str, Selection],
    faulty: Engine,
    fault_file: Path,
) -> None:
    fault_file.write_text(json.dumps({"1/3": "fail", "*/4": "wait 0.5"}))
    with pytest.raises(ClientDefectError, match=r"cohort-02\n(.|\n)*ZeroDivisionError: a defect"):
        run(faulty, clients, tiny.words(CLIENTS), tmp_path / "run")
    assert not left(tmp_path / "run")
    fault_file.write_text("{}")
    run(faulty, clients, tiny.words(CLIENTS, "rounds=1"), tmp_path / "again")
    assert failures(tmp_path / "again") == [{}]


@pytest.mark.parametrize(
    "mechanism",
    [
        pytest.param(name, marks=() if name in ("patient", "client_central") else pytest.mark.slow)
        for name in MECHANISMS
    ],
)
def test_a_private_run_leaves_valid_ledgers(
    tiny: Tiny,
    tmp_path: Path,
    clients: Mapping[str, Selection],
    pools: dict[int, Engine],
    mechanism: str,
) -> None:
    words = tiny.words(CLIENTS, *MECHANISMS[mechanism].split(), SIGMA, "rounds=2")
    run(pools[2], clients, words, tmp_path / "run")
    assert failures(tmp_path / "run") == [{}, {}]
    found = sorted((tmp_path / "run").rglob("privacy/*.jsonl"))
    assert len(found) == (1 if mechanism == "client_central" else len(clients))
    for ledger in found:
        known = account(ledger, ledger.parent.with_name("privacy-heads"))[0]
        assert (known.reserved, known.open) == (2, 0)
        assert 0 < known.spent.value <= known.budget.epsilon


def test_refusals_have_the_codes_that_they_have_in_one_process(
    tiny: Tiny, tmp_path: Path, clients: Mapping[str, Selection], pools: dict[int, Engine]
) -> None:
    unstated = MECHANISMS["patient"].replace(
        "privacy.population=40",
        "+privacy.populations.cohort-01=40 +privacy.populations.cohort-03=40",
    )
    words = tiny.words(CLIENTS, *unstated.split(), SIGMA, "rounds=1")
    for engine, name in ((ONE, "one"), (pools[2], "two")):
        run(engine, clients, words, tmp_path / name)
    (refused,) = failures(tmp_path / "one")
    assert set(refused.values()) == {"1000: PrivacyError"}
    assert len(refused) == 3
    assert failures(tmp_path / "two") == [refused]
