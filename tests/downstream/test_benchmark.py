"""Who is trained and tested on, what is left out with its reason, and the controls."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from fedbreath.downstream import benchmark, probe
from fedbreath.downstream.benchmark import Pool
from fedbreath.downstream.classification import Classification, Config
from fedbreath.features import Store
from fedbreath.recording import Recording
from tests.stores import noise, person, store

TASK = Classification(
    Config("Ill", "disease", "demo", "ill", {"no": ("no",), "yes": ("yes",)}, headline=True)
)


def people(count: int = 40, takes: int = 2, devices: Sequence[str] = ("one",)) -> list[Recording]:
    """Every second person is ill; devices take turns every two persons."""
    return [
        person(n, take, "yes" if n % 2 else "no", devices[n // 2 % len(devices)])
        for n in range(count)
        for take in range(takes)
    ]


def held(recordings: Sequence[Recording], share: float = 0.5) -> frozenset[str]:
    groups = sorted({r.group for r in recordings})
    return frozenset(groups[: round(share * len(groups))])


def stored(recordings: Sequence[Recording], name: str = "site") -> Store:
    return store(recordings, noise(len(recordings), frames=3), name)


def gathered(recordings: Sequence[Recording], min_subjects: int = 5) -> Pool:
    return benchmark.gather(
        [stored(recordings)], {"site": held(recordings)}, {"ill": TASK}, min_subjects
    )


def vectors(pool: Pool, shift: float = 1.0) -> NDArray[np.float32]:
    """Embeddings that tell the class."""
    rng = np.random.default_rng(0)
    ill = np.array([e.recording.labels["ill"] == "yes" for e in pool.selection.entries])
    return (rng.normal(0, 1, (len(ill), 6)) + shift * ill[:, None]).astype(np.float32)


def test_test_persons_are_never_trained_on() -> None:
    recordings = people()
    (data,) = gathered(recordings).tasks
    groups = np.array(data.groups)
    assert set(groups[data.test]) == {f"site/{g}" for g in held(recordings)}
    assert not set(groups[data.test]) & set(groups[~data.test])
    assert (data.test.sum(), (~data.test).sum()) == (40, 40)
    assert data.by_subject


def test_persons_of_two_sites_with_one_name_are_two() -> None:
    recordings = people()
    keep_out = {"a": held(recordings), "b": frozenset({"person-039", "person-038"})}
    stores = [stored(recordings, "a"), stored(recordings, "b")]
    pool = benchmark.gather(stores, keep_out, {"ill": TASK}, 5)
    assert len(set(pool.groups)) == 80
    assert pool.sites.tolist() == [0] * 80 + [1] * 80
    assert pool.test.sum() == 40 + 4


def test_hidden_persons_are_in_no_pool_and_the_words_say_validation() -> None:
    recordings = people()
    tested = held(recordings)
    hidden = frozenset(sorted(tested)[:10])
    stores = [stored(recordings)]
    args = (stores, {"site": tested}, {"ill": TASK})
    pool = benchmark.gather(*args, 5, {"site": hidden})
    assert pool.persons == "validation"
    assert {g.removeprefix("site/") for g in pool.groups} == {r.group for r in recordings} - hidden
    assert set(pool.tasks[0].groups_of(pool.tasks[0].test)) == {
        f"site/{g}" for g in tested - hidden
    }
    ((_, reason),) = benchmark.gather(*args, 6, {"site": hidden}).skipped
    assert reason == "class no has 5 validation subjects, fewer than 6"
    assert benchmark.gather(*args, 5, {"site": frozenset()}).persons == "test"


def test_recordings_of_no_task_are_not_embedded() -> None:
    others = [replace(r, dataset="another") for r in people(5)]
    stores = [stored(others, "other"), stored(people())]
    pool = benchmark.gather(
        stores, {"site": held(people()), "other": frozenset()}, {"ill": TASK}, 5
    )
    assert len(pool.selection) == 80
    assert set(pool.sites) == {0}


def test_recordings_without_the_label_are_embedded_and_in_no_class() -> None:
    recordings = [replace(r, labels={}) if r.id.endswith("/1") else r for r in people()]
    pool = gathered(recordings)
    assert (len(pool.selection), len(pool.tasks[0].rows)) == (80, 40)
    assert [pool.selection.entries[i].recording.labels for i in pool.tasks[0].rows] == [
        r.labels for r in recordings if r.labels
    ]


@pytest.mark.parametrize(
    ("recordings", "least", "reason"),
    [
        (people(20), 6, "class no has 5 test subjects, fewer than 6"),
        (people(2, takes=30), 1, "class yes has 0 test subjects, fewer than 1"),
        (people(6, takes=9), 1, "class no has 1 training subjects, fewer than 2"),
        ([replace(r, dataset="another") for r in people()], 1, "no recordings of data set demo"),
        ([replace(r, labels={}) for r in people()], 1, "no recordings of data set demo"),
        (
            [replace(r, subject=None) for r in people(4)],
            5,
            "class no has 2 test recordings, fewer than 5",
        ),
    ],
)
def test_a_task_that_cannot_be_scored_is_skipped_with_its_reason(
    recordings: list[Recording], least: int, reason: str
) -> None:
    pool = gathered(recordings, least)
    assert pool.tasks == ()
    ((name, said),) = pool.skipped
    assert name == "ill"
    assert said.startswith(reason)


def test_the_least_number_is_enough() -> None:
    assert gathered(people(20), 5).skipped == ()


def test_without_persons_the_recording_counts_and_its_block_stays_together() -> None:
    recordings = [replace(r, subject=None, block=r.subject) for r in people()]
    (data,) = gathered(recordings).tasks
    assert not data.by_subject
    assert len(set(data.units)) == 80
    assert len(set(data.groups)) == 40


def test_scores_are_the_probes_on_the_test_recordings() -> None:
    pool = gathered(people())
    (data,) = pool.tasks
    embeddings = vectors(pool)
    result = benchmark.score(pool, embeddings)
    inputs = embeddings[data.rows]
    expected = probe.predict(
        inputs[~data.test], data.labels[~data.test], data.groups_of(~data.test), inputs[data.test]
    )
    np.testing.assert_array_equal(result.scores["ill"], expected)
    assert benchmark.values(pool, result.scores)["ill"] > 0.8


def test_scores_never_look_at_test_labels() -> None:
    pool = gathered(people())
    (data,) = pool.tasks
    rng = np.random.default_rng(0)
    labels = data.labels.copy()
    labels[data.test] = rng.permutation(labels[data.test])
    blind = replace(pool, tasks=(replace(data, labels=labels),))
    expected = benchmark.score(pool, vectors(pool)).scores["ill"]
    np.testing.assert_array_equal(benchmark.score(blind, vectors(pool)).scores["ill"], expected)


# -- controls ------------------------------------------------------------------------------


def test_one_device_or_site_is_no_control() -> None:
    pool = gathered(people())
    result = benchmark.score(pool, vectors(pool))
    assert result.device == {"ill": None}
    assert result.site is None
    assert benchmark.label_from_device(pool.tasks[0]) is None


def test_a_device_that_one_side_never_saw_is_left_out() -> None:
    """Only one device is on both sides: nothing to tell apart."""
    recordings = [
        replace(r, device="old" if r.group in held(people()) and i % 3 else "new")
        for i, r in enumerate(people())
    ]
    pool = gathered(recordings)
    assert benchmark.score(pool, vectors(pool)).device == {"ill": None}


def test_a_device_in_the_embedding_is_found_and_else_is_not() -> None:
    pool = gathered(people(80, devices=("one", "two")))
    (data,) = pool.tasks
    plain = vectors(pool, shift=0)
    marked = plain.copy()
    marked[data.rows, 0] += 9 * (np.array(data.devices) == "two")
    told = [benchmark.score(pool, x).device["ill"] for x in (plain, marked)]
    assert told[0] == pytest.approx(0.5, abs=0.15)
    assert told[1] is not None
    assert told[1] > 0.99


def test_a_site_in_the_embedding_is_found() -> None:
    recordings = people()
    stores = [stored(recordings, "a"), stored(recordings, "b")]
    pool = benchmark.gather(
        stores, {"a": held(recordings), "b": held(recordings)}, {"ill": TASK}, 5
    )
    embeddings = vectors(pool, shift=0)
    embeddings[:, 0] += 9 * pool.sites
    assert benchmark.score(pool, embeddings).site == 1
    assert benchmark.score(pool, embeddings, controls=False).site is None


def test_a_device_shared_evenly_says_nothing_of_the_label() -> None:
    (data,) = gathered(people(80, devices=("one", "two"))).tasks
    assert benchmark.label_from_device(data) == 0.5


def test_a_device_that_goes_with_the_label_says_it() -> None:
    def confounded(share: float) -> float | None:
        rng = np.random.default_rng(0)
        recordings = [
            replace(
                r, device="clinic" if rng.random() < share and r.labels["ill"] == "yes" else "home"
            )
            for r in people(200)
        ]
        return benchmark.label_from_device(gathered(recordings).tasks[0])

    assert confounded(1.0) == 1
    assert confounded(0.5) == pytest.approx(0.75, abs=0.06)


def test_a_device_unseen_in_training_is_the_prior() -> None:
    recordings = [
        replace(r, device="new" if r.group in held(people()) else ("a", "b")[i // 4 % 2])
        for i, r in enumerate(people())
    ]
    assert benchmark.label_from_device(gathered(recordings).tasks[0]) == 0.5


def test_a_device_with_one_recording_is_hardly_evidence() -> None:
    """One ill of one counts (1 + 1/2) / 2, less than 50 ill of 60: (50 + 1/2) / 61."""
    plain = gathered(people()).tasks[0]
    training = ["rare"] + ["many"] * 60 + ["none"] * 41
    labels = [1] + [1] * 50 + [0] * 10 + [0] * 41
    assert np.mean(labels) == 0.5
    data = replace(
        plain,
        devices=(*training, *["rare"] * 5, *["many"] * 5),
        labels=np.array(labels + [0] * 5 + [1] * 5),
        test=np.array([False] * 102 + [True] * 10),
    )
    assert benchmark.label_from_device(data) == 1
