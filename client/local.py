"""A node's own site: opened from the settings that the data holder owns.

The node is started with ``--node-config 'site="/path/to/site.yaml"'``. The run decides
the front end and who is kept out for testing; the site decides what data it has and
where. Nothing of the settings leaves.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flwr.app import Context

from fedbreath import features, split
from fedbreath.config import Config, component
from fedbreath.errors import SiteError
from fedbreath.features import Selection
from fedbreath.recording import Recording, Site
from fedbreath.site import settings
from fedbreath.site.state import SiteState


@dataclass(frozen=True)
class LocalSite:
    """What one client trains on and keeps.

    Attributes:
        name: The site's name in the study.
        selection: Its training recordings.
        state: What it keeps between rounds.
    """

    name: str
    selection: Selection
    state: SiteState


def open_site(context: Context, config: Config) -> LocalSite:
    """Open this node's site.

    Raises:
        SiteError: No or unreadable settings, or not exactly one site in the data.
        ConfigError: The settings name no data set of ours, or misspell an option.
        DataError: The data set cannot be read.
    """
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
    store = features.prepare(sites[0], config.front_end, own.state / "stores")
    keep_out = held_out(store.site, config)
    return LocalSite(
        name=own.name,
        selection=store.select(lambda r: r.group not in keep_out),
        state=SiteState(own.state / f"run-{context.run_id}"),
    )


def written(value: Any) -> str:
    r"""A value as an override says it: text may hold anything, and a number stays one.

    >>> written("a ward's data"), written(3), written(None)
    ("'a ward\\'s data'", '3', 'null')
    """
    if isinstance(value, str):
        return "'" + value.replace("'", r"\'") + "'"
    return json.dumps(value)


def held_out(site: Site, config: Config) -> frozenset[str]:
    """The groups of a site that no arm may train on: those that some task tests on."""
    tested = {task.config.dataset for task in config.tasks.values()}
    recordings: list[Recording] = [r for r in site.recordings if r.dataset in tested]
    return split.test_groups(recordings, site.stratify, config.split.test, config.split.seed)
