"""A declared population of any size: persons of the simulated cohorts beyond those listed.

The persons that the data set lists are there to be scored on; none of them is a phone, so nobody
is trained on and scored on. A phone is a person of the same cohorts with a number behind theirs,
and is rendered when a round calls it (`simulation.population`).
"""

from collections.abc import Mapping
from dataclasses import dataclass

from fedbreath.datasets import simulated
from fedbreath.datasets.simulated import Take
from fedbreath.errors import ConfigError
from fedbreath.features import Selection, Store
from simulation.population import Population


@dataclass(frozen=True)
class Config:
    """How many phones, and how much their owners record.

    Attributes:
        phones: Declared, spread evenly over the cohorts; one costs nothing until it is called.
        sessions: Of each person, median; a session is a take of coughs and one of breathing.
        sessions_spread: Standard deviation of the logarithm of a person's sessions.
    """

    phones: int = 10_000
    sessions: int = 2
    sessions_spread: float = 0.4

    def __post_init__(self) -> None:
        if self.phones < 1:
            raise ValueError(f"phones must be >= 1, got {self.phones}")
        simulated.Config(sessions=self.sessions, sessions_spread=self.sessions_spread)


class Declared:
    """Phones beyond the listed persons."""

    def __init__(self, config: Config) -> None:
        self.config = config

    def clients(self, training: Mapping[str, Selection]) -> Population:
        """A phone for each of so many persons; the listed ones train nothing.

        Raises:
            ConfigError: A site is no simulated cohort, or they are not of one world.
        """
        stores = [store for chosen in training.values() for store, _ in chosen.parts]
        found = sorted((_listed(store) for store in stores), key=lambda take: take.cohort)
        worlds = {take.world for take in found}
        if len(worlds) != 1 or [take.cohort for take in found] != list(range(len(found))):
            raise ConfigError(
                "partition=population makes phones of the cohorts of data=simulated, all of them "
                f"and once each; the sites are {', '.join(training) or 'none'}"
            )
        (world,) = worlds
        phones = simulated.Config(
            cohorts=len(found),
            sessions=self.config.sessions,
            sessions_spread=self.config.sessions_spread,
            version=world.version,
            seed=world.seed,
        )
        first = [take.person + 1 for take in found]
        return Population.beyond(phones, stores[0].front_end, self.config.phones, first)


def _listed(store: Store) -> Take:
    """A recording of the last person that a cohort lists.

    Raises:
        ConfigError: The site is no simulated cohort.
    """
    takes = [entry.recording.source for entry in store.entries]
    known = [take for take in takes if isinstance(take, Take)]
    if not known or len(known) < len(takes):
        raise ConfigError(
            f"partition=population makes phones of simulated persons, and {store.site.name} is no "
            "simulated cohort; set data=simulated, or partition=per_subject for persons that are "
            "on the disk"
        )
    return max(known, key=lambda take: take.person)
