"""Windows around events: where they lie, what they keep, and that length tells nothing."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from fedbreath.audio import FrontEnd
from fedbreath.downstream import benchmark, embedding
from fedbreath.downstream.classification import Classification, Config
from fedbreath.downstream.events import at_events
from fedbreath.features import Entry, Store
from fedbreath.recording import Event
from tests.stores import noise, person, store

HOP = 0.016
#: 62 frames, of 0.992 s.
SECONDS = 1.0

Half = NDArray[np.float16]


def stored(events: Sequence[Event], log_mel: Half) -> Store:
    return store([replace(person(0), events=tuple(events))], [log_mel])


def windows(events: Sequence[Event], log_mel: Half, seconds: float = SECONDS) -> list[Entry]:
    return list(at_events(stored(events, log_mel), seconds).entries)


def ramp(frames: int) -> Half:
    """Log-mels that say which frame they are."""
    return np.repeat(np.arange(frames, dtype=np.float16)[:, None], 8, axis=1)


def test_a_window_is_centred_on_its_event() -> None:
    """An event from 2.0 to 2.4 s: frame 137.5 at 2.2 s, so 62 frames from 107 to 168."""
    (window,) = windows([Event(2.0, 2.4, "Wheeze")], ramp(300))
    assert (window.offset, window.frames) == (107, 62)
    assert window.recording.span == pytest.approx((107 * HOP, 169 * HOP))
    assert window.seconds == pytest.approx(62 * HOP)
    kept = at_events(stored([Event(2.0, 2.4, "Wheeze")], ramp(300)), SECONDS).select()
    assert kept.log_mel(0)[:, 0].tolist() == list(range(107, 169))


def test_a_window_keeps_the_person_and_says_the_event() -> None:
    recording = replace(person(7, label="yes", device="one"), events=(Event(0.1, 0.3, "Wheeze"),))
    view = at_events(store([recording], noise(1, 200)), SECONDS)
    (window,) = view.entries
    assert (window.group, window.recording.subject) == ("person-007", "person-007")
    assert window.recording.labels == {"ill": "yes", "event": "Wheeze"}
    assert (window.recording.device, window.recording.events) == ("one", ())
    assert view.site.recordings == (window.recording,)


def test_level_is_that_of_the_window() -> None:
    """A second of 20 dB more among three: a third of the time holds nearly all energy."""
    log_mel = np.zeros((186, 8), np.float16)
    log_mel[62:124] = np.log(100)
    loud, quiet = windows([Event(1.28, 1.68, "a"), Event(0.2, 0.4, "b")], log_mel)
    whole = 10 * np.log10((100 + 1 + 1) / 3)
    assert loud.level == pytest.approx(-20 + 20 - whole, abs=0.01)
    assert quiet.level == pytest.approx(-20 - whole, abs=0.01)


@given(st.floats(0, 9), st.floats(0, 9), st.integers(1, 500), st.sampled_from([0.5, 1.0, 3.0]))
def test_a_window_lies_within_its_recording_and_has_the_length_of_all(
    start: float, end: float, frames: int, seconds: float
) -> None:
    (window,) = windows([Event(start, end, "x")], ramp(frames), seconds)
    wanted = FrontEnd().frames(seconds)
    assert window.frames == min(wanted, frames)
    assert 0 <= window.offset <= frames - window.frames
    assert window.recording.span is not None
    low, high = window.recording.span
    assert 0 <= low < high <= frames * HOP + 1e-9
    assert high - low == pytest.approx(window.frames * HOP)
    cut = embedding.windows(ramp(frames)[window.offset :][: window.frames], wanted)
    assert cut.shape == (1, wanted, 8)


def test_an_events_length_changes_nothing() -> None:
    short, long = windows([Event(2.1, 2.2, "x"), Event(1.4, 2.9, "x")], noise(1, 300)[0])
    assert (short.offset, short.frames, short.level) == (long.offset, long.frames, long.level)
    assert short.recording.id != long.recording.id


def test_without_events_there_is_no_window() -> None:
    assert windows([], ramp(100)) == []


def test_in_a_recording_that_was_read_between_hops_no_window_is_shorter() -> None:
    recording = replace(person(0), events=(Event(3.9, 4.0, "x"),))
    plain = store([recording], [ramp(251)])  # 4.0 s: 250 hops, and the frame at 0
    (entry,) = plain.entries
    kept = replace(plain, entries=(replace(entry, seconds=4.0),))
    (window,) = at_events(kept, SECONDS).entries
    assert (window.offset, window.frames) == (189, 62)
    assert window.recording.span == pytest.approx((4.0 - 62 * HOP, 4.0))


# -- in a pool -----------------------------------------------------------------------------

TASK = Classification(
    Config(
        "Wheeze", "sound", "demo", "event", {"no": ("Normal",), "yes": ("Wheeze",)}, items="events"
    )
)
ILL = Classification(Config("Ill", "disease", "demo", "ill", {"no": ("no",), "yes": ("yes",)}))


def people(count: int = 12) -> list[NDArray[np.float16]]:
    return noise(count, 200)


def site(count: int = 12) -> Store:
    """Everybody has two events of the tasks and one of another kind."""
    events = (Event(0.2, 0.5, "Normal"), Event(1.5, 1.6, "Wheeze"), Event(2.0, 2.9, "Stridor"))
    recordings = [
        replace(person(n, label="yes" if n % 2 else "no"), events=events) for n in range(count)
    ]
    return store(recordings, people(count))


def test_a_pool_holds_recordings_and_the_windows_that_a_task_has_a_class_for() -> None:
    held = frozenset(f"person-{n:03d}" for n in range(6))
    pool = benchmark.gather([site()], {"site": held}, {"wheeze": TASK, "ill": ILL}, 2)
    about_events, about_persons = pool.tasks
    assert (len(pool.selection), len(about_events.rows), len(about_persons.rows)) == (36, 24, 12)
    assert not set(about_events.rows) & set(about_persons.rows)
    assert about_events.labels.tolist() == [0, 1] * 12
    assert about_events.by_subject
    assert set(about_events.units_of(about_events.test)) == {f"site/{group}" for group in held}
    assert set(about_events.groups_of(~about_events.test)).isdisjoint(
        about_persons.groups_of(about_persons.test)
    )
    vectors = embedding.log_mel_statistics(pool.selection)

    row = about_events.rows[7]  # person 3's second: 1.55 s is frame 96.9, moved from 66
    first = round(1.55 / HOP - 30.5)
    expected = people()[3][first : first + 62].astype(np.float32).mean(axis=0)
    np.testing.assert_allclose(vectors[row][:8], expected, rtol=1e-5)
    lengths = embedding.level_and_length(pool.selection)[about_events.rows, 1]
    assert np.ptp(lengths) == pytest.approx(0, abs=1e-6)


def test_hidden_persons_have_no_windows_either() -> None:
    held = frozenset(f"person-{n:03d}" for n in range(8))
    hidden = frozenset(f"person-{n:03d}" for n in range(4))
    pool = benchmark.gather([site()], {"site": held}, {"wheeze": TASK}, 2, {"site": hidden})
    assert not {f"site/{group}" for group in hidden} & set(pool.groups)
    assert len(pool.selection) == 8 * 3


def test_the_site_is_told_from_whole_recordings() -> None:
    """Windows outnumber recordings, and would let one site's recordings count more."""
    held = frozenset(f"person-{n:03d}" for n in range(6))
    stores = [site(), replace(site(), site=replace(site().site, name="b"))]
    pool = benchmark.gather(stores, {"site": held, "b": held}, {"wheeze": TASK, "ill": ILL}, 2)
    whole = np.array([e.recording.span is None for e in pool.selection.entries])
    assert pool.sites.tolist() == [0] * 12 + [1] * 12 + [0] * 24 + [1] * 24
    vectors = np.random.default_rng(0).normal(size=(len(whole), 4)).astype(np.float32)
    vectors[:, 0] += 9 * pool.sites
    assert benchmark.score(pool, vectors).site == 1
    vectors[~whole] = 0
    assert benchmark.score(pool, vectors).site == 1


def test_without_events_the_task_is_skipped_in_words() -> None:
    recordings = [person(n) for n in range(12)]
    held = frozenset(f"person-{n:03d}" for n in range(6))
    pool = benchmark.gather([store(recordings, people())], {"site": held}, {"wheeze": TASK}, 2)
    assert pool.skipped == (("wheeze", "no events of data set demo in this run"),)
