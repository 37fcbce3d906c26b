"""One simulated study: data, federation, baselines, scores, report."""

import dataclasses
import time
from datetime import datetime
from pathlib import Path
from typing import Any

from fedbreath.config import Config
from fedbreath.downstream.benchmark import ArmScores
from fedbreath.report import folder as records
from fedbreath.report import page, scoring
from fedbreath.report import records as r
from simulation import arms
from simulation.arms import Arm
from simulation.curve import Curve
from simulation.data import Prepared, prepare
from simulation.describe import describe, run_record, trained_on
from simulation.display import Display
from simulation.workers import Helpers

READING = "reading recordings"


def study(config: Config, overrides: tuple[str, ...], out: Path, display: Display) -> Path:
    """Run a study into `out`, or go on with the one that lies there.

    Args:
        config: The run.
        overrides: What it was composed from.
        out: Its folder.
        display: Where progress is shown.

    Returns:
        The report's path.
    """
    started = time.monotonic()
    assert config.engine is not None
    workers = config.engine.build().workers
    with Helpers(workers - 1, display) as helpers:
        display.add(READING, 1)

        def read(done: int, total: int) -> None:
            display.add(READING, total)
            display.advance(READING, done)

        prepared = prepare(config, workers, read)
        record = run_record(config, overrides)
        _begin(out, record)
        records.save(out, describe(config, prepared))
        planned = arms.plan(config, overrides, prepared.clients)
        results = _run_all(planned, config, prepared, out, helpers, display)
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
    return page.write(out)


def _record(arm: Arm) -> r.Arm:
    note = f"not run: {arm.missing}" if arm.missing else arm.note
    return r.Arm(arm.name, arm.title, arm.kind, arm.steps, note)


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
) -> dict[str, list[ArmScores]]:
    """The federated arm here, the others beside it; then this process helps with the rest.

    What needs the federated encoder comes after it; what is missing has no result.
    """
    runnable = [arm for arm in planned if not arm.missing]
    for arm in runnable:
        display.add(arm.title, arm.fits + 1)
    federated = planned[0]
    others = [arm for arm in runnable[1:] if not arm.after_federated]
    futures = {arm.name: helpers.submit(arm, planned[0].overrides, out) for arm in others}

    def here(arm: Arm, observe: Any = lambda *_: None) -> list[ArmScores]:
        def on_fit() -> None:
            helpers.show()
            display.advance(arm.title)

        result = arms.run(arm, config, prepared, out, on_fit, observe)
        display.finish(arm.title)
        return result

    def tell(number: int, values: Any) -> None:
        mean = sum(values.values()) / len(values)
        display.advance(federated.title, 0, f"round {number}, mean AUROC {mean:.3f}")

    results = {federated.name: here(federated, Curve(config, prepared, out, tell))}
    for arm in reversed(others):
        future = futures[arm.name]
        if future is None or future.cancel():
            results[arm.name] = here(arm)
    results |= {arm.name: here(arm) for arm in runnable if arm.after_federated}
    for arm in others:
        if arm.name not in results:
            future = futures[arm.name]
            assert future is not None
            results[arm.name] = helpers.wait(future)
            display.finish(arm.title)
    return results | {arm.name: [] for arm in planned if arm.missing}
