"""What a private step costs: each mechanism's step over the same step without privacy.

.. code-block:: console

    python -m benchmarks.privacy                  # small CNN and small ViT, batch 32
    python -m benchmarks.privacy --encoder cnn --batch 32 --steps 20

Both steps are whole: draws, views, forward, backward, clipping, noise, optimiser. They take
turns in one process, on one thread; figures are medians of processor time. Every unit is
drawn in every step (rate 1), so that both see the same 32 recordings: 32 units per recording,
8 patients of 4 recordings each. Peak memory is that of a process of its own, above what it
held before its first step.
"""

import argparse
import json
import multiprocessing
import resource
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from fedbreath import building
from fedbreath.config import load
from fedbreath.datasets.simulated import Config, Simulated
from fedbreath.errors import UserError
from fedbreath.features import Selection
from fedbreath.optimizer import AdamW
from fedbreath.pretraining import Learner, rng_of
from fedbreath.privacy import Site

PUBLIC = "privacy.population=1000 privacy.rate=1 privacy.sigma=1"
ROWS = {
    "none": "privacy=none",
    "recording, ghost": f"privacy=recording {PUBLIC}",
    "recording, ghost, 8 at once": f"privacy=recording {PUBLIC} privacy.microbatch=8",
    "recording, vmap": f"privacy=recording {PUBLIC} privacy.grad=vmap privacy.microbatch=8",
    "recording, opacus": f"privacy=recording {PUBLIC} privacy.grad=opacus",
    "patient, ghost": f"privacy=patient {PUBLIC} privacy.recordings=4",
    "patient, vmap": f"privacy=patient {PUBLIC} privacy.recordings=4 privacy.grad=vmap",
    "patient, opacus": f"privacy=patient {PUBLIC} privacy.recordings=4 privacy.grad=opacus",
    "buckets of 8": f"privacy=buckets {PUBLIC} privacy.unit=recording privacy.buckets=4",
    "client_central": "privacy=client_central privacy.population=1000 privacy.sigma=1",
}


def stepper(words: str, selection: Selection, batch: int) -> Callable[[], None]:
    """One whole step of a configuration, as `Learner.fit` takes it."""
    learner = Learner(load(f"{words} training.batch_size={batch}"))
    trained = [p for p in learner.model.parameters() if p.requires_grad]
    optimizer, rng = AdamW(trained, 1e-3, 0.01, {}), rng_of(0, words)
    people = tuple(f"patient {i // 4}" for i in range(len(selection)))
    site = Site(people, 1000)
    learner.objective.begin(learner.encoder)

    def step() -> None:
        optimizer.zero_grad()
        learner.mechanism.step(
            learner.model, site, lambda i, r: learner.views(selection, i, r), batch, rng
        )
        optimizer.step()
        learner.objective.after_step(learner.encoder)

    return step


def recordings(batch: int, folder: Path) -> Selection:
    """So many simulated recordings."""
    (site,) = Simulated(Config(cohorts=1, persons=batch, sessions=1)).sites()
    store = building.prepare(site, load().front_end, folder)
    return Selection(((store, tuple(range(batch))),))


def ratio(words: str, plain: str, batch: int, steps: int, folder: Path) -> tuple[float, float]:
    """Median processor time of a step, s, and its ratio to the plain one's, in turns."""
    torch.set_num_threads(1)
    selection = recordings(batch, folder)
    steppers = [stepper(w, selection, batch) for w in (words, plain)]
    times: tuple[list[float], list[float]] = ([], [])
    for _ in range(steps + 2):
        for found, step in zip(times, steppers, strict=True):
            started = time.process_time()
            step()
            found.append(time.process_time() - started)
    # The first steps allocate.
    mine, other = (statistics.median(found[2:]) for found in times)
    return mine, mine / other


def peak(words: str, batch: int, folder: Path) -> float:
    """Megabytes that steps take above what the process held before the first."""
    torch.set_num_threads(1)
    step = stepper(words, recordings(batch, folder), batch)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for _ in range(3):
        step()
    return (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024


def main() -> None:
    """Print the table and the JSON line."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.privacy",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--encoder", default="cnn,vit", help="comma-separated (default cnn,vit)")
    parser.add_argument("--objective", default="descriptors", help="default descriptors")
    parser.add_argument("--batch", type=int, default=32, help="recordings a step (default 32)")
    parser.add_argument("--steps", type=int, default=20, help="timed pairs (default 20)")
    asked = parser.parse_args()
    found: dict[str, dict[str, float]] = {}
    fresh = multiprocessing.get_context("spawn")
    with TemporaryDirectory() as place, Progress(console=Console(stderr=True)) as progress:
        folder = Path(place)
        encoders = asked.encoder.split(",")
        bar = progress.add_task("measuring", total=len(encoders) * len(ROWS))
        for encoder in encoders:
            common = f"encoder={encoder} objective={asked.objective}"
            plain = f"{common} {ROWS['none']}"
            for name, words in ROWS.items():
                row = f"{common} {words}"
                try:
                    with fresh.Pool(1) as one:
                        timing = (row, plain, asked.batch, asked.steps, folder)
                        seconds, times = one.apply(ratio, timing)
                    with fresh.Pool(1) as one:
                        memory = one.apply(peak, (row, asked.batch, folder))
                except UserError as refusal:
                    progress.console.print(f"{encoder}, {name}: {refusal}")
                else:
                    found[f"{encoder}, {name}"] = {
                        "ms": 1000 * seconds,
                        "ratio": times,
                        "megabytes": memory,
                    }
                progress.advance(bar)
    table = Table(title=f"a step of {asked.batch} recordings, {asked.objective}")
    for heading in ("", "ms", "times none", "peak MB"):
        table.add_column(heading, justify="right" if heading else "left")
    for name, row_ in found.items():
        figures = (f"{row_['ms']:.0f}", f"{row_['ratio']:.2f}", f"{row_['megabytes']:.0f}")
        table.add_row(name, *figures)
    Console().print(table)
    print(json.dumps(found))


if __name__ == "__main__":
    main()
