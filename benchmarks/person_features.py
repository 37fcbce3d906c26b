"""Simple features of simulated persons, in a cache: by what their difficulty is told."""

import ast
import functools
import hashlib
import itertools
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import astuple, dataclass, replace
from pathlib import Path

from simulation import PACKAGES  # first: it sets the number of threads

# isort: split
import numpy as np
import soxr
import torch
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track

from fedbreath import audio, encoders
from fedbreath.atomic import write_with
from fedbreath.audio import FrontEnd, Sound
from fedbreath.config import load
from fedbreath.datasets import simulated
from fedbreath.datasets.simulated import Config, Simulated, Take
from fedbreath.downstream import embedding, functionals
from fedbreath.downstream.functionals import FeatureSet
from fedbreath.features import normalise
from fedbreath.recording import Recording

Floats = NDArray[np.float32]

#: Splits, and untrained networks.
SEEDS = 5

#: Persons whose features make one file of the cache.
CHUNK = 100

OPENSMILE: Mapping[str, FeatureSet] = {
    "openSMILE eGeMAPSv02": "eGeMAPSv02",
    "openSMILE ComParE_2016": "ComParE_2016",
}

Extractor = Callable[[Sound], Floats]


@dataclass(frozen=True)
class Person:
    """One person's recordings: breaths and coughs, one of each a session."""

    labels: Mapping[str, str]
    device: str
    breaths: tuple[Recording, ...]
    coughs: tuple[Recording, ...]


def population(count: int, seed: int) -> list[Person]:
    """The first persons of as many cohorts of the default size as it takes."""
    cohorts = 2 + count // 40
    sites = Simulated(Config(cohorts=cohorts, seed=seed)).sites()
    found = []
    recordings = itertools.chain.from_iterable(site.recordings for site in sites)
    for _, group in itertools.groupby(recordings, lambda r: r.subject):
        own = tuple(group)
        devices = Counter(str(r.device) for r in own)
        breaths = tuple(r for r in own if r.modality == "breath")
        coughs = tuple(r for r in own if r.modality == "cough")
        found.append(Person(own[0].labels, devices.most_common(1)[0][0], breaths, coughs))
    if len(found) < count:
        raise RuntimeError(f"{cohorts} cohorts hold {len(found)} persons, {count} are wanted")
    return found[:count]


def statistics(sound: Sound) -> Floats:
    """Mean and standard deviation of each mel band over time."""
    frames = audio.log_mel(sound, FrontEnd())
    return np.concatenate([frames.mean(axis=0), frames.std(axis=0)])


def untrained_config() -> str:
    """What the untrained networks are built from."""
    config = load((), PACKAGES)
    return f"{config.encoder} {config.views.seconds}"


def untrained() -> Extractor:
    """The embeddings of as many untrained networks as seeds, side by side."""
    config = load((), PACKAGES)
    networks = [
        encoders.build(config.encoder, FrontEnd().mels, seed).eval() for seed in range(SEEDS)
    ]
    frames = FrontEnd().frames(config.views.seconds)

    @torch.no_grad()
    def embed(sound: Sound) -> Floats:
        log_mel = audio.log_mel(sound, FrontEnd()).astype(np.float16)
        cut = normalise(embedding.windows(log_mel, frames), FrontEnd())
        batch = torch.from_numpy(cut).transpose(1, 2)
        return np.concatenate([network(batch).mean(dim=0).numpy() for network in networks])

    return embed


def opensmile_functionals(feature_set: FeatureSet) -> Extractor:
    """One feature set of openSMILE over a whole recording."""
    own = functionals.extractor(feature_set)

    def extract(sound: Sound) -> Floats:
        return own(soxr.resample(sound.samples, sound.sample_rate, functionals.RATE, "HQ"))

    return extract


def truth(persons: Sequence[Person]) -> Floats:
    """What shapes each person's sound, mean over the days, as it is and as logarithms."""
    rows = []
    for person in persons:
        days = []
        for recording in person.breaths:
            assert isinstance(recording.source, Take)
            airway = recording.source.causes()[0]
            if not airway.wheeze:
                # What never sounds cannot be known: the pitch of a wheeze that is not there.
                airway = replace(airway, wheeze_hz=0.0, voices=0)
            days.append(astuple(airway))
        values = np.array(days, np.float64)
        rows.append([*values.mean(axis=0), *np.log(np.abs(values) + 0.05).mean(axis=0)])
    return np.array(rows, np.float32)


def extracted(
    name: str,
    persons: Sequence[Person],
    make: Callable[[], Extractor],
    cache: Path,
    seed: int,
    made_by: str = "",
) -> Floats:
    """Features of each person, from the cache where they are.

    Args:
        name: Of the feature.
        persons: The first of a population.
        make: Gives the extractor; called only where the cache lacks something.
        cache: Its folder.
        seed: Of the population.
        made_by: What else the features depend on.
    """
    generator = generator_digest()
    parts: list[Floats] = []
    extract: Extractor | None = None
    starts = range(0, len(persons), CHUNK)
    for start in track(starts, f"{name:24}", console=Console(stderr=True)):
        some = persons[start : start + CHUNK]
        words = (generator, name, seed, start, len(some), SEEDS, repr(FrontEnd()), made_by)
        path = cache / f"{hashlib.sha256(repr(words).encode()).hexdigest()[:16]}.npy"
        if not path.exists():
            extract = extract or make()
            rows = [
                np.concatenate([pooled(p.breaths, extract), pooled(p.coughs, extract)])
                for p in some
            ]
            write_with(path, functools.partial(_save, np.array(rows, np.float32)))
        parts.append(np.load(path))
    return np.concatenate(parts)


def _save(table: Floats, path: Path) -> None:
    with path.open("wb") as file:
        np.save(file, table)


def pooled(recordings: Sequence[Recording], extract: Extractor) -> Floats:
    """Mean of a person's recordings of one kind."""
    rows = [extract(audio.read(recording)) for recording in recordings]
    mean: Floats = np.mean(rows, axis=0)
    return mean


def generator_digest() -> str:
    """Changes with the code of any module of the generator, but not with its comments."""
    folder = Path(simulated.__file__).parent
    digest = hashlib.sha256()
    for name in GENERATOR:
        tree = ast.parse((folder / f"{name}.py").read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
                # Docstrings, and constants that stand alone.
                node.body = [line for line in node.body if not _says_only(line)]
        digest.update(ast.dump(tree).encode())
    return digest.hexdigest()


def _says_only(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


#: Modules that a rendered sample or a label depends on.
GENERATOR = (
    "airways", "background", "breath", "codec", "cough", "frames", "phone", "population",
    "respiratory_sound", "simulated",
)  # fmt: skip
