"""One simulated study: data, federation, baselines, scores, report."""

import dataclasses
import os
import platform
import sys
import time
from concurrent.futures import Future, ProcessPoolExecutor
from datetime import datetime
from importlib.metadata import version
from multiprocessing import get_context, parent_process
from multiprocessing.queues import Queue
from pathlib import Path
from typing import Any

import torch

import fedbreath
from fedbreath.config import Config, load, to_yaml
from fedbreath.downstream.benchmark import ArmScores
from fedbreath.pretraining import Learner, device_of
from fedbreath.report import folder as records
from fedbreath.report import page, scoring
from fedbreath.report import records as r
from simulation import PACKAGES, arms
from simulation.arms import Arm
from simulation.curve import Curve
from simulation.data import Prepared, prepare
from simulation.display import Display

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
    with _Helpers(workers - 1, display) as helpers:
        display.add(READING, 1)

        def read(done: int, total: int) -> None:
            display.add(READING, total)
            display.advance(READING, done)

        prepared = prepare(config, workers, read)
        record = _open(config, overrides, out, prepared)
        planned = arms.plan(config, overrides, prepared.clients)
        results = _run_all(planned, config, prepared, out, helpers, display)
    scores = scoring.summarise(
        prepared.pool,
        [r.Arm(a.name, a.title, a.kind, a.steps, a.note) for a in planned],
        results,
        _trained_on(prepared),
        config.evaluation.bootstrap,
    )
    records.save(out, scores)
    seconds = (record.seconds or 0.0) + time.monotonic() - started
    now = datetime.now().astimezone().isoformat(timespec="seconds")
    records.save(out, dataclasses.replace(record, finished=now, seconds=seconds))
    return page.write(out)


def _run_all(
    planned: list[Arm],
    config: Config,
    prepared: Prepared,
    out: Path,
    helpers: "_Helpers",
    display: Display,
) -> dict[str, list[ArmScores]]:
    """The federated arm here, the others beside it; then this process helps with the rest."""
    for arm in planned:
        display.add(arm.title, arm.fits + 1)
    federated, others = planned[0], planned[1:]
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
    for arm in others:
        if arm.name not in results:
            future = futures[arm.name]
            assert future is not None
            results[arm.name] = helpers.wait(future)
            display.finish(arm.title)
    return results


class _Helpers:
    """Worker processes that run arms and report their progress."""

    def __init__(self, count: int, display: Display) -> None:
        self.display = display
        context = get_context("spawn")
        self._queue: Queue[str] = context.Queue()
        self._pool = (
            ProcessPoolExecutor(count, context, initializer=_begin, initargs=(self._queue,))
            if count
            else None
        )
        if self._pool:
            self._pool.submit(_warm_up)  # imports run beside the reading of recordings

    def __enter__(self) -> "_Helpers":
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if self._pool:
            if kind is not None:
                for process in list(self._pool._processes.values()):
                    process.terminate()
            self._pool.shutdown(wait=kind is None, cancel_futures=True)

    def submit(
        self, arm: Arm, overrides: tuple[str, ...], out: Path
    ) -> "Future[list[ArmScores]] | None":
        """Queue an arm; None when there are no helpers."""
        return self._pool.submit(_work, arm, overrides, out) if self._pool else None

    def show(self) -> None:
        """Pass on what the helpers have reported."""
        while not self._queue.empty():
            self.display.advance(self._queue.get())

    def wait(self, future: "Future[list[ArmScores]]") -> list[ArmScores]:
        """A future's result, with progress while waiting."""
        while not future.done():
            self.show()
            time.sleep(0.1)
        self.show()
        return future.result()


_progress: "Queue[str] | None" = None
_prepared: dict[str, Prepared] = {}


def _begin(queue: "Queue[str]") -> None:
    global _progress  # noqa: PLW0603 - a worker's one channel, given at its birth
    _progress = queue
    torch.set_num_threads(1)


def _warm_up() -> None:
    """Import what arms need."""


