"""``python -m simulation.partitions FILE.png``: the partitions side by side, as one picture.

The simulated phone cohorts with their default settings are dealt by each partition; a bar
is a client, as long as it has persons. No sound is rendered.
"""

import argparse
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from fedbreath.config import load
from fedbreath.features import Entry, Selection, Store
from fedbreath.recording import Site
from simulation import PACKAGES
from simulation.partitions import UNKNOWN, Partition, units

#: Title of a panel, and what the partition in it is called with.
PANELS: tuple[tuple[str, str], ...] = (
    ("by_dataset", "partition=by_dataset"),
    ("by_key, device", "partition=by_key partition.key=device"),
    ("cohorts, 8 clients", "partition=cohorts partition.clients=8"),
    ("quantity_skew, sigma 1", "partition=quantity_skew partition.clients=8"),
    ("dirichlet, alpha 100", "partition=dirichlet partition.clients=8 partition.alpha=100"),
    ("dirichlet, alpha 1", "partition=dirichlet partition.clients=8 partition.alpha=1"),
    ("dirichlet, alpha 0.1", "partition=dirichlet partition.clients=8 partition.alpha=0.1"),
    ("per_subject", "partition=per_subject"),
)

#: What the bars are coloured by, and with.
LABEL = "disease"
COLOURS = ("#0072b2", "#e69f00", "#008f68", "#b4578f", "#5d6672")


def main(words: Sequence[str] | None = None) -> None:
    """Write the picture."""
    parser = argparse.ArgumentParser(prog="python -m simulation.partitions", description=__doc__)
    parser.add_argument("file", type=Path, metavar="FILE.png", help="the picture to write")
    draw(parser.parse_args(words).file)


def draw(path: Path) -> None:
    """Deal the simulated cohorts by each partition and draw what each client got."""
    sites: list[Site] = load((), PACKAGES).data.build().sites()
    training = {site.name: silent(site).select() for site in sites}
    values = sorted({u.value(LABEL) or UNKNOWN for u in units(training.values())})
    figure = Figure(figsize=(12, 5.6), layout="constrained")
    FigureCanvasAgg(figure)
    longest = 0.0
    panels = list(figure.subplots(2, 4).flat)
    for axes, (title, asked) in zip(panels, PANELS, strict=True):
        config = load(asked, PACKAGES)
        assert config.partition is not None
        partition: Partition = config.partition.build()
        _draw_panel(axes, title, list(partition.clients(training).values()), values)
        longest = max(longest, axes.get_xlim()[1])
    for axes in panels[:-1]:  # a phone's single person is too short for the common scale
        axes.set_xlim(0, longest)
    handles, names = figure.axes[0].get_legend_handles_labels()
    titles = [f"{LABEL}: {name}" for name in names]
    figure.legend(handles, titles, loc="outside upper left", ncols=len(names), frameon=False)
    figure.savefig(path, dpi=110)


def silent(site: Site) -> Store:
    """A store of a site's recordings whose sound nobody asks for."""
    front_end = load((), PACKAGES).front_end
    entries = tuple(Entry(r, 0, 0, 0.0, front_end.sample_rate, 0.0) for r in site.recordings)
    return Store(site, front_end, entries, np.zeros((0, front_end.rows), np.float16))


def _draw_panel(
    axes: Axes, title: str, clients: Sequence[Selection], values: Sequence[str]
) -> None:
    counts = [Counter(u.value(LABEL) or UNKNOWN for u in units([c])) for c in clients]
    if len(counts) > 30:
        counts.sort(key=lambda found: [found[v] for v in values], reverse=True)
    start = np.zeros(len(counts))
    thick = 0.75 if len(counts) <= 30 else 1.0
    for value, tint in zip(values, COLOURS, strict=False):
        wide = np.array([found[value] for found in counts])
        axes.barh(range(len(counts)), wide, thick, start, color=tint, label=value)
        start += wide
    axes.set_title(f"{title}\n{len(counts)} clients", fontsize=10, loc="left")
    axes.set_yticks([])
    axes.invert_yaxis()
    axes.set_xlabel("persons", fontsize=9)
    axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    axes.spines[["top", "right", "left"]].set_visible(False)


if __name__ == "__main__":
    main()
