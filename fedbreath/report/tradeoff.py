"""The figure of utility against privacy: each trained arm's mean AUROC, strictest first.

The dashed line is the public start, which costs no privacy: an arm whose paired interval over
it does not leave out 0 has shown nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from fedbreath.report.privacy_section import over_start, told
from fedbreath.report.records import Records
from fedbreath.report.score_records import Mean
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
from fedbreath.report.wording import change, decimal, tone

_PRIVATE = Key("Private", "blue", "o", "")
_PLAIN = Key("Without privacy", "vermillion", "s", "")
_START = Key("Public start", "orange", "D", "")

_ROW = 44


@dataclass(frozen=True)
class _Point:
    """One arm: its epsilon, None without a bound; its mean; its difference to the start."""

    title: str
    epsilon: float | None
    mean: Mean
    key: Key
    gain: str
    sure: bool


def tradeoff(records: Records) -> Drawing | None:
    """Mean AUROC of the trained arms by epsilon; None without private arms or means."""
    scores, spent = records.scores, records.privacy
    if scores is None or spent is None:
        return None
    means = {mean.arm: mean for mean in scores.means if mean.over == "mean"}
    epsilons = {arm.arm: arm.most.pld for arm in spent.arms}
    points = []
    for arm in scores.arms:
        if arm.kind not in ("federated", "variant") or arm.name not in means:
            continue
        over = over_start(scores, arm.name)
        points.append(
            _Point(
                arm.title,
                epsilons.get(arm.name),
                means[arm.name],
                _PRIVATE if arm.name in epsilons else _PLAIN,
                change(over) if over else "",
                tone(over) in ("gain", "loss"),
            )
        )
    if not points:
        return None
    points.sort(key=lambda p: (p.epsilon is None, p.epsilon or 0.0))
    start = means.get("start")
    spoken = "; ".join(f"{p.title} {decimal(p.mean.value)}" for p in points)
    line = f"; public start {decimal(start.value)}" if start else ""
    return drawing(
        "tradeoff",
        lambda width: _draw(points, start, width),
        label=f"Mean AUROC by epsilon: {spoken}{line}.",
        caption=(
            f"Mean AUROC on the {scores.persons} persons with 95 % intervals, the smallest epsilon "
            "first; epsilons are what the ledgers say. "
            + (
                "The dashed line is the public start, which costs no privacy. The number is the "
                "paired difference to it: set in bold where its interval leaves out 0."
                if start
                else ""
            )
        ),
        keys=tuple(
            key
            for key in (_PRIVATE, _PLAIN, _START)
            if key in {p.key for p in points} or (key is _START and start)
        ),
    )


def _draw(points: Sequence[_Point], start: Mean | None, width: float) -> Figure:
    phone = width == PHONE
    row = _ROW + 28 if phone else _ROW
    height = 30 + row * len(points) + 44
    figure = canvas(width, height)
    left, right = (4, 4) if phone else (310, 208)
    axes = panel(figure, left=left, right=right, top=30, bottom=44)
    axes.set_ylim(row * len(points), 0)
    axes.set_yticks([])
    shown = [p.mean for p in points] + ([start] if start else [])
    bounds = [b for m in shown for b in (m.value, m.low, m.high) if b is not None]
    low = np.floor(20 * (min(bounds) - 0.005)) / 20
    high = np.ceil(20 * (max(bounds) + 0.005)) / 20
    axes.set_xlim(float(low), float(high))
    axes.grid(axis="x", color=colour("grid"), linewidth=1)
    axes.set_xlabel("mean AUROC", color=colour("muted"), fontsize=12)
    if start is not None:
        axes.axvline(start.value, color=colour("orange"), linewidth=1.6, linestyle="dashed")
        axes.plot([start.value], [0], clip_on=False, **sign(_START))
    for number, point in enumerate(points):
        top = row * number
        middle = top + row / 2 + (14 if phone else 0)
        _write(point, axes, top, middle, phone)
        tint = colour(point.key.role)
        if point.mean.low is not None and point.mean.high is not None:
            axes.plot([point.mean.low, point.mean.high], [middle] * 2, color=tint, linewidth=2)
        axes.plot([point.mean.value], [middle], clip_on=False, **sign(point.key))
    return figure


def _write(point: _Point, axes: Axes, top: float, middle: float, phone: bool) -> None:
    role = "ink" if point.sure else "muted"
    bound = f"ε {told(point.epsilon)}" if point.key is _PRIVATE else "no bound"
    if phone:
        write(axes, f"{plain(point.title, 30)}: {bound}", (0, top + 18), size=14, bold=True)
        write(axes, point.gain, (0, top + 34), role=role, size=13, bold=point.sure)
        return
    left = (-306.0, 0.0)
    write(
        axes, plain(point.title, 40), (0, middle - 9), shift=left, size=14, bold=True, va="center"
    )
    write(axes, bound, (0, middle + 9), shift=left, role="muted", va="center")
    place = (1.0, middle)
    write(axes, point.gain, place, shift=(24, 0), role=role, size=13, bold=point.sure, va="center")
