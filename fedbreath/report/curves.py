"""Figures of how training went: the clients' losses and the probes of the encoder."""

import statistics
from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from fedbreath.report.records import ProbeRecord, RoundRecord
from fedbreath.report.svg import (
    HALF,
    Drawing,
    Key,
    canvas,
    colour,
    drawing,
    panel,
    sign,
    write,
)
from fedbreath.report.wording import decimal

#: Eight lines that differ in colour, and again in dash or marker.
_LINES = (
    Key("", "blue", "o", ""),
    Key("", "vermillion", "s", ""),
    Key("", "green", "^", ""),
    Key("", "purple", "D", ""),
    Key("", "orange", "o", "5 3"),
    Key("", "sky", "s", "5 3"),
    Key("", "ink", "^", "5 3"),
    Key("", "muted", "D", "5 3"),
)


def losses(rounds: Sequence[RoundRecord]) -> Drawing | None:
    """The pretraining loss of each client over the rounds; None where none was told."""
    series: dict[str, list[tuple[int, float]]] = {}
    for one in rounds:
        for who in one.participants:
            if who.loss is not None:
                series.setdefault(who.name, []).append((one.number, who.loss))
    many = len(series) > len(_LINES)
    return _curves(
        "losses",
        series,
        axis="pretraining loss",
        label=f"Pretraining loss over {len(rounds)} rounds",
        caption=(
            "Mean loss of a client's local steps. "
            + (f"Median of {len(series)} clients; the band is their range. " if many else "")
            + "Losses of different data sets are not comparable; falling is what matters."
        ),
    )


def probes(records: Sequence[ProbeRecord], titles: dict[str, str]) -> Drawing | None:
    """AUROC of the global encoder over the rounds, one line a task."""
    series: dict[str, list[tuple[int, float]]] = {}
    for one in records:
        series.setdefault(titles.get(one.task, one.task), []).append((one.round, one.value))
    many = len(series) > len(_LINES)
    return _curves(
        "probes",
        series,
        axis="AUROC",
        label="AUROC of the global encoder over the rounds",
        caption=(
            "The global encoder frozen after some rounds and probed; round 0 is where it started. "
            + (f"Median of {len(series)} tasks; the band is their range. " if many else "")
            + "Without intervals: small moves are noise."
        ),
    )


def _curves(
    name: str,
    series: dict[str, list[tuple[int, float]]],
    *,
    axis: str,
    label: str,
    caption: str,
) -> Drawing | None:
    if not series:
        return None
    told = [f"{n} {decimal(p[0][1])} to {decimal(p[-1][1])}" for n, p in series.items()]
    keys: tuple[Key, ...] = ()
    if len(series) <= len(_LINES):
        styled = zip(series, _LINES, strict=False)
        keys = tuple(Key(n, k.role, k.mark, k.dash) for n, k in styled)
    return drawing(
        name,
        lambda width: _draw_curves(list(series.values()), axis, width),
        label=f"{label}. First to last: {'; '.join(told[:12])}.",
        caption=caption,
        keys=keys,
        width=HALF,
    )


def _draw_curves(series: list[list[tuple[int, float]]], axis: str, width: float) -> Figure:
    figure = canvas(width, 300)
    axes = panel(figure, left=44, right=10, top=26, bottom=46)
    axes.grid(axis="y", color=colour("grid"), linewidth=1)
    axes.set_xlabel("round", color=colour("muted"), fontsize=12)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=6, integer=True, min_n_ticks=1))
    axes.yaxis.set_major_locator(MaxNLocator(nbins=5))
    if len(series) > len(_LINES):
        _draw_range(axes, series)
    else:
        for key, points in zip(_LINES, series, strict=False):
            _draw_line(axes, key, points)
    axes.margins(x=0.02, y=0.08)
    write(axes, axis, (0, axes.get_ylim()[1]), shift=(-40, 14), role="muted")
    return figure


def _draw_line(axes: Axes, key: Key, points: list[tuple[int, float]]) -> None:
    x, y = zip(*points, strict=True)
    (line,) = axes.plot(x, y, color=colour(key.role), linewidth=1.8, clip_on=False)
    if key.dash:
        line.set_dashes([float(part) for part in key.dash.split()])
    every = max(1, len(points) // 8)
    line.set(markevery=every, **sign(key))


def _draw_range(axes: Axes, series: list[list[tuple[int, float]]]) -> None:
    at: dict[int, list[float]] = {}
    for x, y in (point for points in series for point in points):
        at.setdefault(x, []).append(y)
    rounds = sorted(at)
    low, high = [min(at[i]) for i in rounds], [max(at[i]) for i in rounds]
    axes.fill_between(rounds, low, high, color=colour("blue"), alpha=0.18, linewidth=0)
    middle = [statistics.median(at[i]) for i in rounds]
    axes.plot(rounds, middle, color=colour("blue"), linewidth=2.2)
