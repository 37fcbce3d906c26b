"""Simulated time in the rounds: what a grid may know that simulates a real federation."""

from collections.abc import Mapping
from typing import Protocol, runtime_checkable

from fedbreath.report.records import SimulatedRound


@runtime_checkable
class Clocked(Protocol):
    """A grid whose clients come, go and take their time, all of it simulated."""

    @property
    def names(self) -> Mapping[int, str]:
        """Node id to the client's name."""
        ...

    @property
    def heard(self) -> int:
        """Clients of the round whose answers came in time."""
        ...

    def begin(self, number: int, time: float, least: int) -> bool:
        """Begin a round at a time, or once so many are there; False skips it."""
        ...

    def told(self) -> SimulatedRound:
        """What happened since then."""
        ...
