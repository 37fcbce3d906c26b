"""A whole study in seconds: stages, going on after a stop, failures, workers."""

import dataclasses
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import pytest
from rich.console import Console

from benchmarks import objectives, objectives_runs
from benchmarks.objectives_crew import Crew, Kept
from benchmarks.objectives_records import Result, read
from benchmarks.objectives_study import Asked, Study, study
from benchmarks.objectives_table import Sheet
from benchmarks.objectives_terminal import summary
from fedbreath.errors import UserError
from simulation.display import Display

ROOT = Path(__file__).resolve().parent.parent.parent

SMALL = (
    "encoder.widths=[8]", "data.cohorts=2", "data.persons=24", "data.sessions=1",
    "tasks=[simulated_symptom]", "training.batch_size=4", "evaluation.bootstrap=20",
    "evaluation.min_subjects=1",
)  # fmt: skip

K = TypeVar("K")
R = TypeVar("R")


class Here(Crew):
    """A crew without processes, which may be stopped after so many runs."""

    def __init__(self, most: int = 10**6) -> None:
        self.workers, self.most = 1, most
        self.did: list[Any] = []

    def each(
        self,
        title: str,
        call: Callable[..., R],
        jobs: Mapping[K, Sequence[Any]],
        cost: Mapping[K, float] | None = None,
    ) -> Iterator[tuple[K, R]]:
        for key, words in jobs.items():
            if call is objectives_runs.work:
                if len(self.did) == self.most:
                    raise KeyboardInterrupt
                self.did.append(key)
            yield key, call(*words)


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("stores")


def words(out: Path, cache: Path, *more: str) -> list[str]:
    return [
        "--out", str(out), "--data", "simulated", "--objectives", "descriptors,masked",
        "--encoders", "cnn_narrow", "--steps", "4", "--finalists", "1", "--seeds", "2",
        *more, *SMALL, f"cache='{cache}'",
    ]  # fmt: skip


def do(asked: Asked, crew: Crew) -> list[Sheet]:
    return study(asked, crew, Console(quiet=True))


def kept(out: Path) -> dict[str, Result]:
    """Every result, without the seconds it took."""
    found = {}
    for path in (out / "results").iterdir():
        result = read(path, Result)
        assert result is not None
        found[path.name] = dataclasses.replace(result, train_seconds=0.0, score_seconds=0.0)
    return found


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, cache: Path) -> tuple[Asked, list[Sheet]]:
    """A study with a last stage on test persons, done without a stop."""
    out = tmp_path_factory.mktemp("whole")
    asked = objectives.parse(words(out, cache, "--test"))
    return asked, do(asked, Here())


def test_every_stage_is_done(whole: tuple[Asked, list[Sheet]]) -> None:
    _, sheets = whole
    assert [(s.stage, s.dealt.persons) for s in sheets] == [
        ("screening", "validation"), ("finalists", "validation"), ("test", "test"),
    ]  # fmt: skip
    kinds = [sorted({(r.key[0], r.key[1], r.seeds) for r in s.rows}) for s in sheets]
    beside = [("features", "descriptors", 1), ("features", "log_mel", 1), ("untrained", "", 3)]
    trained = [("trained", "descriptors", 1), ("trained", "masked", 1)]
    assert kinds[0] == sorted([*beside, *trained])
    assert set(beside) < set(kinds[1])
    assert ("trained", "descriptors", 2) in kinds[1]
    assert kinds[2] == kinds[1]
    for row in (row for one in sheets for row in one.rows):
        assert not row.failed
        assert (row.steps > 0) == (row.key[0] == "trained")
        assert ("mean" in row.gaps) == (row.key[3] == "federated")


def test_both_schemes_took_as_many_steps(whole: tuple[Asked, list[Sheet]]) -> None:
    _, (screening, finals, _) = whole
    assert {r.steps for r in screening.rows if r.key[0] == "trained"} == {4}
    assert {r.steps for r in finals.rows if r.key[0] == "trained"} == {16}


def test_nothing_is_done_twice(whole: tuple[Asked, list[Sheet]]) -> None:
    asked, sheets = whole
    crew = Here()
    again = do(asked, crew)
    assert crew.did == []
    assert summary(again) == summary(sheets)
    assert not list((asked.out / "work").iterdir())


def test_a_stopped_study_goes_on_to_the_same_end(
    whole: tuple[Asked, list[Sheet]], tmp_path: Path, cache: Path
) -> None:
    asked = objectives.parse(words(tmp_path, cache))
    total = 0
    while True:
        crew = Here(most=6)
        try:
            do(asked, crew)
        except KeyboardInterrupt:
            total += 6
        else:
            break
    found = kept(tmp_path)
    assert total + len(crew.did) == len(found) > 9
    assert found == {name: kept(whole[0].out)[name] for name in found}


