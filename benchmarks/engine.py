"""``python -m benchmarks.engine``: what the federated simulation costs beside a bare loop.

Both do the same work on the same features: in each round 10 of 100 clients take 4 steps
of 16 recordings with the 0.98-million-parameter CNN and COLA. The simulation goes the
whole way (messages, grid, client app, strategy, checkpoint, round record); the bare loop
is plain PyTorch with a running sum. They alternate round by round in one process with
one thread, so that both meet the same machine. The first rounds of each are not counted.

The start is measured apart: from the birth of ``python -m simulation`` to its first
optimiser step, with the feature store already built.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

from simulation import PACKAGES  # first: it sets the number of threads

# isort: split
import numpy as np
import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor

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

WARM_UP = 3

_FIRST_STEP = """
import os, sys
from simulation.command import main
from fedbreath.optimizer import AdamW
step = AdamW.step
def stepped(self):
    step(self)
    print("first step", flush=True)
    os._exit(0)
AdamW.step = stepped
sys.exit(main(sys.argv[1:]))
"""


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
    """An observer that times the round just done, then runs and times a bare round."""

    def __init__(self, bare: BareLoop) -> None:
        self.bare = bare
        self.engine: list[tuple[float, float]] = []
        self.loop: list[tuple[float, float]] = []
        self._since = self._now()

    @staticmethod
    def _now() -> tuple[float, float]:
        return time.process_time(), time.perf_counter()

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


def compare(variant: str, rounds: int, cache: Path) -> dict[str, float]:
    """Time one variant; medians over rounds of CPU and wall seconds, and their ratios."""
    with tempfile.TemporaryDirectory() as folder:
        overrides = [*SETTING, *VARIANTS[variant], f"rounds={rounds + WARM_UP}", f"cache='{cache}'"]
        config = load(overrides, PACKAGES)
        prepared = prepare(config)
        watch = Stopwatch(BareLoop(config, list(prepared.clients.values())))
        assert config.engine is not None
        config.engine.build().federate(
            overrides, prepared.clients, Path(folder), watch, lambda _: None
        )
    engine, loop = watch.engine[WARM_UP:], watch.loop[WARM_UP:]
    medians = {
        "engine_cpu_s": statistics.median(cpu for cpu, _ in engine),
        "bare_cpu_s": statistics.median(cpu for cpu, _ in loop),
        "engine_wall_s": statistics.median(wall for _, wall in engine),
        "bare_wall_s": statistics.median(wall for _, wall in loop),
    }
    pairs = list(zip(engine, loop, strict=True))
    return {
        **medians,
        "ratio_cpu": statistics.median(e[0] / b[0] for e, b in pairs),
        "ratio_wall": statistics.median(e[1] / b[1] for e, b in pairs),
    }


def first_step(cache: Path, repeats: int) -> float:
    """Median seconds from the birth of the process to its first optimiser step."""
    times = []
    # The first start builds the feature store and is not counted.
    for repeat in range(repeats + 1):
        with tempfile.TemporaryDirectory() as folder:
            command = [sys.executable, "-c", _FIRST_STEP, f"out='{folder}/run'", f"cache='{cache}'"]
            started = time.perf_counter()
            with subprocess.Popen(
                command, stdout=subprocess.PIPE, text=True, env=os.environ
            ) as process:
                assert process.stdout is not None
                for said in process.stdout:
                    if said.startswith("first step"):
                        break
                else:
                    raise RuntimeError("the simulation ended before its first step")
                elapsed = time.perf_counter() - started
            time.sleep(2)  # its helper process sees that the parent has gone, and ends
        if repeat:
            times.append(elapsed)
    return statistics.median(times)


def main() -> None:
    """Print the table and the JSON line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.engine", description=__doc__)
    parser.add_argument("--rounds", type=int, default=20, help="rounds counted (default 20)")
    parser.add_argument("--starts", type=int, default=3, help="starts counted (default 3)")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        cache = Path(folder)
        results = {name: compare(name, asked.rounds, cache) for name in VARIANTS}
        start = first_step(cache, asked.starts)
    table = Table(title=f"10 of 100 clients, 4 steps x 16, medians of {asked.rounds} rounds")
    for heading in ("clients", "engine CPU s", "bare CPU s", "CPU ratio", "wall ratio"):
        table.add_column(heading, justify="right" if "s" in heading else "left")
    for name, r in results.items():
        table.add_row(
            name, f"{r['engine_cpu_s']:.3f}", f"{r['bare_cpu_s']:.3f}",
            f"{r['ratio_cpu']:.3f}", f"{r['ratio_wall']:.3f}",
        )  # fmt: skip
    console = Console()
    console.print(table)
    console.print(f"process start to first step: {start:.2f} s (median of {asked.starts})")
    first = results["stateless"]
    print(
        json.dumps(
            {
                "ratio_cpu": round(first["ratio_cpu"], 4),
                "ratio_wall": round(first["ratio_wall"], 4),
                "first_step_s": round(start, 2),
                "variants": results,
            }
        )
    )


if __name__ == "__main__":
    main()
