"""The process pool: the same two apps, with the clients run by several processes.

A round's weights are written to shared memory once, each worker has one network and one
thread, and replies are reduced in the order of clients: the weights are those of
``engine=in_process`` bit for bit, on any number of workers.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import torch
from flwr.app import Context, RecordDict

import server.app
from fedbreath.config import load
from fedbreath.features import Selection
from server.rounds import Observer
from simulation import PACKAGES, adversary, sites
from simulation.engines import OnFit, in_process, require_cohort
from simulation.engines.in_process import InProcess
from simulation.grid import SERVER, LocalGrid
from simulation.pool import deal
from simulation.pool.crew import Crew
from simulation.pool.deal import Dealt
from simulation.pool.delivery import Delivery
from simulation.pool.segments import Segments
from simulation.pool.worker import Federation
from simulation.population import Population, names_of
from simulation.worlds import surrounded


@dataclass(frozen=True)
class Config:
    """How fast, never what.

    Attributes:
        workers: Processes that run clients, each with one thread.
    """

    workers: int = 2

    def __post_init__(self) -> None:
        if self.workers < 1:
            raise ValueError(f"workers must be >= 1, got {self.workers}")


class ProcessPool:
    """Runs the ServerApp here, and the ClientApp in worker processes."""

    beside = False

    def __init__(self, config: Config) -> None:
        self.config = config
        self._crew: Crew | None = None

    @property
    def workers(self) -> int:
        """Processes that the baselines and the feature store may use."""
        return self.config.workers

    def start(self) -> None:
        """Start the workers, which import what they need while this process goes on."""
        if self._crew is None:
            self._crew = Crew(self.config.workers)

    def close(self) -> None:
        """End the workers."""
        if self._crew is not None:
            self._crew.close()
            self._crew = None

    def alone(self) -> InProcess:
        """One client after another, with as many threads as a worker has."""
        return InProcess(in_process.Config(threads=1, workers=1))

    def federate(
        self,
        overrides: Sequence[str],
        clients: Mapping[str, Selection],
        folder: Path,
        observe: Observer,
        on_fit: OnFit,
    ) -> None:
        """Run a federation of these clients into a folder, or go on with it.

        Raises:
            UserError: As for a run; or workers cannot start, or shared memory is short.
        """
        torch.set_num_threads(1)
        config, names = load(overrides, PACKAGES), names_of(clients)
        require_cohort(config, len(names))
        told = sites.run_config(overrides, folder)
        with ExitStack() as stack:
            segments = stack.enter_context(Segments(folder))
            if self._crew is None:
                self.start()
                stack.callback(self.close)
            assert self._crew is not None
            if isinstance(clients, Population):
                dealt: Dealt = clients  # it is its own description
            else:
                dealt = deal.write(clients, segments)
            federation = Federation(told, folder.resolve(), dealt, len(names))
            delivery = Delivery(self._crew, segments, federation, names, size_of(clients), on_fit)
            grid = LocalGrid(range(1, len(names) + 1), delivery)
            seen = surrounded(adversary.among(grid, config, names), config, names)
            server.app.build(observe)(seen, Context(SERVER, SERVER, {}, RecordDict(), told))


def size_of(clients: Mapping[str, Selection]) -> Callable[[str], int]:
    """What tells a client's number of recordings; phones that nobody has drawn count as equal."""
    if isinstance(clients, Population):
        return lambda _: 1
    return lambda name: len(clients[name])
