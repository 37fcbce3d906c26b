"""Worlds: one file each. Who is there in a round, and how long it would take them.

All is in simulated time. Nobody waits, and who is away, drops out or is late trains nothing.
"""

from collections.abc import Mapping, Sequence
from typing import Protocol

from flwr.serverapp import Grid

from fedbreath.config import Config
from simulation.grid import Numbered


class World(Protocol):
    """A component of the group ``world``."""

    def around(self, grid: Grid, config: Config, names: Mapping[int, str]) -> Grid:
        """The grid as this world lets the server see it.

        Args:
            grid: Reaches every client at once.
            config: The run.
            names: Node id to the client's name.
        """
        ...


def surrounded(grid: Grid, config: Config, names: Sequence[str]) -> Grid:
    """A grid in the world of a run.

    Args:
        grid: Reaches every client at once; node ids count from 1.
        config: The run.
        names: Of the clients, in the order of node ids.
    """
    assert config.world is not None
    world: World = config.world.build()
    return world.around(grid, config, Numbered(len(names), lambda node: names[node - 1]))
