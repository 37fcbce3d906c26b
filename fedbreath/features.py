"""The feature store: one memory-mapped float16 file of log-mels and an index per site.

A store is a folder ``<site>-<key>`` with two files. ``features.f16`` holds the frames of
all recordings one after another, shape (total frames, mels), float16, so that a random
crop costs one slice and no decoding. ``index.json`` holds, per recording, its offset
and length in frames, its duration (s), sample rate (Hz) and level (dB re full scale),
and what was refused and why. The key is a digest of the front end and of every source
(size and time of a file, the parameters of a simulated sound): a store made from
anything else is stale, is refused by `open_store` and made again by `prepare`.

Stores are written into a temporary folder and renamed: a killed build leaves nothing
that could be taken for a store.
"""

import dataclasses
import functools
import json
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from fedbreath import audio
from fedbreath.audio import FrontEnd
from fedbreath.config import digest
from fedbreath.errors import AudioError, DataError
from fedbreath.recording import Problem, Recording, Site

#: Raised whenever the stored numbers would differ for the same input.
FORMAT = 1

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
    """

    recording: Recording
    offset: int
    frames: int
    seconds: float
    sample_rate: int
    level: float


@dataclass(frozen=True)
class Store:
    """A site's features, opened.

    Attributes:
        site: The site, with what the front end refused added to its problems and taken
            out of its recordings.
        front_end: The parameters that made the features.
        entries: One per recording, in the site's order.
        features: Memory map of shape (total frames, mels), float16.
    """

    site: Site
    front_end: FrontEnd
    entries: tuple[Entry, ...]
    features: NDArray[np.float16]

    def select(self, keep: Callable[[Recording], bool] = lambda _: True) -> "Selection":
        """The recordings for which `keep` is true."""
        chosen = [i for i, e in enumerate(self.entries) if keep(e.recording)]
        return Selection(((self, tuple(chosen)),))


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
    def _spans(self) -> list[tuple[NDArray[np.float16], int, int]]:
        return [
            (store.features, store.entries[i].offset, store.entries[i].frames)
            for store, chosen in self.parts
            for i in chosen
        ]

    def log_mel(self, index: int) -> NDArray[np.float16]:
        """All frames of one recording, not normalised, shape (frames, mels)."""
        features, offset, frames = self._spans[index]
        return features[offset : offset + frames]

    def crops(self, indices: Ints, frames: int, rng: np.random.Generator) -> Floats:
        """One random crop of each named recording, not normalised.

        A recording shorter than the crop is repeated to fill it, from a random phase.

        Args:
            indices: Positions in the selection, shape (B,).
            frames: Length of a crop.
            rng: Draws the starts.

        Returns:
            Shape (B, frames, mels), float32.
        """
        mels = self.parts[0][0].front_end.mels
        spans = [self._spans[i] for i in indices]
        lengths = np.array([length for _, _, length in spans], np.int64)
        slack = np.where(lengths >= frames, lengths - frames + 1, lengths)
        starts = rng.integers(0, slack)
        out = np.empty((len(spans), frames, mels), np.float32)
        for row, (features, offset, length), start in zip(out, spans, starts, strict=True):
            if length >= frames:
                row[:] = features[offset + start : offset + start + frames]
            else:
                row[:] = features[offset + (start + np.arange(frames)) % length]
        return out


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
    """Where `prepare` keeps the store of this site and front end."""
    return cache / f"{site.name}-{key(site, front_end)}"


def prepare(
    site: Site,
    front_end: FrontEnd,
    cache: Path,
    pool: Executor | None = None,
    progress: Callable[[int], None] = lambda _: None,
) -> Store:
    """Open the site's store, or build it where there is none or a stale one.

    Args:
        site: The site to read.
        front_end: The parameters.
        cache: Folder of all stores.
        pool: Processes that decode (`decoders`); None decodes here.
        progress: Told the number of recordings done since it was last told.

    Returns:
        The open store.
    """
    folder = folder_of(site, front_end, cache)
    if folder.exists():
        try:
            store = open_store(folder, site, front_end)
        except StaleStoreError:
            shutil.rmtree(folder)
        else:
            progress(len(site.recordings))
            return store
    _build(site, front_end, folder, pool, progress)
    return open_store(folder, site, front_end)


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
    if size != total * front_end.mels * 2:
        raise StaleStoreError(f"{folder}/features.f16 has {size} bytes, not what its index says")
    kept = dataclasses.replace(
        site,
        recordings=tuple(e.recording for e in entries),
        problems=site.problems + problems,
    )
    shape = (total, front_end.mels)
    features: NDArray[np.float16] = (
        np.memmap(folder / "features.f16", np.float16, "r", shape=shape)
        if total
        else np.zeros(shape, np.float16)
    )
    return Store(kept, front_end, entries, np.asarray(features))


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
    return tuple(entries)


def decoders(workers: int) -> Executor:
    """Processes for `prepare`, one thread each."""
    return ProcessPoolExecutor(
        workers, get_context("spawn"), initializer=torch.set_num_threads, initargs=(1,)
    )


def _build(
    site: Site,
    front_end: FrontEnd,
    folder: Path,
    pool: Executor | None,
    progress: Callable[[int], None],
) -> None:
    temporary = folder.with_name(f"{folder.name}.{os.getpid()}.tmp")
    shutil.rmtree(temporary, ignore_errors=True)
    try:
        temporary.mkdir(parents=True)
    except OSError as error:
        raise DataError(f"{folder.parent} cannot hold a cache: {error.strerror}") from None
    rows: list[dict[str, Any]] = []
    problems: list[tuple[str, str]] = []
    offset = 0
    with (temporary / "features.f16").open("wb") as file:
        for recording, result in _analysed(site.recordings, front_end, pool):
            if isinstance(result, str):
                problems.append((recording.id, result))
            else:
                frames, row = result
                row["offset"] = offset
                offset += row["frames"]
                frames.tofile(file)
                rows.append({"id": recording.id, **row})
            progress(1)
        file.flush()
        os.fsync(file.fileno())
    index = {"key": key(site, front_end), "entries": rows, "problems": problems}
    with (temporary / "index.json").open("w") as text:
        json.dump(index, text)
        text.flush()
        os.fsync(text.fileno())
    try:
        temporary.rename(folder)
    except OSError:  # another process finished the same store first
        shutil.rmtree(temporary)
        if not folder.exists():
            raise


Analysis = tuple[NDArray[np.float16], dict[str, Any]] | str


def _analysed(
    recordings: Sequence[Recording], front_end: FrontEnd, pool: Executor | None
) -> Iterator[tuple[Recording, Analysis]]:
    """Each recording with its features or the reason why it has none, in order."""
    job = functools.partial(_analyse, front_end=front_end)
    results = pool.map(job, recordings, chunksize=8) if pool else map(job, recordings)
    yield from zip(recordings, results, strict=True)


def _analyse(recording: Recording, front_end: FrontEnd) -> Analysis:
    try:
        sound = audio.read(recording)
        frames = audio.log_mel(sound, front_end).astype(np.float16)
    except AudioError as error:
        return str(error)
    level = 10 * np.log10(np.square(sound.samples, dtype=np.float64).mean())
    return frames, {
        "frames": len(frames),
        "seconds": round(sound.seconds, 4),
        "sample_rate": sound.sample_rate,
        "level": round(float(level), 2),
    }


def normalise(crops: Floats, front_end: FrontEnd) -> Floats:
    """Centre and scale log-mels in place by the front end's public constants."""
    crops -= front_end.mean
    crops /= front_end.sd
    return crops
