"""The linear probe: scikit-learn's solution, and C chosen without the test persons."""

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedGroupKFold
from sklearn.preprocessing import StandardScaler

from fedbreath.downstream import probe
from fedbreath.downstream.score import auroc

Floats32 = NDArray[np.float32]
Ints = NDArray[np.int64]


def embeddings(
    persons: int = 40,
    takes: int = 3,
    dim: int = 20,
    classes: int = 2,
    shift: float = 1.0,
    seed: int = 0,
) -> tuple[Floats32, Ints, list[str]]:
    """Recordings of persons who have a voice of their own and a class."""
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(persons) % classes, takes)
    voice = np.repeat(rng.normal(0, 1, (persons, dim)), takes, axis=0)
    inputs = voice + 0.3 * rng.normal(0, 1, (persons * takes, dim))
    inputs[:, :classes] += shift * np.eye(classes)[labels]
    return inputs.astype(np.float32), labels, [f"p{n // takes}" for n in range(persons * takes)]


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("dim", [5, 200])
def test_one_strength_is_scikit_learns_solution(dim: int, classes: int) -> None:
    """With more features than recordings, in the rotated space, it is the same solution."""
    inputs, labels, groups = embeddings(20, dim=dim, classes=classes)
    test, _, _ = embeddings(10, dim=dim, classes=classes, seed=1)
    found = probe.predict(inputs, labels, groups, test, [0.1])
    scaler = StandardScaler().fit(inputs.astype(np.float64))
    model = LogisticRegression(C=0.1, tol=1e-8, max_iter=10_000)
    model.fit(scaler.transform(inputs), labels)
    expected = model.decision_function(scaler.transform(test))
    assert found.shape == (len(test), classes)
    if classes == 2:
        np.testing.assert_array_equal(found[:, 0], -found[:, 1])
        found = found[:, 1]
    np.testing.assert_allclose(found, expected, atol=0.02 * np.abs(expected).max())


def test_scale_offset_and_order_of_features_do_not_matter() -> None:
    inputs, labels, groups = embeddings()
    test, _, _ = embeddings(10, seed=1)
    rng = np.random.default_rng(2)
    order = rng.permutation(inputs.shape[1])
    scale, offset = rng.uniform(0.1, 10, 20).astype("f4"), rng.normal(0, 5, 20).astype("f4")
    expected = probe.predict(inputs, labels, groups, test)
    changed = [(x * scale + offset)[:, order] for x in (inputs, test)]
    found = probe.predict(changed[0], labels, groups, changed[1])
    np.testing.assert_allclose(found, expected, atol=0.02 * np.abs(expected).max())


def test_a_rotation_of_standardised_features_does_not_matter() -> None:
    """The penalty is rotation-invariant; standardising is not, so the inputs are white."""
    rng = np.random.default_rng(0)
    white, _ = np.linalg.qr(np.column_stack([np.ones(60), rng.normal(0, 1, (60, 10))]))
    inputs = white[:, 1:] * np.sqrt(60)
    labels = (inputs[:, 0] + rng.normal(0, 1, 60) > 0).astype(np.int64)
    test, groups = rng.normal(0, 1, (30, 10)), [str(n) for n in range(60)]
    rotation, _ = np.linalg.qr(rng.normal(0, 1, (10, 10)))
    expected = probe.predict(inputs.astype("f4"), labels, groups, test.astype("f4"))
    found = probe.predict(
        (inputs @ rotation).astype("f4"), labels, groups, (test @ rotation).astype("f4")
    )
    np.testing.assert_allclose(found, expected, atol=0.02 * np.abs(expected).max())


@pytest.mark.parametrize("value", [0.0, 0.1, -16.118095])
def test_a_feature_that_is_constant_in_training_says_nothing_in_the_test(value: float) -> None:
    inputs, labels, groups = embeddings(334)
    test, _, _ = embeddings(10, seed=1)
    expected = probe.predict(inputs, labels, groups, test, [0.1])
    inputs = np.column_stack([inputs, np.full(len(inputs), value, np.float32)])
    test = np.column_stack([test, np.full(len(test), value + 3, np.float32)])
    found = probe.predict(inputs, labels, groups, test, [0.1])
    np.testing.assert_allclose(found, expected, atol=0.02 * np.abs(expected).max())


def test_classes_that_are_apart_are_told_perfectly() -> None:
    inputs, labels, groups = embeddings(shift=30)
    test, truth, _ = embeddings(20, shift=30, seed=1)
    assert auroc(probe.predict(inputs, labels, groups, test), truth) == 1


def test_labels_without_a_cause_are_chance() -> None:
    found = []
    for seed in range(8):
        inputs, labels, groups = embeddings(60, 1, shift=0, seed=seed)
        test, truth, _ = embeddings(60, 1, shift=0, seed=100 + seed)
        found.append(auroc(probe.predict(inputs, labels, groups, test), truth))
    assert np.mean(found) == pytest.approx(0.5, abs=0.08)  # standard error 0.027


def test_a_test_recordings_score_does_not_depend_on_the_other_ones() -> None:
    """Whatever else is tested, scaling, rotation and C are the training set's."""
    inputs, labels, groups = embeddings(20, dim=100)
    test, _, _ = embeddings(10, dim=100, seed=1)
    together = probe.predict(inputs, labels, groups, np.concatenate([test, 1000 * test]))
    alone = probe.predict(inputs, labels, groups, test[:1])
    np.testing.assert_allclose(together[:1], alone, rtol=1e-6)


def test_folds_keep_a_person_together_and_every_strength_meets_the_same_ones(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    inputs, labels, groups = embeddings(12)
    seen: list[tuple[set[str], set[str]]] = []
    plain = StratifiedGroupKFold.split

    def split(self: StratifiedGroupKFold, *data: object) -> object:
        for fit, held in plain(self, *data):
            seen.append(({groups[i] for i in fit}, {groups[i] for i in held}))
            yield fit, held

    monkeypatch.setattr(StratifiedGroupKFold, "split", split)
    probe.predict(inputs, labels, groups, inputs)
    assert len(seen) == probe.FOLDS
    assert not any(fit & held for fit, held in seen)
    assert set().union(*(held for _, held in seen)) == set(groups)


def test_a_strong_penalty_is_chosen_where_voices_would_be_learnt_by_heart() -> None:
    """Many takes of few persons: over folds of persons a weak penalty does not pay."""
    weak = embeddings(16, 20, dim=60, shift=0.8)
    assert probe._choose(weak[0].astype(float), weak[1], weak[2], probe.STRENGTHS) < 1.0
    alike = np.zeros((40, 3))
    labels, groups = np.arange(40) % 2, [str(n) for n in range(40)]
    assert probe._choose(alike, labels, groups, probe.STRENGTHS) == probe.STRENGTHS[0]


def test_a_class_of_one_person_leaves_nothing_to_choose() -> None:
    inputs, labels, _ = embeddings(10)
    groups = ["only" if label else f"p{i}" for i, label in enumerate(labels)]
    middle = probe.STRENGTHS[len(probe.STRENGTHS) // 2]
    assert probe._choose(inputs.astype(float), labels, groups, probe.STRENGTHS) == middle
    assert probe.predict(inputs, labels, groups, inputs).shape == (30, 2)
