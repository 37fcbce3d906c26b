"""Whole studies on the process pool, killed and gone on with on other numbers of workers."""

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from simulation.pool.segments import Segments
from tests.simulation.test_resume import ASSASSIN, killed
from tests.simulation.tiny import Process, Tiny, finished, result, start

pytestmark = pytest.mark.slow

FEW = ("data.cohorts=3", "strategy=scaffold")
POOL = ("engine=process_pool", "engine.workers=2")


@pytest.fixture(scope="module")
def whole(tiny: Tiny, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What one process gives that nobody disturbs."""
    out = tmp_path_factory.mktemp("whole") / "run"
    assert tiny.run(out, *FEW) == 0
    return result(out)


def begun(tiny: Tiny, out: Path, *more: str) -> Process:
    """A study on two workers."""
    return start(tiny.words(*FEW, *POOL, f"out={out}", *more))


def until(done: Callable[[], bool], seconds: float = 200.0) -> None:
    deadline = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def workers_of(parent: int) -> list[int]:
    """Processes that a process has started, from the system's own table."""
    found = []
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = status.read_text().rpartition(")")[2].split()
        except OSError:
            continue  # it has ended
        if int(fields[1]) == parent:
            found.append(int(status.parent.name))
    return found


def alive(pid: int) -> bool:
    """Whether a process runs; one that waits to be buried does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def left(out: Path) -> list[Path]:
    return list(Path("/dev/shm").glob(f"{Segments(out).prefix}*"))


def rounds(out: Path) -> int:
    path = out / "rounds.jsonl"
    return len(path.read_text().splitlines()) if path.exists() else 0


def test_a_study_on_the_pool_is_the_study_of_one_process(
    tiny: Tiny, tmp_path: Path, whole: dict[str, Any]
) -> None:
    assert tiny.run(tmp_path / "run", *FEW, *POOL) == 0
    assert result(tmp_path / "run") == whole


@pytest.mark.parametrize(("number", "then"), [(1, "engine.workers=4"), (2, "engine.workers=1")])
def test_all_killed_and_resumed_with_another_number(
    tiny: Tiny, tmp_path: Path, whole: dict[str, Any], number: int, then: str
) -> None:
    out = tmp_path / "run"
    words = tiny.words(*FEW, *POOL, f"out={out}")
    process = start(["server.checkpoints:write", "before", str(number), *words], ("-c", ASSASSIN))
    _, said = process.communicate(timeout=300)
    assert process.returncode == -signal.SIGKILL, said
    again = finished([f"resume={out}", then])
    assert again.returncode == 0, again.stderr
    assert result(out) == whole
    assert not left(out)


@pytest.mark.parametrize("seconds", [0.0, 0.4])
def test_killed_at_any_time(
    tiny: Tiny, tmp_path: Path, whole: dict[str, Any], seconds: float
) -> None:
    out = tmp_path / "run"
    process = begun(tiny, out)
    until(lambda: rounds(out) >= 1 or process.poll() is not None)
    time.sleep(seconds)
    if process.poll() is None:
        killed(process)
    again = finished([f"resume={out}"])
    assert again.returncode == 0, again.stderr
    assert result(out) == whole
    assert not left(out)


def test_workers_do_not_outlive_a_parent_that_is_killed(tiny: Tiny, tmp_path: Path) -> None:
    out = tmp_path / "run"
    process = begun(tiny, out, "rounds=500")
    until(lambda: rounds(out) >= 1)
    workers = workers_of(process.pid)
    assert len(workers) >= 2
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    until(lambda: not any(map(alive, workers)), 20)
    until(lambda: not left(out), 20)


def test_ctrl_c_leaves_nothing_behind(tiny: Tiny, tmp_path: Path) -> None:
    out = tmp_path / "run"
    process = begun(tiny, out, "rounds=500")
    until(lambda: rounds(out) >= 1)
    workers = workers_of(process.pid)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130, said
    assert "Traceback" not in said
    assert "resume=DIR goes on" in said
    assert not any(map(alive, workers))
    assert not left(out)


def test_a_worker_killed_from_outside_is_one_failure(tiny: Tiny, tmp_path: Path) -> None:
    out = tmp_path / "run"
    process = begun(tiny, out, "rounds=60", "evaluation.every=60")
    until(lambda: rounds(out) >= 1)
    tracker_and_workers = workers_of(process.pid)
    os.kill(max(tracker_and_workers), signal.SIGKILL)
    _, said = process.communicate(timeout=300)
    assert process.returncode == 0, said
    assert rounds(out) == 60
    failed = (out / "rounds.jsonl").read_text().count("1002: WorkerDied")
    assert failed <= 1, "between two rounds nobody is called, and nobody fails"
