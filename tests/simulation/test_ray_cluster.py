"""Whole studies on Ray: a cluster that was started by hand, stops, and what cannot be reached."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fedbreath.errors import UserError
from tests.simulation.test_process_pool_kills import alive, rounds, until, workers_of
from tests.simulation.tiny import Process, Tiny, finished, result, start

pytest.importorskip("ray", reason="needs the extra ray: pip install -e '.[ray]'")
pytestmark = pytest.mark.slow

FEW = ("data.cohorts=3", "strategy=scaffold")
RAY = ("engine=ray", "engine.workers=2")


@pytest.fixture(scope="module")
def whole(tiny: Tiny, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What one process gives that nobody disturbs."""
    out = tmp_path_factory.mktemp("whole") / "run"
    done = finished(tiny.words(*FEW, f"out={out}"))
    assert done.returncode == 0, done.stderr
    return result(out)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


@pytest.fixture(scope="module")
def head() -> Iterator[str]:
    """The address of a cluster of one machine, started as docs/cluster.md says."""
    port = free_port()
    process = subprocess.Popen(
        [
            str(Path(sys.executable).with_name("ray")), "start", "--head", "--block",
            f"--port={port}", "--num-cpus=2", "--include-dashboard=false",
            "--disable-usage-stats", "--node-ip-address=127.0.0.1",
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )  # fmt: skip
    try:
        until(lambda: connects(port), 120)
        yield f"127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(60)


def connects(port: int) -> bool:
    with socket.socket() as tried:
        return tried.connect_ex(("127.0.0.1", port)) == 0


def begun(tiny: Tiny, out: Path, *more: str) -> Process:
    return start(tiny.words(*FEW, *RAY, f"out={out}", *more))


def actors_of(process: Process) -> list[int]:
    """The Ray workers below a process."""
    return [pid for pid in family(process) if b"ClientAppActor" in command_of(pid)]


def command_of(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""  # it has ended


def family(process: Process) -> list[int]:
    """All processes below one."""
    found, fresh = [], workers_of(process.pid)
    while fresh:
        found += fresh
        fresh = [child for pid in fresh for child in workers_of(pid)]
    return found


def test_a_study_on_a_cluster_is_the_study_of_one_process(
    tiny: Tiny, tmp_path: Path, whole: dict[str, Any], head: str
) -> None:
    out = tmp_path / "run"
    for _ in range(2):  # the cluster outlives a run
        done = finished(tiny.words(*FEW, "engine=ray", f"engine.address='{head}'", f"out={out}"))
        assert done.returncode == 0, done.stderr
        assert result(out) == whole
        out = tmp_path / "again"


def test_all_killed_and_resumed(tiny: Tiny, tmp_path: Path, whole: dict[str, Any]) -> None:
    out = tmp_path / "run"
    process = begun(tiny, out)
    until(lambda: rounds(out) >= 1 or process.poll() is not None)
    at_work = actors_of(process)
    assert len(at_work) == 2
    priorities = {os.getpriority(os.PRIO_PROCESS, pid) for pid in at_work}
    assert priorities == {os.getpriority(os.PRIO_PROCESS, 0)}, "Ray's own is 15 lower"
    os.kill(process.pid, signal.SIGKILL)
    until(lambda: not any(map(alive, at_work)), 20)
    again = finished([f"resume={out}", *RAY])
    assert again.returncode == 0, again.stderr
    assert result(out) == whole


def test_ctrl_c_leaves_nothing_behind(tiny: Tiny, tmp_path: Path) -> None:
    out = tmp_path / "run"
    process = begun(tiny, out, "rounds=500")
    until(lambda: rounds(out) >= 1)
    below = family(process)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130, said
    assert "Traceback" not in said
    assert "resume=DIR goes on" in said
    until(lambda: not any(map(alive, below)), 30)
    assert not (out / ".cluster").exists()


@pytest.mark.parametrize("form", ["127.0.0.1:{}", "ray://127.0.0.1:{}"])
def test_a_cluster_that_cannot_be_reached_is_a_sentence(
    tiny: Tiny, tmp_path: Path, form: str
) -> None:
    address = form.format(free_port())
    words = tiny.words("engine=ray", f"engine.address='{address}'", f"out={tmp_path / 'run'}")
    began = time.monotonic()
    done = finished(words)
    assert done.returncode == 2
    assert f"no Ray cluster at {address}" in done.stderr
    assert "Traceback" not in done.stderr
    assert time.monotonic() - began < 60


def test_what_ray_says_becomes_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    import ray

    from simulation.cluster import connection

    def fail(**_: object) -> None:
        raise ConnectionError("Could not find any running Ray instance.\nAnd much more.")

    monkeypatch.setattr(ray, "init", fail)
    with pytest.raises(UserError, match=r"no Ray cluster at auto \(Could not .* instance\.\)$"):
        connection.connect("auto", 2, 1)
    with pytest.raises(UserError, match="Ray cannot begin here"):
        connection.connect(None, 2, 1)
