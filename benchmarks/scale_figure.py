"""The figure of ``benchmarks.scale``: cost against population, cohort and rounds, as one SVG.

It stands in a Markdown page, so it brings its own paper and colours (Okabe and Ito's).
"""

import io
from collections.abc import Sequence
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

from benchmarks.scale_run import Found

_COLOURS = ("#0072b2", "#d55e00", "#008f68", "#b4578f")
_MARKS = ("o", "s", "D", "^")
_MUTED, _GRID = "#5d6672", "#e3e6ea"


def svg(grid: Sequence[Found], long: Found, declared: Found, fit: tuple[float, float]) -> str:
    """Memory and time against the population, time against the cohort, memory over rounds.

    Args:
        grid: Populations and cohorts.
        long: The run of many rounds.
        declared: The largest population.
        fit: Processor seconds of a round, ``a + b * cohort``.
    """
    settings: Any = {"svg.fonttype": "none", "svg.hashsalt": "fedbreath", "font.size": 10}
    with matplotlib.rc_context(settings):
        figure = Figure(figsize=(10, 6.6), facecolor="white", layout="constrained")
        FigureCanvasSVG(figure)
        (memory, time), (cohort, rounds) = figure.subplots(2, 2)
        largest = max(grid, key=lambda f: (f.asked.phones, f.asked.cohort)).middle("total")
        _against_population(memory, grid, declared, "total", largest)
        memory.set_ylabel("memory of all processes, MB", color=_MUTED)
        _against_population(time, grid, declared, "cpu", fit[0] + fit[1] * declared.asked.cohort)
        time.set_ylabel("processor time of a round, s", color=_MUTED)
        memory.legend(frameon=False, loc="lower right")
        _against_cohort(cohort, grid, fit)
        _over_rounds(rounds, long)
        out = io.StringIO()
        figure.savefig(out, format="svg", metadata={"Date": None, "Creator": None})
    return "\n".join(text.rstrip() for text in out.getvalue().splitlines()) + "\n"


def _against_population(
    axes: Axes, grid: Sequence[Found], declared: Found, what: str, predicted: float
) -> None:
    """One line a cohort; the largest population, which was only run for three rounds, is hollow."""
    for number, cohort in enumerate(sorted({f.asked.cohort for f in grid})):
        own = [f for f in grid if f.asked.cohort == cohort]
        look = {"color": _COLOURS[number % 4], "marker": _MARKS[number % 4]}
        phones, values = [f.asked.phones for f in own], [f.middle(what) for f in own]
        axes.plot(phones, values, label=f"cohort {cohort}", **look)  # type: ignore[arg-type]
        if cohort == declared.asked.cohort:
            axes.plot(
                [declared.asked.phones], [declared.middle(what)], markerfacecolor="white",
                linestyle="", label=f"cohort {cohort}, 3 rounds", **look,  # type: ignore[arg-type]
            )  # fmt: skip
    label = f"predicted, cohort {declared.asked.cohort}"
    axes.axhline(predicted, color=_MUTED, linewidth=1, linestyle="dashed", label=label)
    axes.set_xscale("log")
    _finish(axes, "phones in the population", "")


def _against_cohort(axes: Axes, grid: Sequence[Found], fit: tuple[float, float]) -> None:
    for number, phones in enumerate(sorted({f.asked.phones for f in grid})):
        own = [f for f in grid if f.asked.phones == phones]
        axes.plot(
            [f.asked.cohort for f in own], [f.middle("cpu") for f in own], linestyle="",
            color=_COLOURS[number % 4], marker=_MARKS[number % 4], label=f"{phones:,} phones",
        )  # fmt: skip
    most, (a, b) = max(f.asked.cohort for f in grid), fit
    label = f"{a:.2f} s + {1000 * b:.1f} ms a phone"
    axes.plot([0, most], [a, a + b * most], color=_MUTED, linewidth=1, linestyle="dashed",
              label=label)  # fmt: skip
    axes.legend(frameon=False)
    axes.set_xlim(0)
    _finish(axes, "phones called in a round", "processor time of a round, s")


def _over_rounds(axes: Axes, long: Found) -> None:
    numbers = range(1, len(long.total) + 1)
    axes.plot(numbers, long.total, color=_COLOURS[0], label="all processes")
    axes.plot(numbers, long.parent, color=_COLOURS[1], label="server")
    axes.plot(numbers, long.worker, color=_COLOURS[2], linestyle="dashed", label="a worker")
    axes.legend(frameon=False)
    _finish(axes, f"round, {long.asked.cohort} of {long.asked.phones:,} phones", "memory, MB")


def _finish(axes: Axes, across: str, up: str) -> None:
    axes.set_ylim(0, 1.1 * axes.get_ylim()[1])
    axes.set_xlabel(across, color=_MUTED)
    axes.set_ylabel(up, color=_MUTED)
    axes.grid(color=_GRID)
    axes.tick_params(colors=_MUTED)
    for spine in axes.spines.values():
        spine.set_visible(False)
