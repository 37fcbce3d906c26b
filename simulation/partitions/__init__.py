"""Partitions: one file each, sites -> clients. A partition never splits a person.

What is dealt is a `Unit`: all recordings of one person, or of one block where no person
is known; of several, where they hold identical audio. A partition sorts units into
clients. Every recording goes to one client, and to which hangs on the data and on the
partition's own seed alone: not on the order in which recordings come, nor on the run's
seed.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

from fedbreath.features import Entry, Selection, Store

#: What a unit is called of whom a key says nothing: a class, or a client.
UNKNOWN = "unknown"


class Partition(Protocol):
    """A component of the group ``partition``."""

    def clients(self, training: Mapping[str, Selection]) -> Mapping[str, Selection]:
        """Training recordings of each site -> those of each client, by name."""
        ...


@dataclass(frozen=True, eq=False)
class Unit:
    """What is dealt as a whole: the recordings of one group at one site.

    Attributes:
        site: The site's name.
        group: The group's name, unique within its site.
        rows: Store and index of each recording, sorted by recording.
    """

    site: str
    group: str
    rows: tuple[tuple[Store, int], ...]

    @property
    def entries(self) -> tuple[Entry, ...]:
        """The recordings with what is known about them."""
        return tuple(store.entries[i] for store, i in self.rows)

    def value(self, key: str) -> str | None:
        """What most of its recordings say of `key`; None where none says anything.

        Of values that occur equally often the first by name is taken.

        Args:
            key: As for `value_of`.
        """
        said = Counter(v for row in self.rows if (v := value_of(row, key)) is not None)
        return min(said, key=lambda value: (-said[value], value), default=None)


def units(selections: Iterable[Selection]) -> list[Unit]:
    """Gather recordings into units, sorted by site and group."""
    found: dict[tuple[str, str], list[tuple[Store, int]]] = {}
    for selection in selections:
        for store, chosen in selection.parts:
            for i in chosen:
                where = (store.site.name, store.entries[i].group)
                found.setdefault(where, []).append((store, i))
    return [
        Unit(site, group, tuple(sorted(rows, key=_recording)))
        for (site, group), rows in sorted(found.items(), key=lambda item: item[0])
    ]


def _recording(row: tuple[Store, int]) -> str:
    store, i = row
    return store.entries[i].recording.id


def select(members: Iterable[Unit]) -> Selection:
    """The recordings of some units as a client's, site after site."""
    parts: dict[str, tuple[Store, list[int]]] = {}
    for unit in sorted(members, key=lambda u: (u.site, u.group)):
        for store, i in unit.rows:
            parts.setdefault(unit.site, (store, []))[1].append(i)
    return Selection(tuple((store, tuple(chosen)) for store, chosen in parts.values()))


def value_of(row: tuple[Store, int], key: str) -> str | None:
    """What a recording says of ``site``, ``device``, ``modality``, or of a label."""
    store, i = row
    recording = store.entries[i].recording
    if key == "site":
        return store.site.name
    if key in ("device", "modality"):
        value: str | None = getattr(recording, key)
        return value
    return recording.labels.get(key)
