"""One client for each site: every data set, or simulated cohort, is a client of its own."""

from collections.abc import Mapping
from dataclasses import dataclass

from fedbreath.features import Selection


@dataclass(frozen=True)
class Config:
    """Nothing to choose."""


class ByDataset:
    """The partition that the data come with."""

    def __init__(self, config: Config) -> None:
        self.config = config

    def clients(self, training: Mapping[str, Selection]) -> dict[str, Selection]:
        """Each site as it is."""
        return dict(training)