def _work(arm: Arm, overrides: tuple[str, ...], out: Path) -> list[ArmScores]:
    """Run an arm in a worker process."""
    config = load(overrides, PACKAGES)
    if config.digest not in _prepared:
        _prepared[config.digest] = prepare(config)

    def on_fit() -> None:
        parent = parent_process()
        if parent is not None and not parent.is_alive():
            os._exit(1)  # whoever resumes the run must not meet an orphan at work
        if _progress is not None:
            _progress.put(arm.title)

    return arms.run(arm, config, _prepared[config.digest], out, on_fit)


def _open(
    config: Config, overrides: tuple[str, ...], out: Path, prepared: Prepared
) -> r.RunRecord:
    """Write what the run is and what it works on, before anything is trained."""
    learner = Learner(config)
    guarantee = learner.mechanism.guarantee("encoder weights, counts and losses")
    record = r.RunRecord(
        fedbreath=fedbreath.__version__,
        digest=config.digest,
        overrides=overrides,
        config=dict(config.tree),
        config_yaml=to_yaml(config),
        versions=versions(),
        seed=config.seed,
        started=datetime.now().astimezone().isoformat(timespec="seconds"),
        finished=None,
        seconds=None,
        machine=r.Machine(
            cpu=cpu_name(),
            cores=os.cpu_count() or 1,
            threads=torch.get_num_threads(),
            device=str(device_of()),
        ),
        guarantee=r.GuaranteeText(guarantee.mechanism, guarantee.sentence()),
        encoder=r.EncoderFacts(
            config.encoder.name, learner.encoder.parameter_count(), learner.encoder.dim
        ),
    )
    if (out / "rounds.jsonl").exists():
        records.save(out, record)
    else:
        records.start(out, record)
    records.save(out, describe(config, prepared))
    return record


def describe(config: Config, prepared: Prepared) -> r.DataRecord:
    """The sites, the clients, and what was skipped."""
    assert config.partition is not None
    problems = [
        r.SkippedItem(s.site.name, p.item, p.reason) for s in prepared.stores for p in s.site.problems
    ]
    problems += [r.SkippedItem(n, "the whole site", why) for n, why in prepared.left_out.items()]
    sites = []
    for store in prepared.stores:
        entries = store.entries
        held = prepared.held_out[store.site.name]
        sites.append(
            r.SiteFacts(
                name=store.site.name,
                recordings=len(entries),
                subjects=_persons(entries),
                groups=len({e.recording.group for e in entries}),
                seconds=sum(e.seconds for e in entries),
                pretrain=store.site.pretrain,
                modalities=_count(e.recording.modality for e in entries),
                devices=_count(e.recording.device or "unknown" for e in entries),
                test_recordings=sum(e.recording.group in held for e in entries),
                test_groups=len(held & {e.recording.group for e in entries}),
            )
        )
    clients = tuple(
        r.ClientFacts(
            name=name,
            recordings=len(selection),
            subjects=_persons(selection.entries),
            seconds=sum(e.seconds for e in selection.entries),
            modalities=_count(e.recording.modality for e in selection.entries),
        )
        for name, selection in prepared.clients.items()
    )
    return r.DataRecord(tuple(sites), clients, config.partition.name, tuple(problems))


def _persons(entries: Any) -> int | None:
    subjects = {e.recording.subject for e in entries}
    return None if None in subjects or not subjects else len(subjects)


def _count(values: Any) -> dict[str, int]:
    counts: dict[str, int] = {}
    for value in values:
        counts[value] = counts.get(value, 0) + 1
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


def _trained_on(prepared: Prepared) -> frozenset[str]:
    """Groups that some arm trained on, as the pool names them."""
    return frozenset(
        f"{store.site.name}/{store.entries[i].recording.group}"
        for selection in prepared.clients.values()
        for store, chosen in selection.parts
        for i in chosen
    )


def versions() -> dict[str, str]:
    """Versions of what computed the result."""
    names = ("torch", "torchaudio", "numpy", "flwr", "scikit-learn", "soundfile", "soxr")
    return {"python": platform.python_version(), **{name: version(name) for name in names}}


def cpu_name() -> str:
    """The processor as the system names it."""
    if sys.platform == "linux":
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
