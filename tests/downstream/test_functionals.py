"""openSMILE's features: of the sound that is meant, kept on disk, and absent in words."""

import importlib.util
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from fedbreath.audio import FrontEnd
from fedbreath.building import prepare
from fedbreath.downstream import functionals
from fedbreath.downstream.events import at_events
from fedbreath.downstream.functionals import RATE
from fedbreath.features import Selection, Store
from fedbreath.recording import Event, Recording, Site

Floats = NDArray[np.float32]

needs_opensmile = pytest.mark.skipif(
    importlib.util.find_spec("opensmile") is None, reason="the extra baselines is not installed"
)


def site(root: Path, rate: int = 8000, count: int = 3) -> Site:
    """Recordings of 2, 3 and 4 s, with an event each."""
    rng = np.random.default_rng(0)
    recordings = []
    for n in range(count):
        path = root / f"{n}.wav"
        soundfile.write(path, rng.normal(0, 0.1, (2 + n) * rate).astype(np.float32), rate)
        events = (Event(1.0, 1.5, "x"),)
        recordings.append(Recording(path.name, path, "demo", f"p{n}", "cough", events=events))
    return Site("demo", tuple(recordings))


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return prepare(site(tmp_path), FrontEnd(mels=8), tmp_path / "cache")


class Heard:
    """In openSMILE's place: two numbers of the samples, and what it was given."""

    def __init__(self) -> None:
        self.lengths: list[int] = []

    def __call__(self, samples: Floats) -> Floats:
        self.lengths.append(len(samples))
        return np.array([len(samples), samples.std()], np.float32)


@pytest.fixture
def heard(monkeypatch: pytest.MonkeyPatch) -> Heard:
    instead = Heard()
    monkeypatch.setattr(functionals, "extractor", lambda _: instead)
    monkeypatch.setattr(functionals, "_version", lambda: "0")
    return instead


def both(store: Store) -> Selection:
    """All recordings, then a window of each."""
    return store.select() + at_events(store, 1.0).select()


@needs_opensmile
def test_rows_are_opensmiles_own(tmp_path: Path) -> None:
    """Recorded at 16 kHz, nothing is resampled; a window is its part of the file."""
    import opensmile

    store = prepare(site(tmp_path, RATE), FrontEnd(mels=8), tmp_path / "cache")
    selection = both(store)
    found = functionals.functionals(selection, "eGeMAPSv02", tmp_path / "cache")
    assert found.shape == (6, 88)
    smile = opensmile.Smile(opensmile.FeatureSet.eGeMAPSv02, opensmile.FeatureLevel.Functionals)
    for row, entry in zip(found, selection.entries, strict=True):
        assert isinstance(entry.recording.source, Path)
        samples, _ = soundfile.read(entry.recording.source, dtype="float32")
        if entry.recording.span is not None:
            low, high = entry.recording.span
            samples = samples[round(low * RATE) : round(high * RATE)]
        expected = smile.process_signal(samples, RATE).to_numpy(np.float32)[0]
        np.testing.assert_allclose(row, np.nan_to_num(expected), rtol=1e-6)


@needs_opensmile
@pytest.mark.parametrize("samples", [np.zeros(4000, np.float32), np.full(3200, 0.5, np.float32)])
def test_silence_has_numbers(samples: Floats) -> None:
    row = functionals.extractor("eGeMAPSv02")(samples)
    assert row.shape == (88,)
    assert np.isfinite(row).all()


def test_all_is_heard_at_one_rate_and_windows_are_of_one_length(
    store: Store, heard: Heard, tmp_path: Path
) -> None:
    found = functionals.functionals(both(store), "eGeMAPSv02", tmp_path)
    assert heard.lengths[:3] == [2 * RATE, 3 * RATE, 4 * RATE]
    assert heard.lengths[3:] == [round(62 * 0.016 * RATE)] * 3
    np.testing.assert_array_equal(found[:, 0], heard.lengths)


