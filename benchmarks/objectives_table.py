"""From the results of ``benchmarks.objectives`` to its rows: means, gains, gaps, intervals.

All runs on the same data share the resamples of persons, so every difference here is paired.
Several seeds count as their mean, inside every resample too. The untrained network that a
run is compared with is the mean of the seeds of the same encoder.
"""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from benchmarks.objectives_grid import Run, Stage
from benchmarks.objectives_records import Dealt, Result
from fedbreath.downstream.score import interval
from fedbreath.report.averages import Average, averages

Floats = NDArray[np.float64]

#: Kind, objective, encoder, scheme: what several seeds of are one row.
Key = tuple[str, str, str, str]

#: Always among the finalists, beside the best.
ALWAYS = ("descriptors", "cola")

_COLUMNS = (
    "stage", "data", "persons", "kind", "objective", "encoder", "scheme", "seeds", "steps",
    "parameters", "train_seconds", "average", "auroc", "auroc_low", "auroc_high", "gain",
    "gain_low", "gain_high", "gap", "gap_low", "gap_high", "seeds_low", "seeds_high", "failed",
    "notes",
)  # fmt: skip


@dataclass(frozen=True)
class Estimate:
    """A value with its 95 % interval over persons."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Row:
    """One choice, over its seeds.

    Attributes:
        key: The choice.
        seeds: Runs that gave a result.
        steps: Optimiser steps of each, in all.
        parameters: Weights of the encoder; 0 without one.
        train_seconds: Processor time of training, mean over seeds.
        means: Average's name to AUROC.
        gains: The same less the untrained network of the encoder, where there is one.
        gaps: The same less the centralised row, of a federated one.
        range: Least and greatest of the seeds' first means.
        failed: Why a run of it gave nothing.
        notes: What a reader must know.
    """

    key: Key
    seeds: int
    steps: int
    parameters: int
    train_seconds: float
    means: Mapping[str, Estimate]
    gains: Mapping[str, Estimate]
    gaps: Mapping[str, Estimate]
    range: tuple[float, float] | None
    failed: str
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Sheet:
    """A stage on one kind of data.

    Attributes:
        stage: The stage.
        data: ``real`` or ``simulated``.
        dealt: Its persons and tasks.
        averages: The means that are stated; the first is what is chosen by.
        rows: Every choice.
        draws: Each choice's means, plain value first, then over the resamples.
    """

    stage: Stage
    data: str
    dealt: Dealt
    averages: tuple[Average, ...]
    rows: tuple[Row, ...]
    draws: Mapping[Key, Mapping[str, Floats]] = field(repr=False)


def key_of(run: Run) -> Key:
    """The row that a run belongs to."""
    return run.kind, run.objective, run.encoder, run.scheme


def sheet(results: Mapping[Run, Result], dealt: Dealt, stage: Stage, data: str) -> Sheet:
    """All rows of a stage on one kind of data."""
    stated = averages(dealt.tasks)
    by_row: dict[Key, list[Result]] = {}
    for run, result in results.items():
        if run.data == data and run.stage in _stages(run, stage):
            by_row.setdefault(key_of(run), []).append(result)
    draws = {
        key: {a.name: np.mean([_over(r, a) for r in ran], axis=0) for a in stated}
        for key, found in by_row.items()
        if (ran := [r for r in found if not r.failed])
    }
    rows = tuple(_row(key, found, draws, stated) for key, found in by_row.items())
    return Sheet(stage, data, dealt, stated, rows, draws)


def _stages(run: Run, stage: Stage) -> tuple[Stage, ...]:
    """The stages whose runs stand in the sheet of `stage`: untrained rows are made once."""
    if stage == "finalists" and run.kind != "trained":
        return "finalists", "screening"
    return (stage,)


def _over(result: Result, average: Average) -> Floats:
    mean: Floats = np.mean([result.draws[task] for task in average.tasks], axis=0)
    return mean


def estimate(draws: Floats) -> Estimate:
    """The plain value, and the interval of the resamples."""
    return Estimate(float(draws[0]), *interval(draws[1:]))


def _row(
    key: Key,
    found: Sequence[Result],
    draws: Mapping[Key, Mapping[str, Floats]],
    stated: Sequence[Average],
) -> Row:
    kind, objective, encoder, scheme = key
    ran = [r for r in found if not r.failed]
    own = draws.get(key, {})
    bare = draws.get(("untrained", "", encoder, ""), {}) if kind == "trained" else {}
    pooled = draws.get((kind, objective, encoder, "centralised"), {})
    central = pooled if scheme == "federated" else {}
    firsts = [float(_over(r, stated[0])[0]) for r in ran] if stated else []
    return Row(
        key,
        len(ran),
        found[0].run.steps,
        max(r.parameters for r in found),
        float(np.mean([r.train_seconds for r in ran])) if ran else 0.0,
        {name: estimate(d) for name, d in own.items()},
        {name: estimate(d - bare[name]) for name, d in own.items() if name in bare},
        {name: estimate(d - central[name]) for name, d in own.items() if name in central},
        (min(firsts), max(firsts)) if firsts else None,
        "; ".join(dict.fromkeys(r.failed for r in found if r.failed)),
        tuple(dict.fromkeys(note for r in found for note in r.notes)),
    )


def finalists(sheet: Sheet, count: int) -> list[tuple[str, str]]:
    """Objective and encoder of the best, by the first mean and over the schemes.

    The best encoder of each of `ALWAYS` is among them, where it was screened.

    Args:
        sheet: The screening.
        count: How many are taken for their mean alone; 0 takes none at all.
    """
    values: dict[tuple[str, str], list[float]] = {}
    for row in sheet.rows:
        kind, objective, encoder, _ = row.key
        if kind == "trained" and row.means:
            values.setdefault((objective, encoder), []).append(
                row.means[sheet.averages[0].name].value
            )
    ranked = sorted(values, key=lambda pair: (-float(np.mean(values[pair])), pair))
    if not count:
        return []
    chosen = ranked[:count]
    for objective in ALWAYS:
        if objective not in {o for o, _ in chosen}:
            chosen += [pair for pair in ranked if pair[0] == objective][:1]
    return chosen


def as_csv(sheets: Sequence[Sheet]) -> str:
    """Every row and mean of every stage as CSV."""
    text = io.StringIO()
    out = csv.writer(text, lineterminator="\n")
    out.writerow(_COLUMNS)
    for one in sheets:
        for row in one.rows:
            head = [one.stage, one.data, one.dealt.persons, *row.key, row.seeds, row.steps,
                    row.parameters, round(row.train_seconds, 1)]  # fmt: skip
            tail = [*(row.range or ("", "")), row.failed, "; ".join(row.notes)]
            for name in row.means or ("",):
                parts = (row.means.get(name), row.gains.get(name), row.gaps.get(name))
                out.writerow([*head, name, *(v for part in parts for v in _cells(part)), *tail])
    return text.getvalue()


def _cells(part: Estimate | None) -> tuple[float | str, ...]:
    if part is None:
        return "", "", ""
    return round(part.value, 5), round(part.low, 5), round(part.high, 5)
