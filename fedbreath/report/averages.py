"""The means that are stated, and which tasks enter each.

The mean that a study is judged by ("mean") is over the tasks whose recordings all name
their person. Beside it stand the means of the groups of tasks, and of all tasks, where
they are of other tasks; in those, a task without persons counts by recording, which the
heading says.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from fedbreath.report.score_records import TaskFacts

_TITLES = {
    "lung": "Lung sounds",
    "cough": "Coughs",
    "kind": "Kind of sound",
    "person": "The person",
}


@dataclass(frozen=True)
class Average:
    """A mean over tasks, each counting once.

    Attributes:
        name: "mean", or "mean:" and a group of tasks or "all".
        title: For a reader.
        tasks: Names of the tasks.
        by_recording: How many of them have no persons.
    """

    name: str
    title: str
    tasks: tuple[str, ...]
    by_recording: int

    @property
    def says(self) -> str:
        """How many tasks, and what they count by.

        >>> Average("mean:kind", "Kind of sound", ("a", "b"), 1).says
        '2 tasks, 1 by recording'
        """
        tasks = f"{len(self.tasks)} {'task' if len(self.tasks) == 1 else 'tasks'}"
        if self.by_recording in (0, len(self.tasks)):
            return f"{tasks}, by {'recording' if self.by_recording else 'person'}"
        return f"{tasks}, {self.by_recording} by recording"


def averages(tasks: Sequence[TaskFacts]) -> tuple[Average, ...]:
    """The mean first, then the groups' means, then that of all tasks.

    A mean that is over no task, or over the very tasks of one before it, is not stated.
    """
    candidates = [
        _average("mean", "Mean", (t for t in tasks if t.in_mean)),
        *(
            _average(f"mean:{group}", title, (t for t in tasks if t.group == group))
            for group, title in _TITLES.items()
        ),
        _average("mean:all", "All tasks", tasks),
    ]
    stated: dict[tuple[str, ...], Average] = {}
    for average in candidates:
        if average.tasks:
            stated.setdefault(average.tasks, average)
    return tuple(stated.values())


def _average(name: str, title: str, tasks: Iterable[TaskFacts]) -> Average:
    chosen = list(tasks)
    by_recording = sum(task.unit == "recording" for task in chosen)
    return Average(name, title, tuple(task.name for task in chosen), by_recording)
