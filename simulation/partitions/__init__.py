"""Partitions: one file each, sites -> clients. A partition never splits a person."""

from collections.abc import Mapping
from typing import Protocol

from fedbreath.features import Selection


class Partition(Protocol):
    """A component of the group ``partition``."""

    def clients(self, training: Mapping[str, Selection]) -> dict[str, Selection]:
        """Training recordings of each site -> those of each client, by name."""
        ...
