"""Class scores of all arms -> AUROC with intervals, paired differences, the ratio.

All arms of a task share the bootstrap samples over test persons, and so do all tasks of a
data set, whose persons are the same: differences between arms are paired, and the interval
of a mean over tasks is one over persons. `averages` says which means there are. An arm that
stands for several seeds (the untrained network) has the mean over seeds as its value, inside
every bootstrap sample too.
"""

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from fedbreath.downstream.benchmark import ArmScores, Pool, TaskData, label_from_device
from fedbreath.downstream.score import interval, resamples, weighted_auroc
from fedbreath.report.averages import averages
from fedbreath.report.score_records import (
    Arm,
    Difference,
    Mean,
    Ratio,
    ScoresRecord,
    SkippedTask,
    TaskFacts,
    TaskScore,
)

Floats = NDArray[np.float64]

#: Bootstrap seed: fixed, so that arms, runs and seeds meet the same samples.
_SEED = 20_240_617

#: Pairs of arms whose paired difference is reported, those of variants apart (`_pairs`).
_PAIRS = (
    ("federated", "random"),
    ("federated", "start"),
    ("start", "random"),
    ("centralised", "random"),
    ("federated", "centralised"),
    ("federated", "log_mel"),
    ("federated", "level_length"),
    ("federated", "descriptors"),
    ("federated", "opensmile_compare"),
    ("federated", "opensmile_egemaps"),
    ("encoder_descriptors", "descriptors"),
    ("encoder_descriptors", "opensmile_compare"),
)


def summarise(
    pool: Pool,
    arms: Sequence[Arm],
    results: Mapping[str, Sequence[ArmScores]],
    pretrained_on: frozenset[str],
    count: int,
) -> ScoresRecord:
    """The score record of a run.

    Args:
        pool: The tasks.
        arms: The arms, in the order of the table.
        results: Arm name to its results, one a seed; none for an arm that was not run.
        pretrained_on: Groups that some arm trained on, as the pool names them.
        count: Bootstrap samples.
    """
    run = [arm for arm in arms if results[arm.name]]
    # Row 0 of every column is the plain score, the rest are bootstrap samples.
    of_run = {arm.name: results[arm.name] for arm in run}
    columns = {d.name: draws_of(d, pool, of_run, count) for d in pool.tasks}
    facts = tuple(facts_of(d, pretrained_on) for d in pool.tasks)
    means = {
        average.name: {
            arm.name: np.mean([columns[task][arm.name] for task in average.tasks], axis=0)
            for arm in run
        }
        for average in averages(facts)
    }
    return ScoresRecord(
        tasks=facts,
        skipped=tuple(SkippedTask(name, reason) for name, reason in pool.skipped),
        arms=tuple(arms),
        scores=tuple(
            _score(arm.name, d.name, columns[d.name][arm.name], results[arm.name])
            for d in pool.tasks
            for arm in run
        ),
        differences=_differences({**columns, **means}, _pairs(run)),
        means=tuple(
            Mean(arm, *_with_interval(draws), over)
            for over, by_arm in means.items()
            for arm, draws in by_arm.items()
        ),
        ratio=_ratio(means.get("mean", {})),
        persons=pool.persons,
    )


def draws_of(
    data: TaskData, pool: Pool, results: Mapping[str, Sequence[ArmScores]], count: int
) -> dict[str, Floats]:
    """AUROC of every arm on a task, over shared resamples of the persons scored on.

    Args:
        data: The task.
        pool: All tasks: those of a data set share their persons, and so their resamples.
        results: Arm name to its results, one a seed; their mean is the arm's.
        count: Bootstrap samples.

    Returns:
        Arm name to shape (1 + count,): the plain score, then the bootstrap samples. The same
        pool and count give the same resamples, so arms that were scored apart are paired.
    """
    labels = data.labels[data.test]
    dataset = data.task.config.dataset
    everyone = {
        unit
        for task in pool.tasks
        if task.task.config.dataset == dataset
        for unit in task.units_of(task.test)
    }
    seed = (_SEED, zlib.crc32(dataset.encode()))
    drawn = resamples(data.units_of(data.test), labels, count, seed, everyone)
    weights = np.concatenate([np.ones((1, len(labels))), drawn])
    return {
        name: np.mean([weighted_auroc(r.scores[data.name], labels, weights) for r in seeds], axis=0)
        for name, seeds in results.items()
    }


