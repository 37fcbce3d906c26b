"""A run that was killed and gone on with is the run that was never killed, bit for bit."""

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from simulation.command import main
from tests.simulation.tiny import Process, Tiny, finished, result, start

SLOW = pytest.mark.slow

#: Runs the simulation and kills its whole process group at the n-th call of a function.
ASSASSIN = """
import importlib, os, signal, sys
from simulation.command import main
where, after, number, *words = sys.argv[1:]
owner = importlib.import_module(where.partition(":")[0])
*path, name = where.partition(":")[2].split(".")
for part in path:
    owner = getattr(owner, part)
inner, calls = getattr(owner, name), [0]
def counting(*args, **kwargs):
    calls[0] += 1
    if calls[0] == int(number) and after == "before":
        os.killpg(0, signal.SIGKILL)
    answer = inner(*args, **kwargs)
    if calls[0] == int(number):
        os.killpg(0, signal.SIGKILL)
    return answer
setattr(owner, name, counting)
sys.exit(main(words))
"""


@pytest.fixture(scope="module")
def whole(tiny: Tiny, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the run gives that nobody disturbs."""
    out = tmp_path_factory.mktemp("whole") / "run"
    assert tiny.run(out) == 0
    found = result(out)
    arms = {"federated", "centralised", "random", "log_mel", "level_length"}
    assert {arm["name"] for arm in found["scores.json"]["arms"]} >= arms
    assert "arms/centralised/checkpoint.safetensors" in found
    assert "arms/local-cohort-01/checkpoint.safetensors" in found
    return found


def killed(process: Process) -> None:
    """Kill a process with all that it started, and wait for its end."""
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    assert process.returncode == -signal.SIGKILL


@pytest.mark.parametrize(
    ("where", "after", "number"),
    [
        # The second client is at work in round 2.
        pytest.param("fedbreath.pretraining:Learner.fit", "before", 4, id="within-a-round"),
        pytest.param("server.checkpoints:write", "before", 2, id="line-without-checkpoint"),
        pytest.param("server.checkpoints:write", "after", 2, id="between-rounds", marks=SLOW),
        # Three checkpoints are the federation's, the others are a baseline's.
        pytest.param("server.checkpoints:write", "after", 5, id="in-a-baseline", marks=SLOW),
        pytest.param("simulation.arms:write_json", "before", 5, id="arm-unwritten", marks=SLOW),
        pytest.param("fedbreath.report.folder:append", "after", 1, id="a-probe", marks=SLOW),
        pytest.param("fedbreath.report.scoring:summarise", "before", 1, id="scores", marks=SLOW),
        pytest.param("fedbreath.report.page:write", "before", 1, id="report", marks=SLOW),
        pytest.param("fedbreath.features:open_store", "before", 1, id="reading", marks=SLOW),
    ],
)
def test_killed_at_a_moment(
    tiny: Tiny, tmp_path: Path, whole: dict[str, Any], where: str, after: str, number: int
) -> None:
    out = tmp_path / "run"
    process = start([where, after, str(number), *tiny.words(f"out={out}")], ("-c", ASSASSIN))
    _, said = process.communicate(timeout=300)
    assert process.returncode == -signal.SIGKILL, said
    if not (out / "run.json").exists():
        assert tiny.run(out) == 0  # killed before anything was begun
    else:
        assert not (out / "report.html").exists()
        assert main([f"resume='{out}'"]) == 0
    assert result(out) == whole
    assert (out / "report.html").exists()
    assert not list(out.rglob("*.tmp"))


def when(done: Callable[[], bool], process: Process) -> None:
    deadline = time.monotonic() + 300
    while not done() and process.poll() is None:
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_killed_with_its_helpers_while_baselines_run(
    tiny: Tiny, tmp_path: Path, whole: dict[str, Any]
) -> None:
    """Two processes: the other one is killed in the middle of its arm."""
    out = tmp_path / "run"
    process = start(tiny.words(f"out={out}", "engine.workers=2"))
    baselines = [
        out / "arms" / name / "rounds.jsonl" for name in ("centralised", "local-cohort-01")
    ]
    when(lambda: any(path.exists() for path in baselines), process)
    killed(process)
    assert not (out / "scores.json").exists()
    again = finished([f"resume={out}"])
    assert again.returncode == 0, again.stderr
    # So one process and two give the same, too.
    assert result(out) == whole


@pytest.mark.slow
@pytest.mark.parametrize("seconds", [0.0, 0.9, 2.6])
@pytest.mark.parametrize("workers", [1, 2])
def test_killed_at_any_time_and_again(
    tiny: Tiny, tmp_path: Path, whole: dict[str, Any], seconds: float, workers: int
) -> None:
    out = tmp_path / "run"
    words = tiny.words(f"out={out}", f"engine.workers={workers}")
    for _ in range(3):
        process = start(words)
        when((out / "run.json").exists, process)
        time.sleep(seconds)
        if process.poll() is None:
            killed(process)
        words = [f"resume={out}"]
    assert main(words) == 0
    assert result(out) == whole


@pytest.mark.slow
def test_two_workers_give_what_one_gives(tiny: Tiny, tmp_path: Path, whole: dict[str, Any]) -> None:
    assert tiny.run(tmp_path / "run", "engine.workers=2") == 0
    assert result(tmp_path / "run") == whole


def test_same_seed_same_run_and_other_seed_another(
    tiny: Tiny, tmp_path: Path, whole: dict[str, Any]
) -> None:
    assert tiny.run(tmp_path / "same") == 0
    assert result(tmp_path / "same") == whole
    assert tiny.run(tmp_path / "other", "seed=1", "evaluation.baselines=false") == 0
    other = result(tmp_path / "other")
    assert other["checkpoint.safetensors"] != whole["checkpoint.safetensors"]
    assert other["arms/random.json"] != whole["arms/random.json"]
    assert other["arms/log_mel.json"] == whole["arms/log_mel.json"]


def test_a_finished_run_resumes_to_itself(tiny: Tiny, tmp_path: Path) -> None:
    out = tmp_path / "run"
    assert tiny.run(out, "rounds=1", "evaluation.baselines=false") == 0
    before = result(out)
    stamp = (out / "checkpoint.safetensors").stat().st_mtime_ns
    assert main([f"resume='{out}'"]) == 0
    assert result(out) == before
    assert (out / "checkpoint.safetensors").stat().st_mtime_ns == stamp
