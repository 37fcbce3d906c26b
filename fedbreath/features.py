"""The feature store: one memory-mapped float16 file of log-mels and an index per site.

A store is a folder ``<site>-<key>`` with two files. ``features.f16`` holds the frames of
all recordings one after another, shape (total frames, rows), float16, so that a random
crop costs one slice and no decoding; a frame's row is its log-mels and, after them, its
tracks (`fedbreath.tracks`). ``index.json`` holds, per recording, its offset
and length in frames and its `audio.Condition`, and what was refused and why. The key is a
digest of the front end and of every source (size and time of a file, the parameters of a
simulated sound): a store made from anything else is stale and refused by `open_store`.
`fedbreath.building` makes stores.
"""

import dataclasses
import functools
import json
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from fedbreath import split
from fedbreath.audio import FrontEnd
from fedbreath.config import digest
from fedbreath.errors import DataError
from fedbreath.recording import Problem, Recording, Site

#: Raised whenever the stored numbers would differ for the same input.
FORMAT = 3

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Entry:
    """One recording of a store.

    Attributes:
        recording: What is known about it.
        offset: First frame in the memory map.
        frames: Number of frames.
        seconds: Duration as recorded, s.
        sample_rate: As recorded, Hz.
        level: Root mean square, dB re full scale.
        clipped: Share of clipped samples.
        digest: Hash of the decoded samples; blank where it is not known.
        group: What a split never cuts: the recording's group, joined with every group of
            the site that holds identical audio.
    """

    recording: Recording
    offset: int
    frames: int
    seconds: float
    sample_rate: int
    level: float
    clipped: float = 0.0
    digest: str = ""
    group: str = ""

    def __post_init__(self) -> None:
        if not self.group:
            object.__setattr__(self, "group", self.recording.group)


@dataclass(frozen=True)
class Store:
    """A site's features, opened.

    Attributes:
        site: The site, with what the front end refused added to its problems and taken
            out of its recordings.
        front_end: The parameters that made the features.
        entries: One per recording, in the site's order.
        features: Memory map of shape (total frames, rows), float16.
        path: The file that is mapped, by which another process opens it; None where the
            features are in memory alone.
    """

    site: Site
    front_end: FrontEnd
    entries: tuple[Entry, ...]
    features: NDArray[np.float16]
    path: Path | None = None

    def select(self, keep: Callable[[Entry], bool] = lambda _: True) -> "Selection":
        """The recordings for which `keep` is true."""
        chosen = [i for i, entry in enumerate(self.entries) if keep(entry)]
        return Selection(((self, tuple(chosen)),))

    def without(self, refused: Sequence[Problem]) -> "Store":
        """The store less the recordings that these problems name by their ids."""
        items = {problem.item for problem in refused}
        entries = tuple(e for e in self.entries if e.recording.id not in items)
        site = dataclasses.replace(
            self.site,
            recordings=tuple(e.recording for e in entries),
            problems=(*self.site.problems, *refused),
        )
        return dataclasses.replace(self, site=site, entries=entries)


@dataclass(frozen=True)
class Selection:
    """Recordings of one or more stores, in a fixed order: what a client trains on.

    Attributes:
        parts: Stores with the indices chosen from each.
    """

    parts: tuple[tuple[Store, tuple[int, ...]], ...]

    def __len__(self) -> int:
        return len(self.entries)

    def __add__(self, other: "Selection") -> "Selection":
        return Selection(self.parts + other.parts)

    @functools.cached_property
    def entries(self) -> tuple[Entry, ...]:
        """The chosen entries, part after part."""
        return tuple(store.entries[i] for store, chosen in self.parts for i in chosen)

    @functools.cached_property
    def subjects(self) -> tuple[str | None, ...]:
        """The person behind each recording, None where none is known."""
        return tuple(e.recording.subject for e in self.entries)

    @functools.cached_property
    def people(self) -> tuple[str | None, ...]:
        """As `subjects`, with the site's name, so that no two sites share a person."""
        return tuple(
            f"{store.site.name}/{subject}" if subject is not None else None
            for store, chosen in self.parts
            for subject in (store.entries[i].recording.subject for i in chosen)
        )

    @functools.cached_property
    def _spans(self) -> list[tuple[NDArray[np.float16], int, int]]:
        return [
            (store.features, store.entries[i].offset, store.entries[i].frames)
            for store, chosen in self.parts
            for i in chosen
        ]

    def frames(self, index: int) -> NDArray[np.float16]:
        """All frames of one recording, not normalised, shape (frames, rows)."""
        features, offset, frames = self._spans[index]
        return features[offset : offset + frames]

    def log_mel(self, index: int) -> NDArray[np.float16]:
        """The log-mels of one recording, not normalised, shape (frames, mels)."""
        return self.frames(index)[:, : self.parts[0][0].front_end.mels]

    def crops(
        self, indices: Ints, frames: int, rng: np.random.Generator, rows: int | None = None
    ) -> Floats:
        """One random crop of each named recording, not normalised.

        A recording shorter than the crop is repeated to fill it, from a random phase.

        Args:
            indices: Positions in the selection, shape (B,).
            frames: Length of a crop.
            rng: Draws the starts.
            rows: The first so many numbers of a frame; None means the log-mels.

        Returns:
            Shape (B, frames, rows), float32.
        """
        if rows is None:
            rows = self.parts[0][0].front_end.mels
        spans = [self._spans[i] for i in indices.tolist()]
        lengths = np.array([length for _, _, length in spans], np.int64)
        slack = np.where(lengths >= frames, lengths - frames + 1, lengths)
        starts = rng.integers(0, slack).tolist()
        out = np.empty((len(spans), frames, rows), np.float16)
        for k, (features, offset, length) in enumerate(spans):
            first = offset + starts[k]
            if length >= frames:
                out[k] = features[first : first + frames, :rows]
            else:
                out[k] = features[offset + (starts[k] + np.arange(frames)) % length, :rows]
        # As in `stored`.
        crops: Floats = torch.from_numpy(out).float().numpy()
        return crops


