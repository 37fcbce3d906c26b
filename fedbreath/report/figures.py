"""The figure of what the encoder is worth: a forest plot of all tasks.

Colours and signs are fixed to a meaning over the whole page: blue circles are
federated, vermillion squares centralised, grey diamonds the untrained network, triangles
what no network learnt (Okabe and Ito's palette; shape repeats what colour says).
"""

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from fedbreath.report.averages import Average, averages
from fedbreath.report.score_records import Arm, Mean, ScoresRecord, TaskFacts, TaskScore
from fedbreath.report.svg import (
    PHONE,
    Drawing,
    Key,
    canvas,
    colour,
    drawing,
    panel,
    plain,
    sign,
    write,
)
from fedbreath.report.wording import change, decimal, difference, tone

_STYLES = {
    "federated": Key("", "blue", "o", ""),
    "centralised": Key("", "vermillion", "s", ""),
    "start": Key("", "orange", "D", ""),
    "random": Key("", "muted", "D", ""),
    "features": Key("", "green", "^", ""),
    "combined": Key("", "sky", "o", ""),
}

#: Where there are several of a kind.
_NAMED = {
    "descriptors": Key("", "purple", "^", ""),
    "opensmile_compare": Key("", "orange", "^", ""),
    "opensmile_egemaps": Key("", "ink", "^", ""),
}


@dataclass(frozen=True)
class _Group:
    """One task (or a mean) in the forest plot."""

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
    run = {score.arm for score in scores.scores}
    shown = [arm for arm in scores.arms if arm.kind in _STYLES and arm.name in run]
    told = [f"{g.title}: {_spoken(g)}" for g in groups]
    federated = next((a.title.lower() for a in shown if a.kind == "federated"), "federated")
    minus = plain(f"{federated} − untrained", 30)
    return drawing(
        "forest",
        lambda width: _draw_forest(groups, minus, width),
        label=f"AUROC by task with 95 % intervals. {'; '.join(told)}.",
        caption=(
            f"Signs are AUROC on the {scores.persons} persons, bars are 95 % intervals over them; "
            f"the dashed line is chance. The number is {federated} minus untrained, paired on the "
            "same persons: set in bold where its interval leaves out 0."
        ),
        keys=tuple(_keyed(arm) for arm in shown),
    )


def _spoken(group: _Group) -> str:
    return ", ".join(f"{key.text} {decimal(p.value)}" for key, p in group.points)


def _keyed(arm: Arm) -> Key:
    style = _NAMED.get(arm.name, _STYLES[arm.kind])
    return Key(arm.title, style.role, style.mark, style.dash)


def _groups(scores: ScoresRecord) -> list[_Group]:
    arms = [(arm.name, _keyed(arm)) for arm in scores.arms if arm.kind in _STYLES]
    means = {(m.arm, m.over): m for m in scores.means}
    found = {(s.arm, s.task): s for s in scores.scores}
    groups = []
    for average in averages(scores.tasks):
        name = average.name
        of_means = tuple((key, means[arm, name]) for arm, key in arms if (arm, name) in means)
        groups.append(_group(scores, name, *_named(average), of_means))
    for task in sorted(scores.tasks, key=lambda t: (not t.headline, not t.in_mean)):
        points = tuple((k, found[n, task.name]) for n, k in arms if (n, task.name) in found)
        groups.append(_group(scores, task.name, task.title, _detail(task, scores.persons), points))
    return groups


def _named(average: Average) -> tuple[str, str]:
    """The title and the detail of a mean."""
    if average.name != "mean":
        return f"Mean: {average.title[0].lower()}{average.title[1:]}", average.says
    count = len(average.tasks)
    title = "Mean of one task" if count == 1 else f"Mean of {count} tasks"
    return title, "each task counts once"


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


def _detail(task: TaskFacts, persons: str) -> str:
    unit = "persons" if task.unit == "subject" else "groups, by recording"
    parts = [f"{task.test_groups} {persons} {unit}"]
    if task.protocol == "transductive":
        parts.append("transductive")
    if not task.in_mean:
        parts.append("outside the mean")
    return ", ".join(parts)


def _draw_forest(groups: Sequence[_Group], minus: str, width: float) -> Figure:
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
        write(axes, minus, (1, 0), shift=(24, 10), role="muted")
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
    axes.vlines(0.5, start, top + used, colors=colour("muted"), linewidth=1, linestyles="dashed")
    axes.axhline(top, color=colour("grid"), linewidth=1, xmin=-2, xmax=3, clip_on=False)
    _write_group(axes, group, top, middle, phone)
    first = top + head + 6 if phone else middle - 6.5 * (len(group.points) - 1)
    for index, (key, point) in enumerate(group.points):
        _draw_point(axes, key, point, first + 13 * index)


def _write_group(axes: Axes, group: _Group, top: float, middle: float, phone: bool) -> None:
    role = "ink" if group.sure else "muted"
    if phone:
        write(axes, plain(group.title, 42), (0, top + 19), size=14, bold=True)
        write(axes, group.change, (0, top + 36), role=role, size=13, bold=group.sure)
        return
    left = (-306.0, 0.0)
    lines = textwrap.wrap(plain(group.title, 72), 38)[:2]
    first = middle - 9 * len(lines)
    for number, line in enumerate(lines):
        y = first + 18 * number
        write(axes, line, (0, y), shift=left, size=14, bold=True, va="center")
    y = first + 18 * len(lines)
    write(axes, plain(group.detail, 48), (0, y), shift=left, role="muted", va="center")
    place = (1.0, middle)
    write(
        axes, group.change, place, shift=(24, 0), role=role, size=13, bold=group.sure, va="center"
    )


def _draw_point(axes: Axes, key: Key, point: TaskScore | Mean, y: float) -> None:
    tint = colour(key.role)
    if point.low is not None and point.high is not None:
        axes.plot([point.low, point.high], [y, y], color=tint, linewidth=2, clip_on=False)
    axes.plot([point.value], [y], clip_on=False, **sign(key))
