"""Which tasks enter which mean, its interval, and where the page shows it."""

import dataclasses

import numpy as np
import pytest
from numpy.typing import NDArray

from fedbreath.downstream import benchmark
from fedbreath.downstream.benchmark import ArmScores, Pool
from fedbreath.downstream.classification import Classification, Config, Group
from fedbreath.report import figures, page, scoring, tables
from fedbreath.report.averages import averages
from fedbreath.report.score_records import Arm, ScoresRecord, TaskFacts
from fedbreath.report.wording import decimal, interval
from tests.report import sample
from tests.stores import noise, person, store

ARMS = (
    Arm("federated", "Federated", "federated", 10, ""),
    Arm("random", "Untrained network", "random", 0, ""),
)

#: Task, its group, whether its recordings name persons.
MIXED: tuple[tuple[str, Group, bool], ...] = (
    ("a", "lung", True), ("b", "lung", True), ("c", "cough", True), ("d", "cough", False),
    ("e", "kind", False),
)  # fmt: skip


def facts(tasks: tuple[tuple[str, Group, bool], ...]) -> list[TaskFacts]:
    first = sample.task_records()[0]
    return [
        dataclasses.replace(
            first,
            name=name,
            group=group,
            in_mean=named,
            unit="subject" if named else "recording",
        )
        for name, group, named in tasks
    ]


def test_the_mean_is_of_persons_and_groups_and_all_say_what_they_count_by() -> None:
    assert [(a.name, a.tasks, a.says) for a in averages(facts(MIXED))] == [
        ("mean", ("a", "b", "c"), "3 tasks, by person"),
        ("mean:lung", ("a", "b"), "2 tasks, by person"),
        ("mean:cough", ("c", "d"), "2 tasks, 1 by recording"),
        ("mean:kind", ("e",), "1 task, by recording"),
        ("mean:all", ("a", "b", "c", "d", "e"), "5 tasks, 2 by recording"),
    ]


@pytest.mark.parametrize(
    ("tasks", "names"),
    [
        ((), []),
        (MIXED[:2], ["mean"]),
        (MIXED[:3], ["mean", "mean:lung", "mean:cough"]),
        (MIXED[4:], ["mean:kind"]),
        (MIXED[3:], ["mean:cough", "mean:kind", "mean:all"]),
    ],
)
def test_no_mean_is_stated_twice(
    tasks: tuple[tuple[str, Group, bool], ...], names: list[str]
) -> None:
    assert [a.name for a in averages(facts(tasks))] == names


def test_a_run_that_recorded_no_groups_has_the_means_it_can_have() -> None:
    old = [dataclasses.replace(task, group="") for task in facts(MIXED)]
    assert [a.name for a in averages(old)] == ["mean", "mean:all"]


# -- their values --------------------------------------------------------------------------


def pooled(names: str = "abcd") -> Pool:
    """Tasks over the same 60 persons, two recordings each, the first half to test on."""
    recordings = [person(n, take, "yes" if n % 2 else "no") for n in range(60) for take in (0, 1)]
    groups: dict[str, Group] = {"a": "lung", "b": "lung", "c": "cough", "d": "kind"}
    classes = {"no": ("no",), "yes": ("yes",)}
    tasks = {
        name: Classification(Config(name, "disease", "demo", "ill", classes, group=groups[name]))
        for name in names
    }
    held = frozenset(f"person-{n:03d}" for n in range(30))
    kept = store(recordings, noise(len(recordings), 2), "site")
    return benchmark.gather([kept], {"site": held}, tasks, 10)


def columns(pool: Pool, shift: float, seed: int) -> NDArray[np.float64]:
    labels = pool.tasks[0].labels[pool.tasks[0].test]
    values = np.random.default_rng(seed).normal(shift * labels, 1.0)
    return np.column_stack([-values, values])


def record(pool: Pool, alike: bool) -> ScoresRecord:
    """All tasks have the same scores, or scores of their own."""
    results = {
        arm: [
            ArmScores(
                {d.name: columns(pool, shift, 0 if alike else k) for k, d in enumerate(pool.tasks)},
                {},
                None,
            )
        ]
        for arm, shift in (("federated", 1.5), ("random", 0.5))
    }
    return scoring.summarise(pool, ARMS, results, frozenset(), 300)


def test_each_mean_is_the_mean_of_its_tasks_and_its_differences_are_paired() -> None:
    found = record(pooled(), alike=False)
    assert {m.over for m in found.means} == {"mean", "mean:lung", "mean:cough", "mean:kind"}
    values = {(s.arm, s.task): s.value for s in found.scores}
    by_name = {a.name: a.tasks for a in averages(found.tasks)}
    for mean in found.means:
        expected = np.mean([values[mean.arm, task] for task in by_name[mean.over]])
        assert mean.value == pytest.approx(expected)
    means = {(m.arm, m.over): m.value for m in found.means}
    paired = {d.task: d for d in found.differences if d.task in by_name}
    assert set(paired) == set(by_name)
    for over, difference in paired.items():
        assert difference.value == pytest.approx(means["federated", over] - means["random", over])
        assert difference.low is not None
        assert difference.high is not None
        assert difference.low < difference.value < difference.high


def test_tasks_over_the_same_persons_narrow_no_interval() -> None:
    """Two tasks that ask the same of the same persons know no more than one of them."""
    found = record(pooled(), alike=True)
    (one,) = (s for s in found.scores if (s.arm, s.task) == ("federated", "a"))
    for mean in found.means:
        if mean.arm == "federated":
            assert (mean.value, mean.low, mean.high) == pytest.approx(
                (one.value, one.low, one.high)
            )


# -- on the page ---------------------------------------------------------------------------


def test_several_means_are_a_table_of_their_own_and_so_are_their_differences() -> None:
    scores = record(pooled(), alike=False)
    first, second = tables.blocks(scores)
    assert [c.title for c in first.columns] == ["Mean", "Lung sounds", "Coughs", "Kind of sound"]
    assert [c.name for c in second.columns] == list("abcd")
    compared = tables.comparisons(scores)
    assert compared is not None
    assert [row.title for row in compared.rows] == ["Federated − Untrained network"]
    assert len(compared.rows[0].cells) == 4
    records = dataclasses.replace(sample.records(), scores=scores)
    text = page.html(records)
    for mean in scores.means:
        assert f"<b>{decimal(mean.value)}</b>" in text
        assert f"<small>{interval(mean)}</small>" in text
    for words in ("4 tasks, by person", "1 task, by person", "Paired differences"):
        assert words in text
    drawn = figures.forest(scores)
    assert drawn is not None
    assert "Mean of 4 tasks" in drawn.wide
    assert "Mean: kind of sound" in drawn.wide


def test_without_pairs_there_is_no_table_of_differences() -> None:
    scores = record(pooled(), alike=False)
    assert tables.comparisons(dataclasses.replace(scores, differences=())) is None
