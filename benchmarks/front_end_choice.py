"""``python -m benchmarks.front_end_choice --root DIR``: what each front-end parameter is worth.

One parameter at a time is moved away from the default, on the real recordings. The
measure is the linear probe of (a) the mean and standard deviation of the log-mels and
(b) an untrained CNN, mean of three seeds, by cross-validation over persons. Only
*training* persons are used, so that the choice is made without the test persons.
"""

import argparse
import json
import tempfile
from collections.abc import Iterator
from pathlib import Path

from simulation import PACKAGES  # first: it sets the number of threads

# isort: split
import numpy as np
import torch
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track
from rich.table import Table

from benchmarks.validation import TASKS, cross_validated
from fedbreath.config import Config, load
from fedbreath.downstream import embedding
from fedbreath.downstream.benchmark import Pool
from simulation.arms import build_encoder
from simulation.data import prepare

#: Name of a variant and what it changes.
VARIANTS: dict[str, tuple[str, ...]] = {
    "default": (),
    "window 64 ms, hop 32 ms": ("front_end.window=0.064", "front_end.hop=0.032"),
    "window 64 ms": ("front_end.window=0.064",),
    "hop 8 ms": ("front_end.hop=0.008",),
    "hop 32 ms": ("front_end.hop=0.032",),
    "floor 1e-3": ("front_end.floor=1e-3",),
    "floor 1e-5": ("front_end.floor=1e-5",),
    "floor 1e-9": ("front_end.floor=1e-9",),
    "32 mels": ("front_end.mels=32",),
    "128 mels": ("front_end.mels=128",),
    "level not normalised": ("front_end.level=none",),
}


def features(config: Config, pool: Pool) -> Iterator[tuple[str, list[NDArray[np.float32]]]]:
    """Embeddings of log-mel statistics, and of three untrained networks."""
    yield "log_mel", [embedding.log_mel_statistics(pool.selection)]
    yield (
        "untrained",
        [
            embedding.embed(build_encoder(config, seed), pool.selection, config.views.seconds)
            for seed in range(3)
        ],
    )


def measure(root: str, change: tuple[str, ...], cache: Path) -> dict[str, float]:
    """Mean over tasks, and each task, for both kinds of feature."""
    common = ("data=real", f"data.root='{root}'", f"tasks=[{','.join(TASKS)}]")
    # Log-mels alone are compared, and tracks ask for a transform longer than the window.
    overrides = [*common, f"cache='{cache}'", "front_end.tracks=false", *change]
    config = load(overrides, PACKAGES)
    pool = prepare(config, workers=2).pool
    result: dict[str, float] = {}
    for kind, seeds in features(config, pool):
        for data in pool.tasks:
            values = [cross_validated(data, vectors) for vectors in seeds]
            result[f"{kind}/{data.name}"] = float(np.mean(values))
        of_kind = [v for name, v in result.items() if name.startswith(f"{kind}/")]
        result[kind] = float(np.mean(of_kind))
    return result


def main() -> None:
    """Print the table and the JSON line."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.front_end_choice", description=__doc__
    )
    parser.add_argument("--root", required=True, help="folder of the real data sets")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    results = {}
    with tempfile.TemporaryDirectory() as folder:
        for name, change in track(list(VARIANTS.items()), "variants"):
            results[name] = measure(asked.root, change, Path(folder))
    columns = list(results["default"])
    table = Table(title="AUROC by cross-validation over training persons")
    table.add_column("variant")
    for column in columns:
        table.add_column(column.replace("/", "\n"), justify="right")
    for name, values in results.items():
        table.add_row(name, *(f"{values[c]:.3f}" for c in columns))
    Console(width=140).print(table)
    print(json.dumps(results))


if __name__ == "__main__":
    main()
