"""``python -m benchmarks.local_schedule --root DIR``: what the local schedule is worth.

Federated COLA on the real sites at equal total steps: few or many local steps a round,
AdamW's state kept at the site or fresh each round, the projection head local or
averaged; beside them centralised training with as many steps, and the untrained network.
The measure is the linear probe cross-validated over *training* persons.
"""

import argparse
import itertools
import json
import tempfile
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

from simulation import PACKAGES  # first: it sets the number of threads

# isort: split
import numpy as np
import torch
from rich.console import Console
from rich.progress import track
from rich.table import Table

from benchmarks.validation import TASKS, cross_validated
from fedbreath import features
from fedbreath.config import load
from fedbreath.downstream import embedding
from fedbreath.downstream.benchmark import Pool
from fedbreath.encoders import Encoder
from server import checkpoints
from simulation.arms import build_encoder, clients_of, encoder_of, plan
from simulation.data import prepare

STEPS = (4, 16)
STATES = ("kept", "fresh")
HEADS = ("local", "averaged")

Row = tuple[str, ...]


def overrides_of(root: str, total: int, row: Row, seed: int) -> tuple[str, ...]:
    """The run behind a row of the table; `total` steps a client in all."""
    steps, state, head = (row if row[0] != "-" else ("16", "kept", "local"))[:3]
    return (
        "data=real",
        f"data.root='{root}'",
        f"tasks=[{','.join(TASKS)}]",
        f"seed={seed}",
        f"rounds={total // int(steps)}",
        f"training.steps={steps}",
        f"training.optimizer_state={state}",
        f"training.head={head}",
    )


def measure(root: str, total: int, row: Row, seed: int) -> list[float]:
    """Train one row with one seed; AUROC of each task."""
    torch.set_num_threads(1)
    overrides = overrides_of(root, total, row, seed)
    config = load(overrides, PACKAGES)
    prepared = prepare(config)
    if row[-1] == "untrained":
        return _scores(build_encoder(config, seed), prepared.pool, config.views.seconds)
    federated, centralised, *_ = plan(config, overrides, prepared.clients)
    arm = centralised if row[-1] == "centralised" else federated
    with tempfile.TemporaryDirectory() as folder:
        own = load(arm.overrides, PACKAGES)
        assert own.engine is not None
        own.engine.build().federate(
            arm.overrides,
            clients_of(arm, prepared),
            Path(folder),
            lambda *_: None,
            lambda _: None,
        )
        checkpoint = checkpoints.read(Path(folder), own.digest)
    assert checkpoint is not None
    return _scores(encoder_of(config, checkpoint.weights), prepared.pool, config.views.seconds)


def _scores(encoder: Encoder, pool: Pool, seconds: float) -> list[float]:
    vectors = embedding.embed(encoder, pool.selection, seconds)
    return [cross_validated(data, vectors) for data in pool.tasks]


def main() -> None:
    """Print the table and the JSON line."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.local_schedule", description=__doc__
    )
    parser.add_argument("--root", required=True, help="folder of the real data sets")
    parser.add_argument("--steps", type=int, default=320, help="of each client (default 320)")
    parser.add_argument("--seeds", type=int, default=2, help="runs of each row (default 2)")
    parser.add_argument("--workers", type=int, default=2, help="processes (default 2)")
    asked = parser.parse_args()
    config = load(overrides_of(asked.root, asked.steps, ("4", "kept", "local"), 0), PACKAGES)
    prepare(config)  # the feature store is built once, before the processes share it
    rows: list[Row] = [
        (str(steps), state, head, "federated")
        for steps, state, head in itertools.product(STEPS, STATES, HEADS)
    ]
    rows += [("-", "-", "-", "centralised"), ("-", "-", "-", "untrained")]
    jobs = [(row, seed) for row in rows for seed in range(asked.seeds)]
    with ProcessPoolExecutor(asked.workers, get_context("spawn")) as pool:
        futures = [pool.submit(measure, asked.root, asked.steps, *job) for job in jobs]
        done = [f.result() for f in track(futures, "runs")]
    by_row = {
        row: [scores for (r, _), scores in zip(jobs, done, strict=True) if r == row] for row in rows
    }
    table = Table(title=f"{asked.steps} steps a client, {asked.seeds} seeds, training persons")
    for heading in ("steps", "state", "head", "arm", *TASKS, "mean", "seeds' range"):
        table.add_column(heading)
    for row, scores in by_row.items():
        means = np.mean(scores, axis=1)
        table.add_row(
            *row,
            *(f"{v:.3f}" for v in np.mean(scores, axis=0)),
            f"{means.mean():.3f}",
            f"{means.min():.3f}-{means.max():.3f}",
        )
    Console(width=140).print(table)
    print(f"feature stores: {features.default_cache()}")
    print(json.dumps({" ".join(row): scores for row, scores in by_row.items()}))


if __name__ == "__main__":
    main()
