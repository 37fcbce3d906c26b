"""``python -m benchmarks.quality --root DIR``: what the default pretraining is worth.

The default configuration on the real data sets, each data set a site, at several seeds:
federated, and centralised with as many steps in all; beside them the same network untrained,
descriptors, openSMILE's ComParE_2016 and eGeMAPSv02 where they are installed, and the encoder
beside the descriptors. Test persons are in no pretraining. A value is the mean over seeds;
intervals and paired differences are over test persons, seeds meaned inside every resample.

A run that was stopped goes on: what is in the folder is not trained again.
"""

import argparse
import dataclasses
import json
import time
from collections import defaultdict
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from datetime import datetime
from multiprocessing import get_context
from pathlib import Path

from simulation import PACKAGES  # first: it sets the number of threads

# isort: split
import torch
from rich.console import Console
from rich.progress import track

from fedbreath.composition import written
from fedbreath.config import load
from fedbreath.downstream.benchmark import ArmScores
from fedbreath.errors import UserError
from fedbreath.report import folder as records
from fedbreath.report import page, score_records, scoring
from fedbreath.report.terminal import summary
from simulation import arms
from simulation.arms import Arm
from simulation.data import Prepared, prepare
from simulation.describe import describe, run_record, trained_on
from simulation.planning import plan

#: Trained at every seed, or made from what was.
SEEDED = ("federated", "centralised", "encoder_descriptors")

Words = tuple[str, ...]


def words_of(root: str, extra: Sequence[str], seed: int) -> Words:
    """The run of one seed."""
    common = ("data=real", f"data.root={written(root)}", "evaluation.opensmile=true")
    return (*common, *extra, f"seed={seed}")


def planned(words: Words, prepared: Prepared) -> list[Arm]:
    """The rows of a seed; what one site reaches alone is no part of the question."""
    return [a for a in plan(load(words, PACKAGES), words, prepared.clients) if a.kind != "local"]


def work(words: Words, names: Sequence[str], out: Path) -> dict[str, list[ArmScores]]:
    """Run some rows of one seed, one after another, in a process of its own."""
    torch.set_num_threads(1)
    config = load(words, PACKAGES)
    prepared = prepare(config)
    return {
        arm.name: arms.run(arm, config, prepared, out, lambda: None)
        for arm in planned(words, prepared)
        if arm.name in names
    }


def results(
    root: str, extra: Sequence[str], seeds: int, out: Path, workers: int
) -> dict[str, list[ArmScores]]:
    """Every row's scores, one a seed where it has seeds."""
    first = words_of(root, extra, 0)
    rest = [a.name for a in planned(first, prepare(load(first, PACKAGES))) if a.name not in SEEDED]
    found: dict[str, list[ArmScores]] = defaultdict(list)
    with ProcessPoolExecutor(workers, get_context("spawn")) as pool:
        jobs: list[tuple[Words, Sequence[str], Path]] = [(first, rest, out / "seed-0")]
        for seed in range(seeds):
            words, folder = words_of(root, extra, seed), out / f"seed-{seed}"
            jobs += [
                (words, ("centralised",), folder),
                (words, ("federated", "encoder_descriptors"), folder),
            ]
        futures = [pool.submit(work, *job) for job in jobs]
        for future in track(futures, "runs", console=Console(stderr=True)):
            for name, scores in future.result().items():
                found[name] += scores
    return found


def _note(arm: Arm, seeds: int) -> str:
    if arm.missing:
        return f"not run: {arm.missing}"
    return f"mean of {seeds} seeds; {arm.note}" if arm.name in SEEDED else arm.note


def main() -> None:
    """Print the summary and the JSON line; write the page."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.quality", description=__doc__)
    parser.add_argument("--root", required=True, help="folder of the real data sets")
    parser.add_argument("--seeds", type=int, default=3, help="of the pretraining (default 3)")
    parser.add_argument("--workers", type=int, default=2, help="processes (default 2)")
    parser.add_argument("--out", type=Path, default=Path("runs/quality"), help="folder")
    parser.add_argument("overrides", nargs="*", metavar="key=value", help="settings of the runs")
    try:
        run(parser.parse_args())
    except UserError as error:
        parser.exit(2, f"error: {error}\n")


def run(asked: argparse.Namespace) -> None:
    """Train, score, and write the page."""
    started = time.monotonic()
    words = words_of(asked.root, asked.overrides, 0)
    config = load(words, PACKAGES)
    prepared = prepare(config, asked.workers)
    rows = planned(words, prepared)
    found = results(asked.root, asked.overrides, asked.seeds, asked.out, asked.workers)
    told = [
        score_records.Arm(
            arm.name,
            arm.title,
            arm.kind,
            arm.steps,
            _note(arm, asked.seeds),
        )
        for arm in rows
    ]
    scores = scoring.summarise(
        prepared.pool, told, found, trained_on(prepared), config.evaluation.bootstrap
    )
    folder = asked.out / "seed-0"
    (folder / "probes.jsonl").touch()  # nothing is probed on the way
    record = run_record(config, words)
    now = datetime.now().astimezone().isoformat(timespec="seconds")
    seconds = time.monotonic() - started
    records.save(folder, dataclasses.replace(record, finished=now, seconds=seconds))
    records.save(folder, describe(config, prepared))
    records.save(folder, scores)
    Console().print(summary(folder))
    print(f"page: {page.write(folder)}")
    print(json.dumps(dataclasses.asdict(scores)["differences"]))


if __name__ == "__main__":
    main()