def stored(log_mel: Floats) -> NDArray[np.float16]:
    """Log-mels as a store holds them, rounded to half precision.

    >>> stored(np.array([[-16.118]], np.float32)).item()
    -16.125
    """
    # NumPy converts half precision in software, several times slower than torch.
    half: NDArray[np.float16] = torch.from_numpy(log_mel).half().numpy()
    return half


class StaleStoreError(DataError):
    """A store on disk was made by another front end, other sources or another format."""


def default_cache() -> Path:
    """The user's cache folder for feature stores (``XDG_CACHE_HOME`` is honoured)."""
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "fedbreath" / "stores"


def key(site: Site, front_end: FrontEnd) -> str:
    """The digest that a store of this site and front end carries."""
    made_by = dataclasses.asdict(front_end)
    for name in ("mean", "sd"):  # applied to crops, not to what is stored
        del made_by[name]
    sources = [[r.id, _fingerprint(r)] for r in site.recordings]
    return digest({"format": FORMAT, "front_end": made_by, "sources": sources})


def _fingerprint(recording: Recording) -> str:
    if not isinstance(recording.source, Path):
        return repr(recording.source)
    try:
        status = recording.source.stat()
    except OSError:
        return "missing"
    return f"{recording.source.resolve()}:{status.st_size}:{status.st_mtime_ns}"


def folder_of(site: Site, front_end: FrontEnd, cache: Path) -> Path:
    """Where `building.prepare` keeps the store of this site and front end."""
    return cache / f"{site.name}-{key(site, front_end)}"


def open_store(folder: Path, site: Site, front_end: FrontEnd) -> Store:
    """Open a store without copying it into memory.

    Raises:
        StaleStoreError: It was made from anything else, or is incomplete.
    """
    try:
        index = json.loads((folder / "index.json").read_text())
        size = (folder / "features.f16").stat().st_size
        if index["key"] != key(site, front_end):
            raise StaleStoreError(f"{folder} was made by another front end or from other files")
        entries = _entries(index["entries"], site)
        problems = tuple(Problem(item, reason) for item, reason in index["problems"])
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise StaleStoreError(f"{folder} is no complete feature store: {error!r}") from None
    total = sum(entry.frames for entry in entries)
    if size != total * front_end.rows * 2:
        raise StaleStoreError(f"{folder}/features.f16 has {size} bytes, not what its index says")
    kept = dataclasses.replace(
        site,
        recordings=tuple(e.recording for e in entries),
        problems=site.problems + problems,
    )
    shape = (total, front_end.rows)
    features: NDArray[np.float16] = (
        np.memmap(folder / "features.f16", np.float16, "r", shape=shape)
        if total
        else np.zeros(shape, np.float16)
    )
    path = folder / "features.f16" if total else None
    return Store(kept, front_end, entries, np.asarray(features), path)


def _entries(rows: Sequence[dict[str, Any]], site: Site) -> tuple[Entry, ...]:
    by_id = {r.id: r for r in site.recordings}
    entries: list[Entry] = []
    end = 0
    for row in rows:
        entry = Entry(by_id[row["id"]], **{k: v for k, v in row.items() if k != "id"})
        if entry.offset != end:
            raise ValueError(f"{row['id']} starts at frame {entry.offset}, expected {end}")
        end += entry.frames
        entries.append(entry)
    return joined(entries)


def joined(entries: Sequence[Entry]) -> tuple[Entry, ...]:
    """A site's entries, with the groups joined that hold identical audio."""
    groups = split.joined((entry.group, entry.digest) for entry in entries)
    return tuple(dataclasses.replace(e, group=groups[e.group]) for e in entries)


def normalise(crops: Floats, front_end: FrontEnd) -> Floats:
    """Centre and scale log-mels in place by the front end's public constants.

    Args:
        crops: Shape (..., rows); tracks, which have scales of their own, are left as they are.
        front_end: Gives the constants.
    """
    log_mels = crops[..., : front_end.mels]
    log_mels -= front_end.mean
    log_mels /= front_end.sd
    return crops
