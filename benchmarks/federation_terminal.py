"""The results of ``benchmarks.federation`` in the terminal, and as JSON."""

from collections.abc import Iterator, Sequence
from typing import Any

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from benchmarks.federation_table import Row, Sheet
from benchmarks.federation_verdict import default, non_inferiority, sentences, told_of, winner
from benchmarks.objectives_table import Estimate
from fedbreath.report.wording import decimal, interval


def name_of(row: Row) -> str:
    """A row's name: its strategy, or its arm."""
    return row.key[1] or row.key[0]


def terminal(sheets: Sequence[Sheet]) -> Iterator[RenderableType]:
    """A table for each setting, what it says, and the default that follows."""
    for one in sheets:
        yield _table(one)
        yield from (Text(sentence) for sentence in sentences(one))
        for row in one.rows:
            if row.failed:
                yield Text(f"{name_of(row)} failed: {row.failed}", "red")
    yield Text(default(sheets)[1], "bold")


def _table(one: Sheet) -> Table:
    title = f"{one.setting}, {one.dealt.persons} persons"
    table = Table("row", "steps", "AUROC (95 %)", "- centralised", "share of gain", "margin 0.01",
                  title=title)  # fmt: skip
    if not one.averages:
        return table
    first = one.averages[0].name
    for row in sorted(one.rows, key=lambda r: -r.means[first].value if r.means else 1.0):
        if row.means:
            mean, gap, share = row.means[first], row.gaps.get(first), row.ratios.get(first)
            table.add_row(
                name_of(row),
                f"{row.steps:,}" if row.steps else "",
                f"{decimal(mean.value, 3)} ({interval(mean)})",
                told_of(gap) if gap else "",
                f"{decimal(share.value)} ({interval(share)})" if share else "",
                non_inferiority(gap) if gap else "",
            )
    return table


def summary(sheets: Sequence[Sheet]) -> dict[str, Any]:
    """The same for a machine."""
    return {
        "settings": [
            {
                "stage": one.stage,
                "setting": one.setting,
                "persons": one.dealt.persons,
                "rows": {name_of(row): _facts(row, one) for row in one.rows},
            }
            for one in sheets
        ],
        "winner": winner(sheets),
        "default": default(sheets)[0],
    }


def _facts(row: Row, one: Sheet) -> dict[str, Any]:
    if not one.averages or not row.means:
        return {"failed": row.failed}
    name = one.averages[0].name
    found: dict[str, Any] = {"auroc": _rounded(row.means[name]), "seeds": row.seeds}
    for key, part in (("gap", row.gaps), ("over_fedavg", row.over_fedavg), ("ratio", row.ratios)):
        if name in part:
            found[key] = _rounded(part[name])
    if name in row.gaps:
        found["verdict"] = non_inferiority(row.gaps[name])
    return found | ({"failed": row.failed} if row.failed else {})


def _rounded(estimate: Estimate) -> list[float]:
    return [round(v, 4) for v in (estimate.value, estimate.low, estimate.high)]
