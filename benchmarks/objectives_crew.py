"""The processes that do the runs of ``benchmarks.objectives``, and what a run will cost.

Every job is a function of `objectives_runs` in a process of its own with one thread; which
process does it changes nothing. What was measured or composed once is kept in the study's
folder, so that a study that goes on plans the very same runs.
"""

import hashlib
import json
import logging
import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context, parent_process
from pathlib import Path
from typing import Any, Self, TypeVar

import torch

from fedbreath.atomic import write_json
from fedbreath.composition import config_dir
from fedbreath.errors import UserError
from fedbreath.report.wording import duration
from simulation.display import Display

K = TypeVar("K")
R = TypeVar("R")


class Crew:
    """Worker processes.

    Args:
        workers: How many.
        display: Where progress is shown.
    """

    def __init__(self, workers: int, display: Display) -> None:
        self.workers, self.display = workers, display
        self._totals: dict[str, int] = {}
        self._pool = ProcessPoolExecutor(workers, get_context("spawn"), initializer=_begin)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None:
            for process in list(self._pool._processes.values()):
                process.terminate()
        self._pool.shutdown(wait=kind is None, cancel_futures=True)

    def each(
        self,
        title: str,
        call: Callable[..., R],
        jobs: Mapping[K, Sequence[Any]],
        cost: Mapping[K, float] | None = None,
    ) -> Iterator[tuple[K, R]]:
        """Do jobs and give their results as they come.

        Args:
            title: For the progress.
            call: What is called in a worker.
            jobs: A job's key to its arguments, in the order of their start.
            cost: Expected processor seconds of each, for the time left.

        Raises:
            UserError: A worker died.
        """
        costs = {key: max(1.0, cost[key]) if cost else 1.0 for key in jobs}
        self._totals[title] = self._totals.get(title, 0) + len(jobs)
        self.display.add(title, self._totals[title])
        futures = {self._pool.submit(call, *words): key for key, words in jobs.items()}
        began, done, total = time.monotonic(), 0.0, sum(costs.values())
        while futures:
            ready, _ = wait(futures, return_when=FIRST_COMPLETED)
            for future in ready:
                key = futures.pop(future)
                done += costs[key]
                left = (time.monotonic() - began) * (total - done) / done
                self.display.advance(title, 1, f"{duration(left)} left")
                try:
                    yield key, future.result()
                except BrokenProcessPool:
                    raise UserError(
                        "a worker process died (was it killed, or is memory short?): the same "
                        "command goes on, --workers 1 needs less memory"
                    ) from None


def _begin() -> None:
    threading.Thread(target=_leave_with_parent, daemon=True).start()
    torch.set_num_threads(1)
    logging.getLogger("flwr").setLevel(logging.WARNING)
    logging.getLogger("fedbreath.server").setLevel(logging.ERROR)  # collapse is a note of the row


def _leave_with_parent() -> None:
    """Whoever goes on with a study must not meet an orphan at work in its folder."""
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


class Kept:
    """A mapping in a file of the study's folder, filled where something is missing.

    Args:
        path: The file.
        version: What the values hang on; values of another version are forgotten.
    """

    def __init__(self, path: Path, version: str = "") -> None:
        self.path, self.version = path, version
        self.values: dict[str, Any] = {}
        if path.exists():
            found = json.loads(path.read_text(encoding="utf-8"))
            if found["version"] == version:
                self.values = found["values"]

    def fill(
        self, crew: Crew, title: str, call: Callable[..., Any], jobs: Mapping[str, Sequence[Any]]
    ) -> None:
        """Let a crew make the values that are not there."""
        missing = {key: words for key, words in jobs.items() if key not in self.values}
        saved = time.monotonic()
        for key, value in crew.each(title, call, missing) if missing else ():
            self.values[key] = value
            if time.monotonic() - saved > 5:
                self.save()
                saved = time.monotonic()
        self.save()

    def save(self) -> None:
        """Write the file, whole."""
        write_json(self.path, {"version": self.version, "values": self.values})


def configs_version() -> str:
    """What every composed configuration hangs on beside its overrides: all YAML."""
    found = hashlib.sha256()
    for path in sorted(config_dir().rglob("*.yaml")):
        found.update(f"{path.relative_to(config_dir())}\n".encode())
        found.update(path.read_bytes())
    return found.hexdigest()[:12]
