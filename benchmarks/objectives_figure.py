"""The figure of ``benchmarks.objectives``: what each objective gained over no training.

Signs and colours mean what they mean in a run's report: blue circles are federated,
vermillion squares centralised (Okabe and Ito's palette; shape repeats what colour says).
"""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmarks.objectives_table import Sheet
from benchmarks.objectives_worth import Worth, worth
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

_KEYS = {
    "centralised": Key("Centralised", "vermillion", "s", ""),
    "federated": Key("Federated", "blue", "o", ""),
}

#: Pixels of an objective's row, of the lines within it, and of what stands above them.
_ROW, _LINE, _HEAD = 46, 17, 24


def gains(sheet: Sheet) -> Drawing | None:
    """Gain of the mean over untrained by objective, mean over the encoders; None without any."""
    found = worth(sheet)
    if not found:
        return None
    rows = [[w for w in found if w.objective == name] for name in _objectives(found)]
    spoken = [f"{w.objective} {w.scheme} {change(w.gain)}" for w in found]
    most = max(len(w.encoders) for w in found)
    average = sheet.averages[0]
    return drawing(
        f"gains-{sheet.stage}-{sheet.data}",
        lambda width: _draw(rows, width),
        label=f"Gain in mean AUROC over the untrained network by objective: {'; '.join(spoken)}.",
        caption=(
            f"{average.title} AUROC ({average.says}) less that of the same network untrained, mean "
            f"over {most} {'encoder' if most == 1 else 'encoders'}. Bars are 95 % intervals over "
            f"the {sheet.dealt.persons} persons, paired; the dashed line is no gain. A number in "
            "bold has an interval that leaves out 0; the intervals know nothing of how many "
            "choices are compared."
        ),
        keys=tuple(_KEYS[s] for s in _KEYS if any(w.scheme == s for w in found)),
    )


def _objectives(found: Sequence[Worth]) -> list[str]:
    return list(dict.fromkeys(w.objective for w in found))


def _draw(rows: Sequence[Sequence[Worth]], width: float) -> Figure:
    phone = width == PHONE
    each = _ROW + (_HEAD if phone else 0)
    total = each * len(rows)
    figure = canvas(width, 28 + total + 44)
    left, right = (18, 22) if phone else (250, 208)
    axes = panel(figure, left=left, right=right, top=28, bottom=44)
    axes.set_ylim(total, 0)
    axes.set_yticks([])
    _set_axis(axes, rows)
    for number, row in enumerate(rows):
        _draw_row(axes, row, each * number, each, phone)
    return figure


def _set_axis(axes: Axes, rows: Sequence[Sequence[Worth]]) -> None:
    bounds = [b for row in rows for w in row for b in (w.gain.low, w.gain.high)]
    step = 0.05 if max(bounds) - min(bounds) > 0.12 else 0.02
    low = step * np.floor(min(0.0, *bounds) / step)
    high = step * np.ceil(max(0.0, *bounds) / step)
    axes.set_xlim(low, high)
    ticks = np.arange(round(low / step), round(high / step) + 1) * step
    axes.set_xticks(ticks, [decimal(t, sign=True) for t in ticks])
    axes.tick_params(labeltop=True, labelbottom=True)
    axes.set_xlabel("gain in mean AUROC over untrained", color=colour("muted"), fontsize=12)


def _draw_row(axes: Axes, row: Sequence[Worth], top: float, used: float, phone: bool) -> None:
    start = top + (_HEAD if phone else 0)
    middle = (start + top + used) / 2
    ticks = [t for t in axes.get_xticks() if abs(t) > 1e-9]
    axes.vlines(ticks, start, top + used, colors=colour("grid"), linewidth=1)
    axes.vlines(0.0, start, top + used, colors=colour("muted"), linewidth=1, linestyles="dashed")
    axes.axhline(top, color=colour("grid"), linewidth=1, xmin=-2, xmax=3, clip_on=False)
    name = plain(row[0].objective, 34)
    if phone:
        write(axes, name, (0, top + 19), shift=(-14, 0), size=14, bold=True)
    else:
        write(axes, name, (0, middle), shift=(-246, 0), size=14, bold=True, va="center")
    first = middle - _LINE * (len(row) - 1) / 2
    for index, one in enumerate(row):
        y = first + _LINE * index
        _draw_point(axes, one, y)
        if not phone:
            sure = tone(one.gain) in ("gain", "loss")
            role = "ink" if sure else "muted"
            write(axes, change(one.gain), (1, y), shift=(24, 0), role=role, size=13, bold=sure,
                  va="center")  # fmt: skip


def _draw_point(axes: Axes, one: Worth, y: float) -> None:
    key = _KEYS[one.scheme]
    tint = colour(key.role)
    axes.plot([one.gain.low, one.gain.high], [y, y], color=tint, linewidth=2, clip_on=False)
    axes.plot([one.gain.value], [y], clip_on=False, **sign(key))
