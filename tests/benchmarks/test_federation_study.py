"""A whole study in seconds: stages, going on after a stop, failures, the command."""

import dataclasses
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import pytest
from rich.console import Console

from benchmarks import federation, federation_runs
from benchmarks.federation_records import Result
from benchmarks.federation_study import Asked, study
from benchmarks.federation_table import Sheet
from benchmarks.federation_terminal import summary
from benchmarks.objectives_crew import Crew
from benchmarks.objectives_records import read
from fedbreath.errors import UserError

SMALL = (
    "encoder.widths=[8]", "data.cohorts=2", "data.persons=24", "training.batch_size=4",
    "evaluation.bootstrap=20", "evaluation.min_subjects=1",
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
            if call is federation_runs.work:
                if len(self.did) == self.most:
                    raise KeyboardInterrupt
                self.did.append(key)
            yield key, call(*words)


def words(out: Path, cache: Path, *more: str) -> list[str]:
    return [
        "--out", str(out), "--settings", "iid5,skewed5", "--strategies", "fedavg,fedadam",
        "--steps", "10", "--seeds", "1", *more, *SMALL, f"cache='{cache}'",
    ]  # fmt: skip


def do(asked: Asked, crew: Crew) -> list[Sheet]:
    return study(asked, crew, Console(quiet=True))


def kept(out: Path) -> dict[str, Result]:
    """Every result, without the seconds it took."""
    found = {}
    for path in (out / "runs").glob("*/result.json"):
        result = read(path, Result)
        assert result is not None
        found[path.parent.name] = dataclasses.replace(result, train_seconds=0.0, score_seconds=0.0)
    return found


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("stores")


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, cache: Path) -> tuple[Asked, list[Sheet], int]:
    """A study with a last stage on test persons, done without a stop; its number of runs."""
    asked = federation.parse(words(tmp_path_factory.mktemp("whole"), cache, "--test"))
    crew = Here()
    return asked, do(asked, crew), len(crew.did)


def test_every_stage_is_done(whole: tuple[Asked, list[Sheet], int]) -> None:
    _, sheets, _ = whole
    stages = [(s.stage, s.setting, s.dealt.persons) for s in sheets]
    assert stages[:2] == [("validation", s, "validation") for s in ("iid5", "skewed5")]
    assert stages[2:] == [("test", s, "test") for s in ("iid5", "skewed5")]
    for one in sheets:
        found = {row.key: row for row in one.rows}
        assert not any(row.failed for row in one.rows)
        assert found["federated", "fedavg"].steps == found["centralised", ""].steps == 10
        assert (("local", "") in found) == (one.stage == "validation")
        assert found["untrained", ""].seeds == 3
    for row in (r for one in sheets for r in one.rows if r.key[1] == "fedadam"):
        assert row.rate in (0.003, 0.01)
        assert row.change > 0


def test_what_is_composed_alike_is_done_once(whole: tuple[Asked, list[Sheet], int]) -> None:
    """Both settings have the same untrained networks and the same centralised run."""
    _, (iid, skewed, *_), did = whole
    # Two rates; 3 untrained, 1 centralised, and 2 strategies and 5 sites in two settings.
    validation = 2 + 3 + 1 + 2 * (2 + 5)
    assert did in (validation + 4 + 2 * 1, validation + 4 + 2 * 2)
    for key in (("untrained", ""), ("centralised", "")):
        own, other = ({r.key: r.means for r in one.rows}[key] for one in (iid, skewed))
        assert own == other


def test_nothing_is_done_twice(whole: tuple[Asked, list[Sheet], int]) -> None:
    asked, sheets, _ = whole
    crew = Here()
    assert summary(do(asked, crew)) == summary(sheets)
    assert crew.did == []
    assert not list((asked.out / "runs").glob("*/work"))


def test_a_stopped_study_goes_on_to_the_same_end(
    whole: tuple[Asked, list[Sheet], int], tmp_path: Path, cache: Path
) -> None:
    asked = federation.parse(words(tmp_path, cache))
    for _ in range(10):
        crew = Here(most=9)
        try:
            do(asked, crew)
        except KeyboardInterrupt:
            continue
        break
    found, expected = kept(tmp_path), kept(whole[0].out)
    assert len(found) > 9
    assert found == {name: expected[name] for name in found}


def test_a_failure_is_shown_and_tried_again_if_asked(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train = federation_runs._train

    def unlucky(result: Result, *more: Any) -> Result:
        if result.run.strategy == "fedadam":
            raise UserError("no <luck> today")
        return train(result, *more)

    monkeypatch.setattr(federation_runs, "_train", unlucky)
    few = words(tmp_path, cache, "--server-rates", "0.01", "--settings", "iid5")
    asked = federation.parse(few)
    (one,) = do(asked, Here())
    failed = {row.key[1]: row.failed for row in one.rows if row.failed}
    assert failed == {"fedadam": "no <luck> today"}
    assert len(one.rows) == 5
    crew = Here()
    do(asked, crew)
    assert crew.did == []
    monkeypatch.setattr(federation_runs, "_train", train)
    (again,) = do(dataclasses.replace(asked, retry=True), crew)
    assert len(crew.did) == 1
    assert not any(row.failed for row in again.rows)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (["--settings", "iid6"], "no iid6; choose of real"),
        (["--settings", "iid5", "--strategies", "best"], "no best"),
        (["--settings", "real"], "where are the real data sets"),
        (["--settings", "iid5", "--steps", "0"], "--steps must be >= 1, got 0"),
        (["--settings", "iid5", "--server-rates", "fast"], "must be numbers, got fast"),
    ],
)
def test_a_wrong_word_is_a_sentence(
    given: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        federation.parse(given)
    assert says in capsys.readouterr().err


def test_the_command_writes_a_page_and_one_line(
    whole: tuple[Asked, list[Sheet], int],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """In processes of its own; all is there already."""
    asked, _, _ = whole
    given = words(asked.out, Path("x"), "--test", "--workers", "1")[:-1]
    cache = next(word for word in asked.more if word.startswith("cache="))
    monkeypatch.setattr("sys.argv", ["federation", *given, cache])
    assert federation.main() == 0
    said = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert len(said["settings"]) == 4
    assert said["default"] in ("fedavg", "fedadam")
    assert (asked.out / "report.html").read_text().startswith("<!doctype html>")
    assert (asked.out / "results.csv").read_text().startswith("stage,setting")
