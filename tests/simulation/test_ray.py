"""``engine=ray`` gives what one process gives, on a Ray of two workers; needs the extra."""

import json
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from fedbreath.errors import UserError
from fedbreath.features import Selection
from fedbreath.site.account import account
from simulation.data import prepare
from simulation.engines import Engine
from simulation.engines.in_process import Config as OneConfig
from simulation.engines.in_process import InProcess
from simulation.engines.ray import Config, Ray
from simulation.pool.crew import STILLBORN
from simulation.pool.delivery import ClientDefectError
from tests.simulation import ray_faults
from tests.simulation.test_private_messages import MECHANISMS
from tests.simulation.test_process_pool import (
    CLIENTS,
    SIGMA,
    StopError,
    failures,
    outcome,
)
from tests.simulation.tiny import Tiny

pytest.importorskip("ray", reason="needs the extra ray: pip install -e '.[ray]'")
# Ray alone takes ten seconds to start.
pytestmark = pytest.mark.slow

ONE = InProcess(OneConfig())


@pytest.fixture(scope="module")
def clients(tiny: Tiny) -> Mapping[str, Selection]:
    return prepare(tiny.config(CLIENTS)).clients


@pytest.fixture(scope="module")
def fault_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("faults") / "plan.json"


@pytest.fixture(scope="module")
def two(fault_file: Path) -> Iterator[Engine]:
    """A Ray of two workers, which all tests share, as the arms of a study do."""
    with pytest.MonkeyPatch.context() as patch:
        ray_faults.plant(patch, fault_file)
        engine = Ray(Config(workers=2))
        engine.start()
        yield engine
        engine.close()


@pytest.fixture(autouse=True)
def no_faults(fault_file: Path) -> None:
    fault_file.write_text("{}")


def run(
    engine: Engine,
    clients: Mapping[str, Selection],
    words: list[str],
    folder: Path,
    observe: Callable[[int, Any], None] = lambda *_: None,
) -> list[str]:
    """Federate; who was told of, in order."""
    told: list[str] = []
    engine.federate(words, clients, folder, observe, told.append)
    assert not (folder / ".cluster").exists()
    return told


@pytest.mark.parametrize(
    "more",
    [
        ["strategy=fedavg"],
        ["strategy=scaffold", "transport.dtype=float16"],
        ["adversary.share=0.4"],
        ["world=phones"],
    ],
    ids=lambda words: words[0],
)
def test_two_workers_give_what_one_process_gives(
    tiny: Tiny, tmp_path: Path, clients: Mapping[str, Selection], two: Engine, more: list[str]
) -> None:
    words = tiny.words(CLIENTS, *more)
    rounds: list[int] = []
    told = run(ONE, clients, words, tmp_path / "one")
    also = run(two, clients, words, tmp_path / "two", lambda number, _: rounds.append(number))
    expected = outcome(tmp_path / "one")
    assert any(name.startswith("sites/") for name in expected)
    assert outcome(tmp_path / "two") == expected
    assert sorted(also) == sorted(told)
    assert [number for number in rounds if number] == [1, 2, 3]


def test_resumed_on_another_engine(
    tiny: Tiny, tmp_path: Path, clients: Mapping[str, Selection], two: Engine
) -> None:
    words = tiny.words(CLIENTS, "strategy=scaffold", "rounds=4")
    run(ONE, clients, words, tmp_path / "whole")

    def stop(last: int, number: int, _: object) -> None:
        if number == last:
            raise StopError

    cut = tmp_path / "cut"
    for last, engine in ((1, two), (2, ONE)):
        with pytest.raises(StopError):
            run(engine, clients, words, cut, partial(stop, last))
    run(two, clients, words, cut)
    assert outcome(cut) == outcome(tmp_path / "whole")


def test_a_client_whose_worker_dies_or_hangs_is_a_counted_failure(
    tiny: Tiny, tmp_path: Path, clients: Mapping[str, Selection], two: Engine, fault_file: Path
) -> None:
    names = list(clients)
    fault_file.write_text(json.dumps({"1/2": "die", "2/2": "die", "3/5": "hang"}))
    words = tiny.words(CLIENTS, "patience.reply=5")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("simulation.cluster.delivery._STARTING", 30.0)
        told = run(two, clients, words, tmp_path / "run")
    assert failures(tmp_path / "run") == [
        {"node 2": "1002: WorkerDied"},
        {"node 2": "1002: WorkerDied"},
        {names[4]: "no reply in time"},
    ]
    assert sorted(told) == sorted(names * 3), "progress counts them too"


def test_all_of_them_dying_is_a_sentence(
    tiny: Tiny, tmp_path: Path, clients: Mapping[str, Selection], two: Engine, fault_file: Path
) -> None:
    fault_file.write_text(json.dumps({f"*/{node}": "die" for node in range(1, 6)}))
    with pytest.raises(UserError, match=f"{STILLBORN} workers died one after another"):
        run(two, clients, tiny.words(CLIENTS), tmp_path / "run")


def test_a_defect_of_a_client_ends_the_run_with_its_traceback(
    tiny: Tiny, tmp_path: Path, clients: Mapping[str, Selection], two: Engine, fault_file: Path
) -> None:
    fault_file.write_text(json.dumps({"1/3": "fail", "*/4": "wait 0.5"}))
    with pytest.raises(ClientDefectError, match=r"cohort-02\n(.|\n)*ZeroDivisionError: a defect"):
        run(two, clients, tiny.words(CLIENTS), tmp_path / "run")
    fault_file.write_text("{}")
    run(two, clients, tiny.words(CLIENTS, "rounds=1"), tmp_path / "again")
    assert failures(tmp_path / "again") == [{}]


def test_refusals_and_ledgers_are_those_of_one_process(
    tiny: Tiny, tmp_path: Path, clients: Mapping[str, Selection], two: Engine
) -> None:
    unstated = MECHANISMS["patient"].replace(
        "privacy.population=40",
        "+privacy.populations.cohort-01=40 +privacy.populations.cohort-03=40",
    )
    words = tiny.words(CLIENTS, *unstated.split(), SIGMA, "rounds=2")
    for engine, name in ((ONE, "one"), (two, "two")):
        run(engine, clients, words, tmp_path / name)
    assert failures(tmp_path / "two") == failures(tmp_path / "one")
    assert set(failures(tmp_path / "two")[0].values()) == {"1000: PrivacyError"}
    found = sorted((tmp_path / "two").rglob("privacy/*.jsonl"))
    assert len(found) == 2
    for ledger in found:
        known = account(ledger, ledger.parent.with_name("privacy-heads"))[0]
        assert (known.reserved, known.open) == (2, 0)


def test_a_folder_that_workers_do_not_see_is_refused(
    tiny: Tiny, tmp_path: Path, clients: Mapping[str, Selection], two: Engine
) -> None:
    def lose_mark(number: int, _: object) -> None:
        (tmp_path / "run" / ".cluster").write_text("another machine's")

    with pytest.raises(UserError, match=r"is not the run's folder on .* all machines"):
        run(two, clients, tiny.words(CLIENTS), tmp_path / "run", lose_mark)
    assert not list((tmp_path / "run").rglob("sites/*"))
