"""``python -m benchmarks.engine``: what the federated simulation costs beside a bare loop.

Both do the same work on the same features: in each round 10 of 100 clients take 4 steps
of 16 recordings with the 0.98-million-parameter CNN and COLA. The simulation goes the
whole way (messages, grid, client app, strategy, checkpoint, round record); the bare loop
is plain PyTorch with a running sum. They alternate round by round in one process with
one thread, so that both meet the same machine. The first rounds of each are not counted.
With ``engine=process_pool`` the workers wait while the bare loop runs, and it is wall time
that says something: on an idle machine of two cores two workers should take little more than
half of the bare loop's. CPU is that of all processes, and says something on a busy machine too.

The start is measured apart: from the birth of ``python -m simulation`` to its first
optimiser step, with the feature store already built. Targets are for an idle machine; the
load before and after is printed, and a run on a busy one says little.

``--ray`` and ``--pfl`` add the same work by peers (`benchmarks.peers`).
"""

import argparse
import json
import multiprocessing
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from simulation import PACKAGES  # first: it sets the number of threads

# isort: split
import numpy as np
import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor

from benchmarks import peers
from fedbreath import encoders, objectives
from fedbreath.config import Config, load
from fedbreath.features import Selection, normalise
from fedbreath.views import augment
from simulation.data import prepare

#: The setting of the comparison. No task tests on this data, so nothing is kept out.
SETTING = (
    "objective=cola",
    "data.cohorts=100",
    "data.persons=4",
    "tasks=[coswara_cough_vs_breath]",
    "training.steps=4",
    "training.batch_size=16",
    "strategy.fraction=0.1",
)

#: Clients that keep nothing between rounds, as phones do; and the run's own default.
VARIANTS = {
    "stateless": ("training.optimizer_state=fresh", "training.head=averaged"),
    "stateful": ("training.optimizer_state=kept", "training.head=local"),
}

#: How the clients are run: the engine's settings, and how many run at once.
ENGINES = {
    "in process": (("engine=in_process",), 1),
    "2 workers": (("engine=process_pool", "engine.workers=2"), 2),
}

#: What is to hold on an idle machine.
TARGETS = {"in process": 1.03, "2 workers": 0.55}
MOST_MS, MOST_START = 10.0, 5.0

COHORT = 10

WARM_UP = 3


class BareLoop:
    """The same steps in plain PyTorch: no messages, no records, no checkpoint."""

    def __init__(self, config: Config, clients: list[Selection]) -> None:
        self.config = config
        self.clients = clients
        self.encoder = encoders.build(config.encoder, config.front_end.mels, config.seed)
        given = objectives.Given(self.encoder, config.front_end, config.views)
        self.objective = objectives.build(config.objective, given, config.seed + 1)
        self.model = torch.nn.ModuleDict({"encoder": self.encoder, "head": self.objective})
        self.weights = {k: v.clone() for k, v in self.model.state_dict().items()}
        self.rng = np.random.default_rng(0)

    def round(self) -> None:
        """Ten clients, one after another, and their weighted mean."""
        called = self.rng.choice(len(self.clients), 10, replace=False)
        total = sum(len(self.clients[k]) for k in called)
        sums = {k: torch.zeros_like(v) for k, v in self.weights.items()}
        for k in called:
            self._client(self.clients[k])
            share = len(self.clients[k]) / total
            for name, value in self.model.state_dict().items():
                sums[name].add_(value, alpha=share)
        self.weights = sums

    def _client(self, selection: Selection) -> None:
        training, front_end = self.config.training, self.config.front_end
        frames = front_end.frames(self.config.views.seconds)
        self.model.load_state_dict(self.weights)
        optimizer = torch.optim.AdamW(
            self.model.parameters(),
            lr=training.learning_rate,
            weight_decay=training.weight_decay,
            fused=True,
        )
        for _ in range(training.steps):
            size = min(training.batch_size, len(selection))
            drawn = self.rng.choice(len(selection), size, replace=False)
            views = []
            for _ in range(2):
                crops = normalise(selection.crops(drawn, frames, self.rng), front_end)
                augment(crops, self.config.views, self.rng, scale=front_end.sd)
                views.append(torch.from_numpy(crops).transpose(1, 2))
            optimizer.zero_grad(set_to_none=True)
            self.objective(self.encoder, views).backward()
            optimizer.step()


