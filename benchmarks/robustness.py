"""``python -m benchmarks.robustness [--root DIR]``: what hostile clients cost, by strategy.

Ten equal random cohorts of the real sites' persons (of simulated phones without ``--root``),
two of them hostile (`simulation.adversary`), under plain FedAvg and the robust rules, each
beside its own clean run. The measure is the mean probe AUROC over tasks, on validation
persons: test persons are left alone. Differences are paired with clean FedAvg over the same
resampled persons and the same seeds. The norm guard is off, so that a rule is measured and not
the guard in front of it; the row "fedavg, guard" has it on, as by default.

Each run is a file in ``--out``: whatever is there is not run again, and an interrupted run is
gone on with.
"""

import argparse
import itertools
import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from simulation import PACKAGES  # first: it sets the number of threads

# isort: split
import numpy as np
import torch
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from benchmarks.validation import TASKS
from fedbreath.atomic import write_json
from fedbreath.config import digest, load
from fedbreath.downstream import benchmark, embedding
from fedbreath.downstream.score import interval
from fedbreath.report import scoring
from server import checkpoints
from simulation.arms import build_encoder, encoder_of
from simulation.data import Prepared, prepare

#: Row of the table to what it chooses; two of ten clients are hostile.
STRATEGIES: Mapping[str, tuple[str, ...]] = {
    "fedavg": ("strategy=fedavg", "strategy.weighting=uniform"),
    "fedavg, guard": ("strategy=fedavg", "strategy.weighting=uniform", "guard.norm=5"),
    "trimmed_mean": ("strategy=trimmed_mean", "strategy.byzantine=2"),
    "median": ("strategy=median",),
    "multi_krum": ("strategy=multi_krum", "strategy.byzantine=2"),
    "norm_bounding": ("strategy=norm_bounding",),
}

#: Column to what its hostile clients do.
ATTACKS: Mapping[str, tuple[str, ...]] = {
    "clean": ("adversary.share=0",),
    "sign_flip": ("adversary.attack=sign_flip",),
    "x10": ("adversary.attack=scale", "adversary.factor=10"),
    "x-10": ("adversary.attack=scale", "adversary.factor=-10"),
    "random": ("adversary.attack=random", "adversary.factor=10"),
}

#: Bootstrap samples behind an interval.
DRAWS = 300


@dataclass(frozen=True)
class Cell:
    """A run: a row and a column of the table, and the seed."""

    strategy: str
    attack: str
    seed: int


def overrides_of(asked: argparse.Namespace, cell: Cell) -> tuple[str, ...]:
    """The run behind a cell; an untrained network has the settings of plain FedAvg."""
    data: tuple[str, ...] = ("data=simulated", "tasks=[simulated_disease,simulated_symptom]")
    if asked.root:
        data = ("data=real", f"data.root='{asked.root}'")
        data = (*data, f"tasks=[{asked.tasks}]", "split.validation=0.4")
    return (
        *data,
        "partition=cohorts",
        f"partition.clients={asked.clients}",
        "evaluation.min_subjects=5",
        "training.batch_size=32",
        f"training.steps={asked.steps}",
        f"rounds={asked.rounds}",
        f"encoder={asked.encoder}",
        f"seed={cell.seed}",
        "adversary.share=0.2",
        "guard.norm=null",
        *STRATEGIES.get(cell.strategy, ()),
        *ATTACKS[cell.attack],
    )


def measure(asked: argparse.Namespace, cell: Cell, prepared: Prepared) -> dict[str, Any]:
    """One run: AUROC of each task over shared resamples, shape (1 + DRAWS,) each."""
    overrides = overrides_of(asked, cell)
    config = load(overrides, PACKAGES)
    path = Path(asked.out) / f"{digest([config.digest, cell.strategy])}.json"
    if path.exists():
        stored: dict[str, Any] = json.loads(path.read_text())
        return stored
    pool = prepared.pool
    ratio = refused = 0.0
    if cell.strategy == "untrained":
        encoder = build_encoder(config, cell.seed)
    else:
        folder = Path(asked.out) / config.digest
        assert config.engine is not None
        config.engine.build().federate(
            overrides, prepared.clients, folder, lambda *_: None, lambda _: None
        )
        found = checkpoints.read(folder, config.digest)
        assert found is not None
        encoder = encoder_of(config, found.weights)
        ratio, refused = _norms(folder)
        shutil.rmtree(folder)
    vectors = embedding.embed(encoder, pool.selection, config.views.seconds)
    # An encoder that was driven to infinity tells nothing apart.
    scored = benchmark.score(pool, np.nan_to_num(vectors), controls=False)
    result = {
        "cell": [cell.strategy, cell.attack, cell.seed],
        "tasks": {
            data.name: [
                round(float(v), 5)
                for v in scoring.draws_of(data, pool, {"arm": [scored]}, DRAWS)["arm"]
            ]
            for data in pool.tasks
        },
        "norm_ratio": ratio,
        "refused": refused,
    }
    write_json(path, result)
    return result


