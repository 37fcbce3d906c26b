"""One run of ``benchmarks.federation``: trained, embedded, scored, kept in a folder of its own.

A result holds the AUROC of each task over resamples of persons that all runs on the same
data share (`scoring.draws_of`), so that any two runs can be compared in pairs afterwards.
"""

import json
import shutil
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import simulation  # noqa: F401 - first: it sets the number of threads

# isort: split
import numpy as np

from benchmarks.federation_grid import Run
from benchmarks.federation_records import Result
from benchmarks.objectives_records import Dealt, read
from benchmarks.objectives_runs import notes
from fedbreath.atomic import write_text
from fedbreath.config import Config, digest, load
from fedbreath.downstream import benchmark, embedding
from fedbreath.errors import UserError
from fedbreath.lock import locked
from fedbreath.report import scoring
from fedbreath.report.decoding import dumps
from fedbreath.report.score_records import SkippedTask
from server import checkpoints
from simulation import PACKAGES
from simulation.arms import build_encoder, encoder_of
from simulation.data import Prepared, prepare
from simulation.describe import describe, trained_on

#: What a worker keeps: a setting's data are the same for all strategies and seeds.
_prepared: dict[str, Prepared] = {}


def _data(config: Config) -> Prepared:
    tree = config.tree
    parts = [tree[k] for k in ("data", "split", "front_end", "tasks", "partition", "objective")]
    key = digest([*parts, config.evaluation.min_subjects, config.views.seconds])
    if key not in _prepared:
        _prepared[key] = prepare(config)
    return _prepared[key]


def look(overrides: Sequence[str]) -> Dealt:
    """The data of a setting, by a federated run of it."""
    config = load(overrides, PACKAGES)
    prepared = _data(config)
    sites = {site.name: site.digest for site in describe(config, prepared).sites}
    pretrained_on = trained_on(prepared)
    return Dealt(
        digest(sites),
        prepared.pool.persons,
        {name: len(chosen) for name, chosen in prepared.clients.items()},
        tuple(scoring.facts_of(task, pretrained_on) for task in prepared.pool.tasks),
        tuple(SkippedTask(name, why) for name, why in prepared.pool.skipped),
    )


def result_path(out: Path, name: str) -> Path:
    """Where a run's result lies."""
    return out / "runs" / name / "result.json"


def work(run: Run, overrides: tuple[str, ...], name: str, out: Path) -> Result:
    """Do a run, or read back what it gave; a failure is a result too."""
    path = result_path(out, name)
    folder = path.parent / "work"
    with locked(path.parent / ".lock", wait=60.0):
        done = read(path, Result)
        if done is None:
            try:
                done = _do(run, overrides, folder)
            except UserError as error:
                done = Result(run, overrides, failed=str(error))
            except Exception as error:
                done = Result(run, overrides, failed=f"{type(error).__name__}: {error}")
            write_text(path, dumps(done) + "\n")
        shutil.rmtree(folder, ignore_errors=True)
    return done


def _do(run: Run, overrides: tuple[str, ...], folder: Path) -> Result:
    config = load(overrides, PACKAGES)
    prepared = _data(config)
    pool = prepared.pool
    result = Result(run, overrides)
    if run.arm == "untrained":
        encoder = build_encoder(config, run.seed)
    else:
        result = _train(result, config, prepared, folder)
        checkpoint = checkpoints.read(folder, config.digest)
        assert checkpoint is not None
        encoder = encoder_of(config, checkpoint.weights)
    began = time.process_time()
    vectors = embedding.embed(encoder, pool.selection, config.views.seconds)
    if not np.isfinite(vectors).all():
        raise UserError("the encoder's embeddings are not finite: training diverged")
    scores = {"": [benchmark.score(pool, vectors, controls=False)]}
    count = config.evaluation.bootstrap
    draws = {task.name: scoring.draws_of(task, pool, scores, count)[""] for task in pool.tasks}
    return replace(
        result,
        score_seconds=time.process_time() - began,
        draws={task: tuple(np.round(d, 6).tolist()) for task, d in draws.items()},
    )


def _train(result: Result, config: Config, prepared: Prepared, folder: Path) -> Result:
    """Train into `folder`, or go on with what lies there."""
    clients = dict(prepared.clients)
    if result.run.site:
        clients = {result.run.site: clients[result.run.site]}
    assert config.engine is not None
    began = time.process_time()
    config.engine.build().federate(
        result.overrides, clients, folder, lambda *_: None, lambda _: None
    )
    encoder = build_encoder(config, config.seed)
    weights = sum(p.numel() for p in encoder.parameters())
    return replace(
        result,
        train_seconds=time.process_time() - began,
        change=_change(folder, weights),
        notes=tuple(notes(folder)),
    )


def _change(folder: Path, weights: int) -> float:
    """Root mean square change of one of so many weights."""
    lines = (folder / "rounds.jsonl").read_text(encoding="utf-8").splitlines()
    rounds = [[p["update_norm"] for p in json.loads(line)["participants"]] for line in lines]
    norms = [float(np.median(told)) for one in rounds if (told := [n for n in one if n])]
    return float(np.median(norms)) / weights**0.5 if norms else 0.0
