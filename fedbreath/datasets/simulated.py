"""Simulated phone cohorts: a federation that needs no file.

Each cohort is one site: persons of a respiratory clinic and their companions, who cough and
breathe into their own phones on several days. Cohorts differ in age, smoking, prevalence,
phones, places, habits and size. `population` says who they are, `airways` how they sound on a
day, `cough` and `breath` make the sound, `background` the place, `phone` and `codec` the file.
``docs/simulated-cohorts.md`` explains the model and shows how hard its labels are.

Sound is rendered when a recording is read: a recording needs no other, and no disk. Every
draw comes from a generator keyed by what is drawn (version, seed, cohort, person, session,
kind), so that a recording is the same in any order, thread and process, and another cohort
or person changes nobody else.
"""

import functools
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from fedbreath.datasets.airways import airway_on
from fedbreath.datasets.background import PLACES, Scene, draw_scene
from fedbreath.datasets.breath import breath_take
from fedbreath.datasets.cough import cough_take
from fedbreath.datasets.phone import CATALOGUE, Phone, record
from fedbreath.datasets.population import (
    Cohort,
    Person,
    Session,
    draw_cohort,
    draw_person,
    draw_sessions,
    quantity,
)
from fedbreath.datasets.respiratory_sound import Airway
from fedbreath.recording import Modality, Recording, Site

#: The generator's version: raised whenever any sample or label changes.
VERSION = 1

#: A cohort has as many persons at least, unless fewer are asked for.
FEWEST = 4


