"""Data sets: one file per public corpus, and the simulated cohorts.

A data set is a module with a ``Config`` dataclass and one class that takes it and has
``sites()``. Adapters read metadata alone; audio is opened by the feature store.
"""

from typing import Literal, Protocol

from fedbreath.recording import Site

#: What an adapter was proved on: real files of the data set; published code that reads it;
#: or nothing but a description. Every adapter says so as ``PROVENANCE``.
Provenance = Literal["real files", "published code", "description"]


class DataSource(Protocol):
    """A component of the group ``data``.

    Its ``Config`` may say ``persons = False``: the data set publishes no person ids.
    """

    def sites(self) -> list[Site]:
        """The sites this source holds.

        Raises:
            DataError: The folder or its metadata is missing or unreadable as a whole.
        """
        ...
