"""The score table: every arm on every task, with the controls beside each score.

The means come first, then the tasks, dealt to blocks of a few columns, so that a block fits
a page of paper. A second table holds the paired differences between arms, of the means. More
than a handful of local-only arms become one row of minimum, median and maximum, and
stand in full below.
"""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from fedbreath.report.averages import averages
from fedbreath.report.score_records import Arm, Difference, Mean, ScoresRecord, TaskFacts, TaskScore
from fedbreath.report.wording import change, decimal, difference, interval, tone

COLUMNS = 5
LOCAL_ROWS = 8


@dataclass(frozen=True)
class Column:
    """A task, or a mean (``task`` None), as a heading; ``note`` says what a mean is of."""

    name: str
    title: str
    task: TaskFacts | None
    note: str = ""


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
    """Lay out the score table, the means first, then headline tasks, then the others."""
    means = _means(scores)
    columns = [Column(t.name, t.title, t) for t in ordered(scores.tasks)]
    # Several means are a table of their own.
    parts = [means, columns] if len(means) > 1 else [means + columns]
    found = _results(scores)
    groups = [part[i : i + COLUMNS] for part in parts for i in range(0, len(part), COLUMNS)]
    run = {score.arm for score in scores.scores}
    # A row that was not run says so once.
    return tuple(
        _block(scores, found, group, [a for a in scores.arms if a.name in run or not number])
        for number, group in enumerate(groups)
    )


def _means(scores: ScoresRecord) -> list[Column]:
    stated = {mean.over for mean in scores.means}
    return [
        Column(a.name, a.title, None, a.says) for a in averages(scores.tasks) if a.name in stated
    ]


def comparisons(scores: ScoresRecord) -> Block | None:
    """The paired differences between arms, of each mean; None where there are none."""
    columns = _means(scores)
    titles = {arm.name: arm.title for arm in scores.arms}
    pairs = dict.fromkeys((d.arm, d.against) for d in scores.differences)
    rows = []
    for arm, against in pairs:
        paired = [difference(scores, arm, column.name, against) for column in columns]
        if any(paired):
            cells = tuple(_change(one) for one in paired)
            rows.append(Row(f"{titles[arm]} − {titles[against]}", "", "", cells))
    return Block(tuple(columns), tuple(rows), ()) if rows else None


def _change(paired: Difference | None) -> Cell:
    if paired is None:
        return Cell()
    value, _, bounds = change(paired).partition(" (")
    sure = tone(paired)
    mark = sure if sure in ("gain", "loss") else ""
    return Cell(value, bounds.rstrip(")"), mark=mark, order=f"{paired.value:.6f}")


def ordered(tasks: Sequence[TaskFacts]) -> list[TaskFacts]:
    """Headline tasks first, then those in the mean, then the others."""
    return sorted(tasks, key=lambda t: (not t.headline, not t.in_mean))


_Results = dict[tuple[str, str], TaskScore | Mean]


def _results(scores: ScoresRecord) -> _Results:
    found: _Results = {(s.arm, s.task): s for s in scores.scores}
    return found | {(m.arm, m.over): m for m in scores.means}


def _block(
    scores: ScoresRecord, found: _Results, columns: list[Column], arms: Sequence[Arm]
) -> Block:
    local = [arm for arm in arms if arm.kind == "local"]
    collapsed = local if len(local) > LOCAL_ROWS else []
    rows: list[Row] = []
    for arm in arms:
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