@dataclass(frozen=True)
class Config:
    """How many cohorts of which size.

    Quantities differ as they do where people volunteer: persons of a cohort and sessions of
    a person are log-normal around their medians.

    Attributes:
        cohorts: Sites.
        persons: In each cohort, median.
        sessions: Of each person, median; a session is a take of coughs and one of breathing.
        persons_spread: Standard deviation of the logarithm of a cohort's persons; 0 makes
            all cohorts equal.
        sessions_spread: The same of a person's sessions.
        version: Of the generator, so that a run says which one it used.
        seed: Fixes the whole population, apart from the run's seed.
    """

    cohorts: int = 4
    persons: int = 60
    sessions: int = 2
    persons_spread: float = 0.3
    sessions_spread: float = 0.4
    version: int = VERSION
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("cohorts", "persons", "sessions"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be >= 1, got {getattr(self, name)}")
        for name in ("persons_spread", "sessions_spread"):
            if not 0 <= getattr(self, name) <= 2:
                raise ValueError(f"{name} must lie in 0 to 2, got {getattr(self, name)}")
        if self.version != VERSION:
            raise ValueError(f"version must be {VERSION}, the only one here, got {self.version}")
        if not 0 <= self.seed < 2**32:
            raise ValueError(f"seed must lie in 0 to {2**32 - 1}, got {self.seed}")


class Draw(IntEnum):
    """What a generator is for; a word of its key."""

    COHORT = 0
    PERSON = 1
    SESSIONS = 2
    SCENE = 3
    COUGH = 4
    BREATH = 5


@dataclass(frozen=True, slots=True)
class World:
    """Everybody who could be drawn: cohorts and persons without end, by index.

    Attributes:
        version: Of the generator.
        seed: Of the population.
    """

    version: int
    seed: int

    def generator(
        self, draw: Draw, cohort: int, person: int = 0, session: int = 0
    ) -> np.random.Generator:
        """The generator of one draw: a function of its key and of nothing else."""
        # Always as many words: SeedSequence pads short keys with zeros, which would let
        # keys of different length coincide.
        key = (self.version, self.seed, draw, cohort, person, session)
        return np.random.Generator(np.random.PCG64(np.random.SeedSequence(key)))

    def cohort(self, cohort: int) -> Cohort:
        """The cohort with this index."""
        return _cohort(self, cohort)

    def person(self, cohort: int, person: int) -> Person:
        """The person with this index in a cohort."""
        return draw_person(self.cohort(cohort), self.generator(Draw.PERSON, cohort, person))

    def sessions(self, cohort: int, person: int, count: int, who: Person) -> list[Session]:
        """The first `count` sessions of a person who has been drawn."""
        rng = self.generator(Draw.SESSIONS, cohort, person)
        return draw_sessions(self.cohort(cohort), who, count, rng)


@functools.lru_cache(maxsize=1024)
def _cohort(world: World, cohort: int) -> Cohort:
    return draw_cohort(world.generator(Draw.COHORT, cohort))


@dataclass(frozen=True, slots=True)
class Take:
    """A waveform source: one take of one person, rendered at each call.

    Attributes:
        world: Where the person lives.
        kind: Cough or breath.
        cohort: Index.
        person: Index within the cohort.
        session: Index.

    >>> samples, rate = Take(World(VERSION, seed=0), Draw.COUGH, 0, 0, 0)()
    >>> samples.dtype.name, 2 <= len(samples) / rate <= 6
    ('float32', True)
    """

    world: World
    kind: Draw
    cohort: int
    person: int
    session: int

    def __call__(self) -> tuple[NDArray[np.float32], int]:
        """Samples of shape (samples,), float32 in [-1, 1], and the phone's rate in Hz."""
        return self.through()

    def through(
        self, phone: Phone | None = None, scene: Scene | None = None
    ) -> tuple[NDArray[np.float32], int]:
        """The same coughs or breaths as another phone, or at another place, would have them."""
        airway, session, own = self.causes()
        phone, scene = phone or CATALOGUE[session.phone], scene or own
        cohort = self.world.cohort(self.cohort)
        rng = self.world.generator(self.kind, self.cohort, self.person, self.session)
        if self.kind is Draw.COUGH:
            source = cough_take(airway, cohort.coughs, rng)
        else:
            source = breath_take(airway, cohort.depth, rng)
        level = airway.loudness - cohort.distance
        return record(source, level, phone, scene, rng), phone.sample_rate

    def causes(self) -> tuple[Airway, Session, Scene]:
        """What the sound of this take follows from: lungs, day and phone, place."""
        person = self.world.person(self.cohort, self.person)
        session = self.world.sessions(self.cohort, self.person, self.session + 1, person)[-1]
        cohort = self.world.cohort(self.cohort)
        rng = self.world.generator(Draw.SCENE, self.cohort, self.person, self.session)
        scene = draw_scene(PLACES[session.place], cohort.snr, cohort.distance, cohort.mains, rng)
        return airway_on(person.causes, person.traits, session.day), session, scene


class Simulated:
    """Simulated phone cohorts, one site each."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self.world = World(config.version, config.seed)

    def sites(self) -> list[Site]:
        """One site per cohort; nothing is rendered.

        >>> [site.name for site in Simulated(Config(cohorts=2, persons=1)).sites()]
        ['cohort-00', 'cohort-01']
        """
        return [self._site(cohort) for cohort in range(self.config.cohorts)]

    def size(self, cohort: int) -> int:
        """How many persons of a cohort are listed; there is no end to those who could be."""
        config, size = self.config, self.world.cohort(cohort).size
        return quantity(config.persons, config.persons_spread, size, FEWEST)

    def person(self, cohort: int, number: int) -> Site:
        """One person of a cohort as a site alone, listed or not; nobody else is drawn."""
        return _site(cohort, self._recordings(cohort, number))

    def _site(self, cohort: int) -> Site:
        numbers = range(self.size(cohort))
        return _site(cohort, [r for n in numbers for r in self._recordings(cohort, n)])

    def _recordings(self, cohort: int, number: int) -> list[Recording]:
        config = self.config
        subject = f"{name_of(cohort)}/{called(number)}"
        person = self.world.person(cohort, number)
        count = quantity(config.sessions, config.sessions_spread, person.diligence, 1)
        modalities: dict[Modality, Draw] = {"breath": Draw.BREATH, "cough": Draw.COUGH}
        return [
            Recording(
                id=f"{subject}/session-{index}/{modality}",
                source=Take(self.world, kind, cohort, number, index),
                dataset="simulated",
                subject=subject,
                modality=modality,
                labels=labels,
                device=CATALOGUE[session.phone].name,
            )
            for index, session in enumerate(self.world.sessions(cohort, number, count, person))
            for labels in [labels_of(person, session)]
            for modality, kind in modalities.items()
        ]


def name_of(cohort: int) -> str:
    """The name of a cohort."""
    return f"cohort-{cohort:02d}"


def called(person: int) -> str:
    """The name of a person within a cohort."""
    return f"person-{person:04d}"


def _site(cohort: int, recordings: list[Recording]) -> Site:
    known = tuple(sorted(recordings, key=lambda r: r.id))
    return Site(name_of(cohort), known, stratify=("disease", "smoker"), keys=("device", "place"))


def labels_of(person: Person, session: Session) -> dict[str, str]:
    """Labels as text; severity only of the diseased.

    The FEV1 z-score is that of the day, as a spirometer beside the phone would measure it.
    """
    causes, day = person.causes, session.day
    labels = {
        "age": f"{person.age:.0f}",
        "sex": "female" if causes.female else "male",
        "smoker": _yes_no(causes.smoker),
        "disease": _yes_no(person.diseased),
        "diagnosis": causes.diagnosis,
        "fev1_z": f"{causes.fev1_z + day.fev1_z:.2f}",
        "symptom": _yes_no(person.symptom),
        "cold": _yes_no(day.cold),
        "place": PLACES[session.place].name,
    }
    if person.severe is not None:
        labels["severity"] = "severe" if person.severe else "mild"
    return labels


def _yes_no(value: bool) -> str:
    return "yes" if value else "no"
