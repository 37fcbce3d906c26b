"""Engines: one file each. How the ServerApp and the ClientApp are brought together."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from fedbreath.config import Config
from fedbreath.errors import ConfigError
from fedbreath.features import Selection
from server.rounds import Observer

#: Told a client's name after its fit.
OnFit = Callable[[str], None]


class Engine(Protocol):
    """A component of the group ``engine``.

    `start` and `close` go around several federations; without them each one starts and ends
    what it needs.
    """

    @property
    def workers(self) -> int:
        """Processes that the baselines and the feature store may use."""
        ...

    @property
    def beside(self) -> bool:
        """Whether a federation leaves processors free for other arms beside it."""
        ...

    def start(self) -> None:
        """Begin to start processes, where it has any; they come up beside other work."""
        ...

    def close(self) -> None:
        """End them; starting again is allowed."""
        ...

    def alone(self) -> "Engine":
        """What runs an arm in a process that is itself one of the workers."""
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


def require_cohort(config: Config, count: int) -> None:
    """Refuse a round that calls more clients than there are.

    Raises:
        ConfigError: It does.
    """
    cohort = getattr(getattr(config.strategy, "config", None), "cohort", None)
    if cohort is not None and cohort > count:
        raise ConfigError(
            f"strategy.cohort={cohort} clients a round, but there are {count}: lower it, or set "
            "strategy.cohort=null strategy.fraction=1 to call all of them"
        )
