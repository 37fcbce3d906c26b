"""A node's own site: opened from the settings that the data holder owns.

The node is started with ``--node-config 'site="/path/to/site.yaml"'``. The run decides
the front end and who is kept out for testing; the site decides what data it has and
where. Nothing of the settings leaves.
"""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from flwr.app import Context

from fedbreath import building, split
from fedbreath.composition import written
from fedbreath.config import Config, component
from fedbreath.errors import SiteError
from fedbreath.features import Selection, Store
from fedbreath.site import settings
from fedbreath.site.ledger import Ledger
from fedbreath.site.records import Budget
from fedbreath.site.replies import Replies
from fedbreath.site.settings import SiteSettings
from fedbreath.site.state import SiteState


@dataclass(frozen=True)
class SitePrivacy:
    """What a site brings to a private run.

    Attributes:
        ledger: Its ledger of the domain.
        population: The public number of its privacy units.
        replies: Its last replies in the run.
        run: The run's name in the ledger.
    """

    ledger: Ledger
    population: int
    replies: Replies
    run: str

    @classmethod
    def at(cls, ledger: Ledger, budget: Budget, folder: Path, run: str) -> "SitePrivacy":
        """With the replies below a folder; a ledger that was never begun is begun.

        Raises:
            PrivacyError: The ledger cannot be trusted, or keeps another budget.
        """
        ledger.begin(budget)
        replies = Replies(folder / "replies", ledger, run)
        return cls(ledger, budget.terms.population, replies, run)


@dataclass(frozen=True)
class LocalSite:
    """What one client trains on and keeps.

    Attributes:
        name: The site's name in the study.
        selection: Its training recordings.
        state: What it keeps between rounds.
        privacy: What a private run needs of it; None where none is allowed.
    """

    name: str
    selection: Selection
    state: SiteState
    privacy: SitePrivacy | None = None


def open_site(context: Context, config: Config) -> LocalSite:
    """Open this node's site.

    Raises:
        SiteError: No or unreadable settings, not exactly one site in the data, or a run that
            only a simulation may do.
        ConfigError: The settings name no data set of ours, or misspell an option.
        DataError: The data set cannot be read.
    """
    if config.adversary.share > 0:
        raise SiteError("this run wants hostile clients (adversary.share), and a node plays none")
    path = context.node_config.get("site")
    if not isinstance(path, str):
        raise SiteError(
            "this node has no site: start it with --node-config 'site=\"/path/to/site.yaml\"'"
        )
    own = settings.read(Path(path))
    options = [f"{key}={written(value)}" for key, value in own.options.items()]
    sites = component("data", own.dataset, options).build().sites()
    if len(sites) != 1:
        raise SiteError(f"a node holds one site, but {own.dataset} has {len(sites)}")
    store = as_trained_on(
        building.prepare(sites[0], config.front_end, own.state / "stores"), config
    )
    keep_out = held_out(store, config)
    folder = own.state / f"run-{context.run_id}"
    return LocalSite(
        name=own.name,
        selection=store.select(lambda e: e.group not in keep_out),
        state=SiteState(folder),
        privacy=_privacy(own, folder, f"run-{context.run_id}"),
    )


def _privacy(own: SiteSettings, folder: Path, run: str) -> SitePrivacy | None:
    """The site's ledger, as its own settings say; begun once, and never anew."""
    if own.privacy is None:
        return None
    place = own.state / "privacy"
    second = Path(own.privacy.second)
    place.mkdir(parents=True, exist_ok=True)
    if not second.is_dir():
        raise SiteError(f"{second}, where the second copy of the ledger's head lies, is no folder")
    ledger = Ledger(place, second, own.name, own.privacy.domain)
    return SitePrivacy.at(ledger, own.privacy.budget(), folder, run)


def held_out(store: Store, config: Config) -> frozenset[str]:
    """The groups of a site that no arm may train on, test and validation alike."""
    return parts(store, config).kept_out


def private_at_sites(config: Config) -> bool:
    """Whether sites add noise, and so promise something about each of their persons."""
    mechanism: Any = config.privacy.target
    return bool(mechanism.place == "site")


def as_trained_on(store: Store, config: Config) -> Store:
    """The store as its persons are drawn from.

    Persons who share a recording are one group for a split. Under privacy at the sites they
    are not: who is joined with whom follows from who else is there. What is heard on both
    sides is then left out of the scores, which promise nothing (`simulation.data`).
    """
    if not (private_at_sites(config) and store.site.pretrain):
        return store
    entries = tuple(replace(entry, group=entry.recording.group) for entry in store.entries)
    return replace(store, entries=entries)


def parts(store: Store, config: Config) -> split.Parts:
    """The groups of a site that scores are measured on, and those left out of everything.

    Drawn among the recordings of data sets that some task tests on; under privacy at the sites
    each person by itself, so that nobody's presence decides on which side another stands.
    """
    tested = {task.config.dataset for task in config.tasks.values()}
    members = [
        (e.group, e.recording.labels) for e in store.entries if e.recording.dataset in tested
    ]
    asked = config.split
    if private_at_sites(config) and store.site.pretrain:
        names = (group for group, _ in members)
        return split.parts_alone(names, asked.test, asked.validation, asked.seed)
    return split.parts(members, store.site.stratify, asked.test, asked.validation, asked.seed)
