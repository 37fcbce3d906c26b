"""The figure of who took part in which round: a grid, or counts where clients are many."""

import statistics
from collections import Counter
from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import PathPatch
from matplotlib.path import Path as Outline
from matplotlib.ticker import MaxNLocator

from fedbreath.report.records import Records, RoundRecord
from fedbreath.report.svg import (
    MANY,
    PHONE,
    Drawing,
    Key,
    canvas,
    colour,
    drawing,
    name_width,
    panel,
    plain,
    write,
)

#: Client and number of a round.
_Place = tuple[str, int]


def participation(
    rounds: Sequence[RoundRecord], names: Sequence[str], declared: int | None = None
) -> Drawing | None:
    """Rounds and clients: took part, failed, or was not called; None before any round.

    Args:
        rounds: What happened.
        names: Of the clients.
        declared: Phones of a population that is not listed: those are shown that were called.
    """
    if not rounds:
        return None
    took = {(p.name, r.number) for r in rounds for p in r.participants}
    # Who was asked again, or sent more than one reply, may have failed and taken part.
    failed = {(f.name, r.number) for r in rounds for f in r.failures} - took
    rows = list(dict.fromkeys([*names, *sorted(name for name, _ in took | failed)]))
    numbers = [r.number for r in rounds]
    many = len(rows) > MANY
    keys = [Key("took part", "took", "patch")]
    if failed:
        keys.append(Key("failed", "vermillion", "patch" if many else "x"))
    if len(took | failed) < len(rows) * len(numbers):
        keys.append(Key("not called", "empty", "patch"))
    shape = _spread(rows, took) if many else "One row a client, one column a round."
    if declared is not None:
        shape = f"Of {declared:,} phones, those that a round called: {len(rows):,}. {shape}"
    draw = _draw_counts if many else _draw_grid
    return drawing(
        "participation",
        lambda width: draw(rows, numbers, took, failed, width),
        label=(
            f"{len(rows)} clients over {len(numbers)} rounds: "
            f"{len(took)} updates entered, {len(failed)} failed."
        ),
        caption=f"{shape} {len(took)} updates entered the "
        f"encoder; {len(failed)} failed and were left out.",
        keys=tuple(keys),
    )


def repeated(rounds: Sequence[RoundRecord]) -> str:
    """Which rounds asked clients again, as a sentence; empty where none did."""
    numbers = [str(r.number) for r in rounds if r.repeats]
    if not numbers:
        return ""
    which = f"round {numbers[0]}" if len(numbers) == 1 else f"rounds {', '.join(numbers)}"
    return f"Too few replies could be used in {which} at first, and clients were asked again."


#: What an attack sends, by its name in the configuration.
_SENT = {
    "sign_flip": "updates with the sign turned",
    "scale": "updates multiplied by {factor:g}",
    "random": "noise {factor:g} times as long as their updates",
}


def hostile(records: Records) -> str:
    """Who was made hostile, and what they sent, as a sentence; empty where nobody was."""
    names, told = records.data.hostile, records.run.config.get("adversary", {})
    if not names:
        return ""
    attack = str(told.get("attack", ""))
    sent = _SENT.get(attack, attack).format(factor=told.get("factor", 1.0))
    listed = ", ".join(names[:MANY]) + (", ..." if len(names) > MANY else "")
    count = records.data.declared or len(records.data.clients)
    return (
        f"{len(names)} of {count} clients of this simulation were made hostile and "
        f"sent {sent} in every round that called them: {listed}."
    )


def _spread(rows: Sequence[str], took: set[_Place]) -> str:
    counts = Counter(name for name, _ in took)
    often = sorted(counts[name] for name in rows)
    return (
        f"One column a round, as high as there are clients. Of {len(rows)} clients each took "
        f"part in {often[0]} to {often[-1]} rounds, median {statistics.median(often):g}."
    )


def _draw_counts(
    rows: Sequence[str],
    numbers: Sequence[int],
    took: set[_Place],
    failed: set[_Place],
    width: float,
) -> Figure:
    figure = canvas(width, 240)
    axes = panel(figure, left=52, right=8, top=26, bottom=46)
    axes.set_xlim(numbers[0] - 0.5, numbers[-1] + 0.5)
    axes.set_ylim(0, len(rows))
    axes.xaxis.set_major_locator(MaxNLocator(nbins=12, integer=True, min_n_ticks=1))
    axes.yaxis.set_major_locator(MaxNLocator(nbins=5, integer=True))
    axes.set_xlabel("round", color=colour("muted"), fontsize=12)
    write(axes, "clients", (0, len(rows)), shift=(-40, 14), role="muted")
    edges = np.array([n - 0.5 for n in numbers] + [numbers[-1] + 0.5])
    entered = Counter(number for _, number in took)
    lost = Counter(number for _, number in failed)
    low = np.array([entered[n] for n in numbers])
    high = low + [lost[n] for n in numbers]
    axes.stairs(np.full(len(low), len(rows)), edges, fill=True, color=colour("empty"), lw=0)
    axes.stairs(high, edges, fill=True, color=colour("vermillion"), lw=0)
    axes.stairs(low, edges, fill=True, color=colour("took"), lw=0)
    return figure


def _draw_grid(
    rows: Sequence[str],
    numbers: Sequence[int],
    took: set[_Place],
    failed: set[_Place],
    width: float,
) -> Figure:
    step = 24 if len(rows) <= 20 else 15
    left = name_width(rows, 120 if width == PHONE else 260)
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
