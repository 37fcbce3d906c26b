"""A declared population: simulated phones that are only numbers until one is called.

A recording of a simulated person is a pure function of seed, cohort, person and session, so
nothing has to be listed, drawn or stored for who is not called: names come from numbers, and
numbers from names. Whoever is called has its recordings rendered then, in the process that runs
it, and they are gone when its answer is sent. A phone trains on what the same person would have
had in a feature store, bit for bit.
"""

import bisect
import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Self, overload

from fedbreath import building
from fedbreath.audio import FrontEnd
from fedbreath.datasets import simulated
from fedbreath.datasets.simulated import Simulated
from fedbreath.features import Selection

_NAME = re.compile(r"cohort-(\d+)-person-(\d+)")


@dataclass(frozen=True)
class Block:
    """Some persons of one cohort.

    Attributes:
        cohort: Index.
        first: Index of the first person.
        count: How many.
    """

    cohort: int
    first: int
    count: int


@dataclass(frozen=True)
class Population(Mapping[str, Selection]):
    """One client for each person, by name: made when it is asked for, and not kept.

    Attributes:
        phones: What the persons are like; how many it lists does not matter.
        front_end: Makes their features.
        blocks: Who belongs to it.

    >>> many = Population.beyond(simulated.Config(cohorts=4), FrontEnd(), 1_000_000, (60,) * 4)
    >>> len(many), many.names[0], many.names[999_999]
    (1000000, 'cohort-00-person-0060', 'cohort-03-person-250059')
    """

    phones: simulated.Config
    front_end: FrontEnd
    blocks: tuple[Block, ...]

    def __post_init__(self) -> None:
        if len(self) < 1:
            raise ValueError(f"phones must be >= 1, got {len(self)}")

    @classmethod
    def listed(cls, phones: simulated.Config, front_end: FrontEnd) -> Self:
        """Everybody whom the data set lists."""
        source = Simulated(phones)
        blocks = (Block(cohort, 0, source.size(cohort)) for cohort in range(phones.cohorts))
        return cls(phones, front_end, tuple(blocks))

    @classmethod
    def beyond(
        cls, phones: simulated.Config, front_end: FrontEnd, count: int, first: Sequence[int]
    ) -> Self:
        """So many persons, as evenly over cohorts as can be.

        Args:
            phones: What they are like.
            front_end: Makes their features.
            count: How many.
            first: Index in each cohort of the first of them: those before it are others.

        Raises:
            ValueError: Fewer than one.
        """
        if count < 1:
            raise ValueError(f"phones must be >= 1, got {count}")
        each, more = divmod(count, len(first))
        blocks = (Block(c, begin, each + (c < more)) for c, begin in enumerate(first))
        return cls(phones, front_end, tuple(block for block in blocks if block.count))

    @cached_property
    def _ends(self) -> list[int]:
        return list(itertools.accumulate(block.count for block in self.blocks))

    @cached_property
    def _source(self) -> Simulated:
        return Simulated(self.phones)

    @property
    def names(self) -> Sequence[str]:
        """Names by number."""
        return Names(self)

    def name(self, number: int) -> str:
        """The name of the phone with a number, from 0."""
        place = bisect.bisect_right(self._ends, number)
        block = self.blocks[place]
        return _name(block.cohort, block.first + number - (self._ends[place] - block.count))

    def client(self, number: int) -> tuple[str, Selection]:
        """The name and the recordings of the phone with a number, from 0."""
        name = self.name(number)
        return name, self[name]

    def __getitem__(self, name: str) -> Selection:
        if name not in self:
            raise KeyError(name)
        cohort, person = _indices(name)
        return building.in_memory(self._source.person(cohort, person), self.front_end).select()

    def __contains__(self, name: object) -> bool:
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            return False
        cohort, person = _indices(name)
        return name == _name(cohort, person) and any(
            block.cohort == cohort and 0 <= person - block.first < block.count
            for block in self.blocks
        )

    def __iter__(self) -> Iterator[str]:
        return iter(self.names)

    def __len__(self) -> int:
        return sum(block.count for block in self.blocks)


@dataclass(frozen=True)
class Names(Sequence[str]):
    """The names of a population in the order of numbers, of which none is kept.

    Attributes:
        population: Whose.
    """

    population: Population

    @overload
    def __getitem__(self, number: int) -> str: ...
    @overload
    def __getitem__(self, number: slice) -> Sequence[str]: ...
    def __getitem__(self, number: int | slice) -> str | Sequence[str]:
        numbers = range(len(self))[number]
        if isinstance(numbers, range):
            return [self.population.name(n) for n in numbers]
        return self.population.name(numbers)

    def __len__(self) -> int:
        return len(self.population)


def names_of(clients: Mapping[str, Selection]) -> Sequence[str]:
    """The names of clients in the order of node ids; those of a population are not listed."""
    return clients.names if isinstance(clients, Population) else tuple(clients)


def _name(cohort: int, person: int) -> str:
    return f"{simulated.name_of(cohort)}-{simulated.called(person)}"


def _indices(name: str) -> tuple[int, int]:
    found = _NAME.fullmatch(name)
    assert found is not None
    return int(found[1]), int(found[2])
