"""Building feature stores: resumable, safe against kill -9, in one process or several.

A store under construction is a folder ``<site>-<key>.partial``: ``features.f16`` grows, and
``journal.jsonl`` says, one recording a line, what of it is whole. The journal is written
after the features are on the disk, every `_SYNC` seconds; a build that was killed goes on
after the journal's last whole line. Recordings are written in the site's order, so that an
interrupted build ends in the same bytes. The finished folder is renamed, and only then is
it taken for a store.
"""

import functools
import json
import os
import shutil
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from fedbreath import audio, decoding
from fedbreath.atomic import write_json
from fedbreath.audio import FrontEnd
from fedbreath.decoding import Readers
from fedbreath.errors import DataError
from fedbreath.features import (
    Entry,
    StaleStoreError,
    Store,
    folder_of,
    joined,
    key,
    open_store,
    stored,
)
from fedbreath.lock import locked
from fedbreath.recording import Problem, Recording, Site

#: s. What a power cut may cost.
_SYNC = 2.0

#: s. How long a second process waits for one that builds the same store.
_WAIT = 3600.0

#: Told the recordings and the seconds of audio done since it was last told.
Progress = Callable[[int, float], None]

Row = dict[str, Any]


def prepare(
    site: Site,
    front_end: FrontEnd,
    cache: Path,
    readers: Readers | None = None,
    progress: Progress = lambda *_: None,
) -> Store:
    """Open the site's store, or build it where there is none or a stale one.

    Args:
        site: The site to read.
        front_end: The parameters.
        cache: Folder of all stores.
        readers: Processes that decode; None decodes here.
        progress: Told what is done, what an interrupted build had done included.

    Returns:
        The open store.

    Raises:
        DataError: The cache folder cannot be written.
    """
    folder = folder_of(site, front_end, cache)
    store = _opened(folder, site, front_end)
    if store is None:
        partial = folder.with_name(f"{folder.name}.partial")
        try:
            with locked(partial / ".lock", _WAIT):
                # Another process may have finished it while this one waited.
                if not folder.exists():
                    _build(site, front_end, partial, readers, progress)
                    (partial / ".lock").unlink()
                    partial.rename(folder)
        except OSError as error:
            raise DataError(f"{cache} cannot hold a feature store: {error.strerror}") from None
        return open_store(folder, site, front_end)
    progress(len(site.recordings), sum(entry.seconds for entry in store.entries))
    return store


def in_memory(site: Site, front_end: FrontEnd) -> Store:
    """The store of a site that is read now and kept nowhere: for what is needed once.

    Its numbers are those that `prepare` writes.
    """
    entries: list[Entry] = []
    problems: list[Problem] = []
    frames = [np.empty((0, front_end.rows), np.float16)]
    offset = 0
    for recording, result in decoding.each(
        site.recordings, functools.partial(_analyse, front_end=front_end), None
    ):
        if isinstance(result, Problem):
            problems.append(result)
            continue
        entries.append(Entry(recording, offset, len(result.frames), **result.condition))
        frames.append(result.frames)
        offset += len(result.frames)
    kept = replace(
        site,
        recordings=tuple(entry.recording for entry in entries),
        problems=(*site.problems, *problems),
    )
    return Store(kept, front_end, joined(entries), np.concatenate(frames))


def _opened(folder: Path, site: Site, front_end: FrontEnd) -> Store | None:
    """The store that is there; a stale one is taken away."""
    if not folder.exists():
        return None
    try:
        return open_store(folder, site, front_end)
    except StaleStoreError:
        shutil.rmtree(folder)
        return None


def _build(
    site: Site, front_end: FrontEnd, partial: Path, readers: Readers | None, progress: Progress
) -> None:
    made_by = key(site, front_end)
    done = _resume(partial, site, front_end)
    progress(len(done), sum(row.get("seconds", 0.0) for row in done))
    offset = sum(row.get("frames", 0) for row in done)
    job = functools.partial(_analyse, front_end=front_end)
    with (
        (partial / "features.f16").open("ab") as features,
        (partial / "journal.jsonl").open("ab") as journal,
    ):
        features.truncate(offset * front_end.rows * 2)
        writer = _Writer(features, journal)
        for recording, result in decoding.each(site.recordings[len(done) :], job, readers):
            row: Row = {"id": recording.id}
            if isinstance(result, Problem):
                row["problem"] = result.reason
            else:
                row |= {"offset": offset, "frames": len(result.frames), **result.condition}
                offset += len(result.frames)
                result.frames.tofile(features)
            writer.add(row)
            done.append(row)
            progress(1, row.get("seconds", 0.0))
        writer.sync()
    write_json(
        partial / "index.json",
        {
            "key": made_by,
            "entries": [row for row in done if "problem" not in row],
            "problems": [[row["id"], row["problem"]] for row in done if "problem" in row],
        },
    )
    (partial / "journal.jsonl").unlink()


class _Writer:
    """The journal, never ahead of the features on the disk."""

    def __init__(self, features: BinaryIO, journal: BinaryIO) -> None:
        self.features, self.journal = features, journal
        self.waiting: list[Row] = []
        self.synced = time.monotonic()

    def add(self, row: Row) -> None:
        self.waiting.append(row)
        if time.monotonic() - self.synced > _SYNC:
            self.sync()

    def sync(self) -> None:
        self.features.flush()
        os.fsync(self.features.fileno())
        self.journal.writelines(json.dumps(row).encode() + b"\n" for row in self.waiting)
        self.journal.flush()
        os.fsync(self.journal.fileno())
        self.waiting.clear()
        self.synced = time.monotonic()


def _resume(partial: Path, site: Site, front_end: FrontEnd) -> list[Row]:
    """What of an interrupted build is whole; the journal is cut to it.

    Raises:
        OSError: The folder cannot be read or written.
    """
    journal, features = partial / "journal.jsonl", partial / "features.f16"
    done: list[Row] = []
    if journal.exists() and features.exists():
        held = features.stat().st_size // (front_end.rows * 2)
        offset = 0
        lines = journal.read_bytes().split(b"\n")
        for line, recording in zip(lines, site.recordings, strict=False):
            try:
                row = json.loads(line)
                offset += row.get("frames", 0)
                if row["id"] != recording.id or offset > held:
                    break
            except (ValueError, LookupError, AttributeError, TypeError):
                break
            done.append(row)
    journal.write_bytes(b"".join(json.dumps(row).encode() + b"\n" for row in done))
    return done


@dataclass(frozen=True)
class _Analysis:
    """What is kept of one recording: frames of shape (frames, rows), and its condition."""

    frames: NDArray[np.float16]
    condition: dict[str, Any]


def _analyse(recording: Recording, front_end: FrontEnd) -> _Analysis:
    sound = audio.read(recording)
    frames = stored(audio.analyse(sound, front_end))
    return _Analysis(frames, asdict(audio.examine(sound)))
