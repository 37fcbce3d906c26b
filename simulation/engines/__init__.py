"""Engines: one file each. How the ServerApp and the ClientApp are brought together."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from fedbreath.features import Selection
from server.rounds import Observer

#: Told a client's name after its fit.
OnFit = Callable[[str], None]


class Engine(Protocol):
    """A component of the group ``engine``."""

    @property
    def workers(self) -> int:
        """Processes that the baselines and the feature store may use."""
        ...

    def federate(
        self,
        overrides: Sequence[str],
        clients: Mapping[str, Selection],
        folder: Path,
        observe: Observer,
        on_fit: OnFit,
    ) -> None:
        """Run a federation of these clients into a folder, or go on with it."""
        ...
