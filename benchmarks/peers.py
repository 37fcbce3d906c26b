"""Peers of `benchmarks.engine`: the same work by others, each in an environment of its own.

A row is optional: it needs an interpreter that has the peer beside fedbreath's own
dependencies. The peer alternates with the bare loop inside that interpreter, so that its
ratio is to its own PyTorch; what comes out is reported, and nothing is a target.
"""

import json
import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

_ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Peer:
    """One row.

    Attributes:
        name: What `benchmarks.peer_work` calls it.
        title: For a reader.
        option: Of the command line, which names the interpreter.
    """

    name: str
    title: str
    option: str


PEERS = (
    Peer("ray", "engine=ray, 2 workers", "ray"),
    Peer("flower", "Flower's run_simulation on Ray, 2 workers", "ray"),
    Peer("pfl", "pfl, one process", "pfl"),
)

#: What a peer gives, or why it gave nothing.
Row = dict[str, float] | str


def measure(pythons: Mapping[str, str | None], rounds: int, cache: Path) -> dict[str, Row]:
    """Measure the peers whose interpreter is named.

    Args:
        pythons: Option to interpreter.
        rounds: How many are counted.
        cache: Folder of the feature stores.

    Returns:
        Title to medians as of `benchmarks.engine.compare`, and ``first_round_s``, the seconds
        until the first round is over; or a sentence.
    """
    found: dict[str, Row] = {}
    for peer in PEERS:
        python = pythons.get(peer.option)
        found[peer.title] = _run(peer, python, rounds, cache) if python else "not run"
    return found


def _run(peer: Peer, python: str, rounds: int, cache: Path) -> Row:
    program = "import sys; from benchmarks.peer_work import main; main(sys.argv[1:])"
    path = os.pathsep.join(filter(None, (str(_ROOT), os.environ.get("PYTHONPATH"))))
    # All rows at one priority; Ray's own is 15 lower, which decides everything on a busy machine.
    own = {**os.environ, "PYTHONPATH": path, "RAY_worker_niceness": "0"}
    try:
        done = subprocess.run(
            [python, "-c", program, peer.name, str(rounds), str(cache)],
            cwd=_ROOT, env=own,
            capture_output=True, text=True, check=False,
        )  # fmt: skip
    except OSError as error:
        return f"not run: {python}: {error.strerror}"
    lines = [line for line in done.stdout.splitlines() if line.startswith('{"engine_cpu_s"')]
    if done.returncode or not lines:
        last = next(iter(reversed(done.stderr.strip().splitlines())), "it said nothing")
        return f"failed: {last}"
    row: dict[str, float] = json.loads(lines[-1])
    return row


def show(rows: Mapping[str, Row]) -> None:
    """Print them, if any was asked for."""
    if all(row == "not run" for row in rows.values()):
        return
    table = Table(title="the same work by peers, stateless")
    headings = ("peer", "wall s", "bare s", "CPU ratio", "wall ratio", "first round s")
    for heading in headings:
        table.add_column(heading, justify="left" if heading == "peer" else "right")
    for title, row in rows.items():
        if isinstance(row, str):
            table.add_row(title, row)
            continue
        names = ("engine_wall_s", "bare_wall_s", "ratio_cpu", "ratio_wall", "first_round_s")
        table.add_row(title, *(f"{row[name]:.3f}" for name in names))
    Console().print(table)
