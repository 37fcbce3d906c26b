"""The results of ``benchmarks.objectives`` in the terminal, and as JSON."""

from collections.abc import Iterator, Sequence
from typing import Any

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from benchmarks.objectives_table import Row, Sheet
from benchmarks.objectives_worth import sentences, worth
from fedbreath.report.wording import change, decimal, interval, tone

#: Rows of a stage that fit a terminal.
SHOWN = 12


def terminal(sheets: Sequence[Sheet]) -> Iterator[RenderableType]:
    """For each stage what objectives gained, the best rows, and what is beyond noise."""
    for one in sheets:
        if found := worth(one):
            title = f"{one.stage}, {one.data}: gain over untrained, {one.dealt.persons} persons"
            table = Table("objective", "scheme", "encoders", "gain (95 %)", title=title)
            for w in found:
                told = Text(change(w.gain), "bold" if tone(w.gain) != "noise" else "")
                table.add_row(w.objective, w.scheme, str(len(w.encoders)), told)
            yield table
        yield _best(one)
        yield from (Text(sentence) for sentence in sentences(one))
        for row in one.rows:
            if row.failed:
                yield Text(f"{_name(row)} failed: {row.failed}", "red")


def _best(one: Sheet) -> Table:
    """The rows without training, and the best of the others."""
    table = Table(
        "row", "steps", *(a.title for a in one.averages), title=f"{one.stage}, {one.data}"
    )
    first = one.averages[0].name if one.averages else ""
    ranked = sorted(one.rows, key=lambda r: -r.means[first].value if r.means else 1.0)
    trained = [row for row in ranked if row.key[0] == "trained"][:SHOWN]
    for row in ranked:
        if row.means and (row.key[0] != "trained" or row in trained):
            cells = [decimal(mean.value, 3) for mean in row.means.values()]
            cells[0] += f" ({interval(row.means[first])})"
            table.add_row(_name(row), f"{row.steps:,}" if row.steps else "", *cells)
    return table


def _name(row: Row) -> str:
    return " ".join(part for part in row.key[row.key[0] == "trained" :] if part)


def summary(sheets: Sequence[Sheet]) -> list[dict[str, Any]]:
    """The same for a machine."""
    return [
        {
            "stage": one.stage,
            "data": one.data,
            "persons": one.dealt.persons,
            "rows": {
                _name(row): {name: round(mean.value, 4) for name, mean in row.means.items()}
                for row in one.rows
            },
            "failed": {_name(row): row.failed for row in one.rows if row.failed},
        }
        for one in sheets
    ]
