"""Simulated sites: what a client of a run on this machine is told, and what it keeps.

A client's state lies in the run's folder and is opened for each message, so that it does
not matter which process runs the client.
"""

import re
import shlex
from collections.abc import Sequence
from pathlib import Path

from flwr.app import Context, RecordDict
from flwr.app.user_config import UserConfig

from client.local import LocalSite, SitePrivacy
from fedbreath.composition import written
from fedbreath.config import Config
from fedbreath.features import Selection
from fedbreath.privacy import Plan
from fedbreath.privacy.sampled import Sampled
from fedbreath.site.ledger import Ledger
from fedbreath.site.records import Budget
from fedbreath.site.state import SiteState


def run_config(overrides: Sequence[str], folder: Path) -> UserConfig:
    """What both apps are told of a run in a folder."""
    # All clients are there from the start: a missing one is not waited for.
    own_words = (f"out={written(str(folder))}", "resume=null", "patience.connect=0.01")
    return {"overrides": shlex.join([*overrides, *own_words])}


def context(node: int, count: int, told: UserConfig) -> Context:
    """The context of a node, of `count`; nodes count from 1."""
    own: UserConfig = {"partition-id": node - 1, "num-partitions": count}
    return Context(1, node, own, RecordDict(), told)


def site(config: Config, name: str, selection: Selection, folder: Path) -> LocalSite:
    """A client's site in the run's folder.

    Raises:
        PrivacyError: As for `privacy_of`.
    """
    own = folder / "sites" / name
    return LocalSite(name, selection, SiteState(own), privacy_of(config, name, own))


def privacy_of(config: Config, name: str, folder: Path) -> SitePrivacy | None:
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