def _with_interval(draws: Floats) -> tuple[float, float, float]:
    return (float(draws[0]), *interval(draws[1:]))


def _score(arm: str, task: str, draws: Floats, results: Sequence[ArmScores]) -> TaskScore:
    device = [r.device.get(task) for r in results]
    site = [r.site for r in results]
    return TaskScore(arm, task, *_with_interval(draws), _mean(device), _mean(site))


def _mean(values: Sequence[float | None]) -> float | None:
    known = [v for v in values if v is not None]
    return float(np.mean(known)) if known else None


def facts_of(data: TaskData, pretrained_on: frozenset[str]) -> TaskFacts:
    """What a reader must know of a task; `pretrained_on` holds groups as the pool names them."""
    config = data.task.config
    tested = data.units_of(data.test)
    per_class = {
        name: len(set(data.units_of(data.test & (data.labels == k))))
        for k, name in enumerate(config.classes)
    }
    seen = pretrained_on.intersection(data.groups_of(data.test))
    return TaskFacts(
        name=data.name,
        title=config.title,
        family=config.family,
        dataset=config.dataset,
        classes=tuple(config.classes),
        unit="subject" if data.by_subject else "recording",
        in_mean=data.by_subject,
        headline=config.headline,
        train_recordings=int((~data.test).sum()),
        test_recordings=int(data.test.sum()),
        test_groups=len(set(tested)),
        test_groups_per_class=per_class,
        protocol="transductive" if seen else "inductive",
        label_from_device=label_from_device(data),
        note="" if data.by_subject else "by recording: the data set names no persons",
        group=config.group,
        items=config.items,
    )


def _pairs(arms: Sequence[Arm]) -> list[tuple[str, str]]:
    """Whose differences are reported: a variant is paired with whatever it could replace."""
    variants = [arm.name for arm in arms if arm.kind == "variant"]
    pairs = list(_PAIRS)
    for name in variants:
        pairs += [(name, "start"), (name, "random"), ("federated", name)]
    return pairs


def _differences(
    columns: Mapping[str, Mapping[str, Floats]], pairs: Sequence[tuple[str, str]]
) -> tuple[Difference, ...]:
    found = []
    for arm, against in pairs:
        for task, draws in columns.items():
            if arm in draws and against in draws:
                paired = draws[arm] - draws[against]
                found.append(Difference(arm, against, task, *_with_interval(paired)))
    return tuple(found)


def _ratio(means: Mapping[str, Floats]) -> Ratio:
    """(federated - random) / (centralised - random), where the denominator is not noise."""
    plain = {name: float(draws[0]) for name, draws in means.items()}
    empty = Ratio(
        value=None,
        low=None,
        high=None,
        federated=plain.get("federated"),
        random=plain.get("random"),
        centralised=plain.get("centralised"),
        text="",
    )
    if not means:
        return replace(empty, text="no task with persons was scored")
    if "centralised" not in means:
        return replace(empty, text="no centralised encoder was trained")
    gain = means["centralised"] - means["random"]
    low, _ = interval(gain[1:])
    if low <= 0:
        quotient = (plain["federated"] - plain["random"]) / gain[0] if gain[0] else None
        text = (
            "centralised training cannot be told from the untrained network "
            f"({gain[0]:+.3f}, interval from {low:+.3f}), so the ratio says nothing"
            + (f" (the plain quotient is {quotient:.2f})" if quotient is not None else "")
        )
        return replace(empty, text=text)
    value, low, high = _with_interval((means["federated"] - means["random"]) / gain)
    return replace(empty, value=value, low=low, high=high)
