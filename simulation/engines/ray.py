"""Flower's Ray simulation: the same two apps, with the clients run by a cluster of machines.

The ServerApp runs here, Flower's Ray actors run the ClientApp, and replies are reduced in the
order of clients. What a client keeps lies in the run's folder, not in a worker, so that any
machine can run any client; the folder must be on storage that all of them share.
"""

import importlib.util
import re
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from flwr.app import Context, RecordDict

import server.app
from fedbreath.config import load
from fedbreath.errors import UserError
from fedbreath.features import Selection
from server.rounds import Observer
from simulation import PACKAGES, adversary, sites
from simulation.engines import OnFit, in_process, require_cohort
from simulation.engines.in_process import InProcess
from simulation.grid import SERVER, LocalGrid
from simulation.population import Population
from simulation.worlds import surrounded

if TYPE_CHECKING:
    from simulation.cluster.session import Session


@dataclass(frozen=True)
class Config:
    """How fast, never what.

    Attributes:
        address: Of a cluster: ``auto``, ``host:port``, ``ray://host:port``. None begins a Ray on
            this machine.
        workers: Processes on this machine: without an address those that run clients; with one
            those for the feature store and the baselines, while the cluster runs as many clients
            at once as it has room for.
        threads: Of one client, and as many CPUs of the cluster.
    """

    address: str | None = None
    workers: int = 2
    threads: int = 1

    def __post_init__(self) -> None:
        for name in ("workers", "threads"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be >= 1, got {getattr(self, name)}")
        if self.address not in (None, "auto") and not re.fullmatch(
            r"(ray://)?[^/]+:\d{1,5}", self.address
        ):
            raise ValueError(
                f"address must be auto, host:port or ray://host:port, got {self.address}"
            )


class Ray:
    """Runs the ServerApp here, and the ClientApp in Flower's Ray actors."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self._session: Session | None = None

    @property
    def workers(self) -> int:
        """Processes that the baselines and the feature store may use."""
        return self.config.workers

    @property
    def beside(self) -> bool:
        """A cluster is taken to be other machines than this one."""
        return self.config.address is not None

    def start(self) -> None:
        """Begin Ray or join the cluster; the actors come up while this process goes on.

        Raises:
            UserError: The extra is not installed, or there is no cluster.
        """
        if self._session is not None:
            return
        if importlib.util.find_spec("ray") is None:
            raise UserError(
                "engine=ray needs Ray, which is not installed: pip install -e '.[ray]' "
                "(engine=process_pool uses several processors of one machine without it)"
            )
        from simulation.cluster.session import Session  # noqa: PLC0415 - needs the extra

        self._session = Session(self.config.address, self.config.workers, self.config.threads)

    def close(self) -> None:
        """End the actors and the Ray that was begun; a cluster stays."""
        if self._session is not None:
            self._session.close()
            self._session = None

    def alone(self) -> InProcess:
        """One client after another, with as many threads as a client has on the cluster."""
        return InProcess(in_process.Config(threads=self.config.threads, workers=1))

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
            UserError: As for a run and `start`; clients are declared and not listed; or machines
                do not share the folder.
        """
        if isinstance(clients, Population):
            raise UserError(
                "engine=ray lists its clients, and partition=population declares them without a "
                "list: engine=process_pool or engine=in_process runs it"
            )
        torch.set_num_threads(self.config.threads)
        told = sites.run_config(overrides, folder)
        with ExitStack() as stack:
            if self._session is None:
                self.start()
                stack.callback(self.close)
            assert self._session is not None
            deliver = stack.enter_context(self._session.serving(told, folder, clients, on_fit))
            grid = LocalGrid(range(1, len(clients) + 1), deliver)
            config, names = load(overrides, PACKAGES), list(clients)
            require_cohort(config, len(names))
            seen = surrounded(adversary.among(grid, config, names), config, names)
            server.app.build(observe)(seen, Context(SERVER, SERVER, {}, RecordDict(), told))
