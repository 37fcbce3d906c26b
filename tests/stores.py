"""Feature stores held in memory, for tests that need recordings and no sound."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from fedbreath.audio import FrontEnd
from fedbreath.features import Entry, Store
from fedbreath.recording import Recording, Site

#: Few mel bands, so that tests are fast.
MELS = 8


def nothing() -> tuple[NDArray[np.float32], int]:
    """The source of a recording whose sound nobody reads."""
    return np.zeros(1, np.float32), 8000


def person(number: int, take: int = 0, label: str = "no", device: str | None = None) -> Recording:
    """A recording of a person."""
    name = f"person-{number:03d}"
    return Recording(
        f"{name}/{take}", nothing, "demo", name, "cough", {"ill": label}, device=device
    )


def store(
    recordings: Sequence[Recording],
    log_mels: Sequence[NDArray[np.float16]],
    name: str = "site",
    front_end: FrontEnd | None = None,
) -> Store:
    """A store of these recordings with these log-mels, each of shape (frames, mels).

    Tracks, where the front end keeps them, are noise.
    """
    front_end = replace(front_end or FrontEnd(), mels=log_mels[0].shape[1] if log_mels else MELS)
    mels = front_end.mels
    entries, offset = [], 0
    for recording, log_mel in zip(recordings, log_mels, strict=True):
        frames = len(log_mel)
        entries.append(Entry(recording, offset, frames, 0.016 * frames, 8000, -20.0))
        offset += frames
    features = np.concatenate(log_mels) if log_mels else np.zeros((0, mels), np.float16)
    tracks = np.random.default_rng(0).normal(0, 1, (len(features), front_end.rows - mels))
    features = np.concatenate([features, tracks.astype(np.float16)], axis=1)
    return Store(Site(name, tuple(recordings)), front_end, tuple(entries), features)


def noise(
    count: int, frames: int = 70, mels: int = MELS, seed: int = 0
) -> list[NDArray[np.float16]]:
    """Log-mels of recordings that differ in their spectrum and are otherwise noise."""
    rng = np.random.default_rng(seed)
    spectra = rng.normal(0, 6, (count, 1, mels))
    return list((spectra + rng.normal(0, 1, (count, frames, mels))).astype(np.float16))
