"""The results of ``benchmarks.objectives`` shown: in the terminal, as JSON, and as a page."""

from collections.abc import Iterator, Sequence
from typing import Any

from rich.console import RenderableType
from rich.table import Table

from benchmarks.objectives_table import Sheet, sentences, worth
from fedbreath.report.wording import change, decimal


def terminal(sheets: Sequence[Sheet]) -> Iterator[RenderableType]:
    """A table of gains for each stage, and what is beyond noise."""
    for one in sheets:
        found = worth(one)
        if found:
            title = f"{one.stage}, {one.data}: gain over untrained, {one.dealt.persons} persons"
            table = Table("objective", "scheme", "encoders", "gain (95 %)", title=title)
            for w in found:
                table.add_row(w.objective, w.scheme, str(len(w.encoders)), change(w.gain))
            yield table
        yield from sentences(one)
        for row in one.rows:
            if row.failed:
                yield f"{' '.join(part for part in row.key if part)} failed: {row.failed}"


def summary(sheets: Sequence[Sheet]) -> list[dict[str, Any]]:
    """The same for a machine."""
    return [
        {
            "stage": one.stage,
            "data": one.data,
            "persons": one.dealt.persons,
            "rows": {
                " ".join(part for part in row.key if part): {
                    name: round(mean.value, 4) for name, mean in row.means.items()
                }
                for row in one.rows
            },
            "failed": [" ".join(row.key) for row in one.rows if row.failed],
        }
        for one in sheets
    ]


def html(sheets: Sequence[Sheet]) -> str:
    """The page."""
    return decimal(len(sheets))
