"""All tasks on one set of embeddings: who is trained on, who is tested on, what came out.

`gather` fixes, before any encoder is seen, the recordings of every task and which of them
are test recordings. `score` then takes one arm's embeddings and returns its class scores
on the test recordings, together with two controls from the same embedding: how well the
recording device and the site can be told. Where `Pool.persons` says validation, validation
persons are what is called test here.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from fedbreath.downstream import probe
from fedbreath.downstream.classification import Classification
from fedbreath.downstream.events import at_events
from fedbreath.downstream.score import auroc
from fedbreath.features import Entry, Selection, Store

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
Persons = Literal["test", "validation"]

#: A store and positions in it.
Part = tuple[Store, tuple[int, ...]]

#: Controls are read at one moderate strength of regularisation.
_CONTROL_STRENGTH = (1e-2,)


@dataclass(frozen=True)
class TaskData:
    """A task's recordings, or windows around events, and its split.

    Attributes:
        name: The task's YAML name.
        task: The rule.
        rows: Positions in the pool of all items, shape (N,).
        labels: Classes, shape (N,).
        groups: Group of each recording, made unique over sites: what folds keep together.
        units: What is counted and resampled: the person, or the recording itself where
            no person is known.
        test: True for test recordings, shape (N,).
        devices: Recording device of each, "" where unknown.
        by_subject: Whether units are persons.
    """

    name: str
    task: Classification
    rows: Ints
    labels: Ints
    groups: tuple[str, ...]
    units: tuple[str, ...]
    test: Bools
    devices: tuple[str, ...]
    by_subject: bool

    def groups_of(self, mask: Bools) -> tuple[str, ...]:
        """The groups of the recordings in `mask`."""
        return tuple(g for g, inside in zip(self.groups, mask, strict=True) if inside)

    def units_of(self, mask: Bools) -> tuple[str, ...]:
        """The units of the recordings in `mask`."""
        return tuple(u for u, inside in zip(self.units, mask, strict=True) if inside)


@dataclass(frozen=True)
class Pool:
    """Every recording, and window around an event, that some task uses; the tasks over them.

    Attributes:
        selection: The items; embeddings have its order.
        tasks: Tasks that can be scored.
        skipped: Task name and reason, for those that cannot.
        sites: Index of each recording's site, shape (P,).
        test: True for recordings of test groups, shape (P,).
        groups: Group of each recording, made unique over sites.
        persons: Whom scores are measured on.
    """

    selection: Selection
    tasks: tuple[TaskData, ...]
    skipped: tuple[tuple[str, str], ...]
    sites: Ints
    test: Bools
    groups: tuple[str, ...]
    persons: Persons = "test"


@dataclass(frozen=True)
class ArmScores:
    """What one arm's embeddings gave.

    Attributes:
        scores: Task name to class scores of its test recordings, shape (M, K).
        device: Task name to the AUROC of telling the device, None where there is but one.
        site: AUROC of telling the site, None where there is but one.
    """

    scores: Mapping[str, Floats]
    device: Mapping[str, float | None]
    site: float | None


def gather(
    stores: Sequence[Store],
    held_out: Mapping[str, frozenset[str]],
    tasks: Mapping[str, Classification],
    min_subjects: int,
    hidden: Mapping[str, frozenset[str]] | None = None,
    seconds: float = 1.0,
) -> Pool:
    """Fix who is trained and tested on, for every task.

    Args:
        stores: The sites.
        held_out: Site name to the groups kept out for testing.
        tasks: Task name to task.
        min_subjects: Test persons (recordings where no person is known) that every class needs.
        hidden: Site name to the groups that are in no pool: the test groups, while those
            held out are validation groups.
        seconds: Length of a window around an event, s.
    """
    hidden = hidden or {}
    persons: Persons = "validation" if any(hidden.values()) else "test"
    wanted = {t.config.dataset for t in tasks.values()}
    used = [s for s in stores if any(r.dataset in wanted for r in s.site.recordings)]
    out = [hidden.get(s.site.name, frozenset()) for s in used]
    parts = [_recordings(s, wanted, o) for s, o in zip(used, out, strict=True)]
    parts += [_events(s, tasks.values(), o, seconds) for s, o in zip(used, out, strict=True)]
    selection = Selection(tuple(parts))
    names = [store.site.name for store, chosen in parts for _ in chosen]
    order = {store.site.name: i for i, store in enumerate(used)}
    sites = np.array([order[name] for name in names], np.int64)
    recordings = [e.recording for e in selection.entries]
    own = [e.group for e in selection.entries]
    groups = tuple(f"{n}/{g}" for n, g in zip(names, own, strict=True))
    test = np.array([g in held_out[n] for n, g in zip(names, own, strict=True)], bool)
    ready: list[TaskData] = []
    skipped: list[tuple[str, str]] = []
    for name, task in tasks.items():
        labels = [task.label_of(r) for r in recordings]
        rows = np.array([i for i, label in enumerate(labels) if label is not None], np.int64)
        data = TaskData(
            name=name,
            task=task,
            rows=rows,
            labels=np.array([labels[i] for i in rows], np.int64),
            groups=tuple(groups[i] for i in rows),
            units=tuple(f"{names[i]}/{recordings[i].subject or recordings[i].id}" for i in rows),
            test=test[rows] if len(rows) else np.zeros(0, bool),
            devices=tuple(recordings[i].device or "" for i in rows),
            by_subject=all(recordings[i].subject is not None for i in rows),
        )
        reason = _unfit(data, min_subjects, persons)
        if reason:
            skipped.append((name, reason))
        else:
            ready.append(data)
    return Pool(selection, tuple(ready), tuple(skipped), sites, test, groups, persons)


def _recordings(store: Store, datasets: set[str], hidden: frozenset[str]) -> Part:
    """A store and the recordings of these data sets in it, those of hidden groups left out."""
    inside = store.select(lambda e: e.recording.dataset in datasets and e.group not in hidden)
    return inside.parts[0]


def _events(
    store: Store, tasks: Iterable[Classification], hidden: frozenset[str], seconds: float
) -> Part:
    """The windows around a store's events that some task has a class for."""
    about = [task for task in tasks if task.config.items == "events"]
    if not about:
        return store, ()

    def used(entry: Entry) -> bool:
        labels = (task.label_of(entry.recording) for task in about)
        return entry.group not in hidden and any(label is not None for label in labels)

    return at_events(store, seconds).select(used).parts[0]


