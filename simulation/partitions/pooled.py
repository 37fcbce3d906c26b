"""One client that holds every training recording: centralised pretraining.

What a federation is compared with, as a run of its own: the same code, checkpoints and
report, with nobody to average with. Test persons are taken out before, as always.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from fedbreath.features import Selection

#: What the client is called.
NAME = "pooled"


@dataclass(frozen=True)
class Config:
    """Nothing to choose."""


class Pooled:
    """All sites together, in their order."""

    def __init__(self, config: Config) -> None:
        self.config = config

    def clients(self, training: Mapping[str, Selection]) -> dict[str, Selection]:
        """Every recording at the one client."""
        return {NAME: Selection(tuple(p for s in training.values() for p in s.parts))}
