"""Figures of what the encoder is worth, and of how training went.

Colours and signs are fixed to a meaning over the whole page: blue circles are
federated, vermillion squares centralised, grey diamonds the untrained network, green
triangles plain features (Okabe and Ito's palette; shape repeats what colour says).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from fedbreath.report.records import (
    Arm,
    Mean,
    ProbeRecord,
    RoundRecord,
    ScoresRecord,
    TaskFacts,
    TaskScore,
)
from fedbreath.report.svg import (
    HALF,
    PHONE,
    Drawing,
    Key,
    canvas,
    colour,
    drawing,
    panel,
    plain,
)
from fedbreath.report.wording import change, decimal, difference, tone

_STYLES = {
    "federated": Key("", "blue", "o", ""),
    "centralised": Key("", "vermillion", "s", ""),
    "random": Key("", "muted", "D", ""),
    "features": Key("", "green", "^", ""),
}

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


@dataclass(frozen=True)
class _Group:
    """One task (or the mean) in the forest plot."""

    title: str
    detail: str
    points: tuple[tuple[Key, TaskScore | Mean], ...]
    change: str
    sure: bool


def forest(scores: ScoresRecord) -> Drawing | None:
    """Each task's AUROC with its interval: federated beside what it must beat."""
    groups = [g for g in _groups(scores) if g.points]
    if not groups:
        return None
    shown = [arm for arm in scores.arms if arm.kind in _STYLES]
    told = [f"{g.title}: {_spoken(g)}" for g in groups]
    return drawing(
        "forest",
        lambda width: _draw_forest(groups, width),
        label=f"AUROC by task with 95 % intervals. {'; '.join(told)}.",
        caption=(
            "Signs are AUROC on the test persons, bars are 95 % intervals over them; the dashed "
            "line is chance. The number is federated minus untrained, paired on the same test "
            "persons: set in bold where its interval leaves out 0."
        ),
        keys=tuple(_keyed(arm) for arm in shown),
    )


def _spoken(group: _Group) -> str:
    return ", ".join(f"{key.text} {decimal(p.value)}" for key, p in group.points)


def _keyed(arm: Arm) -> Key:
    style = _STYLES[arm.kind]
    return Key(arm.title, style.role, style.mark, style.dash)


def _groups(scores: ScoresRecord) -> list[_Group]:
    arms = [(arm.name, _keyed(arm)) for arm in scores.arms if arm.kind in _STYLES]
    means = {m.arm: m for m in scores.means}
    found = {(s.arm, s.task): s for s in scores.scores}
    in_mean = sum(task.in_mean for task in scores.tasks)
    top = tuple((key, means[name]) for name, key in arms if name in means)
    groups = [_group(scores, "mean", f"Mean of {in_mean} tasks", "each task counts once", top)]
    for task in sorted(scores.tasks, key=lambda t: (not t.headline, not t.in_mean)):
        points = tuple((k, found[n, task.name]) for n, k in arms if (n, task.name) in found)
        groups.append(_group(scores, task.name, task.title, _detail(task), points))
    return groups


def _group(
    scores: ScoresRecord,
    task: str,
    title: str,
    detail: str,
    points: tuple[tuple[Key, TaskScore | Mean], ...],
) -> _Group:
    gained = difference(scores, "federated", task)
    sure = tone(gained) in ("gain", "loss")
    return _Group(title, detail, points, change(gained) if gained else "not compared", sure)


def _detail(task: TaskFacts) -> str:
    unit = "persons" if task.unit == "subject" else "groups, by recording"
    parts = [f"{task.test_groups} test {unit}"]
    if task.protocol == "transductive":
        parts.append("transductive")
    if not task.in_mean:
        parts.append("outside the mean")
    return ", ".join(parts)


def _draw_forest(groups: Sequence[_Group], width: float) -> Figure:
    phone = width == PHONE
    head = 46 if phone else 12
    heights = [max(40, head + 13 * len(g.points) + 12) for g in groups]
    height = 28 + sum(heights) + 44
    figure = canvas(width, height)
    left, right = (4, 4) if phone else (310, 208)
    axes = panel(figure, left=left, right=right, top=28, bottom=44)
    axes.set_ylim(sum(heights), 0)
    axes.set_yticks([])
    _set_score_axis(axes, [p for g in groups for _, p in g.points])
    if not phone:
        heading = {"color": colour("muted"), "fontsize": 12, "va": "bottom"}
        axes.annotate(
            "federated − untrained", (1, 1), (24, 10), "axes fraction", "offset points", **heading
        )
    top = 0.0
    for group, used in zip(groups, heights, strict=True):
        _draw_group(axes, group, top, head, used, phone)
        top += used
    return figure


