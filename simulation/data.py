"""From the configuration to clients: read, keep the test persons out, deal to clients."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from client.local import as_trained_on, parts, private_at_sites
from fedbreath import building, features
from fedbreath.config import Config
from fedbreath.decoding import Readers
from fedbreath.downstream import benchmark
from fedbreath.downstream.benchmark import Pool
from fedbreath.errors import DataError, SiteError
from fedbreath.features import Selection, Store
from fedbreath.pretraining import require_enough
from fedbreath.recording import Problem, Site
from simulation.partitions import Partition
from simulation.population import Population

#: With fewer recordings to decode, starting processes takes longer than it saves.
_WORTH_A_POOL = 300


@dataclass(frozen=True)
class Prepared:
    """What a run works on.

    Attributes:
        stores: Every site, opened.
        held_out: Site name to the groups that no arm trains on.
        clients: Client name to its training recordings.
        left_out: Client name to why it cannot take part.
        pool: Every task's recordings, training and test.
        hidden: Site name to those of `held_out` that nothing is scored on either: the test
            groups, while choices are made on validation groups.
    """

    stores: tuple[Store, ...]
    held_out: Mapping[str, frozenset[str]]
    clients: Mapping[str, Selection]
    left_out: Mapping[str, str]
    pool: Pool
    hidden: Mapping[str, frozenset[str]] = field(default_factory=dict)


def prepare(
    config: Config, workers: int = 1, progress: Callable[[int, int], None] = lambda *_: None
) -> Prepared:
    """Read the data and deal them.

    Args:
        config: The run, with partition.
        workers: Processes that decode.
        progress: Told recordings done since last told, and recordings in all.

    Raises:
        DataError: No recording at all can be used, or two sites share a name.
        SiteError: No client can take part.
    """
    sites: list[Site] = config.data.build().sites()
    _refuse_same_names(sites)
    total = sum(len(site.recordings) for site in sites)
    cache = cache_of(config)
    with _readers(sites, config, cache, workers) as readers:
        stores = tuple(
            building.prepare(s, config.front_end, cache, readers, lambda n, _: progress(n, total))
            for s in sites
        )
    if not any(store.entries for store in stores):
        reasons = [p.reason for s in stores for p in s.site.problems]
        because = f" (the first reason of {len(reasons)}: {reasons[0]})" if reasons else ""
        raise DataError(f"no recording can be used{because}")
    stores = tuple(as_trained_on(store, config) for store in stores)
    drawn = {store.site.name: parts(store, config) for store in stores}
    kept_out = {name: part.kept_out for name, part in drawn.items()}
    hidden = {name: part.hidden for name, part in drawn.items()}
    if private_at_sites(config):
        stores = without_heard(stores, kept_out)
    else:
        # What sounds like a hidden recording gives way even where it would be scored on.
        stores = without_leaks(without_leaks(stores, hidden), kept_out)
    clients, left_out = _clients(config, stores, kept_out)
    tasks = {name: component.build() for name, component in config.tasks.items()}
    least, seconds = config.evaluation.min_subjects, config.views.seconds
    pool = benchmark.gather(stores, kept_out, tasks, least, hidden, seconds)
    return Prepared(stores, kept_out, clients, left_out, pool, hidden)


def cache_of(config: Config) -> Path:
    """The folder of the feature stores."""
    return Path(config.cache) if config.cache else features.default_cache()


@contextmanager
def _readers(
    sites: list[Site], config: Config, cache: Path, workers: int
) -> Iterator[Readers | None]:
    """Processes that decode, where there is enough to decode to be worth their start."""
    missing = sum(
        len(site.recordings)
        for site in sites
        if not features.folder_of(site, config.front_end, cache).exists()
    )
    if workers == 1 or missing < _WORTH_A_POOL:
        yield None
        return
    with Readers(workers) as readers:
        yield readers


def without_leaks(
    stores: tuple[Store, ...], kept_out: Mapping[str, frozenset[str]]
) -> tuple[Store, ...]:
    """Take out of training what is heard in a test recording of another site.

    Within a site identical audio is one group already. Over sites no group can be joined,
    since each site draws its own test persons: there the recording that is not kept out
    gives way.
    """
    heard: dict[str, str] = {}
    for store in stores:
        for entry in store.entries:
            if entry.digest and entry.group in kept_out[store.site.name]:
                heard.setdefault(entry.digest, f"{store.site.name}/{entry.recording.id}")
    cleaned = []
    for store in stores:
        leaks = [
            Problem(entry.recording.id, f"identical audio: {heard[entry.digest]} is tested on")
            for entry in store.entries
            if entry.digest in heard and entry.group not in kept_out[store.site.name]
        ]
        cleaned.append(store.without(leaks) if leaks else store)
    return tuple(cleaned)


def without_heard(
    stores: tuple[Store, ...], kept_out: Mapping[str, frozenset[str]]
) -> tuple[Store, ...]:
    """Take out of the scores what is heard in a training recording, at any site.

    Under privacy at the sites the other way round would not do: which recordings are trained
    on must not follow from what other persons' recordings hold.
    """
    trained = {
        entry.digest: f"{store.site.name}/{entry.recording.id}"
        for store in stores
        for entry in store.entries
        if entry.digest and entry.group not in kept_out[store.site.name]
    }
    cleaned = []
    for store in stores:
        heard = [
            Problem(entry.recording.id, f"identical audio: {trained[entry.digest]} is trained on")
            for entry in store.entries
            if entry.digest in trained and entry.group in kept_out[store.site.name]
        ]
        cleaned.append(store.without(heard) if heard else store)
    return tuple(cleaned)


def _clients(
    config: Config, stores: tuple[Store, ...], kept_out: Mapping[str, frozenset[str]]
) -> tuple[Mapping[str, Selection], dict[str, str]]:
    """Deal the training recordings; a client that the objective cannot use is left out.

    Of a declared population nobody is looked at: such a phone refuses its round.
    """
    training = {
        s.site.name: s.select(lambda e, out=kept_out[s.site.name]: e.group not in out)  # type: ignore[misc]
        for s in stores
        if s.site.pretrain
    }
    assert config.partition is not None
    partition: Partition = config.partition.build()
    found = partition.clients(training)
    if isinstance(found, Population):
        return found, {}
    clients: dict[str, Selection] = {}
    left_out: dict[str, str] = {}
    for name, selection in found.items():
        try:
            require_enough(selection, config.objective)
        except SiteError as error:
            left_out[name] = str(error)
        else:
            clients[name] = selection
    if not clients:
        reasons = "; ".join(f"{name}: {why}" for name, why in left_out.items())
        raise SiteError(f"no client can take part ({reasons})")
    return clients, left_out


def _refuse_same_names(sites: list[Site]) -> None:
    names = [site.name for site in sites]
    for name in names:
        if names.count(name) > 1:
            raise DataError(f"two sites are called {name}: give each its own name")
