"""scores.json: the tasks, the arms, and what each arm reached on each task.

Every score is an AUROC with a 95 % interval over persons, unless a field says otherwise.
"""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class TaskFacts:
    """A downstream task and who its test persons are.

    Attributes:
        name: Unique name.
        title: For a reader.
        family: Group of tasks, for a reader.
        dataset: Where its recordings come from.
        classes: Names of the classes.
        unit: What a score averages over: the person, or the single recording.
        in_mean: Whether the task enters the mean.
        headline: Whether it was named a headline before the run.
        train_recordings: Recordings the probe was fitted on.
        test_recordings: Recordings the score stands on.
        test_groups: Persons (or blocks) the score stands on.
        test_groups_per_class: Class to such groups.
        protocol: ``inductive`` if pretraining saw none of the task's test persons.
        label_from_device: AUROC of predicting the label from the device alone.
        note: Anything a reader must know.
        group: With which tasks it is averaged; "" where that was not recorded.
        items: What has a class, and is counted as recordings above: whole recordings, or
            windows around annotated events.
    """

    name: str
    title: str
    family: str
    dataset: str
    classes: tuple[str, ...]
    unit: Literal["subject", "recording"]
    in_mean: bool
    headline: bool
    train_recordings: int
    test_recordings: int
    test_groups: int
    test_groups_per_class: dict[str, int]
    protocol: Literal["inductive", "transductive"]
    label_from_device: float | None
    note: str
    group: str = ""
    items: Literal["recordings", "events"] = "recordings"


@dataclass(frozen=True)
class SkippedTask:
    """A task that gave no score, and why."""

    task: str
    reason: str


#: What sort of row an arm is.
Kind = Literal[
    "federated",
    "variant",
    "start",
    "centralised",
    "local",
    "random",
    "features",
    "combined",
    "control",
]


@dataclass(frozen=True)
class Arm:
    """What the federated encoder is compared with; ``steps`` is its optimiser steps.

    An arm that was not run has no scores, and its note says why.
    """

    name: str
    title: str
    kind: Kind
    steps: int
    note: str


@dataclass(frozen=True)
class TaskScore:
    """AUROC of an arm on a task with its 95 % interval, where one could be computed.

    ``device`` and ``site`` are the AUROC of decoding the recording device and the site
    from the same embedding.
    """

    arm: str
    task: str
    value: float
    low: float | None
    high: float | None
    device: float | None
    site: float | None


@dataclass(frozen=True)
class Difference:
    """Paired difference ``arm - against`` on a task, or on a mean: "mean", "mean:lung" ..."""

    arm: str
    against: str
    task: str
    value: float
    low: float | None
    high: float | None


@dataclass(frozen=True)
class Mean:
    """AUROC of an arm averaged over tasks; ``over`` is an `averages.Average`'s name."""

    arm: str
    value: float
    low: float | None
    high: float | None
    over: str = "mean"


@dataclass(frozen=True)
class Ratio:
    """(federated - random) / (centralised - random); null with ``text`` saying why."""

    value: float | None
    low: float | None
    high: float | None
    federated: float | None
    random: float | None
    centralised: float | None
    text: str


@dataclass(frozen=True)
class ScoresRecord:
    """scores.json: every arm on every task, and what follows from it.

    Attributes:
        tasks: What was scored.
        skipped: What was not.
        arms: What was compared.
        scores: Each arm on each task.
        differences: Between arms, paired.
        means: Over tasks.
        ratio: What federation keeps of the centralised gain.
        persons: Whom the scores are measured on. With "validation" they serve to choose,
            and where the record says test persons, validation persons are meant.

    Raises:
        ValueError: A score, difference or mean names an arm or task that is not listed,
            and would be lost to the reader.
    """

    tasks: tuple[TaskFacts, ...]
    skipped: tuple[SkippedTask, ...]
    arms: tuple[Arm, ...]
    scores: tuple[TaskScore, ...]
    differences: tuple[Difference, ...]
    means: tuple[Mean, ...]
    ratio: Ratio
    persons: Literal["test", "validation"] = "test"

    def __post_init__(self) -> None:
        arms = {arm.name for arm in self.arms}
        tasks = {task.name for task in self.tasks}
        used_arms = [s.arm for s in self.scores] + [m.arm for m in self.means]
        used_arms += [name for d in self.differences for name in (d.arm, d.against)]
        used_tasks = [s.task for s in self.scores]
        used_tasks += [d.task for d in self.differences if d.task.partition(":")[0] != "mean"]
        for kind, known, used in (("arm", arms, used_arms), ("task", tasks, used_tasks)):
            for name in used:
                if name not in known:
                    raise ValueError(f"{kind} {name!r} has a result and is not listed")
