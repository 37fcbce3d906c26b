"""Simulated phone cohorts: a federation that needs no file.

Each cohort is one site: persons of a respiratory clinic and their companions, who cough
and breathe into their own phones (`population`, `respiratory_sound`, `phone`). Cohorts
differ in age, smoking, prevalence, phones and background noise.

Sound is rendered when a recording is read. Every draw comes from a generator keyed by
what is drawn (seed, cohort, person, session, kind), so that a recording is the same in
any order, thread and process, and another cohort or person changes nobody else.
"""

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from fedbreath.datasets.phone import CATALOGUE, draw_scene, record
from fedbreath.datasets.population import Cohort, Person, draw_cohort, draw_person
from fedbreath.datasets.respiratory_sound import breath_take, cough_take
from fedbreath.recording import Modality, Recording, Site

#: The generator's version: raised whenever any sample or label changes.
VERSION = 1


@dataclass(frozen=True)
class Config:
    """How many cohorts of which size.

    Attributes:
        cohorts: Sites.
        persons: In each cohort.
        sessions: Of each person; a session is one take of coughs and one of breathing.
        version: Of the generator, so that a run says which one it used.
        seed: Fixes the whole population, apart from the run's seed.
    """

    cohorts: int = 4
    persons: int = 60
    sessions: int = 2
    version: int = VERSION
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("cohorts", "persons", "sessions"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be >= 1, got {getattr(self, name)}")
        if self.version != VERSION:
            raise ValueError(f"version must be {VERSION}, the only one here, got {self.version}")
        if not 0 <= self.seed < 2**32:
            raise ValueError(f"seed must lie in 0 to {2**32 - 1}, got {self.seed}")


class Draw(IntEnum):
    """What a generator is for; a word of its key."""

    COHORT = 0
    PERSON = 1
    SCENE = 2
    COUGH = 3
    BREATH = 4


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
        return np.random.Generator(np.random.Philox(np.random.SeedSequence(key)))

    def cohort(self, cohort: int) -> Cohort:
        """The cohort with this index."""
        return draw_cohort(self.generator(Draw.COHORT, cohort))

    def person(self, cohort: int, person: int) -> Person:
        """The person with this index in a cohort."""
        return draw_person(self.cohort(cohort), self.generator(Draw.PERSON, cohort, person))


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
    >>> samples.dtype.name, 2 <= len(samples) / rate <= 5
    ('float32', True)
    """

    world: World
    kind: Draw
    cohort: int
    person: int
    session: int

    def __call__(self) -> tuple[NDArray[np.float32], int]:
        """Samples of shape (samples,), float32 in [-1, 1], and the phone's rate in Hz."""
        where = (self.cohort, self.person, self.session)
        person = self.world.person(self.cohort, self.person)
        usual_snr = self.world.cohort(self.cohort).snr
        scene = draw_scene(usual_snr, self.world.generator(Draw.SCENE, *where))
        rng = self.world.generator(self.kind, *where)
        make = cough_take if self.kind is Draw.COUGH else breath_take
        phone = CATALOGUE[person.phone]
        source = make(person.airway, rng)
        return record(source, person.airway.loudness, phone, scene, rng), phone.sample_rate


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

    def _site(self, cohort: int) -> Site:
        name = f"cohort-{cohort:02d}"
        recordings: list[Recording] = []
        for number in range(self.config.persons):
            recordings += self._recordings(f"{name}/person-{number:04d}", cohort, number)
        recordings.sort(key=lambda r: r.id)
        return Site(name, tuple(recordings), stratify=("disease", "smoker"))

    def _recordings(self, subject: str, cohort: int, number: int) -> list[Recording]:
        person = self.world.person(cohort, number)
        labels = labels_of(person)
        modalities: dict[Modality, Draw] = {"breath": Draw.BREATH, "cough": Draw.COUGH}
        return [
            Recording(
                id=f"{subject}/session-{session}/{modality}",
                source=Take(self.world, kind, cohort, number, session),
                dataset="simulated",
                subject=subject,
                modality=modality,
                labels=labels,
                device=CATALOGUE[person.phone].name,
            )
            for session in range(self.config.sessions)
            for modality, kind in modalities.items()
        ]


def labels_of(person: Person) -> dict[str, str]:
    """A person's labels as text; severity only of the diseased."""
    labels = {
        "age": f"{person.age:.0f}",
        "sex": "female" if person.female else "male",
        "smoker": _yes_no(person.smoker),
        "disease": _yes_no(person.diseased),
        "diagnosis": person.diagnosis,
        "fev1_z": f"{person.fev1_z:.2f}",
        "symptom": _yes_no(person.symptom),
    }
    if person.severe is not None:
        labels["severity"] = "severe" if person.severe else "mild"
    return labels


def _yes_no(value: bool) -> str:
    return "yes" if value else "no"
