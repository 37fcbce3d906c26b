"""One simulated study: data, federation, baselines, scores, report."""

import dataclasses
import functools
import time
from collections.abc import Sequence
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any

from fedbreath.config import Config, load
from fedbreath.downstream.benchmark import ArmScores
from fedbreath.report import folder as records
from fedbreath.report import records as r
from fedbreath.report import score_records, scoring, spending
from fedbreath.report.spending import Spender
from simulation import PACKAGES, arms, starts, variants
from simulation.arms import Arm
from simulation.curve import Curve
from simulation.data import Prepared, prepare
from simulation.describe import describe, run_record, trained_on
from simulation.display import Display
from simulation.engines import Engine
from simulation.planning import plan
from simulation.starts import Composed, OnRead
from simulation.workers import Helpers

READING = "reading recordings"
STARTING = "public start, trained first"


def study(run: Composed, overrides: tuple[str, ...], out: Path, display: Display) -> Path:
    """Run a study into `out`, or go on with the one that lies there.

    Args:
        run: The run, with what it begins with.
        overrides: What its user gave.
        out: Its folder.
        display: Where progress is shown.

    Returns:
        The report's path.
    """
    started = time.monotonic()
    config = run.config
    assert config.engine is not None
    engine: Engine = config.engine.build()
    compared = variants.of(config, overrides)
    # What the run begins with is read before hours of recordings are, where it is there already.
    known = run_record(config, overrides) if run.start is None else None
    with (
        closing(engine),
        Helpers(engine.workers - 1, display, early=engine.beside) as helpers,
    ):
        engine.start()
        prepared = prepare(config, engine.workers, _reading(READING, display))
        for title, own in (("this run", run), *((v.title, v.run) for v in compared)):
            variants.refuse_unstated(title, own.config, prepared.clients)
        _make_starts([run, *(v.run for v in compared)], prepared, display, engine)
        record = known or run_record(config, overrides)
        _begin(out, record)
        records.save(out, describe(config, prepared))
        planned = plan(config, run.words, prepared.clients, compared)
        results = _run_all(planned, config, prepared, out, helpers, display, engine)
    spent = spending.record(
        [
            Spender(arm.name, arm.title, arm.folder(out), load(arm.overrides, PACKAGES))
            for arm in planned
            if arm.trained
        ]
    )
    if spent is not None:
        records.save(out, spent)
    scores = scoring.summarise(
        prepared.pool,
        [_record(arm) for arm in planned],
        results,
        trained_on(prepared),
        config.evaluation.bootstrap,
    )
    records.save(out, scores)
    seconds = time.monotonic() - started
    now = datetime.now().astimezone().isoformat(timespec="seconds")
    records.save(out, dataclasses.replace(record, finished=now, seconds=seconds))
    from fedbreath.report import page  # noqa: PLC0415 - drawing is imported after training

    return page.write(out)


def _reading(name: str, display: Display) -> OnRead:
    """Shows recordings that are read."""
    display.add(name, 1)

    def read(done: int, total: int) -> None:
        display.add(name, total)
        display.advance(name, done)

    return read


def _make_starts(
    runs: Sequence[Composed], prepared: Prepared, display: Display, engine: Engine
) -> None:
    """Train what the arms begin with, each start once."""
    found = {run.start.folder: run.start for run in runs if run.start is not None}
    for number, start in enumerate(found.values(), 1):
        title = STARTING if len(found) == 1 else f"{STARTING} {number}"
        starts.refuse_overlap(start, prepared)
        display.add(title, start.config.rounds)
        if not start.done:
            starts.make(
                start,
                _reading(f"{READING} of the start", display),
                functools.partial(display.advance, title),
                engine,
            )
        display.finish(title)


def _record(arm: Arm) -> score_records.Arm:
    note = f"not run: {arm.missing}" if arm.missing else arm.note
    return score_records.Arm(arm.name, arm.title, arm.kind, arm.steps, note)


def _begin(out: Path, record: r.RunRecord) -> None:
    """Write what is run, before anything is trained; a resumed run keeps its logs."""
    if (out / "rounds.jsonl").exists():
        records.save(out, record)
    else:
        records.start(out, record)


def _run_all(
    planned: list[Arm],
    config: Config,
    prepared: Prepared,
    out: Path,
    helpers: Helpers,
    display: Display,
    engine: Engine,
) -> dict[str, list[ArmScores]]:
    """The federated arm here, the others beside it; then this process helps with the rest.

    Where the federation takes all processors, the others come after it; so does what needs the
    federated encoder. What is missing has no result.
    """
    runnable = [arm for arm in planned if not arm.missing]
    for arm in runnable:
        display.add(arm.title, arm.fits + 1)
    federated = planned[0]
    others = [arm for arm in runnable[1:] if not arm.after_federated]
    futures = {}

    def submit() -> None:
        for arm in others:
            futures[arm.name] = helpers.submit(arm, planned[0].overrides, out)

    def here(arm: Arm, by: Engine, observe: Any = lambda *_: None) -> list[ArmScores]:
        def on_fit() -> None:
            helpers.show()
            display.advance(arm.title)

        result = arms.run(arm, config, prepared, out, on_fit, observe, by)
        display.finish(arm.title)
        return result

    def tell(number: int, values: Any) -> None:
        mean = sum(values.values()) / len(values)
        display.advance(federated.title, 0, f"round {number}, mean AUROC {mean:.3f}")

    if engine.beside:
        submit()
    results = {federated.name: here(federated, engine, Curve(config, prepared, out, tell))}
    if not engine.beside:
        engine.close()
        submit()
    for arm in reversed(others):
        future = futures[arm.name]
        if future is None or future.cancel():
            results[arm.name] = here(arm, engine.alone())
    results |= {arm.name: here(arm, engine.alone()) for arm in runnable if arm.after_federated}
    for arm in others:
        if arm.name not in results:
            future = futures[arm.name]
            assert future is not None
            results[arm.name] = helpers.wait(future)
            display.finish(arm.title)
    return results | {arm.name: [] for arm in planned if arm.missing}
