"""Figures of the clients: who took part in which round, and who holds what."""

from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import PathPatch
from matplotlib.path import Path as Outline
from matplotlib.ticker import MaxNLocator

from fedbreath.report.records import DataRecord, RoundRecord
from fedbreath.report.svg import PHONE, Drawing, Key, canvas, colour, drawing, panel, plain, write
from fedbreath.report.wording import hours, persons

#: A modality keeps its colour from page to page.
_MODALITIES = {
    "lung": "blue",
    "cough": "orange",
    "breath": "green",
    "vowel": "purple",
    "sneeze": "sky",
    "background": "muted",
}


@dataclass(frozen=True)
class _Holder:
    """A row of the picture of who holds what."""

    name: str
    parts: tuple[tuple[str, int], ...]
    kept_out: int
    numbers: tuple[str, str, str]


def participation(rounds: Sequence[RoundRecord], names: Sequence[str]) -> Drawing | None:
    """A grid of rounds and clients: took part, failed, or was not called."""
    if not rounds:
        return None
    took = {(p.name, r.number) for r in rounds for p in r.participants}
    failed = {(f.name, r.number) for r in rounds for f in r.failures}
    rows = list(dict.fromkeys([*names, *sorted(name for name, _ in took | failed)]))
    numbers = [r.number for r in rounds]
    keys = [Key("took part", "took", "patch")]
    if failed:
        keys.append(Key("failed", "vermillion", "x"))
    if len(took | failed) < len(rows) * len(numbers):
        keys.append(Key("not called", "empty", "patch"))
    return drawing(
        "participation",
        lambda width: _draw_grid(rows, numbers, took, failed, width),
        label=(
            f"{len(rows)} clients over {len(numbers)} rounds: "
            f"{len(took)} updates entered, {len(failed)} failed."
        ),
        caption=f"One row a client, one column a round. {len(took)} updates entered the "
        f"encoder; {len(failed)} failed and were left out.",
        keys=tuple(keys),
    )


