"""The page of ``benchmarks.federation``: one offline HTML file in the style of the reports."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import fedbreath
from benchmarks.federation_figure import gaps
from benchmarks.federation_grid import TITLES
from benchmarks.federation_table import Row, Sheet
from benchmarks.federation_terminal import name_of
from benchmarks.federation_verdict import (
    MARGIN,
    Verdict,
    default,
    leads,
    listed,
    non_inferiority,
    sentences,
    told_of,
)
from benchmarks.objectives_page import Part
from benchmarks.objectives_table import Estimate
from fedbreath.report import page as report
from fedbreath.report.tables import Cell
from fedbreath.report.tables import Row as Shown
from fedbreath.report.wording import Verdict as Words
from fedbreath.report.wording import decimal, interval, tone

_HERE = Path(__file__).parent

_ARMS = {
    "untrained": "Untrained network",
    "centralised": "Centralised",
    "local": "Sites alone",
}
_ORDER = ("untrained", "local", "federated", "centralised")

#: What a verdict is called in a table.
_SAYS: dict[Verdict, str] = {
    "non-inferior": "non-inferior", "inferior": "inferior", "open": "margin open",
}  # fmt: skip


def html(sheets: Sequence[Sheet], steps: int) -> str:
    """The page as text.

    Args:
        sheets: Every setting.
        steps: Of each run, in all.
    """
    ordered = sorted(sheets, key=lambda one: one.stage != "test")
    names = dict.fromkeys(r.key[1] for one in sheets for r in one.rows if r.key[1])
    context: dict[str, Any] = {
        "version": fedbreath.__version__,
        "strategies": listed(list(names)) if names else "Strategies",
        "steps": f"{steps:,}",
        "margin": f"{MARGIN:g}",
        "verdict": verdict(sheets),
        "tiles": _tiles(sheets),
        "parts": [_part(one) for one in ordered],
        "style": report.style(),
        **report.script(),
    }
    template = report.environment(_HERE).get_template("federation.html.jinja")
    return template.render(context).lstrip()


def verdict(sheets: Sequence[Sheet]) -> Words:
    """Which default follows, and where each other strategy is ahead or behind."""
    found = leads([one for one in sheets if one.stage == "validation"])
    beyond = [
        f"{lead.strategy} is {side} in {listed(where)}"
        for lead in found
        for side, where in (("ahead", lead.better), ("behind", lead.worse))
        if where
    ]
    aside = f"Against fedavg beyond noise: {'; '.join(beyond)}." if beyond else (
        "In no setting is a strategy told from fedavg beyond noise." if found else ""
    )  # fmt: skip
    said = tone(found[0].mean) if found else "open"
    return Words(said, default(sheets)[1], aside)


def _tiles(sheets: Sequence[Sheet]) -> list[tuple[str, str]]:
    rows = [row for one in sheets for row in one.rows]
    federated = [row for row in rows if row.key[0] == "federated"]
    return [
        (f"{len({one.setting for one in sheets})}", "settings"),
        (f"{len({row.key[1] for row in federated})}", "strategies"),
        (f"{max((row.seeds for row in federated), default=0)}", "seeds"),
        (f"{sum(row.encoders for row in federated):,}", "federated runs"),
        (f"{sum(bool(row.failed) for row in rows)}", "rows with a failure"),
    ]


def _part(one: Sheet) -> Part:
    rows = sorted(one.rows, key=lambda row: _rank(row, one))
    sizes = sorted(one.dealt.clients.values())
    return Part(
        name=f"{one.stage}-{one.setting}",
        title=f"{TITLES[one.setting]}: {one.dealt.persons} persons",
        lead=(
            f"{len(sizes)} clients with {sizes[0]:,} to {sizes[-1]:,} training recordings, "
            f"scored on {one.dealt.persons} persons."
        ),
        figure=gaps(one),
        sentences=tuple(sentences(one)),
        failed=tuple((name_of(row), row.failed) for row in one.rows if row.failed),
        columns=tuple(_columns(one)),
        rows=tuple(
            Shown(_ARMS.get(row.key[0]) or row.key[1], row.key[0], _note(row),
                  tuple(_cells(row, one)))
            for row in rows
        ),
        tasks=one.dealt.tasks,
        skipped=one.dealt.skipped,
    )  # fmt: skip


def _rank(row: Row, one: Sheet) -> tuple[int, float]:
    mean = row.means[one.averages[0].name].value if row.means else -1.0
    return _ORDER.index(row.key[0]), -mean


def _note(row: Row) -> str:
    facts = [
        f"{row.steps:,} steps" if row.steps else "",
        f"{row.seeds} seeds" if row.seeds > 1 else "1 seed",
        f"{row.encoders} encoders" if row.encoders > row.seeds else "",
        f"server rate {row.rate:g}" if row.rate is not None else "",
        *row.notes,
        f"failed: {row.failed}" if row.failed else "",
    ]
    return " · ".join(fact for fact in facts if fact)


def _columns(one: Sheet) -> list[tuple[str, str]]:
    first = one.averages[0].title.lower() if one.averages else "mean"
    return [
        *((a.title, a.says) for a in one.averages),
        ("− centralised", f"{first}, paired"),
        ("− fedavg", f"{first}, paired"),
        ("− sites alone", f"{first}, paired"),
        ("Share of the gain", "of centralised over untrained"),
    ]


def _cells(row: Row, one: Sheet) -> list[Cell]:
    cells = [_mean(row.means.get(a.name), row.gains.get(a.name)) for a in one.averages]
    if not one.averages:
        return cells
    first = one.averages[0].name
    if row.range and row.seeds > 1:
        seeds = f"seeds {decimal(row.range[0], 3)} to {decimal(row.range[1], 3)}"
        cells[0] = Cell(cells[0].text, cells[0].bounds, seeds, cells[0].mark, cells[0].order)
    gap, share = row.gaps.get(first), row.ratios.get(first)
    behind = _change(gap)
    if gap is not None and row.key[0] == "federated":
        said = _SAYS[non_inferiority(gap)]
        behind = Cell(behind.text, behind.bounds, said, behind.mark, behind.order)
    others = (row.over_fedavg.get(first), row.over_local.get(first))
    return [
        *cells,
        behind,
        *map(_change, others),
        Cell(decimal(share.value), interval(share), order=f"{share.value:.6f}")
        if share
        else Cell(),
    ]


def _mean(mean: Estimate | None, gain: Estimate | None) -> Cell:
    if mean is None:
        return Cell()
    return Cell(decimal(mean.value, 3), interval(mean), mark=_mark(gain), order=f"{mean.value:.6f}")


def _change(paired: Estimate | None) -> Cell:
    if paired is None:
        return Cell()
    value, _, bounds = told_of(paired).partition(" (")
    return Cell(value, bounds.rstrip(")"), mark=_mark(paired), order=f"{paired.value:.6f}")


def _mark(paired: Estimate | None) -> str:
    found = tone(paired)
    return found if found in ("gain", "loss") else ""
