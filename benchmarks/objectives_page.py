"""The page of ``benchmarks.objectives``: one offline HTML file in the style of the reports."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import fedbreath
from benchmarks.objectives_figure import gains
from benchmarks.objectives_table import Estimate, Row, Sheet
from benchmarks.objectives_worth import Worth, sentences, worth
from fedbreath.report import page as report
from fedbreath.report.score_records import SkippedTask, TaskFacts
from fedbreath.report.svg import Drawing
from fedbreath.report.tables import Cell
from fedbreath.report.tables import Row as Shown
from fedbreath.report.wording import Verdict, change, decimal, interval, tone

_HERE = Path(__file__).parent

_TITLES = {"screening": "Screening", "finalists": "Finalists", "test": "Test persons"}
_DATA = {"real": "real recordings", "simulated": "simulated cohorts"}
_FEATURES = {
    "descriptors": "Descriptors",
    "log_mel": "Log-mel mean and SD",
    "opensmile_compare": "openSMILE ComParE",
    "opensmile_egemaps": "openSMILE eGeMAPS",
}


@dataclass(frozen=True)
class Part:
    """A stage on one kind of data, ready for the page."""

    name: str
    title: str
    lead: str
    figure: Drawing | None
    sentences: tuple[str, ...]
    failed: tuple[tuple[str, str], ...]
    columns: tuple[tuple[str, str], ...]
    rows: tuple[Shown, ...]
    tasks: tuple[TaskFacts, ...]
    skipped: tuple[SkippedTask, ...]


def html(sheets: Sequence[Sheet], compute: str) -> str:
    """The page as text.

    Args:
        sheets: What there is, the screening first.
        compute: What every run was given, in a sentence.
    """
    ordered = sorted(sheets, key=lambda one: -list(_TITLES).index(one.stage))
    context: dict[str, Any] = {
        "version": fedbreath.__version__,
        "equal": "steps" if "steps" in compute.partition(",")[0] else "processor time",
        "compute": compute,
        "verdict": verdict(ordered),
        "tiles": _tiles(sheets),
        "parts": [_part(one) for one in ordered],
        "style": report.style(),
        **report.script(),
    }
    template = report.environment(_HERE).get_template("objectives.html.jinja")
    return template.render(context).lstrip()


def verdict(sheets: Sequence[Sheet]) -> Verdict:
    """What the latest stage says of the best objective."""
    found = next(((one, w) for one in sheets if (w := worth(one))), None)
    if found is None:
        return Verdict("open", "Nothing has been trained and scored yet.", "")
    one, each = found
    best = max(each, key=lambda w: w.gain.value)
    aside = (
        f"Scores are of {one.dealt.persons} persons, {_DATA[one.data]}. "
        + ("The finalists were chosen on validation persons and scored on these once."
           if one.stage == "test" else "They serve to choose; test persons were left out.")
    )  # fmt: skip
    return Verdict(tone(best.gain), _best(best), aside)


def _best(best: Worth) -> str:
    count = len(best.encoders)
    over = best.encoders[0] if count == 1 else f"the mean of {count} encoders"
    says = f"{best.objective}, {best.scheme}: {change(best.gain, 'AUROC')} over untrained, {over}"
    end = "" if tone(best.gain) in ("gain", "loss") else ": within noise"
    return f"The greatest gain is of {says}{end}."


def _tiles(sheets: Sequence[Sheet]) -> list[tuple[str, str]]:
    rows = [row for one in sheets for row in one.rows]
    trained = [row for row in rows if row.key[0] == "trained"]
    return [
        (f"{len({row.key[1] for row in trained})}", "objectives"),
        (f"{len({row.key[2] for row in trained})}", "encoders"),
        (f"{sum(row.seeds for row in trained):,}", "trained runs"),
        (f"{sum(row.train_seconds * row.seeds for row in trained) / 3600:.1f} h", "of training"),
        (f"{sum(bool(row.failed) for row in rows)}", "rows with a failure"),
    ]


def _part(one: Sheet) -> Part:
    rows = sorted(one.rows, key=lambda row: _order(row, one))
    sites = ", ".join(f"{name} ({count:,})" for name, count in one.dealt.clients.items())
    return Part(
        name=f"{one.stage}-{one.data}",
        title=f"{_TITLES[one.stage]}: {_DATA[one.data]}",
        lead=f"Scored on {one.dealt.persons} persons. Training recordings by site: {sites}.",
        figure=gains(one),
        sentences=tuple(sentences(one)),
        failed=tuple((_title(row), row.failed) for row in one.rows if row.failed),
        columns=tuple(_columns(one)),
        rows=tuple(Shown(_title(row), row.key[0], _note(row), tuple(_cells(row, one)))
                   for row in rows),
        tasks=one.dealt.tasks,
        skipped=one.dealt.skipped,
    )  # fmt: skip


def _order(row: Row, one: Sheet) -> tuple[bool, float]:
    """Rows without training first, then the best first; failures last."""
    mean = row.means[one.averages[0].name].value if row.means else -1.0
    return row.key[0] == "trained", -mean


def _title(row: Row) -> str:
    kind, objective, encoder, scheme = row.key
    if kind == "features":
        return _FEATURES[objective]
    if kind == "untrained":
        return f"Untrained {encoder}"
    return f"{objective}, {encoder}, {scheme}"


def _note(row: Row) -> str:
    facts = [
        f"{row.steps:,} steps" if row.steps else "",
        f"{row.parameters / 1e6:.2f} M weights" if row.parameters else "",
        f"{row.seeds} seeds" if row.seeds > 1 else "",
        *row.notes,
        f"failed: {row.failed}" if row.failed else "",
    ]
    return " · ".join(fact for fact in facts if fact)


def _columns(one: Sheet) -> list[tuple[str, str]]:
    first = one.averages[0].title.lower() if one.averages else "mean"
    return [
        *((a.title, a.says) for a in one.averages),
        ("Over untrained", f"{first}, paired"),
        ("Federated − centralised", f"{first}, paired"),
    ]


def _cells(row: Row, one: Sheet) -> list[Cell]:
    cells = [_cell(row.means.get(a.name), row.gains.get(a.name)) for a in one.averages]
    if cells and row.range and row.seeds > 1:
        low, high = row.range
        seeds = f"seeds {decimal(low, 3)} to {decimal(high, 3)}"
        cells[0] = Cell(cells[0].text, cells[0].bounds, seeds, cells[0].mark, cells[0].order)
    first = one.averages[0].name if one.averages else ""
    return [*cells, _change(row.gains.get(first)), _change(row.gaps.get(first))]


def _cell(mean: Estimate | None, gain: Estimate | None) -> Cell:
    if mean is None:
        return Cell()
    return Cell(decimal(mean.value, 3), interval(mean), mark=_mark(gain), order=f"{mean.value:.6f}")


def _change(paired: Estimate | None) -> Cell:
    if paired is None:
        return Cell()
    value, _, bounds = change(paired).partition(" (")
    return Cell(value, bounds.rstrip(")"), mark=_mark(paired), order=f"{paired.value:.6f}")


def _mark(paired: Estimate | None) -> str:
    found = tone(paired)
    return found if found in ("gain", "loss") else ""
