"""Worker processes that train and score arms beside the federation."""

import os
import time
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context, parent_process
from multiprocessing.queues import Queue
from pathlib import Path
from typing import Self

import torch

from fedbreath.config import load
from fedbreath.downstream.benchmark import ArmScores
from fedbreath.errors import UserError
from simulation import PACKAGES, arms
from simulation.arms import Arm
from simulation.data import Prepared, prepare
from simulation.display import Display


class Helpers:
    """Worker processes that run arms and report their progress.

    Args:
        count: How many.
        display: Where progress is shown.
        early: Whether they start at once, or only when they are given something.
    """

    def __init__(self, count: int, display: Display, *, early: bool = True) -> None:
        self.display = display
        context = get_context("spawn")
        self._queue: Queue[str] = context.Queue()
        self._pool = (
            ProcessPoolExecutor(count, context, initializer=_begin, initargs=(self._queue,))
            if count
            else None
        )
        if self._pool and early:
            self._pool.submit(_warm_up)  # imports run beside the reading of recordings

    def __enter__(self) -> Self:
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
        try:
            return future.result()
        except BrokenProcessPool:
            raise UserError(
                "a helper process died (was it killed, or is memory short?): resume=DIR goes on, "
                "engine.workers=1 needs less memory"
            ) from None


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

    assert config.engine is not None
    engine = config.engine.build().alone()
    return arms.run(arm, config, _prepared[config.digest], out, on_fit, engine=engine)
