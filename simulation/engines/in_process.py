"""The in-process engine: one client after another, in this process.

Replies are reduced in the order of clients, each client's draws come from (seed, client,
round), and one thread computes: the weights are the same bit for bit at every run.
"""

import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from flwr.app import Context, RecordDict
from flwr.app.user_config import UserConfig

import client.app
import server.app
from client.local import LocalSite, SitePrivacy
from fedbreath.config import Config as RunConfig
from fedbreath.config import written
from fedbreath.features import Selection
from fedbreath.privacy import Plan
from fedbreath.privacy.sampled import Sampled
from fedbreath.site.ledger import Ledger
from fedbreath.site.records import Budget
from fedbreath.site.state import SiteState
from server.rounds import Observer
from simulation.engines import OnFit
from simulation.grid import SERVER, InProcessGrid
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

    def __init__(self, config: Config) -> None:
        self.config = config

    @property
    def workers(self) -> int:
        """Processes that the baselines and the feature store may use."""
        return self.config.workers

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
        names = list(clients)
        # All clients are there from the start: a missing one is not waited for.
        own_words = (f"out={written(str(folder))}", "resume=null", "patience.connect=0.01")
        run_config: UserConfig = {"overrides": shlex.join([*overrides, *own_words])}

        def open_site(context: Context, config: RunConfig) -> LocalSite:
            name = names[int(context.node_config["partition-id"])]
            own = folder / "sites" / name
            return LocalSite(name, clients[name], SiteState(own), privacy_of(config, name, own))

        contexts = {
            i + 1: Context(
                run_id=1,
                node_id=i + 1,
                node_config={"partition-id": i, "num-partitions": len(names)},
                state=RecordDict(),
                run_config=run_config,
            )
            for i in range(len(names))
        }
        grid = InProcessGrid(
            client.app.build(open_site), contexts, lambda node: on_fit(names[node - 1])
        )
        own = Context(SERVER, SERVER, {}, RecordDict(), run_config)
        server.app.build(observe)(surrounded(grid, overrides, names), own)


def privacy_of(config: RunConfig, name: str, folder: Path) -> SitePrivacy | None:
    """A simulated site's ledger: a domain of its own, which begins and ends with the run.

    Args:
        config: The run.
        name: The client's.
        folder: The client's, below the run's.

    Raises:
        PrivacyError: No public population is stated for it, or the ledger cannot be trusted.
    """
    mechanism = config.privacy.build(Plan(config.rounds, config.training.steps))
    if not isinstance(mechanism, Sampled):
        return None
    epsilon, terms = mechanism.budget(mechanism.spec.population_of(name))
    place, second = folder / "privacy", folder / "privacy-heads"
    for made in (place, second):
        made.mkdir(parents=True, exist_ok=True)
    called = re.sub(r"[^\w-]", "_", name)
    ledger = Ledger(place, second, called, f"run-{config.digest}")
    return SitePrivacy.at(ledger, Budget(epsilon, terms), folder, config.digest)