def _draw_grid(
    rows: Sequence[str],
    numbers: Sequence[int],
    took: set[tuple[str, int]],
    failed: set[tuple[str, int]],
    width: float,
) -> Figure:
    step = 24 if len(rows) <= 20 else 15
    left = _name_width(rows, 120 if width == PHONE else 260)
    figure = canvas(width, len(rows) * step + 50)
    axes = panel(figure, left=left, right=8, top=4, bottom=46)
    axes.set_xlim(numbers[0] - 0.5, numbers[-1] + 0.5)
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.set_yticks(range(len(rows)), [plain(n, (left - 12) // 7) for n in rows])
    axes.tick_params(axis="y", labelcolor=colour("ink"), labelsize=13 if step > 20 else 11)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=12, integer=True, min_n_ticks=1))
    axes.set_xlabel("round", color=colour("muted"), fontsize=12)
    cell = (width - left - 8) / len(numbers)
    gap = 1.5 / cell if cell > 10 else 0.0
    axes.add_patch(_cells([(r, c) for r in range(len(rows)) for c in numbers], gap, "empty"))
    row_of = {name: row for row, name in enumerate(rows)}
    if took:
        axes.add_patch(_cells(sorted((row_of[n], c) for n, c in took), gap, "took"))
    if failed:
        places = sorted((row_of[n], c) for n, c in failed)
        axes.add_patch(_cells(places, gap, "paper"))
        y, x = zip(*places, strict=True)
        size = min(8.0, 0.7 * step, 0.8 * cell)
        tint = colour("vermillion")
        axes.plot(x, y, "x", markersize=max(size, 3), color=tint, markeredgewidth=2)
    return figure


def _cells(places: Sequence[tuple[int, int]], gap: float, role: str) -> PathPatch:
    """Cells as one outline, neighbours without a gap merged: thousands stay a small file."""
    runs: list[list[int]] = []
    for row, column in places:
        if not gap and runs and runs[-1][0] == row and runs[-1][2] == column - 1:
            runs[-1][2] = column
        else:
            runs.append([row, column, column])
    corners: list[tuple[float, float]] = []
    for row, first, last in runs:
        left, right = first - 0.5 + gap, last + 0.5 - gap
        corners += [(left, row - 0.4), (right, row - 0.4), (right, row + 0.4), (left, row + 0.4)]
        corners.append((left, row - 0.4))
    codes = [Outline.MOVETO, *[Outline.LINETO] * 3, Outline.CLOSEPOLY] * len(runs)
    return PathPatch(Outline(corners, codes), facecolor=colour(role), linewidth=0)


def holdings(data: DataRecord) -> Drawing | None:
    """The partition as a picture: recordings by modality, test persons hatched."""
    holders = _holders(data)
    if not holders:
        return None
    present = [m for m in _MODALITIES if any(m in dict(h.parts) for h in holders)]
    other = any(m not in _MODALITIES for h in holders for m, _ in h.parts)
    keys = [Key(m, _MODALITIES[m], "patch") for m in present]
    keys += [Key("other", "ink", "patch")] if other else []
    if any(h.kept_out for h in holders):
        keys.append(Key("kept out for testing", "muted", "hatch"))
    told = [f"{h.name} {sum(n for _, n in h.parts)} recordings" for h in holders]
    return drawing(
        "holdings",
        lambda width: _draw_holdings(holders, width),
        label=f"Who holds what. {'; '.join(told[:20])}.",
        caption=(
            "Recordings that each client pretrains on, by what was recorded; hatched are "
            "recordings of test persons, which no pretraining sees. Persons and hours are "
            "those pretrained on; a dash means that the data set publishes no person ids."
        ),
        keys=tuple(keys),
    )


def _holders(data: DataRecord) -> list[_Holder]:
    kept_out = {site.name: site.test_recordings for site in data.sites}
    holders = []
    for c in data.clients:
        numbers = (f"{c.recordings:,}", _persons(c.subjects), hours(c.seconds))
        parts = tuple((m, n) for m, n in c.modalities.items() if n)
        holders.append(_Holder(c.name, parts, kept_out.pop(c.name, 0), numbers))
    for name, count in kept_out.items():
        if count:
            holders.append(_Holder(f"{name}: test only", (), count, ("–", "–", "–")))
    return holders


def _persons(count: int | None) -> str:
    return "–" if count is None else persons([count])


def _draw_holdings(holders: Sequence[_Holder], width: float) -> Figure:
    phone = width == PHONE
    step = 46 if phone else 34 if len(holders) <= 20 else 20
    left = 4 if phone else _name_width([h.name for h in holders], 260)
    figure = canvas(width, len(holders) * step + 74)
    axes = panel(figure, left=left, right=8 if phone else 250, top=28, bottom=46)
    axes.set_ylim(len(holders) * step, 0)
    longest = max(sum(n for _, n in h.parts) + h.kept_out for h in holders)
    axes.set_xlim(0, max(longest, 1) * 1.01)
    axes.set_yticks([])
    axes.grid(axis="x", color=colour("grid"), linewidth=1)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=4 if phone else 6, integer=True))
    axes.xaxis.set_major_formatter(lambda x, _: f"{x:,.0f}")
    axes.set_xlabel("recordings", color=colour("muted"), fontsize=12)
    if not phone:
        _write_numbers(axes, ("recordings", "persons", "sound"), -12, "muted")
    for row, holder in enumerate(holders):
        _draw_holder(axes, holder, row * step, step, phone)
        if phone:
            _write_above(axes, holder, row * step + 14)
        else:
            _write_beside(axes, holder, (row + 0.5) * step, left)
    return figure


def _draw_holder(axes: Axes, holder: _Holder, top: float, step: float, phone: bool) -> None:
    y, thick = (top + 30, 16.0) if phone else (top + step / 2, 0.6 * step)
    start = 0
    for modality, count in holder.parts:
        role = _MODALITIES.get(modality, "ink")
        edge = colour("paper")
        axes.barh(y, count, thick, start, color=colour(role), edgecolor=edge, linewidth=1)
        start += count
    if holder.kept_out:
        axes.barh(
            y,
            holder.kept_out,
            thick,
            start,
            facecolor="none",
            edgecolor=colour("muted"),
            hatch="////",
            linewidth=1,
        )


def _write_beside(axes: Axes, holder: _Holder, y: float, left: float) -> None:
    name = plain(holder.name, int(left - 12) // 7)
    write(axes, name, (0, y), shift=(-8, 0), size=13, ha="right", va="center")
    _write_numbers(axes, holder.numbers, y, "ink")


def _write_numbers(axes: Axes, texts: tuple[str, str, str], y: float, role: str) -> None:
    for text, right in zip(texts, (90, 165, 240), strict=True):
        write(axes, text, (1, y), shift=(right, 0), role=role, ha="right", va="center")


def _write_above(axes: Axes, holder: _Holder, y: float) -> None:
    recordings, people, sound = holder.numbers
    note = f"{recordings} rec. · {people} pers. · {sound}" if holder.parts else "test only"
    write(axes, plain(holder.name, 24), (0, y), size=13)
    write(axes, note, (1, y), role="muted", ha="right")


def _name_width(names: Sequence[str], limit: int) -> int:
    return min(limit, 24 + 7 * max(len(name) for name in names))
