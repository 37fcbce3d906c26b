"""The in-process engine: one client after another, in this process.

Replies are reduced in the order of clients, each client's draws come from (seed, client,
round), and one thread computes: the weights are the same bit for bit at every run.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import torch
from flwr.app import Context, RecordDict

import client.app
import server.app
from client.local import LocalSite
from fedbreath.config import Config as RunConfig
from fedbreath.config import load
from fedbreath.features import Selection
from server.rounds import Observer
from simulation import PACKAGES, adversary, sites
from simulation.engines import OnFit, require_cohort
from simulation.grid import SERVER, InProcessGrid, Numbered
from simulation.population import names_of
from simulation.worlds import surrounded


@dataclass(frozen=True)
class Config:
    """How fast, never what.

    Attributes:
        threads: Threads of one training process; results are reproducible at one number.
        workers: Processes: the federation's own, and others for the feature store and
            the baselines.
    """

    threads: int = 1
    workers: int = 2

    def __post_init__(self) -> None:
        for name in ("threads", "workers"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be >= 1, got {getattr(self, name)}")


class InProcess:
    """Runs the same two apps as a deployment, without leaving the process."""

    beside = True

    def __init__(self, config: Config) -> None:
        self.config = config

    @property
    def workers(self) -> int:
        """Processes that the baselines and the feature store may use."""
        return self.config.workers

    def start(self) -> None:
        """Nothing is to be started."""

    def close(self) -> None:
        """Nothing was started."""

    def alone(self) -> Self:
        """The same: it is one process."""
        return self

    def federate(
        self,
        overrides: Sequence[str],
        clients: Mapping[str, Selection],
        folder: Path,
        observe: Observer,
        on_fit: OnFit,
    ) -> None:
        """Run a federation of these clients into a folder, or go on with it."""
        torch.set_num_threads(self.config.threads)
        config, names = load(overrides, PACKAGES), names_of(clients)
        require_cohort(config, len(names))
        told = sites.run_config(overrides, folder)

        def open_site(context: Context, config: RunConfig) -> LocalSite:
            name = names[int(context.node_config["partition-id"])]
            return sites.site(config, name, clients[name], folder)

        contexts = Numbered(len(names), lambda node: sites.context(node, len(names), told))
        grid = InProcessGrid(
            client.app.build(open_site), contexts, lambda node: on_fit(names[node - 1])
        )
        seen = surrounded(adversary.among(grid, config, names), config, names)
        server.app.build(observe)(seen, Context(SERVER, SERVER, {}, RecordDict(), told))
