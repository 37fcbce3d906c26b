"""One run of ``benchmarks.objectives``: trained, embedded, scored, written as one file.

A result holds the AUROC of each task over resamples of persons that all runs on the same
data share (`scoring.draws_of`), so that any two runs can be compared in pairs afterwards.
"""

import shutil
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import simulation  # noqa: F401 - first: it sets the number of threads

# isort: split
import numpy as np

from benchmarks.objectives_grid import Run
from benchmarks.objectives_records import Dealt, Result, read
from fedbreath import collapse
from fedbreath.atomic import write_text
from fedbreath.config import Component, Config, component, digest, load
from fedbreath.downstream import benchmark, embedding
from fedbreath.downstream.embedding import Floats
from fedbreath.errors import SiteError, UserError
from fedbreath.features import Selection
from fedbreath.lock import locked
from fedbreath.pretraining import Learner, require_enough, rng_of
from fedbreath.report import scoring
from fedbreath.report.decoding import dumps, loads
from fedbreath.report.records import RoundRecord
from fedbreath.report.score_records import SkippedTask
from server import checkpoints
from simulation import PACKAGES, baselines
from simulation.arms import build_encoder, encoder_of
from simulation.data import Prepared, prepare
from simulation.describe import describe, trained_on
from simulation.partitions import by_dataset, pooled

#: What a worker keeps: the data of a stage are the same for all its runs.
_prepared: dict[str, Prepared] = {}


def _data(config: Config) -> Prepared:
    """The data of a run, whatever its objective and scheme: every site is a client."""
    tree, least = config.tree, config.evaluation.min_subjects
    parts = [tree[k] for k in ("data", "split", "front_end", "tasks")]
    key = digest([*parts, least, config.views.seconds])
    if key not in _prepared:
        whoever = component("objective", "masked")  # asks for one recording
        partition = Component(by_dataset.ByDataset, by_dataset.Config())
        _prepared[key] = prepare(replace(config, objective=whoever, partition=partition))
    return _prepared[key]


def config_digest(overrides: Sequence[str]) -> str:
    """The digest of a run's configuration."""
    return load(overrides, PACKAGES).digest


def look(overrides: Sequence[str]) -> Dealt:
    """The data of a stage, of any run without training in it."""
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


def step_seconds(overrides: Sequence[str]) -> float:
    """Processor time of a step of a run on all sites' recordings, after a first one."""
    config = load(overrides, PACKAGES)
    (selection,) = pooled.Pooled(pooled.Config()).clients(_data(config).clients).values()
    learner = Learner(config, warm=True)
    weights, rng = learner.shared_state(), rng_of(0, "cost")
    steps = 2
    for number in (1, steps):
        learner.config = replace(config, training=replace(config.training, steps=number))
        began = time.process_time()
        learner.fit(weights, {}, selection, rng, 1)
    return (time.process_time() - began) / steps


def work(run: Run, overrides: tuple[str, ...], name: str, out: Path) -> Result:
    """Do a run, or read back what it gave; a failure is a result too."""
    path, folder = out / "results" / f"{name}.json", out / "work" / name
    with locked(folder / ".lock", wait=60.0):
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
    result = Result(run, overrides)
    if run.kind == "trained":
        result = _train(result, config, prepared, folder)
    began = time.process_time()
    if run.kind != "features":
        encoder = build_encoder(config, run.seed)
        total = sum(p.numel() for p in encoder.parameters())
        result = replace(result, parameters=total)
    vectors = _vectors(run, config, prepared.pool.selection, folder)
    scores = {"": [benchmark.score(prepared.pool, vectors, controls=False)]}
    count = config.evaluation.bootstrap
    draws = {
        task.name: scoring.draws_of(task, prepared.pool, scores, count)[""]
        for task in prepared.pool.tasks
    }
    return replace(
        result,
        dim=vectors.shape[1],
        score_seconds=time.process_time() - began,
        draws={task: tuple(np.round(d, 6).tolist()) for task, d in draws.items()},
    )


def _train(result: Result, config: Config, prepared: Prepared, folder: Path) -> Result:
    """Train into `folder`, or go on with what lies there."""
    clients = {n: s for n, s in prepared.clients.items() if _enough(s, config)}
    if result.run.scheme == "centralised":
        clients = pooled.Pooled(pooled.Config()).clients(clients)
    assert config.engine is not None
    began = time.process_time()
    config.engine.build().federate(
        result.overrides, clients, folder, lambda *_: None, lambda _: None
    )
    return replace(
        result,
        clients=tuple(clients),
        train_seconds=time.process_time() - began,
        notes=tuple(notes(folder)),
    )


def _enough(selection: Selection, config: Config) -> bool:
    try:
        require_enough(selection, config.objective)
    except SiteError:
        return False
    return True


def notes(folder: Path) -> list[str]:
    """What the rounds tell: fits that failed, and collapse at the end."""
    lines = (folder / "rounds.jsonl").read_text(encoding="utf-8").split("\n")
    rounds = [loads(RoundRecord, line) for line in lines if line]
    failures = [failure for one in rounds for failure in one.failures]
    notes = []
    if failures:
        first = f"{failures[0].name}: {failures[0].code}"
        notes.append(f"{len(failures)} local fit(s) failed, the first of {first}")
    signs, before = rounds[-1].signs, rounds[0].signs_before
    why = collapse.warning(signs, before) if signs else ""
    return [*notes, f"collapsed: {why}"] if why else notes


def _vectors(run: Run, config: Config, selection: Selection, folder: Path) -> Floats:
    """The pool's embeddings."""
    if run.kind == "features":
        missing = baselines.missing(run.objective, config)
        if missing:
            raise UserError(missing)
        return baselines.vectors(run.objective, config, selection)
    if run.kind == "untrained":
        encoder = build_encoder(config, run.seed)
    else:
        checkpoint = checkpoints.read(folder, config.digest)
        assert checkpoint is not None
        encoder = encoder_of(config, checkpoint.weights)
    return embedding.embed(encoder, selection, config.views.seconds)
