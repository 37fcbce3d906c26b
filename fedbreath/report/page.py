"""The report: one offline HTML page about a run, for clinicians and study leads.

Everything is inside the file: style, script and figures. A content security policy in
the page itself forbids any request, and any script but ours.
"""

import base64
import hashlib
import re
import shlex
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import jinja2

from fedbreath.atomic import write_text
from fedbreath.report import (
    clients,
    curves,
    figures,
    folder,
    mixtures,
    privacy_section,
    signs,
    tables,
    tradeoff,
    world,
)
from fedbreath.report.participation import hostile, participation, repeated
from fedbreath.report.records import Records, SkippedItem
from fedbreath.report.wording import (
    alone,
    decimal,
    duration,
    hours,
    kept_share,
    megabytes,
    persons,
    private,
    verdict,
)

#: So many skipped items or failed clients of a kind are listed; the records have them all.
LISTED = 200

_HERE = Path(__file__).parent


@dataclass(frozen=True)
class Tile:
    """A number at the top of the page, what it counts, and a remark."""

    value: str
    title: str
    note: str = ""


@dataclass(frozen=True)
class Skips:
    """Skipped items that share a reason."""

    reason: str
    sites: tuple[tuple[str, int], ...]
    count: int
    listed: tuple[SkippedItem, ...]


def write(out: Path) -> Path:
    """Read a run's records and write ``report.html`` beside them.

    Args:
        out: The run's folder.

    Returns:
        The page, replaced as a whole: a reader never meets half of it.

    Raises:
        UserError: A record is missing or malformed.
    """
    path = out / "report.html"
    write_text(path, html(folder.read(out)))
    return path


def html(records: Records) -> str:
    """The page as text; the same for the same records."""
    return environment().get_template("page.html.jinja").render(_context(records))


def environment(*folders: Path) -> jinja2.Environment:
    """Where templates are found, in these folders and in the report's own, and their filters."""
    made = jinja2.Environment(
        loader=jinja2.FileSystemLoader([*folders, _HERE]),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {"decimal": decimal, "unbroken": _unbroken}
    return made


def _context(records: Records) -> dict[str, Any]:
    scores, data = records.scores, records.data
    titles = {t.name: t.title for t in scores.tasks} if scores else {}
    return {
        "run": records.run,
        "data": data,
        "scores": scores,
        "tasks": tables.ordered(scores.tasks) if scores else [],
        "verdict": verdict(records),
        "tiles": tiles(records),
        "started": _day(records.run.started),
        "rounds": records.rounds,
        "traffic": megabytes(records.rounds),
        "alone": alone(records),
        "share": kept_share(scores) if scores and not (alone(records) or private(records)) else "",
        "forest": figures.forest(scores) if scores else None,
        "blocks": tables.blocks(scores) if scores else (),
        "comparisons": tables.comparisons(scores) if scores else None,
        "losses": curves.losses(records.rounds),
        "probes": curves.probes(records.probes, titles),
        "signs": signs.table(records.rounds),
        "signs_sentence": signs.sentence(records.rounds),
        "alarm": signs.alarm(records.rounds),
        "participation": participation(
            records.rounds, [c.name for c in data.clients], data.declared
        ),
        "failures": failures(records),
        "repeated": repeated(records.rounds),
        "hostile": hostile(records),
        "world": world.world(records.rounds),
        "listed": LISTED,
        "dealt": mixtures.dealt(data),
        "settings": mixtures.settings(records.run.config),
        "holdings": clients.holdings(data),
        "skips": skips(data.problems),
        "privacy": privacy_section.section(records),
        "tradeoff": tradeoff.tradeoff(records),
        "command": command(records.run.overrides),
        "style": style(),
        **script(),
    }


def style() -> str:
    """The style sheet that all pages of fedbreath share."""
    return (_HERE / "page.css").read_text(encoding="utf-8")


def script() -> dict[str, str]:
    """The script that sorts score tables, and its hash for the content security policy."""
    text = (_HERE / "page.js").read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
    return {"script": text, "script_hash": f"sha256-{digest}"}


def tiles(records: Records) -> tuple[Tile, ...]:
    """The key numbers of what was pretrained on, and under which privacy."""
    run, held = records.run, records.data.clients
    unknown = sum(c.subjects is None for c in held)
    no_ids = f"{unknown} of {len(held)} publish no person ids" if unknown else ""
    partition = records.data.partition.replace("_", " ")
    pretrained = sum(site.pretrain for site in records.data.sites)
    sites = f"{pretrained} {'site' if pretrained == 1 else 'sites'}"
    wall = duration(run.seconds) if run.seconds is not None else "not finished"
    holders: tuple[Tile, ...] = (
        Tile(str(len(held)), "client" if len(held) == 1 else "clients", f"{sites}, {partition}"),
        Tile(persons([c.subjects for c in held]), "persons", no_ids),
        Tile(f"{sum(c.recordings for c in held):,}", "recordings"),
        Tile(hours(sum(c.seconds for c in held)), "of sound"),
    )
    if records.data.declared is not None:
        holders = _declared(records, records.data.declared)
    return (
        Tile(str(len(records.rounds)), "rounds"),
        *holders,
        Tile(wall, "wall time", run.machine.device),
        Tile(run.guarantee.mechanism.replace("_", " "), "privacy"),
    )


def _declared(records: Records, phones: int) -> tuple[Tile, ...]:
    """The same of a population that is not listed: what is known of the phones that took part."""
    took = [p for r in records.rounds for p in r.participants]
    told = {p.name: p.recordings for p in took}
    known = [n for n in told.values() if n is not None]
    counted = f"{sum(known):,}" if len(known) == len(told) else "–"
    return (
        Tile(f"{phones:,}", "phones", "declared, not listed"),
        Tile(f"{len(told):,}", "phones took part"),
        Tile(counted, "recordings", "of those"),
        Tile(f"{len(took):,}", "updates"),
    )


def failures(records: Records) -> dict[str, dict[str, list[int]]]:
    """Failure code to client to the rounds in which it happened."""
    found: dict[str, dict[str, list[int]]] = {}
    for one in records.rounds:
        for failure in one.failures:
            clients_of = found.setdefault(failure.code, {})
            clients_of.setdefault(failure.name, []).append(one.number)
    return {code: dict(sorted(found[code].items())) for code in sorted(found)}


def skips(problems: Sequence[SkippedItem]) -> list[Skips]:
    """Group what was skipped by the kind of its reason, most frequent first."""
    kinds: dict[str, list[SkippedItem]] = {}
    for problem in problems:
        kinds.setdefault(problem.reason.partition(":")[0], []).append(problem)
    grouped = []
    for kind, items in sorted(kinds.items(), key=lambda pair: (-len(pair[1]), pair[0])):
        sites = tuple(Counter(item.site for item in items).most_common())
        grouped.append(Skips(kind, sites, len(items), tuple(items[:LISTED])))
    return grouped


def command(overrides: Sequence[str]) -> str:
    """The command line that starts the same run."""
    return shlex.join(["python", "-m", "simulation", *overrides])


def _unbroken(text: str) -> str:
    """Keep what stands in brackets, an interval, on one line."""
    return re.sub(r"\([^)]*\)", lambda found: found[0].replace(" ", "\N{NO-BREAK SPACE}"), text)


def _day(time: str) -> str:
    try:
        return f"{datetime.fromisoformat(time):%d %B %Y, %H:%M}".lstrip("0")
    except ValueError:
        return time
