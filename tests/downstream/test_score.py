"""AUROC against scikit-learn, and intervals that cover what they claim."""

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import norm
from sklearn.metrics import roc_auc_score

from fedbreath.downstream.score import auroc, interval, resamples, weighted_auroc

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


def scored(classes: int, count: int = 80, ties: bool = False, seed: int = 0) -> tuple[Floats, Ints]:
    rng = np.random.default_rng(seed)
    labels = rng.permutation(np.arange(count) % classes)
    scores = rng.normal(0, 1, (count, classes)) + 1.2 * np.eye(classes)[labels]
    if classes == 2:
        scores[:, 0] = -scores[:, 1]
    return (np.round(scores) if ties else scores), labels


def reference(scores: Floats, labels: Ints, weights: Floats | None = None) -> float:
    columns = range(1, 2) if scores.shape[1] == 2 else range(scores.shape[1])
    areas = [roc_auc_score(labels == k, scores[:, k], sample_weight=weights) for k in columns]
    return float(np.mean(areas))


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("classes", [2, 3, 5])
def test_auroc_is_scikit_learns(classes: int, ties: bool) -> None:
    scores, labels = scored(classes, ties=ties)
    assert auroc(scores, labels) == pytest.approx(reference(scores, labels), abs=1e-12)


def test_several_classes_are_scikit_learns_macro_average() -> None:
    scores, labels = scored(4)
    shares = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    macro = roc_auc_score(labels, shares, multi_class="ovr", average="macro")
    assert auroc(shares, labels) == pytest.approx(macro, abs=1e-12)


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("classes", [2, 3])
def test_weights_are_scikit_learns(classes: int, ties: bool) -> None:
    scores, labels = scored(classes, ties=ties)
    weights = np.random.default_rng(1).integers(0, 4, (6, len(labels))).astype(float)
    found = weighted_auroc(scores, labels, weights)
    expected = [reference(scores, labels, row) for row in weights]
    np.testing.assert_allclose(found, expected, atol=1e-12)


def test_a_whole_weight_is_a_repeated_recording() -> None:
    scores, labels = scored(3, 30)
    times = np.random.default_rng(2).integers(1, 5, 30)
    repeated = auroc(np.repeat(scores, times, axis=0), np.repeat(labels, times))
    found = weighted_auroc(scores, labels, times[None].astype(float))[0]
    assert found == pytest.approx(repeated, abs=1e-12)


def test_only_the_order_of_scores_counts() -> None:
    scores, labels = scored(3)
    assert auroc(np.exp(scores), labels) == pytest.approx(auroc(scores, labels), abs=1e-12)
    order = np.random.default_rng(0).permutation(len(labels))
    assert auroc(scores[order], labels[order]) == pytest.approx(auroc(scores, labels), abs=1e-12)
    binary, halves = scored(2)
    assert auroc(-binary, halves) == pytest.approx(1 - auroc(binary, halves), abs=1e-12)


def test_all_alike_is_chance_and_a_class_without_weight_is_no_number() -> None:
    assert auroc(np.ones((6, 2)), np.array([0, 1] * 3)) == 0.5
    scores, labels = scored(2)
    assert np.isnan(weighted_auroc(scores, labels, (labels == 0)[None].astype(float))).all()


# -- the bootstrap -------------------------------------------------------------------------


