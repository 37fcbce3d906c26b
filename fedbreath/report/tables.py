"""The score table: every arm on every task, with the controls beside each score.

Tasks are dealt to blocks of a few columns, so that a block fits a page of paper. More
than a handful of local-only arms become one row of minimum, median and maximum, and
stand in full below.
"""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from fedbreath.report.records import Arm, Difference, Mean, ScoresRecord, TaskFacts, TaskScore
from fedbreath.report.wording import decimal, difference, interval, tone

COLUMNS = 5
LOCAL_ROWS = 8


@dataclass(frozen=True)
class Column:
    """A task, or the mean (``task`` None), as a heading."""

    name: str
    title: str
    task: TaskFacts | None


@dataclass(frozen=True)
class Cell:
    """A score ready for the page.

    Attributes:
        text: The score, or three for a collapsed row.
        bounds: Its interval.
        controls: What else the same embedding tells.
        mark: "gain" or "loss" where the paired interval against untrained leaves out 0.
        order: The number to sort by; empty where there is no score.
    """

    text: str = "–"
    bounds: str = ""
    controls: str = ""
    mark: str = ""
    order: str = ""


@dataclass(frozen=True)
class Row:
    """An arm's scores in one block."""

    title: str
    kind: str
    note: str
    cells: tuple[Cell, ...]


@dataclass(frozen=True)
class Block:
    """A table of a few columns; ``details`` holds the local arms that were collapsed."""

    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    details: tuple[Row, ...]


def blocks(scores: ScoresRecord) -> tuple[Block, ...]:
    """Lay out the score table, the mean first, then headline tasks, then the others."""
    columns = [Column(t.name, t.title, t) for t in ordered(scores.tasks)]
    if scores.means:
        columns.insert(0, Column("mean", "Mean", None))
    found = _results(scores)
    groups = [columns[i : i + COLUMNS] for i in range(0, len(columns), COLUMNS)]
    return tuple(_block(scores, found, group) for group in groups)


def ordered(tasks: Sequence[TaskFacts]) -> list[TaskFacts]:
    """Headline tasks first, then those in the mean, then the others."""
    return sorted(tasks, key=lambda t: (not t.headline, not t.in_mean))


_Results = dict[tuple[str, str], TaskScore | Mean]


def _results(scores: ScoresRecord) -> _Results:
    found: _Results = {(s.arm, s.task): s for s in scores.scores}
    return found | {(m.arm, "mean"): m for m in scores.means}


def _block(scores: ScoresRecord, found: _Results, columns: list[Column]) -> Block:
    local = [arm for arm in scores.arms if arm.kind == "local"]
    collapsed = local if len(local) > LOCAL_ROWS else []
    rows: list[Row] = []
    for arm in scores.arms:
        if arm not in collapsed:
            rows.append(_row(scores, found, columns, arm))
        elif arm is collapsed[0]:
            rows.append(_collapsed_row(found, columns, collapsed))
    details = tuple(_row(scores, found, columns, arm) for arm in collapsed)
    return Block(tuple(columns), tuple(rows), details)


def _row(scores: ScoresRecord, found: _Results, columns: list[Column], arm: Arm) -> Row:
    cells = []
    for column in columns:
        paired = difference(scores, arm.name, column.name)
        cells.append(_cell(found.get((arm.name, column.name)), paired))
    steps = f"{arm.steps:,} steps" if arm.steps else ""
    note = " · ".join(part for part in (steps, arm.note) if part)
    return Row(arm.title, arm.kind, note, tuple(cells))


def _cell(result: TaskScore | Mean | None, paired: Difference | None) -> Cell:
    if result is None:
        return Cell()
    controls = ""
    if isinstance(result, TaskScore):
        told = (("device", result.device), ("site", result.site))
        controls = " · ".join(f"{name} {decimal(v)}" for name, v in told if v is not None)
    sure = tone(paired)
    return Cell(
        text=decimal(result.value),
        bounds=interval(result),
        controls=controls,
        mark=sure if sure in ("gain", "loss") else "",
        order=f"{result.value:.6f}",
    )


def _collapsed_row(found: _Results, columns: list[Column], arms: list[Arm]) -> Row:
    cells = []
    for column in columns:
        results = (found.get((arm.name, column.name)) for arm in arms)
        values = sorted(r.value for r in results if r is not None)
        if not values:
            cells.append(Cell())
            continue
        middle = statistics.median(values)
        text = " – ".join(decimal(v) for v in (values[0], middle, values[-1]))
        cells.append(Cell(text, "min – median – max", order=f"{middle:.6f}"))
    return Row(f"Local only ({len(arms)} clients)", "local", "each in full below", tuple(cells))
