"""What a privacy number is about: the events it is of, the terms it is under, the bound.

An `Event` is some steps of a Poisson-sampled Gaussian mechanism. `Terms` say who is hidden,
among how many, under which adjacency, from whom and with which delta. A `Bound` is an
epsilon that carries its terms and its accountant, so that it is never printed alone.
"""

import math
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

from fedbreath.errors import PrivacyError
from fedbreath.privacy import Guarantee

Unit = Literal["recording", "patient", "client"]
Adjacency = Literal["add/remove", "replace-one"]
TrustModel = Literal["local", "central", "distributed"]
Accountant = Literal["PLD", "PRV", "RDP"]
Sampler = Literal["poisson"]
SensitivityRule = Literal["C", "2 C"]

#: Weakest first: who hides a patient hides each of the patient's recordings.
UNITS: tuple[Unit, ...] = get_args(Unit)


def is_number(value: object) -> bool:
    """Whether it is a finite int or float; a truth value is none."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def whole(name: str, value: object, least: int = 1) -> None:
    """Refuse what is not a whole number of at least `least`.

    Raises:
        PrivacyError: It is not.
    """
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise PrivacyError(f"{name} must be a whole number >= {least}, got {value!r}")


def _among(name: str, value: object, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise PrivacyError(f"{name} must be one of {', '.join(allowed)}; got {value!r}")


@dataclass(frozen=True)
class Event:
    """Steps that each release a clipped sum over a Poisson draw, with Gaussian noise.

    Attributes:
        noise: Standard deviation of the noise on the sum, in the units of `clip`.
        clip: D_add: the most that one unit, added or removed, changes the sum (L2 norm).
            Never what one unit *replaced* changes, not even when replace-one is asked for.
        rate: q: the chance of each unit to be drawn in a step, independently of the others.
        steps: How many such releases.
        sampler: ``poisson``: without independent draws there is no amplification, and the
            event is one of rate 1.

    >>> Event(noise=2.0, clip=0.5, rate=0.05, steps=40).sigma
    4.0
    """

    noise: float
    clip: float
    rate: float
    steps: int = 1
    sampler: Sampler = "poisson"

    def __post_init__(self) -> None:
        for name in ("noise", "clip"):
            value = getattr(self, name)
            if not is_number(value) or value <= 0:
                raise PrivacyError(f"{name} must be > 0, got {value!r}")
        if not is_number(self.rate) or not 0 < self.rate <= 1:
            raise PrivacyError(f"the sampling rate q must be in (0, 1], got {self.rate!r}")
        whole("steps", self.steps)
        if self.sampler != "poisson":
            raise PrivacyError(
                f"sampler {self.sampler!r} gives no amplification: draws of a fixed size or by "
                "availability are accounted for as poisson with q = 1"
            )

    @property
    def sigma(self) -> float:
        """The noise multiplier: noise per D_add."""
        return self.noise / self.clip


@dataclass(frozen=True)
class Terms:
    """Under which terms a privacy number holds.

    Attributes:
        unit: What is hidden.
        adjacency: What makes two data sets neighbours.
        trust_model: Who is trusted: nobody beyond the site or phone (``local``), the server
            (``central``), or a protocol between them (``distributed``).
        delta: Must be < 1 / population.
        population: A public number of units among which one is hidden.
    """

    unit: Unit
    adjacency: Adjacency
    trust_model: TrustModel
    delta: float
    population: int

    def __post_init__(self) -> None:
        _among("unit", self.unit, get_args(Unit))
        _among("adjacency", self.adjacency, get_args(Adjacency))
        _among("trust model", self.trust_model, get_args(TrustModel))
        whole("population", self.population)
        if not is_number(self.delta) or not 0 < self.delta < 1 / self.population:
            raise PrivacyError(
                f"delta must be > 0 and < 1/N = {1 / self.population:g} (N = {self.population:,} "
                f"units), got {self.delta!r}"
            )

    def __str__(self) -> str:
        return (
            f"delta {self.delta:g}, per {self.unit} of {self.population:,}, {self.adjacency} "
            f"adjacency, {self.trust_model} trust model"
        )


@dataclass(frozen=True)
class Bound:
    """An epsilon with all that it means. Text of it always has the rest in it.

    Attributes:
        value: Epsilon, an upper bound; infinite when no accountant gives a useful one.
        terms: What it is about.
        accountant: What computed it.
        assumptions: What must be true for it to hold, and what it was computed for.

    >>> print(Bound(3.2136, Terms("client", "add/remove", "central", 1e-6, 10_000), "PLD"))
    epsilon 3.214 at delta 1e-06, per client of 10,000, add/remove adjacency, central trust \
model, by PLD
    """

    value: float
    terms: Terms
    accountant: Accountant
    assumptions: tuple[str, ...] = ()

    def __str__(self) -> str:
        said = f"epsilon {self.value:.4g} at {self.terms}, by {self.accountant}"
        return "; ".join((said, *self.assumptions))

    def assuming(self, *sentences: str) -> "Bound":
        """The same with further assumptions."""
        return replace(self, assumptions=(*self.assumptions, *sentences))

    def guarantee(self, mechanism: str, released: str) -> Guarantee:
        """As the guarantee of a mechanism, which says what is released."""
        t = self.terms
        return Guarantee(
            mechanism,
            self.value,
            t.delta,
            t.unit,
            t.adjacency,
            t.trust_model,
            self.accountant,
            released,
            self.assumptions,
        )

    def to_json(self) -> dict[str, Any]:
        """For export; an infinite epsilon is null."""
        return {
            "epsilon": self.value if math.isfinite(self.value) else None,
            "delta": self.terms.delta,
            "unit": self.terms.unit,
            "population": self.terms.population,
            "adjacency": self.terms.adjacency,
            "trust_model": self.terms.trust_model,
            "accountant": self.accountant,
            "assumptions": list(self.assumptions),
        }
