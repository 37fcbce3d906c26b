"""Several data sets as one source: those to pretrain on, and those to be scored on only."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace

from fedbreath.config import Component
from fedbreath.errors import DataError
from fedbreath.recording import Site


@dataclass(frozen=True)
class Config:
    """Which data sets.

    Attributes:
        root: Not used here: what the data sets' own roots are written in terms of.
        sites: Data sets to pretrain and to score on.
        evaluation: Data sets to score on, kept out of pretraining.
    """

    root: str
    sites: Mapping[str, Component]
    evaluation: Mapping[str, Component]


class Collection:
    """The sites of several data sets."""

    def __init__(self, config: Config) -> None:
        self.config = config

    def sites(self) -> list[Site]:
        """All sites, in the order of the configuration.

        Raises:
            DataError: A data set cannot be read, or two sites have the same name.
        """
        sites = [s for data in self.config.sites.values() for s in data.build().sites()]
        for data in self.config.evaluation.values():
            sites += [replace(site, pretrain=False) for site in data.build().sites()]
        for name, count in Counter(site.name for site in sites).items():
            if count > 1:
                raise DataError(f"{count} sites are named {name}: a data set is listed twice")
        return sites