def _norms(folder: Path) -> tuple[float, float]:
    """The greatest told norm over its round's median, and replies refused in all."""
    rounds = [json.loads(line) for line in (folder / "rounds.jsonl").read_text().splitlines()]
    told = [[p["update_norm"] for p in one["participants"]] for one in rounds]
    ratio = max(max(norms) / float(np.median(norms)) for norms in told if norms)
    return ratio, float(sum(len(one["failures"]) for one in rounds))


def mean_of(results: Sequence[Mapping[str, Any]]) -> NDArray[np.float64]:
    """Mean AUROC over tasks and seeds: the plain one, then its resamples."""
    each = [np.mean(list(r["tasks"].values()), axis=0) for r in results]
    return np.asarray(np.mean(each, axis=0), np.float64)


def table_of(results: Mapping[Cell, Mapping[str, Any]], seeds: int) -> Table:
    """Differences to clean FedAvg, with 95 % intervals over persons."""
    table = Table(title=f"mean AUROC, {seeds} seed(s); differences to clean fedavg")
    for heading in ("strategy", *ATTACKS):
        table.add_column(heading, justify="left" if heading == "strategy" else "right")

    def column(strategy: str, attack: str) -> NDArray[np.float64] | None:
        found = [results.get(Cell(strategy, attack, seed)) for seed in range(seeds)]
        return None if None in found else mean_of([r for r in found if r is not None])

    clean = column("fedavg", "clean")
    for strategy in ("untrained", *STRATEGIES):
        cells = []
        for attack in ATTACKS:
            values = column(strategy, attack)
            if values is None or clean is None:
                cells.append("")
            elif (strategy, attack) == ("fedavg", "clean"):
                cells.append(f"{values[0]:.3f}")
            else:
                low, high = interval((values - clean)[1:])
                cells.append(f"{values[0] - clean[0]:+.3f} ({low:+.3f} to {high:+.3f})")
        table.add_row(strategy, *cells)
    return table


def cells_of(asked: argparse.Namespace) -> list[Cell]:
    """What is run: seeds outermost, so that an interrupted benchmark has whole tables."""
    pairs = [("untrained", "clean"), *itertools.product(asked.strategies, asked.attacks)]
    return [Cell(*pair, seed) for seed in range(asked.seeds) for pair in pairs]


def parsed(words: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.robustness", description=__doc__)
    parser.add_argument("--root", help="folder of the real data sets (default: simulated phones)")
    parser.add_argument("--out", default="runs/robustness", help="folder of the results")
    parser.add_argument("--seeds", type=int, default=3, help="runs of each cell (default 3)")
    parser.add_argument("--clients", type=int, default=10, help="cohorts (default 10)")
    parser.add_argument("--rounds", type=int, default=20, help="of each run (default 20)")
    parser.add_argument("--steps", type=int, default=6, help="of a client in a round (default 6)")
    parser.add_argument("--encoder", default="cnn", help="default cnn")
    parser.add_argument(
        "--tasks",
        default=",".join(TASKS),
        help="on real data, with commas; all scores on every one",
    )
    parser.add_argument("--strategies", nargs="+", choices=STRATEGIES, default=list(STRATEGIES))
    parser.add_argument("--attacks", nargs="+", choices=ATTACKS, default=list(ATTACKS))
    return parser.parse_args(words)


def main(words: Sequence[str] | None = None) -> None:
    """Run what is missing, then print the table and the JSON line."""
    asked = parsed(words)
    torch.set_num_threads(1)
    Path(asked.out).mkdir(parents=True, exist_ok=True)
    console = Console(width=160)
    results: dict[Cell, dict[str, Any]] = {}
    cells = cells_of(asked)
    # Split and partition have seeds of their own: all runs share the data.
    prepared = prepare(load(overrides_of(asked, cells[0]), PACKAGES))
    with Progress(console=console) as progress:
        task = progress.add_task("runs", total=len(cells))
        for cell in cells:
            progress.update(task, description=f"{cell.strategy}, {cell.attack}, seed {cell.seed}")
            results[cell] = measure(asked, cell, prepared)
            progress.advance(task)
    console.print(table_of(results, asked.seeds))
    ratios = [r["norm_ratio"] for c, r in results.items() if c.attack == "clean"]
    console.print(f"greatest honest norm over its round's median: {max(ratios):.2f}")
    guarded = {c: r["refused"] for c, r in results.items() if c.strategy == "fedavg, guard"}
    console.print("refused by the guard:", {f"{c.attack} {c.seed}": n for c, n in guarded.items()})
    means = {
        f"{c.strategy} {c.attack} {c.seed}": float(mean_of([r])[0]) for c, r in results.items()
    }
    print(json.dumps(means))


if __name__ == "__main__":
    main()