def _set_score_axis(axes: Axes, points: Sequence[TaskScore | Mean]) -> None:
    lows = [p.value if p.low is None else p.low for p in points]
    low = min(0.45, *(np.floor(20 * (x - 0.01)) / 20 for x in lows))
    axes.set_xlim(max(0.0, float(low)), 1.0)
    ticks = [t / 10 for t in range(11) if t / 10 >= low]
    axes.set_xticks(ticks, [f"{t:.1f}" for t in ticks])
    axes.tick_params(labeltop=True, labelbottom=True)
    axes.set_xlabel("AUROC: 0.5 is chance, 1 is perfect", color=colour("muted"), fontsize=12)


def _draw_group(
    axes: Axes, group: _Group, top: float, head: float, used: float, phone: bool
) -> None:
    middle = top + used / 2
    # The lines keep clear of the words that stand above the dots on a phone.
    start = top + 42 if phone else top
    axes.vlines(axes.get_xticks(), start, top + used, colors=colour("grid"), linewidth=1)
    chance = {"colors": colour("muted"), "linewidth": 1, "linestyles": [(0, (4, 3))]}
    axes.vlines(0.5, start, top + used, **chance)
    place = axes.get_yaxis_transform()
    axes.axhline(top, color=colour("grid"), linewidth=1, xmin=-2, xmax=3, clip_on=False)
    strong = {"color": colour("ink"), "fontsize": 14, "fontweight": "bold"}
    quiet = {"color": colour("muted"), "fontsize": 12}
    bold = {"color": colour("ink"), "fontsize": 13, "fontweight": "bold"}
    result = bold if group.sure else {"color": colour("muted"), "fontsize": 13}
    if phone:
        axes.text(0, top + 19, plain(group.title, 42), transform=place, **strong)
        axes.text(0, top + 36, group.change, transform=place, **result)
    else:
        shift = {"xycoords": place, "textcoords": "offset points", "va": "center"}
        title = plain(group.title, 40)
        axes.annotate(title, (0, middle - 8), (-306, 0), **shift, **strong)
        axes.annotate(plain(group.detail, 48), (0, middle + 9), (-306, 0), **shift, **quiet)
        axes.annotate(group.change, (1, middle), (24, 0), **shift, **result)
    first = top + head + 6 if phone else middle - 6.5 * (len(group.points) - 1)
    for index, (key, point) in enumerate(group.points):
        _draw_point(axes, key, point, first + 13 * index)


def _draw_point(axes: Axes, key: Key, point: TaskScore | Mean, y: float) -> None:
    tint = colour(key.role)
    if point.low is not None and point.high is not None:
        axes.plot([point.low, point.high], [y, y], color=tint, linewidth=2, clip_on=False)
    axes.plot([point.value], [y], clip_on=False, **_sign(key))


def _sign(key: Key) -> dict[str, Any]:
    tint, paper = colour(key.role), colour("paper")
    if key.mark == "D":  # hollow, so that grey is no paler copy of a colour
        return {
            "marker": "D",
            "markersize": 6,
            "markerfacecolor": paper,
            "markeredgecolor": tint,
            "markeredgewidth": 1.6,
        }
    return {
        "marker": key.mark,
        "markersize": 8,
        "markerfacecolor": tint,
        "markeredgecolor": paper,
        "markeredgewidth": 1,
    }


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
            "The global encoder frozen after some rounds and probed; round 0 is untrained. "
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
    axes.annotate(
        axis, (0, 1), (-40, 14), "axes fraction", "offset points", color=colour("muted"), size=12
    )
    axes.set_xlabel("round", color=colour("muted"), fontsize=12)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=6, integer=True, min_n_ticks=1))
    axes.yaxis.set_major_locator(MaxNLocator(nbins=5))
    if len(series) > len(_LINES):
        _draw_range(axes, series)
    else:
        for key, points in zip(_LINES, series, strict=False):
            _draw_line(axes, key, points)
    axes.margins(x=0.02, y=0.08)
    return figure


def _draw_line(axes: Axes, key: Key, points: list[tuple[int, float]]) -> None:
    x, y = zip(*points, strict=True)
    (line,) = axes.plot(x, y, color=colour(key.role), linewidth=1.8, clip_on=False)
    if key.dash:
        line.set_dashes([float(part) for part in key.dash.split()])
    every = max(1, len(points) // 8)
    line.set(markevery=every, **_sign(key))


def _draw_range(axes: Axes, series: list[list[tuple[int, float]]]) -> None:
    at: dict[int, list[float]] = {}
    for x, y in (point for points in series for point in points):
        at.setdefault(x, []).append(y)
    x = sorted(at)
    low, middle, high = ([f(at[i]) for i in x] for f in (min, np.median, max))
    axes.fill_between(x, low, high, color=colour("blue"), alpha=0.18, linewidth=0)
    axes.plot(x, middle, color=colour("blue"), linewidth=2.2)
