"""``python -m benchmarks.loading``: what share of a step its data take.

For every objective, on the default encoder and batch: processor time of drawing crops from the
feature store and making views and targets of them, beside the whole step (views, forward,
backward, optimiser). One thread; medians; both are timed in the same loop.
"""

import argparse
import json
import statistics
import time

from simulation import PACKAGES  # first: it sets the number of threads

# isort: split
import torch
from rich.console import Console
from rich.table import Table

from fedbreath.composition import choices
from fedbreath.config import load
from fedbreath.optimizer import AdamW
from fedbreath.pretraining import Learner, rng_of
from fedbreath.privacy import none
from simulation.data import prepare


def measure(objective: str, steps: int) -> tuple[float, float]:
    """Median processor time of a batch's views, and of the rest of the step, s."""
    config = load((f"objective={objective}", "data.cohorts=1"), PACKAGES)
    selection = next(iter(prepare(config).clients.values()))
    learner, rng = Learner(config), rng_of(0, objective)
    optimizer = AdamW(list(learner.model.parameters()), 1e-3, 0.01, {})
    learner.objective.begin(learner.encoder)
    making, rest = [], []
    for _ in range(steps + 2):
        started = time.process_time()
        drawn = none.draw(len(selection), config.training.batch_size, rng)
        views = learner.views(selection, drawn, rng)
        made = time.process_time()
        optimizer.zero_grad()
        learner.model(*views).backward()
        optimizer.step()
        learner.objective.after_step(learner.encoder)
        making.append(made - started)
        rest.append(time.process_time() - made)
    # The first steps allocate.
    return statistics.median(making[2:]), statistics.median(rest[2:])


def main() -> None:
    """Print the table and the JSON line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.loading", description=__doc__)
    parser.add_argument("--steps", type=int, default=10, help="timed (default 10)")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    table = Table(title="processor time of a step, ms, and the data's share")
    for heading in ("objective", "data", "rest", "share"):
        table.add_column(heading, justify="left" if heading == "objective" else "right")
    found = {}
    for name in choices("objective"):
        data, rest = measure(name, asked.steps)
        found[name] = data / (data + rest)
        table.add_row(name, f"{1000 * data:.1f}", f"{1000 * rest:.1f}", f"{found[name]:.0%}")
    Console().print(table)
    print(json.dumps(found))


if __name__ == "__main__":
    main()
