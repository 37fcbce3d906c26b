"""The figure of the clients: who holds what."""

from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from fedbreath.report.records import ClientFacts, DataRecord
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
from fedbreath.report.wording import hours, persons

#: So many are shown where clients are many: the largest; the others are summed.
LARGEST = 12

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
    """A row of the picture of who holds what; ``numbers`` is None where it is test only."""

    name: str
    parts: tuple[tuple[str, int], ...]
    kept_out: int
    numbers: tuple[str, str, str] | None


def holdings(data: DataRecord) -> Drawing | None:
    """What each client holds: recordings by modality, test persons hatched."""
    many = len(data.clients) > MANY
    holders = _largest(data.clients) if many else _holders(data)
    if not holders:
        return None
    present = [m for m in _MODALITIES if any(m in dict(h.parts) for h in holders)]
    other = any(m not in _MODALITIES for h in holders for m, _ in h.parts)
    keys = [Key(m, _MODALITIES[m], "patch") for m in present]
    keys += [Key("other", "ink", "patch")] if other else []
    if any(h.kept_out for h in holders):
        keys.append(Key("kept out for testing", "muted", "hatch"))
    told = [f"{h.name} {h.numbers[0] if h.numbers else h.kept_out} recordings" for h in holders]
    return drawing(
        "holdings",
        lambda width: _draw_holdings(holders, width),
        label=f"Who holds what. {'; '.join(told[:20])}.",
        caption=_caption(data, many),
        keys=tuple(keys),
    )


def _caption(data: DataRecord, many: bool) -> str:
    note = (
        "Persons and hours are those pretrained on; a dash means that the data set publishes "
        "no person ids."
    )
    if not many:
        return (
            "Recordings that each client pretrains on, by what was recorded; hatched are "
            f"recordings of {_kept_out(data)} persons, which no pretraining sees. {note}"
        )
    kept_out = sum(site.test_recordings for site in data.sites)
    return (
        f"Recordings that the {LARGEST} largest clients pretrain on, by what was recorded; the "
        f"others are summed, without a bar. {kept_out:,} recordings of {_kept_out(data)} persons "
        f"are at no client. {note}"
    )


def _kept_out(data: DataRecord) -> str:
    hidden = any(site.hidden_recordings for site in data.sites)
    return "test and validation" if hidden else "test"


def _holders(data: DataRecord) -> list[_Holder]:
    kept_out = {site.name: site.test_recordings for site in data.sites}
    # Only then is a client the site of its name.
    same = data.partition == "by_dataset"
    holders = [_holder(c, kept_out.pop(c.name, 0) if same else 0) for c in data.clients]
    for name, count in kept_out.items():
        if count:
            holders.append(_Holder(f"{name}: test only", (), count, None))
    return holders


def _largest(clients: Sequence[ClientFacts]) -> list[_Holder]:
    ordered = sorted(clients, key=lambda c: -c.recordings)
    rest = ordered[LARGEST:]
    numbers = (
        f"{sum(c.recordings for c in rest):,}",
        persons([c.subjects for c in rest]),
        hours(sum(c.seconds for c in rest)),
    )
    shown = [_holder(c, 0) for c in ordered[:LARGEST]]
    return [*shown, _Holder(f"{len(rest):,} others", (), 0, numbers)]


def _holder(client: ClientFacts, kept_out: int) -> _Holder:
    numbers = (f"{client.recordings:,}", _persons(client.subjects), hours(client.seconds))
    parts = tuple((m, n) for m, n in client.modalities.items() if n)
    return _Holder(client.name, parts, kept_out, numbers)


def _persons(count: int | None) -> str:
    return "–" if count is None else persons([count])


def _draw_holdings(holders: Sequence[_Holder], width: float) -> Figure:
    phone = width == PHONE
    step = 46 if phone else 34 if len(holders) <= 20 else 20
    left = 4 if phone else name_width([h.name for h in holders], 260)
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
    _write_numbers(axes, holder.numbers or ("–", "–", "–"), y, "ink")


def _write_numbers(axes: Axes, texts: tuple[str, str, str], y: float, role: str) -> None:
    for text, right in zip(texts, (90, 165, 240), strict=True):
        write(axes, text, (1, y), shift=(right, 0), role=role, ha="right", va="center")


def _write_above(axes: Axes, holder: _Holder, y: float) -> None:
    note = "test only"
    if holder.numbers:
        recordings, people, sound = holder.numbers
        note = f"{recordings} rec. · {people} pers. · {sound}"
    write(axes, plain(holder.name, 24), (0, y), size=13)
    write(axes, note, (1, y), role="muted", ha="right")