class Stopwatch:
    """An observer that times the round just done, then runs and times a bare round.

    Args:
        bare: The bare loop.
        others: Processor seconds of other processes; None is those of `multiprocessing`.
    """

    def __init__(self, bare: BareLoop, others: Callable[[], float] | None = None) -> None:
        self.bare = bare
        self._others = others or workers_cpu
        self.engine: list[tuple[float, float]] = []
        self.loop: list[tuple[float, float]] = []
        self._since = self._now()

    def _now(self) -> tuple[float, float]:
        return time.process_time() + self._others(), time.perf_counter()

    def _lap(self) -> tuple[float, float]:
        before, self._since = self._since, self._now()
        return self._since[0] - before[0], self._since[1] - before[1]

    def __call__(self, number: int, weights: Mapping[str, Tensor]) -> None:  # noqa: ARG002
        """Note the engine's round, run a bare one, start the clock again."""
        lap = self._lap()
        if number > 0:
            self.engine.append(lap)
        self.bare.round()
        if number > 0:
            self.loop.append(self._lap())
        self._since = self._now()


def workers_cpu() -> float:
    """Processor seconds that the processes this one has started have used, where Linux says."""
    total, stat = 0, Path("/proc")
    for process in multiprocessing.active_children():
        if (file := stat / f"{process.pid}/stat").exists():
            user, system = file.read_text().rpartition(")")[2].split()[11:13]
            total += int(user) + int(system)
    return total / os.sysconf("SC_CLK_TCK")


def compare(variant: str, engine: str, rounds: int, cache: Path) -> dict[str, float]:
    """Time one variant on one engine.

    Returns:
        Medians over rounds of CPU seconds (of all processes) and wall seconds, the medians of
        the rounds' own ratios, and ``engine_ms``: the CPU time beyond the bare loop's, for each
        client and round, ms.
    """
    words, _ = ENGINES[engine]
    with tempfile.TemporaryDirectory() as folder:
        overrides = [
            *SETTING, *VARIANTS[variant], *words, f"rounds={rounds + WARM_UP}", f"cache='{cache}'"
        ]  # fmt: skip
        config = load(overrides, PACKAGES)
        prepared = prepare(config)
        watch = Stopwatch(BareLoop(config, list(prepared.clients.values())))
        assert config.engine is not None
        config.engine.build().federate(
            overrides, prepared.clients, Path(folder), watch, lambda _: None
        )
    return medians(watch)


def medians(watch: Stopwatch) -> dict[str, float]:
    """What `compare` returns, of the rounds that were timed."""
    timed, loop = watch.engine[WARM_UP:], watch.loop[WARM_UP:]
    pairs = list(zip(timed, loop, strict=True))
    beyond = [e[0] - b[0] for e, b in pairs]
    return {
        "engine_cpu_s": statistics.median(cpu for cpu, _ in timed),
        "bare_cpu_s": statistics.median(cpu for cpu, _ in loop),
        "engine_wall_s": statistics.median(wall for _, wall in timed),
        "bare_wall_s": statistics.median(wall for _, wall in loop),
        "ratio_cpu": statistics.median(e[0] / b[0] for e, b in pairs),
        "ratio_wall": statistics.median(e[1] / b[1] for e, b in pairs),
        "engine_ms": 1000 * statistics.median(beyond) / COHORT,
    }


