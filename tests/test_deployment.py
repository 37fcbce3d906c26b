"""The same two apps under a real SuperLink and two real SuperNodes, on loopback."""

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from fedbreath.config import load
from fedbreath.site.account import account
from server import checkpoints
from server.app import PACKAGES

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent

#: Sites and the small run that they make.
SITES = ("sprsound", "coswara")
RUN = (
    "rounds=2 encoder.widths=[8,16] objective=cola objective.projection=16 training.steps=2 "
    "training.batch_size=8 strategy.minimum=2"
)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def flower(
    tmp_path: Path, real_data: Path, request: pytest.FixtureRequest
) -> Iterator[dict[str, str]]:
    """A SuperLink and a SuperNode for each site; the environment to call ``flwr`` with.

    A parameter is the epsilon that each site allows; without one they state no budget.
    """
    epsilon = getattr(request, "param", None)
    home = tmp_path / "flwr"
    home.mkdir()
    port = free_port()
    (home / "config.toml").write_text(
        '[superlink]\ndefault = "loopback"\n'
        f'[superlink.loopback]\naddress = "127.0.0.1:{port}"\ninsecure = true\n'
    )
    environment = {
        **os.environ,
        "PATH": f"{BIN}:{os.environ['PATH']}",
        "FLWR_HOME": str(home),
        "FLWR_TELEMETRY_ENABLED": "0",
        "FLWR_DISABLE_UPDATE_CHECK": "1",
        "FLWR_DISABLE_RUNTIME_DEPENDENCY_INSTALLATION": "1",
        "OMP_NUM_THREADS": "1",
        "OMP_WAIT_POLICY": "PASSIVE",
    }
    commands = {
        "superlink": ["flower-superlink", "--insecure", "--port", str(port),
                      "--disable-runtime-dependency-installation"],
    }  # fmt: skip
    for site in SITES:
        settings = tmp_path / f"{site}.yaml"
        own = {
            "name": f"hospital-{site}",
            "dataset": site,
            "options": {"root": str(real_data / site)},
            "state": str(tmp_path / "state" / site),
        }
        if epsilon is not None:
            second = tmp_path / "heads" / site
            second.mkdir(parents=True)
            own["privacy"] = {
                "domain": "all", "unit": "patient", "population": 100, "epsilon": epsilon,
                "delta": 1e-3, "second": str(second),
            }  # fmt: skip
        settings.write_text(json.dumps(own))  # JSON is YAML
        commands[site] = [
            "flower-supernode", "--insecure", "--superlink", f"127.0.0.1:{port}",
            "--port", str(free_port()), "--node-config", f"site='{settings}'",
        ]  # fmt: skip
    with ExitStack() as stack:
        for name, command in commands.items():
            log = stack.enter_context((tmp_path / f"{name}.log").open("w"))
            process = subprocess.Popen(
                command, env=environment, stdout=log, stderr=subprocess.STDOUT, cwd=tmp_path
            )
            stack.callback(process.wait)
            stack.callback(process.terminate)
            time.sleep(3)
        yield environment


def flwr_run(environment: dict[str, str], overrides: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["flwr", "run", ".", "loopback", "--stream", "--run-config", f'overrides="{overrides}"'],
        cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip


@pytest.mark.slow
@pytest.mark.real
@pytest.mark.skipif(shutil.which("flower-superlink", path=str(BIN)) is None, reason="no Flower")
def test_two_nodes_make_two_rounds(flower: dict[str, str], tmp_path: Path) -> None:
    out = tmp_path / "out"
    said = flwr_run(flower, f"{RUN} out={out}")
    logs = {p.name: p.read_text() for p in tmp_path.glob("*.log")}
    assert (out / "rounds.jsonl").exists(), "\n".join([said.stdout, said.stderr, *logs.values()])
    rounds = [json.loads(line) for line in (out / "rounds.jsonl").read_text().splitlines()]
    assert [r["number"] for r in rounds] == [1, 2]
    for record in rounds:
        names = {p["name"] for p in record["participants"]}
        assert names == {"hospital-sprsound", "hospital-coswara"}
        assert not record["failures"]
    config = load(RUN, PACKAGES)
    checkpoint = checkpoints.read(out, config.digest)
    assert checkpoint is not None
    assert checkpoint.number == 2


@pytest.mark.slow
@pytest.mark.real
@pytest.mark.skipif(shutil.which("flower-superlink", path=str(BIN)) is None, reason="no Flower")
def test_a_misspelt_key_is_a_sentence(flower: dict[str, str]) -> None:
    said = flwr_run(flower, "encoder.widht=3")
    text = said.stdout + said.stderr
    assert "unknown key encoder.widht; did you mean encoder.widths?" in text
    assert "Traceback" not in text
    listed = subprocess.run(
        ["flwr", "ls", "loopback", "--format", "json"],
        cwd=ROOT, env=flower, capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    assert [run["status"] for run in json.loads(listed.stdout)["runs"]] == ["finished:failed"]


PRIVATE = (
    "privacy=patient privacy.population=100 privacy.rate=0.3 privacy.delta=1e-3 privacy.sigma=1 "
    "objective=masked strategy.weighting=uniform"
)


@pytest.mark.slow
@pytest.mark.real
@pytest.mark.skipif(shutil.which("flower-superlink", path=str(BIN)) is None, reason="no Flower")
@pytest.mark.parametrize("flower", [30.0], indirect=True)
def test_a_private_run_spends_each_nodes_own_budget(flower: dict[str, str], tmp_path: Path) -> None:
    out = tmp_path / "out"
    run = RUN.replace("objective=cola objective.projection=16", PRIVATE)
    said = flwr_run(flower, f"{run} out={out}")
    logs = {p.name: p.read_text() for p in tmp_path.glob("*.log")}
    assert (out / "rounds.jsonl").exists(), "\n".join([said.stdout, said.stderr, *logs.values()])
    spent = set()
    for site in SITES:
        ledger = tmp_path / f"state/{site}/privacy/hospital-{site}.all.jsonl"
        found, records = account(ledger, tmp_path / "heads" / site)
        assert [r["kind"] for r in records] == ["open", *["reserve", "commit"] * 2]
        spent.add(found.spent.value)
    assert len(spent) == 1, "the same noise and draws cost the same everywhere"
    assert 0 < spent.pop() < 30
    for line in (out / "rounds.jsonl").read_text().splitlines():
        for participant in json.loads(line)["participants"]:
            assert participant["recordings"] is participant["loss"] is None
    # A run that promises nothing is refused at both nodes, in a code.
    said = flwr_run(flower, f"{RUN} out={tmp_path / 'plain'}")
    assert "PrivacyError" in said.stdout + said.stderr
    assert not (tmp_path / "plain/rounds.jsonl").exists()
