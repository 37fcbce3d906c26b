"""``python -m benchmarks.local_schedule --root DIR``: what the local schedule is worth.

Federated COLA on the real sites at equal total steps: few or many local steps a round,
AdamW's state kept at the site or fresh each round, the projection head local or
averaged; beside them centralised training with as many steps, and the untrained network.
The measure is the linear probe cross-validated over *training* persons or, with
``--validation``, on persons whom neither probe nor encoder was trained on. Test persons are
left alone in both.
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

from benchmarks.validation import TASKS, chosen_by
from fedbreath import features
from fedbreath.config import load
from fedbreath.downstream import embedding
from server import checkpoints
from simulation.arms import build_encoder, clients_of, encoder_of
from simulation.data import prepare
from simulation.planning import plan

STEPS = (4, 16)
STATES = ("kept", "fresh")
HEADS = ("local", "averaged")

Row = tuple[str, ...]


def overrides_of(root: str, total: int, share: float, row: Row, seed: int) -> tuple[str, ...]:
    """The run behind a row of the table; `total` steps a client in all."""
    steps, state, head = (row if row[0] != "-" else ("16", "kept", "local"))[:3]
    return (
        "data=real",
        f"data.root='{root}'",
        f"tasks=[{','.join(TASKS)}]",
        f"split.validation={share}",
        "evaluation.min_subjects=5",
        "objective=cola",
        "training.batch_size=32",
        "training.learning_rate=0.001",
        "training.schedule=constant",
        "training.warmup=0",
        f"seed={seed}",
        f"rounds={total // int(steps)}",
        f"training.steps={steps}",
        f"training.optimizer_state={state}",
        f"training.head={head}",
    )


def measure(root: str, total: int, share: float, row: Row, seed: int) -> list[float]:
    """Train one row with one seed; AUROC of each task."""
    torch.set_num_threads(1)
    overrides = overrides_of(root, total, share, row, seed)
    config = load(overrides, PACKAGES)
    prepared = prepare(config)
    pool, seconds = prepared.pool, config.views.seconds
    if row[-1] == "untrained":
        untrained = build_encoder(config, seed)
        return chosen_by(pool, embedding.embed(untrained, pool.selection, seconds))
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
    trained = encoder_of(config, checkpoint.weights)
    return chosen_by(pool, embedding.embed(trained, pool.selection, seconds))


def main() -> None:
    """Print the table and the JSON line."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.local_schedule", description=__doc__
    )
    parser.add_argument("--root", required=True, help="folder of the real data sets")
    parser.add_argument("--steps", type=int, default=320, help="of each client (default 320)")
    parser.add_argument("--seeds", type=int, default=2, help="runs of each row (default 2)")
    parser.add_argument("--workers", type=int, default=2, help="processes (default 2)")
    parser.add_argument(
        "--validation", type=float, default=0.0, metavar="SHARE",
        help="of the training persons to score on (default 0: cross-validate over all)",
    )  # fmt: skip
    asked = parser.parse_args()
    common = (asked.root, asked.steps, asked.validation)
    config = load(overrides_of(*common, ("4", "kept", "local"), 0), PACKAGES)
    prepare(config)  # the feature store is built once, before the processes share it
    rows: list[Row] = [
        (str(steps), state, head, "federated")
        for steps, state, head in itertools.product(STEPS, STATES, HEADS)
    ]
    rows += [("-", "-", "-", "centralised"), ("-", "-", "-", "untrained")]
    jobs = [(row, seed) for row in rows for seed in range(asked.seeds)]
    with ProcessPoolExecutor(asked.workers, get_context("spawn")) as pool:
        futures = [pool.submit(measure, *common, *job) for job in jobs]
        done = [f.result() for f in track(futures, "runs")]
    by_row = {
        row: [scores for (r, _), scores in zip(jobs, done, strict=True) if r == row] for row in rows
    }
    persons = "validation" if asked.validation else "training"
    table = Table(title=f"{asked.steps} steps a client, {asked.seeds} seeds, {persons} persons")
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
