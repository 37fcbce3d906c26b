"""The smallest run that has every part: two clients, three rounds, all arms, one task."""

import hashlib
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import safe_open

from fedbreath.config import Config, load
from simulation import PACKAGES
from simulation.command import main

ROOT = Path(__file__).resolve().parent.parent.parent

#: What makes any run small.
SMALL = (
    "encoder.widths=[8]", "objective=cola", "objective.projection=8",
    "training.steps=1", "training.batch_size=4",
    "evaluation.bootstrap=20", "evaluation.min_subjects=1", "evaluation.random_seeds=1",
    "evaluation.every=1", "engine.workers=1", "rounds=3",
)  # fmt: skip

#: And on what.
PHONES = ("data.cohorts=2", "data.persons=8", "data.sessions=1", "tasks=[simulated_symptom]")


@dataclass(frozen=True)
class Tiny:
    """Runs with one cache.

    Attributes:
        cache: Folder of the feature stores.
    """

    cache: Path

    def words(self, *more: str) -> list[str]:
        """The overrides of a run on simulated phones."""
        return [*SMALL, *PHONES, f"cache='{self.cache}'", *more]

    def config(self, *more: str) -> Config:
        """Its configuration."""
        return load(self.words(*more), PACKAGES)

    def run(self, out: Path, *more: str) -> int:
        """Run in this process; the exit code."""
        return main(self.words(f"out='{out}'", *more))


def start(words: list[str], program: tuple[str, ...] = ("-m", "simulation")) -> "Process":
    """Start the simulation as a process with a group of its own."""
    return subprocess.Popen(
        [sys.executable, *program, *words],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


Process = subprocess.Popen[str]


def finished(words: list[str]) -> subprocess.CompletedProcess[str]:
    """Run the simulation as a process to its end."""
    process = start(words)
    out, err = process.communicate(timeout=300)
    return subprocess.CompletedProcess(words, process.returncode, out, err)


def result(out: Path) -> dict[str, Any]:
    """Everything of a run that must be the same bit for bit: weights, scores, probes.

    Rounds are without their wall times.
    """
    found: dict[str, Any] = {
        str(path.relative_to(out)): _weights(path) for path in out.rglob("*.safetensors")
    }
    for path in (out / "arms").glob("*.json"):
        found[f"arms/{path.name}"] = json.loads(path.read_text())
    found["scores.json"] = json.loads((out / "scores.json").read_text())
    found["data.json"] = json.loads((out / "data.json").read_text())
    found["probes.jsonl"] = (out / "probes.jsonl").read_text()
    for path in out.rglob("rounds.jsonl"):
        rounds = [json.loads(line) for line in path.read_text().splitlines()]
        for line in rounds:
            del line["seconds"]
            for participant in line["participants"]:
                del participant["seconds"]
        found[str(path.relative_to(out))] = rounds
    return found


def _weights(path: Path) -> dict[str, str]:
    with safe_open(path, "pt") as file:
        return {
            name: hashlib.sha256(file.get_tensor(name).numpy().tobytes()).hexdigest()
            for name in file.keys()  # noqa: SIM118
        }
