"""openSMILE's functionals: what classical features know, and a study should beat.

ComParE_2016 (6,373 functionals of 65 low-level descriptors; Schuller et al., Interspeech
2016) and eGeMAPSv02 (88; Eyben et al., IEEE Trans. Affective Computing 7(2), 2016), of each
whole recording as it was recorded, level and all, resampled to 16 kHz; of a window around
an event, that part of it. openSMILE is an extra (``fedbreath[baselines]``), and free for
research only.

They are slow, a minute for each hour of sound or more, so they are kept among the feature
stores: one file for each feature set, version of openSMILE and store, with a row for each
recording or window.
"""

import functools
import importlib.metadata
import importlib.util
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import numpy as np
import soxr
from numpy.typing import NDArray

from fedbreath import audio, features
from fedbreath.atomic import write_with
from fedbreath.config import digest
from fedbreath.features import Entry, Selection, Store
from fedbreath.lock import locked
from fedbreath.recording import Recording

Floats = NDArray[np.float32]
FeatureSet = Literal["ComParE_2016", "eGeMAPSv02"]

#: Hz.
RATE = 16_000

#: s. What is computed is written down this often.
_SAVE = 60.0

#: s. How long a second process waits for one that computes the same.
_WAIT = 3600.0


def missing() -> str:
    """How to get openSMILE; empty where it is installed."""
    return "" if importlib.util.find_spec("opensmile") else "pip install 'fedbreath[baselines]'"


def extractor(feature_set: FeatureSet) -> Callable[[Floats], Floats]:
    """The functionals of samples at `RATE`, shape (samples,) to (D,).

    What is undefined (the pitch of a sound that has none) is 0.
    """
    import opensmile  # noqa: PLC0415 - an extra

    smile = opensmile.Smile(opensmile.FeatureSet[feature_set], opensmile.FeatureLevel.Functionals)

    def extract(samples: Floats) -> Floats:
        row: Floats = smile.process_signal(samples, RATE).to_numpy(np.float32)[0]
        return np.nan_to_num(row)

    return extract


def functionals(
    selection: Selection,
    feature_set: FeatureSet,
    cache: Path,
    progress: Callable[[int, int], None] = lambda *_: None,
) -> Floats:
    """Functionals of every recording, or window, of a selection.

    Args:
        selection: Recordings.
        feature_set: One of openSMILE's.
        cache: Folder of the feature stores.
        progress: Told the rows that are there, and rows in all.

    Returns:
        Shape (N, D), in the selection's order.
    """
    parts, done = [], 0
    for store, chosen in selection.parts:
        entries = [store.entries[i] for i in chosen]
        report = functools.partial(_report, progress, done, len(selection))
        path = _path(store, feature_set, cache)
        with locked(path.with_suffix(".lock"), _WAIT):
            parts.append(_rows(entries, feature_set, path, report))
        done += len(entries)
        progress(done, len(selection))
    return np.concatenate([part for part in parts if len(part)])


def _report(progress: Callable[[int, int], None], before: int, total: int, done: int) -> None:
    progress(before + done, total)


def _path(store: Store, feature_set: FeatureSet, cache: Path) -> Path:
    made_by = [feature_set, _version(), RATE, features.key(store.site, store.front_end)]
    return cache / "opensmile" / f"{store.site.name}-{digest(made_by)}.{feature_set}.npz"


def _version() -> str:
    return importlib.metadata.version("opensmile")


def _rows(
    entries: list[Entry], feature_set: FeatureSet, path: Path, report: Callable[[int], None]
) -> Floats:
    known = _read(path)
    lacking = [e for e in entries if _name(e.recording) not in known]
    extract = extractor(feature_set) if lacking else None
    saved = time.monotonic()
    for number, entry in enumerate(lacking):
        assert extract is not None
        report(len(entries) - len(lacking) + number)
        known[_name(entry.recording)] = extract(heard(entry.recording))
        if time.monotonic() - saved > _SAVE:
            _write(path, known)
            saved = time.monotonic()
    if lacking:
        _write(path, known)
    return np.array([known[_name(e.recording)] for e in entries], np.float32)


def _name(recording: Recording) -> str:
    """What a row is of. The file's name tells the front end, but not how long windows are."""
    low, high = recording.span or (0.0, 0.0)
    return f"{recording.id} {low:.6f} {high:.6f}"


def heard(recording: Recording) -> Floats:
    """The samples of a recording, or of its span, at `RATE`; shape (samples,)."""
    sound = audio.read(recording)
    samples: Floats = soxr.resample(sound.samples, sound.sample_rate, RATE, "HQ")
    if recording.span is None:
        return samples
    first, last = (round(at * RATE) for at in recording.span)
    return samples[first:last]


def _read(path: Path) -> dict[str, Floats]:
    try:
        with np.load(path, allow_pickle=False) as file:
            return dict(zip(file["names"].tolist(), file["rows"], strict=True))
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return {}  # not there, or no file of ours: it is made again


def _write(path: Path, known: dict[str, Floats]) -> None:
    def fill(new: Path) -> None:
        with new.open("wb") as file:
            np.savez(file, names=np.array(list(known)), rows=np.array(list(known.values())))

    write_with(path, fill)
