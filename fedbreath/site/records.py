"""What a ledger's records say: the site's budget, and each release as it is written down."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, get_args

from fedbreath.errors import LedgerError, PrivacyError
from fedbreath.privacy import Plan
from fedbreath.privacy.calibration import positive
from fedbreath.privacy.spec import PrivacySpec
from fedbreath.privacy.terms import (
    UNITS,
    Adjacency,
    Event,
    SensitivityRule,
    Terms,
    TrustModel,
    Unit,
    whole,
)
from fedbreath.site.chain import Record


@dataclass(frozen=True)
class Budget:
    """What the site's policy allows.

    Attributes:
        epsilon: The most that may ever be spent in the domain.
        terms: What that epsilon is about; the unit is the weakest that is accepted.
    """

    epsilon: float
    terms: Terms

    def __post_init__(self) -> None:
        positive("the budget's epsilon", self.epsilon)


@dataclass(frozen=True)
class Release:
    """What is about to be released, as it is written down.

    Attributes:
        run: The run's name.
        round: Its round.
        first_step: Number of the event's first step in the run.
        event: The mechanism's steps; its `clip` is D_add.
        clipping_norm: C, the norm that contributions are clipped to.
        sensitivity: The rule that gives D_add from C.
        unit: What the mechanism hides.
        adjacency: What D_add is about.
        trust_model: Where the noise is added.
        config: Hash of the run's configuration.
    """

    run: str
    round: int
    first_step: int
    event: Event
    clipping_norm: float
    sensitivity: SensitivityRule
    unit: Unit
    adjacency: Adjacency
    trust_model: TrustModel
    config: str

    def __post_init__(self) -> None:
        whole("round", self.round, 0)
        whole("first step", self.first_step, 0)
        if self.unit not in UNITS:
            raise PrivacyError(f"unit must be one of {', '.join(UNITS)}; got {self.unit!r}")
        if self.sensitivity not in get_args(SensitivityRule):
            raise PrivacyError(f"the rule of D_add must be C or 2 C, got {self.sensitivity!r}")
        positive("the clipping norm C", self.clipping_norm)
        expected = self.clipping_norm * (1 if self.sensitivity == "C" else 2)
        if abs(self.event.clip - expected) > 1e-9 * expected:
            raise PrivacyError(
                f"D_add {self.event.clip:g} is not {self.sensitivity} with C = "
                f"{self.clipping_norm:g}: they must say the same"
            )


@dataclass(frozen=True)
class Reservation:
    """What a ledger has written down, and so is spent: the leave to make one release.

    Attributes:
        number: Of the ledger's record.
        release: What may be released.
    """

    number: int
    release: Release


class Accountable(Protocol):
    """A mechanism whose rounds a ledger can write down."""

    plan: Plan
    unit: Unit
    rule: SensitivityRule
    trust_model: TrustModel

    @property
    def spec(self) -> PrivacySpec:
        """What is asked."""
        ...

    def event(self) -> Event:
        """What one round costs."""
        ...

    def clipping_norm(self) -> float:
        """C."""
        ...


def planned(mechanism: Accountable, run: str, number: int, config: str) -> Release:
    """What a round of a mechanism releases.

    Args:
        mechanism: The run's.
        run: The run's name.
        number: The round, from 1.
        config: Hash of the run's configuration.
    """
    return Release(
        run=run,
        round=number,
        first_step=(number - 1) * mechanism.plan.steps,
        event=mechanism.event(),
        clipping_norm=mechanism.clipping_norm(),
        sensitivity=mechanism.rule,
        unit=mechanism.unit,
        adjacency=mechanism.spec.adjacency,
        trust_model=mechanism.trust_model,
        config=config,
    )


def fits(release: Release, terms: Terms) -> None:
    """Refuse a release that is about something else than the policy."""
    if UNITS.index(release.unit) < UNITS.index(terms.unit):
        raise PrivacyError(
            f"the run hides a {release.unit}, which is weaker than the {terms.unit} that the "
            "site's policy asks for"
        )
    for name in ("unit", "adjacency", "trust_model"):
        asked, found = getattr(terms, name), getattr(release, name)
        if asked != found:
            raise PrivacyError(
                f"the run's {name.replace('_', ' ')} is {found}, the ledger accounts for "
                f"{asked}: they do not compose; use a domain of its own"
            )


def of_kind(records: Sequence[Record], kind: str) -> list[Record]:
    """The records of one kind."""
    return [record for record in records if record["kind"] == kind]


def never_committed(records: Sequence[Record]) -> set[int]:
    """Reservations that were never committed."""
    reserved = {record["number"] for record in of_kind(records, "reserve")}
    return reserved - {record["reservation"] for record in of_kind(records, "commit")}


def budget_of(records: Sequence[Record]) -> Budget:
    """The budget that holds now."""
    found = next(record["budget"] for record in reversed(records) if "budget" in record)
    return Budget(found["epsilon"], Terms(**found["terms"]))


def events_of(records: Sequence[Record]) -> list[Event]:
    """The mechanism events of all reservations."""
    return [
        Event(r["noise"], r["D_add"], r["q"], r["steps"][1] - r["steps"][0], r["sampler"])
        for r in of_kind(records, "reserve")
    ]


def check(path: Path, records: Sequence[Record]) -> None:
    """Refuse an intact chain that is no ledger: written by something else, or by a newer one."""
    try:
        known = {"open", "budget", "reserve", "commit"}
        good = records[0]["kind"] == "open" and {r["kind"] for r in records} <= known
        budget_of(records), events_of(records), never_committed(records)
    except (PrivacyError, KeyError, IndexError, TypeError, StopIteration):
        good = False
    if not good:
        raise LedgerError(f"{path} is no privacy ledger that this version of fedbreath reads")
