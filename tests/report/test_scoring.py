"""From class scores to the record: values, paired differences, the mean, the ratio."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from fedbreath.downstream import benchmark
from fedbreath.downstream.benchmark import ArmScores, Pool
from fedbreath.downstream.classification import Classification, Config
from fedbreath.report.score_records import Arm, ScoresRecord
from fedbreath.report.scoring import summarise
from tests.stores import noise, person, store

ARMS = (
    Arm("federated", "Federated", "federated", 10, ""),
    Arm("centralised", "Centralised", "centralised", 10, ""),
    Arm("random", "Untrained network", "random", 0, ""),
)

#: How far apart the classes are in each arm's scores.
SHIFTS = {"federated": 1.5, "centralised": 2.0, "random": 0.3}

NOBODY: frozenset[str] = frozenset()


def pooled(names: Sequence[str] = ("first", "second"), by_subject: bool = True) -> Pool:
    """Tasks over 120 persons with two recordings each, half of them to test on."""
    recordings = [
        person(n, take, "yes" if n % 2 else "no", ("a", "b")[n // 2 % 2])
        for n in range(120)
        for take in range(2)
    ]
    if not by_subject:
        recordings = [replace(r, subject=None, block=r.subject) for r in recordings]
    config = Config("Ill", "disease", "demo", "ill", {"no": ("no",), "yes": ("yes",)})
    held = frozenset(f"person-{n:03d}" for n in range(60))
    kept = store(recordings, noise(len(recordings), 2), "site")
    tasks = {name: Classification(config) for name in names}
    return benchmark.gather([kept], {"site": held}, tasks, 10)


def scores(pool: Pool, shift: float, seed: int = 0, device: float | None = None) -> ArmScores:
    rng = np.random.default_rng(seed)
    columns = {}
    for data in pool.tasks:
        values = rng.normal(shift * data.labels[data.test], 1.0)
        columns[data.name] = np.column_stack([-values, values])
    return ArmScores(columns, {data.name: device for data in pool.tasks}, None)


def results(pool: Pool, shifts: Mapping[str, float] = SHIFTS) -> dict[str, list[ArmScores]]:
    """The same noise in every arm, as from the same recordings."""
    return {name: [scores(pool, shift)] for name, shift in shifts.items()}


def summary(pool: Pool, found: Mapping[str, Sequence[ArmScores]], count: int = 200) -> ScoresRecord:
    arms = [arm for arm in ARMS if arm.name in found]
    return summarise(pool, arms, found, NOBODY, count)


def area(pool: Pool, result: ArmScores, task: str) -> float:
    (data,) = (d for d in pool.tasks if d.name == task)
    column: NDArray[np.float64] = result.scores[task][:, 1]
    return float(roc_auc_score(data.labels[data.test], column))


def test_values_are_scikit_learns_and_lie_in_their_interval() -> None:
    pool = pooled()
    found = results(pool)
    record = summary(pool, found)
    assert [(s.task, s.arm) for s in record.scores] == [
        (t, a) for t in ("first", "second") for a in ("federated", "centralised", "random")
    ]
    for score in record.scores:
        expected = area(pool, found[score.arm][0], score.task)
        assert score.value == pytest.approx(expected, abs=1e-12)
        assert score.low is not None
        assert score.high is not None
        assert score.low < score.value < score.high


def test_the_mean_is_over_tasks_and_narrower_than_its_widest_task() -> None:
    record = summary(pooled(), results(pooled()))
    for mean in record.means:
        own = [s for s in record.scores if s.arm == mean.arm]
        assert mean.value == pytest.approx(np.mean([s.value for s in own]))
        assert mean.low is not None
        assert mean.high is not None
        widest = max(s.high - s.low for s in own if s.high is not None and s.low is not None)
        assert 0 < mean.high - mean.low < widest


def test_equal_arms_differ_by_exactly_nothing() -> None:
    pool = pooled()
    record = summary(pool, results(pool, dict.fromkeys(SHIFTS, 1.0)))
    assert len(record.differences) == 9  # three pairs on two tasks and their mean
    assert {(d.value, d.low, d.high) for d in record.differences} == {(0.0, 0.0, 0.0)}


def test_differences_are_paired_over_the_same_persons() -> None:
    """Arms that make the same mistakes differ surely, though each is uncertain."""
    pool = pooled()
    record = summary(pool, results(pool, {"federated": 1.0, "random": 0.8}))
    width = {s.task: s.high - s.low for s in record.scores if s.high and s.low}
    assert {(d.arm, d.against, d.task) for d in record.differences} == {
        ("federated", "random", task) for task in ("first", "second", "mean")
    }
    by_arm = {(s.arm, s.task): s.value for s in record.scores}
    for difference in record.differences:
        assert difference.low is not None
        assert difference.high is not None
        assert 0 < difference.low < difference.value < difference.high
        if difference.task != "mean":
            expected = by_arm["federated", difference.task] - by_arm["random", difference.task]
            assert difference.value == pytest.approx(expected)
            assert difference.high - difference.low < 0.5 * width[difference.task]


def test_an_arm_of_several_seeds_has_their_mean_in_every_sample() -> None:
    pool = pooled()
    seeds = [scores(pool, 0.3, seed, device=0.6 + 0.1 * seed) for seed in range(3)]
    record = summary(pool, {**results(pool), "random": seeds})
    (found,) = (s for s in record.scores if (s.arm, s.task) == ("random", "first"))
    assert found.value == pytest.approx(np.mean([area(pool, s, "first") for s in seeds]))
    assert found.device == pytest.approx(0.7)
    (alone,) = (
        s for s in summary(pool, results(pool)).scores if (s.arm, s.task) == ("random", "first")
    )
    assert found.high is not None
    assert found.low is not None
    assert alone.high is not None
    assert alone.low is not None
    assert found.high - found.low < alone.high - alone.low


def test_the_same_run_gives_the_same_record() -> None:
    pool = pooled()
    assert summary(pool, results(pool)) == summary(pool, results(pool))


def test_an_arm_that_was_not_run_is_listed_without_a_score() -> None:
    pool = pooled()
    absent = Arm("opensmile_compare", "openSMILE", "features", 0, "not run: pip install it")
    found = {**results(pool), absent.name: []}
    record = summarise(pool, [*ARMS, absent], found, NOBODY, 50)
    assert record.arms[-1] == absent
    plain = summary(pool, results(pool), 50)
    assert (record.scores, record.means, record.ratio) == (plain.scores, plain.means, plain.ratio)
    assert record.differences == plain.differences


# -- the ratio -----------------------------------------------------------------------------


def test_the_ratio_is_the_share_of_the_centralised_gain() -> None:
    pool = pooled()
    record = summary(pool, results(pool))
    means = {mean.arm: mean.value for mean in record.means}
    expected = (means["federated"] - means["random"]) / (means["centralised"] - means["random"])
    ratio = record.ratio
    assert ratio.value == pytest.approx(expected)
    assert ratio.low is not None
    assert ratio.high is not None
    assert ratio.low < expected < ratio.high
    assert ratio.text == ""
    assert (ratio.federated, ratio.random) == (means["federated"], means["random"])


def test_a_federated_arm_that_is_the_centralised_one_has_ratio_one() -> None:
    pool = pooled()
    ratio = summary(pool, results(pool, {**SHIFTS, "federated": 2.0})).ratio
    assert (ratio.value, ratio.low, ratio.high) == (1.0, 1.0, 1.0)


@pytest.mark.parametrize("centralised", [0.3, 0.31, 0.0])
def test_a_centralised_gain_that_is_noise_gives_words_and_no_ratio(centralised: float) -> None:
    pool = pooled()
    found = results(pool) | {"centralised": [scores(pool, centralised, seed=9)]}
    ratio = summary(pool, found).ratio
    assert (ratio.value, ratio.low, ratio.high) == (None, None, None)
    assert "cannot be told from the untrained network" in ratio.text
    assert ratio.centralised is not None


def test_without_a_centralised_arm_there_is_no_ratio() -> None:
    pool = pooled()
    ratio = summary(pool, results(pool, {"federated": 1.5, "random": 0.3})).ratio
    assert (ratio.value, ratio.text) == (None, "no centralised encoder was trained")
    assert ratio.federated is not None


# -- facts ---------------------------------------------------------------------------------


def test_facts_of_a_task_count_persons() -> None:
    facts = summary(pooled(), results(pooled())).tasks[0]
    assert (facts.unit, facts.in_mean, facts.note) == ("subject", True, "")
    assert (facts.train_recordings, facts.test_recordings, facts.test_groups) == (120, 120, 60)
    assert facts.test_groups_per_class == {"no": 30, "yes": 30}
    assert facts.label_from_device == 0.5


def test_a_task_without_persons_stands_beside_the_mean() -> None:
    pool = pooled(by_subject=False)
    record = summary(pool, results(pool))
    facts = record.tasks[0]
    assert (facts.unit, facts.in_mean, facts.test_groups) == ("recording", False, 120)
    assert facts.note == "by recording: the data set names no persons"
    assert {mean.over for mean in record.means} == {"mean:person"}
    assert record.ratio.text == "no task with persons was scored"
    assert not [d for d in record.differences if d.task == "mean"]


@pytest.mark.parametrize(
    ("seen", "protocol"),
    [
        (set(), "inductive"),
        ({"site/person-060"}, "inductive"),  # trained on, and not tested on
        ({"other/person-000"}, "inductive"),
        ({"site/person-000"}, "transductive"),
    ],
)
def test_one_test_person_in_pretraining_makes_a_task_transductive(
    seen: set[str], protocol: str
) -> None:
    pool = pooled(["first"])
    record = summarise(pool, ARMS, results(pool), frozenset(seen), 20)
    assert record.tasks[0].protocol == protocol


def test_a_skipped_task_is_listed_with_its_reason() -> None:
    pool = replace(pooled(["first"]), skipped=(("rare", "class ill has 3 test subjects"),))
    (skipped,) = summary(pool, results(pool)).skipped
    assert (skipped.task, skipped.reason) == ("rare", "class ill has 3 test subjects")


def test_without_any_task_the_record_is_empty() -> None:
    pool = pooled([])
    record = summary(pool, {arm.name: [scores(pool, 1.0)] for arm in ARMS})
    assert (record.tasks, record.scores, record.differences, record.means) == ((), (), (), ())
    assert record.ratio.text == "no task with persons was scored"


def test_a_variant_is_paired_with_what_it_could_replace() -> None:
    pool = pooled()
    arms = (*ARMS, Arm("variant:a", "A", "variant", 10, ""), Arm("start", "Start", "start", 0, ""))
    shifts = {**SHIFTS, "variant:a": 1.2, "start": 0.9}
    found = summarise(pool, arms, results(pool, shifts), NOBODY, 200)
    pairs = {(d.arm, d.against) for d in found.differences if d.task == "mean"}
    assert {("variant:a", "start"), ("variant:a", "random"), ("federated", "variant:a"),
            ("federated", "start"), ("start", "random")} <= pairs  # fmt: skip
    assert ("variant:a", "centralised") not in pairs
