"""The figure of ``benchmarks.federation``: what each arm is behind centralised training.

Signs and colours mean what they mean in a run's report: blue circles are federated, grey
diamonds the untrained network (Okabe and Ito's palette; shape repeats what colour says).
"""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmarks.federation_table import Sheet
from benchmarks.federation_verdict import MARGIN, told_of
from benchmarks.objectives_table import Estimate
from fedbreath.report.svg import (
    PHONE,
    Drawing,
    Key,
    canvas,
    colour,
    drawing,
    panel,
    sign,
    write,
)
from fedbreath.report.wording import decimal, tone

_KEYS = {
    "federated": Key("Federated", "blue", "o", ""),
    "local": Key("Sites alone", "green", "^", ""),
    "untrained": Key("Untrained", "muted", "D", ""),
}

#: Pixels of a row, and of what stands above it on a phone.
_ROW, _HEAD = 34, 22

#: Name, kind of row, and difference to centralised.
_Point = tuple[str, str, Estimate]


def gaps(sheet: Sheet) -> Drawing | None:
    """Each arm less centralised, and the margin; None where there is nothing to compare."""
    if not sheet.averages:
        return None
    name = sheet.averages[0].name
    points = [
        (row.key[1] or _KEYS[row.key[0]].text.lower(), row.key[0], row.gaps[name])
        for row in sheet.rows
        if name in row.gaps
    ]
    if not points:
        return None
    points.sort(key=lambda point: -point[2].value)
    spoken = "; ".join(f"{title} {told_of(gap)}" for title, _, gap in points)
    average = sheet.averages[0]
    return drawing(
        f"gaps-{sheet.stage}-{sheet.setting}",
        lambda width: _draw(points, width),
        label=f"Mean AUROC less centralised training: {spoken}.",
        caption=(
            f"{average.title} AUROC ({average.says}) less that of centralised training with as "
            f"many steps. Bars are 95 % intervals over the {sheet.dealt.persons} persons, paired. "
            f"The dashed line is no difference, the dotted one the margin of {MARGIN:g}: an arm "
            "whose bar lies right of it is non-inferior. A number in bold has an interval that "
            "leaves out 0."
        ),
        keys=tuple(key for kind, key in _KEYS.items() if any(p[1] == kind for p in points)),
    )


def _draw(points: Sequence[_Point], width: float) -> Figure:
    phone = width == PHONE
    each = _ROW + (_HEAD if phone else 0)
    total = each * len(points)
    figure = canvas(width, 28 + total + 44)
    left, right = (18, 22) if phone else (170, 208)
    axes = panel(figure, left=left, right=right, top=28, bottom=44)
    axes.set_ylim(total, 0)
    axes.set_yticks([])
    _set_axis(axes, points)
    axes.vlines(0.0, 0, total, colors=colour("muted"), linewidth=1, linestyles="dashed")
    axes.vlines(-MARGIN, 0, total, colors=colour("vermillion"), linewidth=1, linestyles="dotted")
    for number, point in enumerate(points):
        _draw_row(axes, point, each * number, each, phone)
    return figure


def _set_axis(axes: Axes, points: Sequence[_Point]) -> None:
    bounds = [b for _, _, gap in points for b in (gap.low, gap.high)]
    step = 0.05 if max(bounds) - min(bounds) > 0.12 else 0.02
    low = step * np.floor(min(-MARGIN, *bounds) / step)
    high = step * np.ceil(max(0.0, *bounds) / step)
    axes.set_xlim(low, max(high, step))
    ticks = np.arange(round(low / step), round(max(high, step) / step) + 1) * step
    axes.set_xticks(ticks, [decimal(t, sign=True) for t in ticks])
    axes.tick_params(labeltop=True, labelbottom=True)
    axes.set_xlabel("mean AUROC less centralised", color=colour("muted"), fontsize=12)


def _draw_row(axes: Axes, point: _Point, top: float, used: float, phone: bool) -> None:
    title, kind, gap = point
    middle = top + used / 2 + (_HEAD / 2 if phone else 0)
    axes.axhline(top, color=colour("grid"), linewidth=1, xmin=-2, xmax=3, clip_on=False)
    if phone:
        write(axes, title, (0, top + 17), shift=(-14, 0), size=14, bold=True)
    else:
        write(axes, title, (0, middle), shift=(-166, 0), size=14, bold=True, va="center")
        sure = tone(gap) in ("gain", "loss")
        role = "ink" if sure else "muted"
        write(axes, told_of(gap), (1, middle), shift=(24, 0), role=role, size=13, bold=sure,
              va="center")  # fmt: skip
    key = _KEYS[kind]
    axes.plot([gap.low, gap.high], [middle, middle], color=colour(key.role), linewidth=2,
              clip_on=False)  # fmt: skip
    axes.plot([gap.value], [middle], clip_on=False, **sign(key))