def _unfit(data: TaskData, min_subjects: int, persons: Persons) -> str:
    """Why a task cannot be scored; empty when it can."""
    if not len(data.rows):
        config = data.task.config
        return f"no {config.items} of data set {config.dataset} in this run"
    unit = "subjects" if data.by_subject else "recordings"
    for side, mask, least in ((persons, data.test, min_subjects), ("training", ~data.test, 2)):
        for k, name in enumerate(data.task.config.classes):
            count = len(set(data.units_of(mask & (data.labels == k))))
            if count < least:
                return f"class {name} has {count} {side} {unit}, fewer than {least}"
    return ""


def score(pool: Pool, embeddings: NDArray[np.float32], controls: bool = True) -> ArmScores:
    """Probe one arm's embeddings on every task.

    Args:
        pool: From `gather`.
        embeddings: Shape (P, D), in the pool's order.
        controls: Whether to probe device and site too.
    """
    scores: dict[str, Floats] = {}
    device: dict[str, float | None] = {}
    for data in pool.tasks:
        inputs = embeddings[data.rows]
        scores[data.name] = probe.predict(
            inputs[~data.test],
            data.labels[~data.test],
            data.groups_of(~data.test),
            inputs[data.test],
        )
        if controls:
            device[data.name] = _decodability(inputs, data.devices, data.test, data.groups)
    site = None
    if controls:
        site = _site(pool, embeddings)
    return ArmScores(scores, device, site)


def _site(pool: Pool, embeddings: NDArray[np.float32]) -> float | None:
    """AUROC of telling the site from whole recordings."""
    whole = np.flatnonzero([e.recording.span is None for e in pool.selection.entries])
    names = [str(pool.sites[i]) for i in whole]
    groups = [pool.groups[i] for i in whole]
    return _decodability(embeddings[whole], names, pool.test[whole], groups)


def values(pool: Pool, scores: Mapping[str, Floats]) -> dict[str, float]:
    """AUROC of each task from its class scores."""
    return {d.name: auroc(scores[d.name], d.labels[d.test]) for d in pool.tasks}


def _decodability(
    inputs: NDArray[np.float32], names: Sequence[str], test: Bools, groups: Sequence[str]
) -> float | None:
    """AUROC of telling a property apart that both sides know in two kinds or more."""
    names_array = np.asarray(names)
    common = sorted(
        name
        for name in set(names)
        if name and all((names_array[side] == name).any() for side in (test, ~test))
    )
    if len(common) < 2:
        return None
    inside = np.isin(names_array, common)
    labels = np.searchsorted(common, names_array)
    fit, held = inside & ~test, inside & test
    members = [g for g, chosen in zip(groups, fit, strict=True) if chosen]
    scores = probe.predict(inputs[fit], labels[fit], members, inputs[held], _CONTROL_STRENGTH)
    return auroc(scores, labels[held])


def label_from_device(data: TaskData) -> float | None:
    """AUROC of predicting a task's label from the device alone, learnt on training groups.

    None when all recordings have the same device, or none is known.
    """
    if len({d for d in data.devices if d}) < 2:
        return None
    devices, classes = np.asarray(data.devices), len(data.task.config.classes)
    prior = np.bincount(data.labels[~data.test], minlength=classes) / (~data.test).sum()
    table = {}
    for device in set(data.devices):
        counts = np.bincount(data.labels[~data.test & (devices == device)], minlength=classes)
        # One pseudo-recording of the prior: a device with two recordings is no evidence.
        table[device] = (counts + prior) / (counts.sum() + 1)
    predicted = np.array([table[d] for d in devices[data.test]])
    return auroc(predicted, data.labels[data.test])


#: Embeddings of a pool, by an arm.
Embed = Callable[[Selection], NDArray[np.float32]]