def test_a_resample_takes_whole_persons_and_every_class() -> None:
    groups = [f"p{n // 3}" for n in range(30)]
    labels = np.array([n // 3 == 0 for n in range(30)]).astype(int)  # one ill person
    weights = resamples(groups, labels, 200, 0)
    assert weights.shape == (200, 30)
    assert (weights.sum(axis=1) == 30).all()
    assert (weights.reshape(200, 10, 3) == weights.reshape(200, 10, 3)[:, :, :1]).all()
    assert (weights[:, labels == 1].sum(axis=1) > 0).all()


def test_each_person_is_drawn_once_on_average() -> None:
    labels = np.arange(40) % 2
    weights = resamples([f"p{n:02d}" for n in range(40)], labels, 2000, 0)
    # Poisson-like counts of variance 1: five standard errors are 0.11.
    assert np.abs(weights.mean(axis=0) - 1).max() < 0.11
    assert weights.var(axis=0).mean() == pytest.approx(1 - 1 / 40, abs=0.05)


def test_the_same_persons_are_drawn_in_any_order_of_recordings() -> None:
    groups, labels = [f"p{n // 2}" for n in range(20)], np.arange(20) // 2 % 2
    order = np.random.default_rng(0).permutation(20)
    expected = resamples(groups, labels, 50, 7)
    found = resamples([groups[i] for i in order], labels[order], 50, 7)
    np.testing.assert_array_equal(found, expected[:, order])
    assert (resamples(groups, labels, 50, 8) != expected).any()


def test_tasks_over_the_same_persons_meet_the_same_samples() -> None:
    """One task has all forty persons, one every second, one each of those five times."""
    names = [f"p{n:02d}" for n in range(40)]
    some = names[::2]
    whole = resamples(names, np.arange(40) // 4 % 2, 100, (3, 4), names)
    part = resamples(some, np.arange(20) // 2 % 2, 100, (3, 4), names)
    np.testing.assert_array_equal(part, whole[:, ::2])
    busy = resamples(some * 5, np.tile(np.arange(20) // 2 % 2, 5), 100, (3, 4), names)
    np.testing.assert_array_equal(busy, np.tile(part, 5))
    assert (resamples(some, np.arange(20) // 2 % 2, 100, (3, 4)) != part).any()


def test_a_sample_without_a_class_is_drawn_again_and_the_others_stay() -> None:
    names = [f"p{n}" for n in range(12)]
    common, rare = np.arange(12) % 2, (np.arange(12) == 0).astype(int)
    plain, drawn = (resamples(names, labels, 300, 1) for labels in (common, rare))
    same = (plain == drawn).all(axis=1)
    np.testing.assert_array_equal(same, plain[:, 0] > 0)
    assert (drawn[:, 0] > 0).all()
    assert 0.55 < same.mean() < 0.75  # 1 - (11 / 12)^12 = 0.65


@pytest.mark.parametrize("labels", [[0, 0, 0, 0], [0, 0, 0, 1]])
def test_a_class_that_cannot_be_resampled_is_refused(labels: list[int]) -> None:
    groups = ["a", "b", "c", "c"] if sum(labels) == 0 else ["a", "a", "a", "b"]
    if sum(labels):  # a resample of two persons has both classes every second time
        assert resamples(groups, np.array(labels), 5, 0).shape == (5, 4)
        labels = [1, 1, 1, 1]
    with pytest.raises(ValueError, match="needs two classes, got 1"):
        resamples(groups, np.array(labels), 5, 0)


def test_classes_that_never_meet_are_refused() -> None:
    """Fifty classes of one person each: hardly any resample has them all."""
    labels = np.arange(50)
    with pytest.raises(ValueError, match="missing from nearly every"):
        resamples([str(n) for n in labels], labels, 5, 0)


def test_the_interval_covers_and_is_as_wide_as_the_spread_of_estimates() -> None:
    """Normal scores one standard deviation apart: the true AUROC is Phi(1 / sqrt 2)."""
    truth, rng = norm.cdf(1 / np.sqrt(2)), np.random.default_rng(3)
    labels = np.arange(80) % 2
    groups = [f"p{n}" for n in range(80)]
    estimates, widths, covered = [], [], 0
    for trial in range(120):
        scores = rng.normal(labels, 1.0)
        column = np.column_stack([-scores, scores])
        low, high = interval(weighted_auroc(column, labels, resamples(groups, labels, 200, trial)))
        estimates.append(auroc(column, labels))
        widths.append(high - low)
        covered += low <= truth <= high
    assert 105 <= covered <= 120  # 114 expected
    # 2 x 1.96 standard errors; the sd of 120 estimates is known to 6 %.
    assert 0.8 < np.mean(widths) / (2 * 1.96 * np.std(estimates)) < 1.25


def test_recordings_that_repeat_do_not_narrow_an_interval_over_persons() -> None:
    scores, labels = scored(2, 60)
    scores, labels = np.repeat(scores, 5, axis=0), np.repeat(labels, 5)
    persons = [f"p{n // 5}" for n in range(300)]
    single = [f"r{n}" for n in range(300)]
    over = [
        interval(weighted_auroc(scores, labels, resamples(groups, labels, 400, 0)))
        for groups in (persons, single)
    ]
    wider = (over[0][1] - over[0][0]) / (over[1][1] - over[1][0])
    assert 1.8 < wider < 2.8  # sqrt(5) = 2.24


def test_the_interval_is_the_central_95_percent() -> None:
    assert interval(np.linspace(0, 1, 1001)) == pytest.approx((0.025, 0.975))
