"""The feature store: the right crop of the right recording, and never a stale number."""

import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from fedbreath import audio, features
from fedbreath.audio import FrontEnd
from fedbreath.building import prepare
from fedbreath.features import Selection, StaleStoreError, open_store
from fedbreath.recording import Recording, Site
from tests.stores import noise, person, store

FRONT_END = FrontEnd(mels=16)


def write(path: Path, seconds: float = 0.5, rate: int = 8000) -> Path:
    rng = np.random.default_rng(len(path.name))
    soundfile.write(path, rng.normal(0, 0.1, round(seconds * rate)), rate)
    return path


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """Three files that can be used and two that cannot."""
    folder = tmp_path / "data"
    folder.mkdir()
    write(folder / "a.wav")
    write(folder / "b.wav", 0.1)
    write(folder / "c.flac", 1.0, 44_100)
    (folder / "d.wav").write_bytes(b"")
    write(folder / "e.wav", 0.8)
    paths = sorted(folder.iterdir())
    return Site("demo", tuple(Recording(p.name, p, "demo", p.stem, "cough") for p in paths))


def test_no_recordings_make_no_crops(tmp_path: Path, site: Site) -> None:
    selection = prepare(site, FRONT_END, tmp_path / "cache").select()
    crops = selection.crops(np.array([], np.int64), 5, np.random.default_rng(0))
    assert crops.shape == (0, 5, FRONT_END.mels)


# -- crops ---------------------------------------------------------------------------------


def painted(*lengths: int) -> Selection:
    """Recordings whose cells hold 100 times their index and the frame's number."""
    log_mels = [
        np.repeat(np.arange(length, dtype=np.float16)[:, None] + 100 * i, 3, axis=1)
        for i, length in enumerate(lengths)
    ]
    return store([person(i) for i in range(len(lengths))], log_mels).select()


