"""The privacy section of the page: what was spent, arm by arm and site by site."""

from dataclasses import dataclass

from fedbreath.report.privacy_records import (
    ArmPrivacy,
    Composition,
    Epsilons,
    PrivacyRecord,
    SiteSpending,
)
from fedbreath.report.privacy_words import Said, explained, sure, uncovered
from fedbreath.report.records import Records
from fedbreath.report.score_records import Difference, ScoresRecord
from fedbreath.report.wording import Tone, change, difference, tone

#: What may be said of private training, by its paired interval over the public start.
_GAINS: dict[Tone, str] = {
    "gain": "a gain over the public start",
    "noise": "cannot be told from the public start",
    "loss": "worse than the public start",
    "open": "not comparable: no interval",
}


@dataclass(frozen=True)
class Row:
    """What one arm, one site or a composition spent, in words.

    Attributes:
        title: Whose.
        note: What it is.
        unit: What is hidden, with adjacency and trust model.
        epsilon: By PLD, at delta.
        others: By PRV and RDP.
        sure: How sure anyone may become.
        noise: Sigma, q and clip.
        rounds: Reserved and committed.
        gain: Against the public start, in numbers; empty where there is none.
        verdict: The same in words.
        mark: "gain" or "loss" where the interval leaves out 0.
    """

    title: str
    note: str
    unit: str
    epsilon: str
    others: str
    sure: str
    noise: str
    rounds: str
    gain: str = ""
    verdict: str = ""
    mark: str = ""


@dataclass(frozen=True)
class Sites:
    """An arm's sites."""

    title: str
    text: str
    rows: tuple[Row, ...]


@dataclass(frozen=True)
class Section:
    """All that the section shows beside the planned guarantee."""

    rows: tuple[Row, ...]
    compositions: tuple[Row, ...]
    sites: tuple[Sites, ...]
    compared: bool
    explained: tuple[Said, ...]
    of: str
    uncovered: tuple[Said, ...]


def section(records: Records) -> Section | None:
    """The section's tables and words; None where nothing was private, or not yet."""
    spent = records.privacy
    if spent is None:
        return None
    rows = tuple(_arm(arm, records.scores) for arm in spent.arms)
    first = spent.arms[0]
    return Section(
        rows=rows,
        compositions=tuple(_composition(one) for one in spent.compositions if len(one.arms) > 1),
        sites=tuple(
            Sites(arm.title, arm.text, tuple(_site(site, arm.delta) for site in arm.sites))
            for arm in spent.arms
        ),
        compared=any(row.gain for row in rows),
        explained=explained(first),
        of=first.title,
        uncovered=uncovered(spent),
    )


def over_start(scores: ScoresRecord | None, arm: str) -> Difference | None:
    """An arm's paired difference of the mean over the public start."""
    return difference(scores, arm, "mean", "start") if scores else None


def told(value: float | None) -> str:
    """An epsilon; without a bound it is called that."""
    return "no bound" if value is None else f"{value:.2f}"


def _arm(arm: ArmPrivacy, scores: ScoresRecord | None) -> Row:
    gained = over_start(scores, arm.arm)
    how = tone(gained)
    first = arm.sites[0]
    cohort = arm.cohort
    note = f"privacy={arm.mechanism}"
    if cohort is not None:
        note += (
            f"; simulated {cohort.simulated}, assumed {cohort.assumed}, "
            f"population {cohort.population:,}"
        )
    return Row(
        title=arm.title,
        note=note,
        unit=f"{arm.unit}, {arm.adjacency}, {arm.trust_model} trust",
        epsilon=f"{told(arm.most.pld)} at δ {arm.delta:g}",
        others=_others(arm.most),
        sure=sure(arm.most.pld) if arm.most.pld is not None else "–",
        noise=_noise(first),
        rounds=_rounds(arm.sites),
        gain=change(gained) if gained else "",
        verdict=_GAINS[how] if gained else "",
        mark=how if how in ("gain", "loss") else "",
    )


def _composition(one: Composition) -> Row:
    return Row(
        title=f"All {len(one.arms)} together",
        note="the same people: all releases composed, site by site",
        unit=f"{one.unit}, {one.adjacency}, {one.trust_model} trust",
        epsilon=f"{told(one.spent.pld)} at δ {one.delta:g}",
        others=_others(one.spent),
        sure=sure(one.spent.pld) if one.spent.pld is not None else "–",
        noise="",
        rounds="",
    )


def _site(site: SiteSpending, delta: float) -> Row:
    return Row(
        title=site.site,
        note=f"{site.population:,} stated",
        unit=f"D = {site.rule}",
        epsilon=f"{told(site.spent.pld)} at δ {delta:g}",
        others=_others(site.spent),
        sure="",
        noise=_noise(site),
        rounds=f"{site.reserved} reserved, {site.committed} committed, {site.steps:,} releases",
    )


def _others(spent: Epsilons) -> str:
    return f"PRV {told(spent.prv)} · RDP {told(spent.rdp)}"


def _noise(site: SiteSpending) -> str:
    clip = f"{site.clip_low:.3g}"
    if site.clip_high > site.clip_low:
        clip += f" to {site.clip_high:.3g}"
    return f"σ {site.sigma:.3g}, q {site.rate:g}, C {clip}"


def _rounds(sites: tuple[SiteSpending, ...]) -> str:
    reserved = sum(site.reserved for site in sites)
    lost = reserved - sum(site.committed for site in sites)
    where = f"{len(sites)} {'ledger' if len(sites) == 1 else 'ledgers'}, {reserved} rounds"
    return f"{where}, {lost} lost and spent" if lost else where


def gains(record: PrivacyRecord, scores: ScoresRecord | None) -> list[tuple[str, str, str]]:
    """Private arm, epsilon spent, and what came of it over the public start; for a terminal."""
    found = []
    for arm in record.arms:
        row = _arm(arm, scores)
        found.append(
            (arm.title, f"{row.epsilon} per {row.unit}", f"{row.gain} {row.verdict}".strip())
        )
    for one in record.compositions:
        if len(one.arms) > 1:
            row = _composition(one)
            found.append((row.title, f"{row.epsilon} per {row.unit}", ""))
    return found
