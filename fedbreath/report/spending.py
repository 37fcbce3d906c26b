"""From ledgers to the privacy record: what was spent, never what was planned."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from fedbreath.config import Config
from fedbreath.errors import PrivacyError
from fedbreath.privacy import Plan
from fedbreath.privacy.accounting import across_disjoint_sites, epsilon
from fedbreath.privacy.client_central import ClientCentral
from fedbreath.privacy.terms import Accountant, Bound, Event, Terms
from fedbreath.report.privacy_records import (
    ArmPrivacy,
    Cohort,
    Composition,
    Epsilons,
    PrivacyRecord,
    SiteSpending,
)
from fedbreath.site.account import verified
from fedbreath.site.chain import Record
from fedbreath.site.records import budget_of, events_of, never_committed, of_kind

#: The second copies of the heads lie beside the ledgers' folder in a simulation.
_SECOND = "privacy-heads"


@dataclass(frozen=True)
class Spender:
    """An arm that was trained.

    Attributes:
        name: The arm's.
        title: For a reader.
        folder: Where it lies.
        config: What it was trained with.
    """

    name: str
    title: str
    folder: Path
    config: Config


@dataclass(frozen=True)
class _Account:
    """One ledger: its events, what they are about, and its records."""

    events: tuple[Event, ...]
    terms: Terms
    records: tuple[Record, ...]


#: Site to its ledger.
_Accounts = Mapping[str, _Account]


def record(arms: Sequence[Spender]) -> PrivacyRecord | None:
    """What the trained arms of a run spent; None where no one of them is private.

    Raises:
        LedgerError: A ledger cannot be trusted.
    """
    private, unprotected, ledgers = [], [], []
    for arm in arms:
        mechanism: Any = arm.config.privacy.build(_plan(arm.config))
        if mechanism.place == "nowhere":
            unprotected.append(arm.title)
            continue
        accounts = _accounts(arm.folder, mechanism.place)
        if accounts:
            private.append(_arm(arm, mechanism, accounts))
            ledgers.append(accounts)
    if not private:
        return None
    return PrivacyRecord(tuple(private), tuple(_compositions(private, ledgers)), tuple(unprotected))


def released(config: Config) -> str:
    """What leaves a site, in words; under privacy no number of its data does."""
    mechanism: Any = config.privacy.target
    weights = "encoder weights"
    if config.training.head == "averaged":
        weights = "weights of encoder and projection head"
    return weights if mechanism.place != "nowhere" else f"{weights}, counts and losses"


def _plan(config: Config) -> Plan:
    return Plan(config.rounds, config.training.steps)


def _accounts(folder: Path, place: str) -> dict[str, _Account]:
    """The ledgers of an arm; of a site that was never asked there is none."""
    pattern = "privacy/*.jsonl" if place == "server" else "sites/**/privacy/*.jsonl"
    found = {}
    for path in sorted(folder.glob(pattern)):
        records = verified(path, path.parent.parent / _SECOND)
        events = tuple(events_of(records))
        if events:
            # By their place: two clients' names may be one ledger's name.
            home = path.parent.parent
            name = "server" if place == "server" else str(home.relative_to(folder / "sites"))
            found[name] = _Account(events, budget_of(records).terms, tuple(records))
    return found


def _arm(arm: Spender, mechanism: Any, accounts: _Accounts) -> ArmPrivacy:
    terms = next(iter(accounts.values())).terms
    cohort = None
    if isinstance(mechanism, ClientCentral):
        of = mechanism.cohort
        if of.simulated < of.assumed:
            cohort = Cohort(of.simulated, of.assumed, of.population)
    bound = _most({name: _bound([one]) for name, one in accounts.items()})
    if cohort is not None:
        bound = bound.assuming(str(mechanism.cohort))
    sites = tuple(_site(name, one) for name, one in accounts.items())
    return ArmPrivacy(
        arm=arm.name,
        title=arm.title,
        mechanism=arm.config.privacy.name,
        unit=terms.unit,
        adjacency=terms.adjacency,
        trust_model=terms.trust_model,
        delta=terms.delta,
        released=released(arm.config),
        sites=sites,
        most=_greatest(site.spent for site in sites),
        text=str(bound),
        cohort=cohort,
    )


def _site(name: str, one: _Account) -> SiteSpending:
    reserved = of_kind(one.records, "reserve")
    norms = [float(r["C"]) for r in reserved]
    return SiteSpending(
        site=name,
        population=one.terms.population,
        rate=max(event.rate for event in one.events),
        sigma=min(event.sigma for event in one.events),
        clip_low=min(norms),
        clip_high=max(norms),
        rule=str(reserved[0]["D_rule"]),
        steps=sum(event.steps for event in one.events),
        reserved=len(reserved),
        committed=len(reserved) - len(never_committed(one.records)),
        spent=_epsilons([one]),
    )


def _compositions(
    arms: Sequence[ArmPrivacy], ledgers: Sequence[_Accounts]
) -> Iterable[Composition]:
    """All releases of comparable arms, site by site.

    Arms share their clients, so that their events at a site are one after the other; epsilons
    are never added.
    """
    kinds: dict[tuple[str, str, str, float], list[int]] = {}
    for number, arm in enumerate(arms):
        kind = (arm.unit, arm.adjacency, arm.trust_model, arm.delta)
        kinds.setdefault(kind, []).append(number)
    for (unit, adjacency, trust_model, delta), members in kinds.items():
        sites: dict[str, list[_Account]] = {}
        for number in members:
            for name, one in ledgers[number].items():
                sites.setdefault(name, []).append(one)
        bound = _most({name: _bound(several) for name, several in sites.items()})
        for cohort in {arms[number].cohort for number in members} - {None}:
            assert cohort is not None
            bound = bound.assuming(
                f"simulated {cohort.simulated}, assumed {cohort.assumed}, "
                f"population {cohort.population}"
            )
        yield Composition(
            arms=tuple(arms[number].title for number in members),
            unit=unit,
            adjacency=adjacency,
            trust_model=trust_model,
            delta=delta,
            spent=_greatest(_epsilons(several) for several in sites.values()),
            text=str(bound),
        )


def _most(bounds: Mapping[str, Bound]) -> Bound:
    """The greatest over sites, with the assumption that nobody is at two of them."""
    only = next(iter(bounds.values()))
    return only if len(bounds) == 1 else across_disjoint_sites(bounds)


def _greatest(found: Iterable[Epsilons]) -> Epsilons:
    """By accountant; nothing is greater than no bound."""
    known = list(found)

    def of(name: str) -> float | None:
        values = [getattr(one, name) for one in known]
        return None if None in values else max(values)

    return Epsilons(of("pld"), of("prv"), of("rdp"))


def _bound(several: Sequence[_Account]) -> Bound:
    """Of all releases of some ledgers that are about the same people."""
    # Delta holds for each of them, so it does for the largest population among them.
    terms = max((one.terms for one in several), key=lambda terms: terms.population)
    return _composed(_together(several), terms, "PLD")


def _epsilons(several: Sequence[_Account]) -> Epsilons:
    terms = replace(several[0].terms, population=1)
    return Epsilons(
        *(_value(_together(several), terms, accountant) for accountant in ("PLD", "PRV", "RDP"))
    )


def _together(several: Sequence[_Account]) -> tuple[Event, ...]:
    """Equal releases together: how often each was made is all that counts."""
    counts: dict[tuple[float, float], int] = {}
    for event in (event for one in several for event in one.events):
        key = (event.sigma, event.rate)
        counts[key] = counts.get(key, 0) + event.steps
    return tuple(Event(s, 1.0, q, steps) for (s, q), steps in sorted(counts.items()))


@lru_cache(maxsize=256)
def _composed(events: tuple[Event, ...], terms: Terms, accountant: Accountant) -> Bound:
    return epsilon(events, terms, accountant)


def _value(events: tuple[Event, ...], terms: Terms, accountant: Accountant) -> float | None:
    try:
        value = _composed(events, terms, accountant).value
    except (PrivacyError, ValueError, RuntimeError, ArithmeticError):
        # Replace-one is PLD's alone, and PRV does not converge for every event.
        if accountant == "PLD":
            raise
        return None
    return value if math.isfinite(value) else None
