"""The parent's side: worker processes, who is given what, and what becomes of those that die.

Whichever worker is free, which is the least loaded one, is given the client that is expected
to take longest among the next few in the order of sending. Outcomes are released in that order;
those that come early wait in a buffer, which is bounded because nothing is begun that lies
farther ahead.
"""

import contextlib
import multiprocessing
import signal
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from typing import TypeVar

from fedbreath.errors import UserError
from simulation.pool.worker import Done, Job, work

#: Outcomes that may wait for an earlier one, for each worker.
AHEAD = 8

#: Workers that may die one after another as they start.
STILLBORN = 3

#: s. How long a worker may take to start, on a machine that does much else.
_STARTING = 300.0

#: s. How long a worker that was told to end may take.
_GRACE = 5.0

R = TypeVar("R")

#: Says `READY` on its end of a pipe, then takes jobs and answers each with a `Done`.
Target = Callable[[Connection], None]


@dataclass(frozen=True)
class Order:
    """A job that is to be done.

    Attributes:
        job: Makes it, told the number of the worker.
        cost: What it is expected to take, in any unit.
    """

    job: Callable[[int], Job]
    cost: float


@dataclass(frozen=True)
class Outcome:
    """What became of an order: with neither of the last two, it took too long.

    Attributes:
        position: Which order it was.
        worker: The number of the worker.
        done: What the worker said.
        died: How the worker ended, where it did; its client is not run again.
    """

    position: int
    worker: int
    done: Done | None = None
    died: str = ""


class _Worker:
    """One process, and what it is at."""

    def __init__(self, number: int, target: Target) -> None:
        self.number = number
        self.position: int | None = None
        self.deadline: float | None = None
        self.patience: float | None = None
        self.ready = self.ended = False
        context = multiprocessing.get_context("spawn")
        self.calls, theirs = context.Pipe()
        self.process: SpawnProcess = context.Process(
            target=target, args=(theirs,), name=f"fedbreath-{number}", daemon=True
        )
        # It is born deaf to Ctrl-C, which would end it with a traceback while it imports.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            self.process.start()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        theirs.close()

    def give(self, position: int, job: Job, patience: float | None) -> None:
        self.position, self.patience = position, patience
        self._wait_for(patience if self.ready else _STARTING)
        with contextlib.suppress(OSError):  # it has died, which is seen when it is waited for
            self.calls.send(job)

    def take(self) -> Done | None:
        """Its answer, None while there is none.

        Raises:
            EOFError: It has died.
        """
        try:
            while self.calls.poll():
                said = self.calls.recv()
                if isinstance(said, Done):
                    return said
                self.ready = True
                self._wait_for(self.patience)
        except OSError:
            raise EOFError from None
        if not self.process.is_alive():
            raise EOFError
        return None

    def _wait_for(self, seconds: float | None) -> None:
        self.deadline = None if seconds is None else time.monotonic() + seconds

    def end(self) -> None:
        """Let it end; one that does not is killed."""
        self.ended = True
        self.calls.close()
        self.process.terminate()
        self.process.join(_GRACE)
        if self.process.is_alive():
            self.process.kill()
            self.process.join()

    @property
    def fit(self) -> bool:
        """Whether it can be given something."""
        return not self.ended and self.process.is_alive()

    @property
    def how(self) -> str:
        """How it ended."""
        code = self.process.exitcode or 0
        return signal.Signals(-code).name if code < 0 else f"exit code {code}"


class Crew:
    """Some worker processes, which are started at once and come up beside other work.

    Args:
        count: How many.
        target: What runs in them.
    """

    def __init__(self, count: int, target: Target = work) -> None:
        self._stillborn, self._target = 0, target
        self._workers = [_Worker(number, target) for number in range(count)]

    def close(self) -> None:
        """End all of them."""
        for worker in self._workers:
            worker.process.terminate()
        for worker in self._workers:
            worker.end()
        self._workers.clear()

    def run(
        self,
        orders: Sequence[Order],
        patience: float | None,
        receive: Callable[[Outcome], R],
    ) -> Generator[R, None, None]:
        """Have orders done; what is made of the outcome of each, in their order.

        Args:
            orders: What is to be done.
            patience: How long one of them may take, s; a worker that takes longer is killed.
            receive: Makes something of an outcome as soon as it is there, and before its worker
                is given anything else.

        Raises:
            UserError: Workers die as they start.
        """
        for worker in [worker for worker in self._workers if not worker.fit]:
            self._replace(worker)
        ahead = AHEAD * len(self._workers)
        left, ready, released = set(range(len(orders))), dict[int, R](), 0
        try:
            while released < len(orders):
                self._give(orders, left, released + ahead, patience)
                for outcome in self._wait():
                    ready[outcome.position] = receive(outcome)
                self._give(orders, left, released + ahead, patience)
                while released in ready:
                    yield ready.pop(released)
                    released += 1
        finally:
            for worker in self._workers:
                if worker.position is not None:  # what it is at is of no use any more
                    worker.end()

    def _give(
        self, orders: Sequence[Order], left: set[int], end: int, patience: float | None
    ) -> None:
        """Give the free workers the dearest of the orders before `end` that are left."""
        for worker in self._workers:
            near = [p for p in left if p < end] if worker.position is None else []
            if near:
                position = max(near, key=lambda p: (orders[p].cost, -p))
                left.remove(position)
                worker.give(position, orders[position].job(worker.number), patience)

    def _wait(self) -> Iterator[Outcome]:
        """What is done by now, or at the next deadline is not."""
        busy = [worker for worker in self._workers if worker.position is not None]
        deadlines = [worker.deadline for worker in busy if worker.deadline is not None]
        patience = max(0.0, min(deadlines) - time.monotonic()) if deadlines else None
        wait([*(w.calls for w in busy), *(w.process.sentinel for w in busy)], patience)
        now = time.monotonic()
        for worker in busy:
            assert worker.position is not None
            position = worker.position
            try:
                done = worker.take()
            except EOFError:
                yield self._died(worker, position)
                continue
            if done is not None:
                self._stillborn, worker.position = 0, None
                yield Outcome(position, worker.number, done)
            elif worker.deadline is not None and now >= worker.deadline:
                self._replace(worker)
                yield Outcome(position, worker.number)

    def _died(self, worker: _Worker, position: int) -> Outcome:
        worker.process.join(_GRACE)
        worker.end()
        self._stillborn += not worker.ready
        if self._stillborn >= STILLBORN:
            raise UserError(
                f"{STILLBORN} worker processes died one after another as they started "
                f"(the last one by {worker.how}): is memory short? engine.workers=1 needs less, "
                "and engine=in_process least"
            )
        self._replace(worker)
        return Outcome(position, worker.number, died=worker.how)

    def _replace(self, worker: _Worker) -> None:
        if not worker.ended:
            worker.end()
        self._workers[worker.number] = _Worker(worker.number, self._target)