def test_a_failure_is_a_result(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def train(result: Result, *_: Any) -> Result:
        if result.run.objective == "masked" and result.run.scheme == "federated":
            raise ValueError("loss is not finite")
        return right(result, *_)

    right = objectives_runs._train
    asked = objectives.parse(words(tmp_path, cache, "--finalists", "0"))
    with monkeypatch.context() as patch:
        patch.setattr(objectives_runs, "_train", train)
        (sheet,) = do(asked, Here())
    (row,) = [r for r in sheet.rows if r.failed]
    assert row.key == ("trained", "masked", "cnn_narrow", "federated")
    assert row.failed == "ValueError: loss is not finite"
    page = objectives.write(asked, [sheet]).read_text(encoding="utf-8")
    assert "<b>masked, cnn_narrow, federated</b>: ValueError: loss is not finite" in page
    assert "loss is not finite" in (tmp_path / "results.csv").read_text(encoding="utf-8")
    crew = Here()
    assert [r.failed for r in do(asked, crew)[0].rows if r.failed] == [row.failed]
    assert crew.did == []
    (sheet,) = do(dataclasses.replace(asked, retry=True), crew)
    assert len(crew.did) == 1
    assert not [r for r in sheet.rows if r.failed]


def test_a_broken_result_is_named(whole: tuple[Asked, list[Sheet]], tmp_path: Path) -> None:
    path = tmp_path / "results" / "x.json"
    path.parent.mkdir()
    path.write_text("{")
    with pytest.raises(UserError, match=r"x\.json: it is not JSON .*remove it"):
        read(path, Result)


def test_what_was_measured_is_kept_until_its_version_changes(tmp_path: Path) -> None:
    path, calls = tmp_path / "costs.json", []

    def cost(name: str) -> float:
        calls.append(name)
        return 1.5

    for version in ("a", "a", "b"):
        found = Kept(path, version)
        found.fill(Here(), "costs", cost, {"x": ("x",), "y": ("y",)})
        assert found.values == {"x": 1.5, "y": 1.5}
    assert calls == ["x", "y", "x", "y"]


def test_steps_follow_from_measured_costs(tmp_path: Path, cache: Path) -> None:
    small = [w for w in words(tmp_path, cache) if w not in ("--steps", "4")]
    asked = objectives.parse([*small, "--budget", "10", "--finalists", "0", "--estimate"])
    costs = Kept(tmp_path / "costs.json", " ".join(asked.more))
    costs.values = {"descriptors cnn_narrow": 0.1, "masked cnn_narrow": 0.5}
    costs.save()
    own = Study(asked, Here(), Console(quiet=True))
    own.look(test=False)
    own.measure()
    steps = {(r.objective, r.scheme): r.steps for r in own.screening()}
    assert steps["descriptors", "federated"] == steps["descriptors", "centralised"]
    assert abs(steps["descriptors", "federated"] - 100) <= 6
    assert abs(steps["masked", "federated"] - 20) <= 6


@pytest.mark.parametrize(
    ("more", "says"),
    [
        (["--objectives", "cola,colla"], "--objectives: no colla"),
        (["--encoders", "resnet"], "--encoders: no resnet"),
        (["--data", "real"], "--root DIR"),
    ],
)
def test_what_cannot_be_asked(
    more: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        objectives.parse(more)
    assert says in capsys.readouterr().err


def test_what_can_be_asked(tmp_path: Path) -> None:
    asked = objectives.parse(["--root", str(tmp_path), "--opera", "--opensmile"])
    assert asked.encoders[-3:] == ("opera_ce", "opera_ct", "opera_gt")
    assert "opensmile_compare" in asked.features
    assert objectives.parse(["--data", "simulated,real", "--root", "x"]).data[0] == "real"


@pytest.mark.slow
def test_a_killed_command_goes_on(
    whole: tuple[Asked, list[Sheet]], tmp_path: Path, cache: Path
) -> None:
    """Killed with its workers at work; they leave too, and the same command finishes."""
    command = [sys.executable, "-m", "benchmarks.objectives", *words(tmp_path, cache)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + 200
    while len(list((tmp_path / "results").glob("*.json"))) < 7 and time.monotonic() < deadline:
        assert process.poll() is None
        time.sleep(0.1)
    process.send_signal(signal.SIGKILL)
    process.wait()
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300, check=True
    )
    results = kept(tmp_path)
    assert results == {name: kept(whole[0].out)[name] for name in results}
    found = json.loads(done.stdout.splitlines()[-1])
    assert [one["stage"] for one in found["sheets"]] == ["screening", "finalists"]
    assert (tmp_path / "report.html").exists()


def test_time_left_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    display = Display(Console())
    with Crew(1, display) as crew:
        done = dict(crew.each("roots", abs, {"a": (-1,), "b": (-2,)}, {"a": 5.0, "b": 5.0}))
    assert done == {"a": 1, "b": 2}
    assert "roots: 2/2 0 s left" in capsys.readouterr().out
