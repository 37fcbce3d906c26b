"""The report in the terminal: the verdict and the headline scores."""

from pathlib import Path

from rich.console import Group
from rich.table import Table
from rich.text import Text

from fedbreath.report import folder, signs, world
from fedbreath.report.averages import averages
from fedbreath.report.participation import hostile
from fedbreath.report.privacy_records import PrivacyRecord
from fedbreath.report.privacy_section import gains
from fedbreath.report.records import Records
from fedbreath.report.score_records import ScoresRecord
from fedbreath.report.tables import ordered
from fedbreath.report.wording import decimal, duration, interval, verdict

_COLOURS = {"gain": "bold cyan", "loss": "bold yellow", "noise": "bold", "open": "bold"}

#: The arms that fit a terminal; the page has all.
_SHOWN = ("federated", "start", "centralised", "random", "log_mel", "opensmile_compare")


def summary(out: Path) -> Group:
    """Read a run's records and sum them up for ``rich.console.Console().print``.

    Args:
        out: The run's folder.

    Returns:
        The verdict, a warning where representations collapsed, a line of numbers, the
        headline scores, what was spent, and the privacy statement.

    Raises:
        UserError: A record is missing or malformed.
    """
    records = folder.read(out)
    said = verdict(records)
    parts: list[Text | Table] = [Text(said.text, style=_COLOURS[said.tone])]
    if said.aside:
        parts.append(Text(said.aside))
    if alarm := signs.alarm(records.rounds):
        parts.append(Text(f"WARNING: {alarm}", style="bold red"))
    if attacked := hostile(records):
        parts.append(Text(attacked, style="bold red"))
    parts.append(Text(_numbers(records), style="dim"))
    if found := world.world(records.rounds):
        parts.append(Text(" ".join(found.sentences)))
    if records.scores and records.scores.scores:
        parts.append(_table(records.scores))
    if records.privacy is not None:
        parts.append(_spent(records.privacy, records.scores))
    parts.append(Text(records.run.guarantee.text))
    return Group(*parts)


def _numbers(records: Records) -> str:
    clients, run = records.data.clients, records.run
    failed = sum(len(r.failures) for r in records.rounds)
    held = f"{len(clients)} {'client' if len(clients) == 1 else 'clients'}"
    if records.data.declared is not None:
        held = f"{records.data.declared:,} phones declared"
    parts = [f"{len(records.rounds)} rounds", held, f"{failed} failures"]
    if clients:
        parts.append(f"{sum(c.recordings for c in clients):,} recordings")
    parts.append("not finished" if run.seconds is None else duration(run.seconds))
    return " · ".join(parts)


def _spent(spent: PrivacyRecord, scores: ScoresRecord | None) -> Table:
    """What each private arm spent, what it was worth, and what all cost together."""
    table = Table(box=None, pad_edge=False)
    for heading in ("Spent", "epsilon", "mean AUROC over the public start"):
        table.add_column(heading)
    for row in gains(spent, scores):
        table.add_row(*map(Text, row))
    return table


def _table(scores: ScoresRecord) -> Table:
    run = {score.arm for score in scores.scores}
    arms = [arm for arm in scores.arms if arm.name in _SHOWN and arm.name in run]
    # Text, not str: a square bracket in a name is no markup.
    table = Table(box=None, pad_edge=False)
    table.add_column("AUROC (95 % interval)")
    for arm in arms:
        table.add_column(Text(arm.title), justify="right")
    found = {(s.arm, s.task): f"{decimal(s.value)} ({interval(s)})" for s in scores.scores}
    found |= {(m.arm, m.over): f"{decimal(m.value)} ({interval(m)})" for m in scores.means}
    rows = [(a.name, a.title) for a in averages(scores.tasks)] if scores.means else []
    headline = [t for t in ordered(scores.tasks) if t.headline] or list(scores.tasks)
    rows += [(task.name, task.title) for task in headline]
    for name, title in rows:
        table.add_row(Text(title), *[found.get((arm.name, name), "–") for arm in arms])
    return table
