"""Data sets: one file per public corpus, and the simulated cohorts.

A data set is a module with a ``Config`` dataclass and one class that takes it and has
``sites()``. Adapters read metadata alone; audio is opened by the feature store.
"""

from typing import Protocol

from fedbreath.recording import Site


class DataSource(Protocol):
    """A component of the group ``data``."""

    def sites(self) -> list[Site]:
        """The sites this source holds.

        Raises:
            DataError: The folder or its metadata is missing or unreadable as a whole.
        """
        ...