def test_a_crop_is_a_stretch_of_its_own_recording() -> None:
    indices = np.array([2, 0, 1, 2, 2, 1] * 50)
    crops = painted(20, 30, 90).crops(indices, 15, np.random.default_rng(0))
    assert crops.shape == (300, 15, 3)
    assert crops.dtype == np.float32
    assert (crops // 100 == indices[:, None, None]).all()
    assert (np.diff(crops, axis=1) == 1).all()
    assert (crops == crops[:, :, :1]).all()


def test_every_start_is_as_likely_as_the_next() -> None:
    crops = painted(5, 20).crops(np.ones(11_000, np.int64), 10, np.random.default_rng(0))
    counts = np.bincount(crops[:, 0, 0].astype(int) - 100)
    assert len(counts) == 11
    assert np.abs(counts - 1000).max() < 150  # five standard deviations


@pytest.mark.parametrize("length", [1, 2, 7])
def test_a_short_recording_is_repeated_from_any_phase(length: int) -> None:
    crops = painted(length, 3).crops(np.zeros(200, np.int64), 9, np.random.default_rng(0))
    starts = crops[:, :1]
    assert (crops == (starts + np.arange(9)[:, None]) % length).all()
    assert set(starts.ravel()) == set(range(length))


def test_a_recording_as_long_as_the_crop_is_taken_whole() -> None:
    crops = painted(9, 9).crops(np.zeros(20, np.int64), 9, np.random.default_rng(0))
    assert (crops[:, :, 0] == np.arange(9)).all()


def test_a_selection_keeps_order_and_adds_up() -> None:
    first = store([person(n) for n in range(4)], noise(4), "first")
    second = store([person(n) for n in range(10, 13)], noise(3, seed=1), "second")
    some = first.select(lambda e: e.recording.subject != "person-001")
    both = second.select() + some
    names = [10, 11, 12, 0, 2, 3]
    assert both.subjects == tuple(f"person-{n:03d}" for n in names)
    assert (len(some), len(both)) == (3, 6)
    np.testing.assert_array_equal(both.log_mel(4), some.log_mel(1))
    np.testing.assert_array_equal(both.log_mel(4), noise(4)[2])


def test_normalise_is_the_front_ends_constants() -> None:
    crops = np.full((1, 2, 3), 5.0, np.float32)
    found = features.normalise(crops, replace(FRONT_END, mean=1.0, sd=2.0))
    assert found is crops
    assert (found == 2).all()


def test_normalise_leaves_tracks_alone() -> None:
    crops = np.full((1, 2, FRONT_END.rows), 5.0, np.float32)
    features.normalise(crops, replace(FRONT_END, mean=1.0, sd=2.0))
    assert (crops[..., :16] == 2).all()
    assert (crops[..., 16:] == 5).all()


# -- building ------------------------------------------------------------------------------


def test_a_store_holds_the_front_ends_numbers_in_float16(site: Site, tmp_path: Path) -> None:
    made = prepare(site, FRONT_END, tmp_path / "cache")
    everything = made.select()
    for i, entry in enumerate(made.entries):
        expected = audio.log_mel(audio.read(entry.recording), FRONT_END)
        assert np.abs(expected).max() < 32
        np.testing.assert_allclose(everything.log_mel(i), expected, rtol=0, atol=2**-7)
    by_name = {e.recording.id: e for e in made.entries}
    assert (by_name["c.flac"].seconds, by_name["c.flac"].sample_rate) == (1.0, 44_100)
    assert by_name["a.wav"].frames == 1 + 8000 // 256
    assert by_name["a.wav"].level == pytest.approx(-20, abs=0.3)


def test_tracks_stand_after_the_log_mels(site: Site, tmp_path: Path) -> None:
    everything = prepare(site, FRONT_END, tmp_path).select()
    assert FRONT_END.rows == 16 + 40
    for i, entry in enumerate(everything.entries):
        kept = everything.frames(i)
        assert kept.shape == (entry.frames, FRONT_END.rows)
        np.testing.assert_array_equal(kept[:, :16], everything.log_mel(i))
        expected = audio.analyse(audio.read(entry.recording), FRONT_END)
        np.testing.assert_allclose(kept, expected, rtol=2**-10, atol=2**-10)


def test_a_store_without_tracks_has_log_mels_alone(site: Site, tmp_path: Path) -> None:
    front_end = replace(FRONT_END, tracks=False)
    assert features.key(site, front_end) != features.key(site, FRONT_END)
    alone, both = (prepare(site, f, tmp_path).select() for f in (front_end, FRONT_END))
    (made, _), (other, _) = alone.parts[0], both.parts[0]
    assert made.features.shape == (len(other.features), 16)
    np.testing.assert_array_equal(made.features, other.features[:, :16])
    np.testing.assert_array_equal(alone.frames(1), both.log_mel(1))
    where, rng = np.arange(3), np.random.default_rng
    crops = alone.crops(where, 9, rng(0))
    np.testing.assert_array_equal(crops, both.crops(where, 9, rng(0), rows=16))


def test_a_crop_has_tracks_when_they_are_asked_for(site: Site, tmp_path: Path) -> None:
    """Of the same frames as the log-mels beside them; a short one is repeated with them."""
    everything = prepare(site, FRONT_END, tmp_path).select()
    where = np.repeat(np.arange(3), 20)
    for frames in (9, 500):
        log_mels = everything.crops(where, frames, np.random.default_rng(0))
        whole = everything.crops(where, frames, np.random.default_rng(0), rows=FRONT_END.rows)
        assert whole.shape == (60, frames, FRONT_END.rows)
        np.testing.assert_array_equal(whole[:, :, :16], log_mels)
        for crop, i in zip(whole, where.tolist(), strict=True):
            own = {row.tobytes() for row in everything.frames(i).astype(np.float32)}
            assert {row.tobytes() for row in crop} <= own


def test_stored_is_rounded_as_numpy_rounds() -> None:
    log_mel = np.random.default_rng(0).uniform(-20, 20, (500, 64)).astype(np.float32)
    ties = np.array([[1 + 2**-11, 1 + 3 * 2**-11, -(2**-25), 1e-7, 65_519.9, 1e9]], np.float32)
    for values in (log_mel, ties):
        with np.errstate(over="ignore"):
            np.testing.assert_array_equal(features.stored(values), values.astype(np.float16))


def test_what_is_refused_is_a_problem_with_its_reason(site: Site, tmp_path: Path) -> None:
    made = prepare(site, FRONT_END, tmp_path)
    assert [r.id for r in made.site.recordings] == ["a.wav", "c.flac", "e.wav"]
    assert [e.recording for e in made.entries] == list(made.site.recordings)
    assert [(p.item, p.reason) for p in made.site.problems] == [
        ("b.wav", "too short: 0.100 s, at least 0.2 s are needed"),
        ("d.wav", "empty: the file has no bytes"),
    ]


def test_a_site_without_a_usable_recording_is_an_empty_store(site: Site, tmp_path: Path) -> None:
    refused = replace(site, recordings=site.recordings[1:2])
    for empty in (refused, replace(site, recordings=())):
        made = prepare(empty, FRONT_END, tmp_path)
        assert len(made.select()) == 0
        assert made.features.shape == (0, FRONT_END.rows)


# -- stale stores --------------------------------------------------------------------------


def test_another_front_end_is_another_store(site: Site, tmp_path: Path) -> None:
    prepare(site, FRONT_END, tmp_path)
    folder = features.folder_of(site, FRONT_END, tmp_path)
    other = replace(FRONT_END, floor=1e-6)
    assert features.folder_of(site, other, tmp_path) != folder
    with pytest.raises(StaleStoreError, match="another front end or from other files"):
        open_store(folder, site, other)


def test_constants_that_are_applied_later_share_the_store(site: Site, tmp_path: Path) -> None:
    prepare(site, FRONT_END, tmp_path)
    later = replace(FRONT_END, mean=-5.0, sd=3.0)
    opened = open_store(features.folder_of(site, FRONT_END, tmp_path), site, later)
    assert opened.front_end == later


def test_a_file_that_changed_makes_the_store_stale(site: Site, tmp_path: Path) -> None:
    path = site.recordings[0].source
    assert isinstance(path, Path)
    prepare(site, FRONT_END, tmp_path)
    folder = features.folder_of(site, FRONT_END, tmp_path)
    for change in (
        lambda: os.utime(path, (1, 1)),
        lambda: write(path, 0.6),
        path.unlink,
    ):
        change()
        with pytest.raises(StaleStoreError):
            open_store(folder, site, FRONT_END)
    assert len(prepare(site, FRONT_END, tmp_path).entries) == 2


def cut(path: Path, end: int) -> int:
    return path.write_bytes(path.read_bytes()[:end])


#: What can happen to a store's folder.
DAMAGE: dict[str, Callable[[Path], object]] = {
    "no index": lambda folder: (folder / "index.json").unlink(),
    "no features": lambda folder: (folder / "features.f16").unlink(),
    "features cut": lambda folder: cut(folder / "features.f16", -2),
    "index cut": lambda folder: cut(folder / "index.json", -20),
    "index is a list": lambda folder: (folder / "index.json").write_text("[]"),
}

#: What can be wrong in its index.
EDITS: dict[str, Callable[[dict[str, Any]], object]] = {
    "no entries": lambda index: index.pop("entries"),
    "no key": lambda index: index.pop("key"),
    "another key": lambda index: index.update(key="0123456789ab"),
    "no problems": lambda index: index.pop("problems"),
    "entry taken out": lambda index: index["entries"].pop(1),
    "entry renamed": lambda index: index["entries"][1].update(id="z.wav"),
    "entry without its level": lambda index: index["entries"][1].pop("level"),
    "frames changed": lambda index: index["entries"][0].update(frames=7),
    "offset changed": lambda index: index["entries"][1].update(offset=7),
    "entries swapped": lambda index: index["entries"].reverse(),
}


@pytest.mark.parametrize("damage", [*DAMAGE, *EDITS])
def test_a_damaged_store_is_refused_and_made_again(damage: str, site: Site, tmp_path: Path) -> None:
    expected = np.array(prepare(site, FRONT_END, tmp_path).features)
    folder = features.folder_of(site, FRONT_END, tmp_path)
    if damage in DAMAGE:
        DAMAGE[damage](folder)
    else:
        index = json.loads((folder / "index.json").read_text())
        EDITS[damage](index)
        (folder / "index.json").write_text(json.dumps(index))
    with pytest.raises(StaleStoreError):
        open_store(folder, site, FRONT_END)
    np.testing.assert_array_equal(prepare(site, FRONT_END, tmp_path).features, expected)


def test_the_cache_is_where_the_user_keeps_caches(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert features.default_cache() == tmp_path / "fedbreath" / "stores"