def first_step(engine: str, cache: Path, repeats: int) -> float:
    """Median seconds from the birth of the process to its first optimiser step."""
    times = []
    # The first start builds the feature store and is not counted.
    for repeat in range(repeats + 1):
        with tempfile.TemporaryDirectory() as folder:
            program = "from benchmarks.first_step import main; main()"
            words = [*ENGINES[engine][0], f"out='{folder}/run'", f"cache='{cache}'"]
            started = time.perf_counter()
            with subprocess.Popen(
                [sys.executable, "-c", program, *words], stdout=subprocess.PIPE, text=True
            ) as process:
                assert process.stdout is not None
                for said in process.stdout:
                    if said.startswith("first step"):
                        break
                else:
                    raise RuntimeError("the simulation ended before its first step")
                elapsed = time.perf_counter() - started
                process.terminate()
            time.sleep(2)  # whatever it has started sees that it has gone, and ends
        if repeat:
            times.append(elapsed)
    return statistics.median(times)


def main() -> None:
    """Print the table and the JSON line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.engine", description=__doc__)
    parser.add_argument("--rounds", type=int, default=20, help="rounds counted (default 20)")
    parser.add_argument("--starts", type=int, default=3, help="starts counted (default 3)")
    parser.add_argument("--ray", metavar="PYTHON", help="interpreter that has fedbreath[ray]")
    parser.add_argument("--pfl", metavar="PYTHON", help="interpreter that has pfl 0.6")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    before = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as folder:
        cache = Path(folder)
        results = {
            engine: {name: compare(name, engine, asked.rounds, cache) for name in VARIANTS}
            for engine in ENGINES
        }
        starts = {engine: first_step(engine, cache, asked.starts) for engine in ENGINES}
        beside = peers.measure({"ray": asked.ray, "pfl": asked.pfl}, asked.rounds, cache)
    load_average = [round(before, 2), round(os.getloadavg()[0], 2)]
    _show(results, starts, asked.rounds, load_average)
    peers.show(beside)
    one, two = (results[engine]["stateless"] for engine in ENGINES)
    print(
        json.dumps(
            {
                "ratio_cpu": round(one["ratio_cpu"], 4),
                "ratio_wall": round(one["ratio_wall"], 4),
                "ratio_wall_2_workers": round(two["ratio_wall"], 4),
                "engine_ms": round(one["engine_ms"], 1),
                "engine_ms_2_workers": round(two["engine_ms"], 1),
                "first_step_s": round(starts["in process"], 2),
                "first_step_s_2_workers": round(starts["2 workers"], 2),
                "load": load_average,
                "engines": results,
                "peers": beside,
            }
        )
    )


def _show(
    results: Mapping[str, Mapping[str, dict[str, float]]],
    starts: Mapping[str, float],
    rounds: int,
    load_average: list[float],
) -> None:
    table = Table(title=f"{COHORT} of 100 clients, 4 steps x 16, medians of {rounds} rounds")
    headings = ("engine", "clients", "wall s", "bare s", "CPU ratio", "wall ratio", "engine ms")
    for heading in headings:
        table.add_column(heading, justify="left" if heading in headings[:2] else "right")
    for engine, variants in results.items():
        for name, r in variants.items():
            table.add_row(
                engine, name, f"{r['engine_wall_s']:.3f}", f"{r['bare_wall_s']:.3f}",
                f"{r['ratio_cpu']:.3f}", f"{r['ratio_wall']:.3f}", f"{r['engine_ms']:.1f}",
            )  # fmt: skip
    console = Console()
    console.print(table)
    for engine, target in TARGETS.items():
        r = results[engine]["stateless"]
        ratio = r["ratio_cpu"] if ENGINES[engine][1] == 1 else r["ratio_wall"]
        checks = (
            (f"ratio {ratio:.3f}, at most {target}", ratio <= target),
            (f"engine {r['engine_ms']:.1f} ms, at most {MOST_MS:g}", r["engine_ms"] <= MOST_MS),
            (f"first step {starts[engine]:.2f} s, at most {MOST_START:g}",
             starts[engine] <= MOST_START),
        )  # fmt: skip
        said = "; ".join(f"{text}: {'met' if met else 'MISSED'}" for text, met in checks)
        console.print(f"{engine}, stateless: {said}", highlight=False, soft_wrap=True)
    console.print(f"load average before and after: {load_average}", highlight=False)


if __name__ == "__main__":
    main()