def test_what_is_known_is_not_computed_again(store: Store, heard: Heard, tmp_path: Path) -> None:
    first = functionals.functionals(both(store), "eGeMAPSv02", tmp_path)
    again = functionals.functionals(both(store), "eGeMAPSv02", tmp_path)
    np.testing.assert_array_equal(first, again)
    some = store.select(lambda e: e.recording.id != "1.wav")
    np.testing.assert_array_equal(
        functionals.functionals(some, "eGeMAPSv02", tmp_path), first[[0, 2]]
    )
    assert len(heard.lengths) == 6


def test_longer_windows_and_other_sets_and_versions_are_others(
    store: Store, heard: Heard, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for seconds in (1.0, 0.5, 1.0):
        functionals.functionals(at_events(store, seconds).select(), "eGeMAPSv02", tmp_path)
    assert len(heard.lengths) == 6
    functionals.functionals(store.select(), "eGeMAPSv02", tmp_path)
    functionals.functionals(store.select(), "ComParE_2016", tmp_path)
    assert len(heard.lengths) == 12
    monkeypatch.setattr(functionals, "_version", lambda: "1")
    functionals.functionals(store.select(), "ComParE_2016", tmp_path)
    assert len(heard.lengths) == 15


def test_the_order_of_a_selection_is_kept(store: Store, heard: Heard, tmp_path: Path) -> None:
    plain = functionals.functionals(store.select(), "eGeMAPSv02", tmp_path)
    turned = Selection(((store, (2, 0, 1)),))
    np.testing.assert_array_equal(
        functionals.functionals(turned, "eGeMAPSv02", tmp_path), plain[[2, 0, 1]]
    )


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 and then nothing", b"\x80\x04."])
def test_a_broken_file_is_made_again(
    store: Store, heard: Heard, tmp_path: Path, content: bytes
) -> None:
    expected = functionals.functionals(store.select(), "eGeMAPSv02", tmp_path)
    (path,) = (tmp_path / "opensmile").glob("*.npz")
    path.write_bytes(content)
    found = functionals.functionals(store.select(), "eGeMAPSv02", tmp_path)
    np.testing.assert_array_equal(found, expected)


def test_what_was_computed_before_a_kill_is_kept(
    store: Store, heard: Heard, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(functionals, "_SAVE", -1.0)

    def killed(done: int, _: int) -> None:
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        functionals.functionals(store.select(), "eGeMAPSv02", tmp_path, killed)
    functionals.functionals(store.select(), "eGeMAPSv02", tmp_path)
    assert heard.lengths == [2 * RATE, 3 * RATE, 4 * RATE]


def test_progress_ends_at_the_total(store: Store, heard: Heard, tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    for _ in range(2):
        functionals.functionals(
            both(store), "eGeMAPSv02", tmp_path, lambda done, total: told.append((done, total))
        )
    assert told[:7] == [(0, 6), (1, 6), (2, 6), (3, 6), (3, 6), (4, 6), (5, 6)]
    assert told[7:] == [(6, 6), (3, 6), (6, 6)]


def test_an_empty_part_is_no_row(store: Store, heard: Heard, tmp_path: Path) -> None:
    selection = store.select() + store.select(lambda _: False)
    assert functionals.functionals(selection, "eGeMAPSv02", tmp_path).shape == (3, 2)


def test_where_it_is_not_installed_one_is_told_how(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    assert functionals.missing() == "pip install 'fedbreath[baselines]'"
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: name)
    assert functionals.missing() == ""


def test_a_stereo_call_is_heard_on_its_louder_side(tmp_path: Path) -> None:
    """As the front end hears it."""
    rng = np.random.default_rng(0)
    sides = np.column_stack([rng.normal(0, s, RATE) for s in (0.01, 0.2)]).astype(np.float32)
    path = tmp_path / "call.wav"
    soundfile.write(path, sides, RATE, subtype="FLOAT")
    recording = Recording("call.wav", path, "demo", None, "cough")
    np.testing.assert_array_equal(functionals.heard(recording), sides[:, 1])
    part = replace(recording, span=(0.25, 0.5))
    np.testing.assert_array_equal(functionals.heard(part), sides[RATE // 4 : RATE // 2, 1])
