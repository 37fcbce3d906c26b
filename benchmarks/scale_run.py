"""One configuration of ``benchmarks.scale``, in a process of its own: `Asked` in, `Found` out.

Memory is read after every round, of this process and of its workers. RSS counts pages that
processes share (PyTorch's libraries) once for each; PSS divides them, so that its sum is what
the run really takes.
"""

import json
import multiprocessing
import os
import statistics
import sys
import tempfile
import time
import tracemalloc
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from simulation import PACKAGES  # first: it sets the number of threads

# isort: split
import numpy as np
import torch
from torch import Tensor

from benchmarks.engine import workers_cpu
from fedbreath import encoders
from fedbreath.config import Config, load
from simulation.population import Population
from simulation.worlds.phones import Config as PhonesConfig
from simulation.worlds.phones import Phones

#: Phones that keep nothing: one step each on a cough and a breath, nothing scored.
SETTING = (
    "data.sessions=1", "data.sessions_spread=0", "front_end.tracks=false",
    "encoder.widths=[16,32,48,64]", "objective=cola", "objective.projection=64",
    "training.steps=1", "training.optimizer_state=fresh", "training.head=averaged",
    "tasks=[coswara_cough_vs_breath]", "engine=process_pool",
)  # fmt: skip

#: Rounds that are not counted: networks are made in them, and memory is taken for good.
WARM_UP = 2

MB = 1e6


@dataclass(frozen=True)
class Asked:
    """What is run.

    Attributes:
        phones: In the population.
        cohort: Of them called in a round.
        rounds: In all.
        workers: Processes that run phones.
    """

    phones: int
    cohort: int
    rounds: int
    workers: int = 2


@dataclass(frozen=True)
class Found:
    """What it took; sizes in MB (10^6 bytes), times in s.

    Attributes:
        asked: What was run.
        declare_s: To declare the population.
        declare_kb: Python's memory at its peak meanwhile.
        encoder: Weights of the encoder.
        seconds: Of each round.
        cpu: Of each round, of all processes.
        parent: RSS of this process after each round.
        worker: Mean RSS of a worker after each round.
        total: PSS of all together after each round.
        peaks: Greatest RSS ever, of this process and then of each worker.
    """

    asked: Asked
    declare_s: float
    declare_kb: float
    encoder: int
    seconds: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    parent: list[float] = field(default_factory=list)
    worker: list[float] = field(default_factory=list)
    total: list[float] = field(default_factory=list)
    peaks: list[float] = field(default_factory=list)

    def middle(self, what: str) -> float:
        """The median over rounds after the first ones, of one of the lists."""
        values: list[float] = getattr(self, what)
        return statistics.median(values[WARM_UP:] or values)

    def slope(self, what: str, first: int = 10) -> float:
        """What it grows by in a round, from round `first` on; least squares."""
        values: list[float] = getattr(self, what)[first - 1 :]
        return float(np.polyfit(range(len(values)), values, 1)[0]) if len(values) > 1 else 0.0


def population(asked: Asked, config: Config) -> Population:
    """The phones: in four cohorts, from the first person on."""
    phones = config.data.config
    return Population.beyond(phones, config.front_end, asked.phones, (0,) * phones.cohorts)


def measure(asked: Asked) -> Found:
    """Declare the population and run the rounds."""
    torch.set_num_threads(1)
    words = [
        *SETTING, f"engine.workers={asked.workers}", f"strategy.cohort={asked.cohort}",
        f"rounds={asked.rounds}",
    ]  # fmt: skip
    config = load(words, PACKAGES)
    started = time.perf_counter()
    declared = population(asked, config)
    seconds = time.perf_counter() - started
    encoder = encoders.build(config.encoder, config.front_end.mels, 0).parameter_count()
    found = Found(asked, seconds, _kilobytes(asked, config), encoder)
    assert config.engine is not None
    with tempfile.TemporaryDirectory() as folder:
        watch = _Watch(found)
        config.engine.build().federate(words, declared, Path(folder), watch, lambda _: None)
    return found


def _kilobytes(asked: Asked, config: Config) -> float:
    """Python's memory while a population is declared, its peak."""
    tracemalloc.start()
    population(asked, config)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return peak / 1000


class _Watch:
    """An observer that notes what each round took."""

    def __init__(self, found: Found) -> None:
        self.found = found
        self._since = self._now()

    @staticmethod
    def _now() -> tuple[float, float]:
        return time.perf_counter(), time.process_time() + workers_cpu()

    def __call__(self, number: int, weights: Mapping[str, Tensor]) -> None:  # noqa: ARG002
        before, now = self._since, self._now()
        if number > 0:
            self.found.seconds.append(now[0] - before[0])
            self.found.cpu.append(now[1] - before[1])
            self._memory()
        self._since = self._now()

    def _memory(self) -> None:
        workers = [child.pid for child in multiprocessing.active_children() if child.pid]
        everybody = [os.getpid(), *workers]
        resident = [memory(pid, "status", "VmRSS") for pid in everybody]
        self.found.parent.append(resident[0])
        self.found.worker.append(statistics.mean(resident[1:]))
        self.found.total.append(sum(memory(pid, "smaps_rollup", "Pss") for pid in everybody))
        self.found.peaks[:] = [memory(pid, "status", "VmHWM") for pid in everybody]


def memory(pid: int, file: str, key: str) -> float:
    """What Linux says of a process's memory, MB.

    Args:
        pid: The process.
        file: ``status`` or ``smaps_rollup``.
        key: Of a line in it.
    """
    for line in Path(f"/proc/{pid}/{file}").read_text().splitlines():
        name, _, value = line.partition(":")
        if name == key:
            return int(value.split()[0]) * 1024 / MB
    raise ValueError(f"/proc/{pid}/{file} has no {key}")


def look(count: int) -> tuple[float, float]:
    """What it takes the world of phones to see who is there: CPU s, and MB at its peak."""
    world, nodes = Phones(PhonesConfig()), np.arange(1, count + 1)
    tracemalloc.start()
    world.there(nodes, 0.0)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    started = time.process_time()
    world.there(nodes, 0.0)
    return time.process_time() - started, peak / MB


def read(text: str) -> Found:
    """What `main` printed."""
    told = json.loads(text)
    return Found(**{**told, "asked": Asked(**told["asked"])})


def main(words: Sequence[str]) -> None:
    """Measure what the words ask for: phones, cohort, rounds, workers."""
    print(json.dumps(asdict(measure(Asked(*map(int, words))))))


if __name__ == "__main__":
    main(sys.argv[1:])
