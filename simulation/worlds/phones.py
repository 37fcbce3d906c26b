"""Phones: they charge at night, drop out, and differ in speed of device and link.

A phone takes part while it charges: in its own time zone, at its own hour, so long as it is
wont to, on the nights on which it is plugged in, and between the day it joined and the day it
left. What a round asks of it takes

    bytes down / speed down  +  steps x seconds a step / speed  +  bytes up / speed up,

with log-normal speeds that a phone keeps for good. It may drop out before training and after
it, and it is gone when it is no longer charging at the time its answer would arrive. These are
assumptions to vary, fitted to no fleet; Bonawitz et al. (MLSys 2019, arXiv 1902.01046) report
drop-outs of 6 to 10 % and call 1.3 phones for each that is needed.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from flwr.serverapp import Grid
from numpy.typing import ArrayLike, NDArray

from fedbreath.config import Config as RunConfig
from simulation.worlds import chance
from simulation.worlds.grid import Trip, WorldGrid

_HOUR, _DAY = 3600.0, 86_400.0

#: The local hour around which phones are plugged in, and how far from it, h.
_EVENING, _EITHER_WAY = 22.5, 2.0


@dataclass(frozen=True)
class Config:
    """When phones are there and how fast they are.

    Attributes:
        charging: Hours that a phone charges a night, on average; each is wont to 0.5 to 1.5
            of it. 24 is always.
        plugged: Chance that a phone is plugged in a given night.
        zones: Hours over which local midnights are spread evenly.
        joins: Share of clients that join during the first `days`; the others are there from
            the start.
        leaves: Share of clients that leave for good during them.
        days: See above.
        before: Chance to drop out of a round before training.
        after: Chance to drop out after it: trained, and the update lost.
        step_seconds: An optimiser step on the median device, s.
        device_spread: Standard deviation of the logarithm of devices' speeds.
        down: Median speed to a client, bytes/s.
        up: Median speed from it, bytes/s.
        link_spread: As `device_spread`, of links.
        deadline: How long a round waits for answers, s.
        over_selection: Clients called for each that is needed: of n reached, the first
            n / over_selection answers are taken, and the others come too late.
        patience: How long a round waits for ``strategy.minimum`` clients to be there, s;
            then it is skipped.
    """

    charging: float = 8.0
    plugged: float = 0.8
    zones: float = 24.0
    joins: float = 0.0
    leaves: float = 0.0
    days: float = 14.0
    before: float = 0.05
    after: float = 0.05
    step_seconds: float = 1.0
    device_spread: float = 0.5
    down: float = 1e6
    up: float = 2.5e5
    link_spread: float = 0.7
    deadline: float = 600.0
    over_selection: float = 1.0
    patience: float = 86_400.0

    def __post_init__(self) -> None:
        for name in ("charging", "days", "down", "up", "deadline"):
            if getattr(self, name) <= 0:
                raise ValueError(f"{name} must be > 0, got {getattr(self, name)}")
        for name in ("zones", "step_seconds", "device_spread", "link_spread", "patience"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} must be >= 0, got {getattr(self, name)}")
        for name in ("plugged", "joins", "leaves", "before", "after"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} must lie in [0, 1], got {getattr(self, name)}")
        if self.over_selection < 1:
            raise ValueError(f"over_selection must be >= 1, got {self.over_selection}")


class Phones:
    """When each phone is there, and how long it takes; pure functions of the seed."""

    def __init__(self, config: Config, seed: int = 0) -> None:
        self.config, self.seed = config, seed

    def around(self, grid: Grid, config: RunConfig, names: Mapping[int, str]) -> Grid:
        """A grid on which phones come and go."""
        return WorldGrid(grid, Phones(self.config, config.seed), config, names)

    def there(self, clients: ArrayLike, time: float) -> NDArray[np.bool_]:
        """Which clients, by number, can be reached at a time, s since the federation began."""
        own, numbers = self.config, np.asarray(clients)

        def drawn(what: str, moment: ArrayLike = 0) -> NDArray[np.float64]:
            return chance.uniform(self.seed, what, numbers, moment)

        span = own.days * _DAY
        joined = np.where(drawn("joins") < own.joins, drawn("joined") * span, 0.0)
        left = np.where(drawn("leaves") < own.leaves, drawn("left") * span, np.inf)
        evening = _EVENING + _EITHER_WAY * (2 * drawn("evening") - 1) - own.zones * drawn("zone")
        hours = np.minimum(24.0, own.charging * (0.5 + drawn("hours")))
        if own.charging >= 24:
            hours = np.full_like(hours, 24.0)
        since = time - evening * _HOUR
        night = np.floor(since / _DAY)
        plugged = drawn("plugged", night) < own.plugged
        charges = since - night * _DAY < hours * _HOUR
        found: NDArray[np.bool_] = charges & plugged & (joined <= time) & (time < left)
        return found

    def trip(self, client: int, number: int, size: tuple[int, int], steps: int) -> Trip:
        """What a round would take a client.

        Args:
            client: Its number.
            number: The round.
            size: Bytes down and up.
            steps: Optimiser steps.
        """
        own = self.config
        link = chance.log_normal(self.seed, "link", client, own.link_spread)
        device = chance.log_normal(self.seed, "device", client, own.device_spread)
        return Trip(
            down=size[0] / (own.down * link),
            training=steps * own.step_seconds / device,
            up=size[1] / (own.up * link),
            before=bool(chance.uniform(self.seed, "before", client, number) < own.before),
            after=bool(chance.uniform(self.seed, "after", client, number) < own.after),
        )
