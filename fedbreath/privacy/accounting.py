"""Epsilon of mechanism events: composed as events, never by adding epsilons.

The primary accountant composes privacy loss distributions (Koskela et al. 2020; Doroshenko
et al. 2022, "Connect the Dots") with ``dp-accounting``, always rounded upwards. Opacus's
PRV (Gopi et al. 2021) and RDP (Mironov et al. 2019) accountants cross-check it.

Everything is stated in `Event.sigma`, noise per D_add. Under replace-one the same D_add is
passed: one unit then moves the sum by D_add away from where it is without the unit, and the
other unit by D_add to the other side, 2 D_add in all, which is what ``dp-accounting``'s PLD
means by a sensitivity under REPLACE_ONE. (Its RDP takes sigma relative to 2 D_add there, and
Opacus knows add/remove only: both are refused under replace-one.) That this pair of
distributions is the worst for Poisson draws is ``dp-accounting``'s own premise, and every
bound under replace-one says so.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from fedbreath.errors import PrivacyError
from fedbreath.privacy.terms import Accountant, Adjacency, Bound, Event, Terms, whole

#: Width of the cells of a privacy loss distribution: for a number that is told, and for a
#: decision, where the excess of the wider cells (about .005) only makes it stricter.
FINE = 1e-4
COARSE = 3e-3

REPLACED = "replace-one computed with clip D_add, the two units pulling in opposite directions"
DISJOINT = (
    "parallel composition: nobody is at two of the {count} sites (an assumption, not checked; "
    "who is at several pays their events composed)"
)


def epsilon(
    events: Event | Sequence[Event],
    terms: Terms,
    accountant: Accountant = "PLD",
    *,
    cell: float = FINE,
    prv_error: float = 0.01,
) -> Bound:
    """Epsilon of everything in `events`, one after the other, whatever their order.

    Args:
        events: All that touches the same units; none at all is epsilon 0.
        terms: What the number is to be about.
        accountant: PLD; PRV and RDP are cross-checks, under add/remove only.
        cell: Width of PLD's cells; wider is quicker and never smaller than the truth.
        prv_error: PRV's ``eps_error``: its bound lies that much above its estimate.

    Raises:
        PrivacyError: PRV or RDP under replace-one.

    >>> terms = Terms("patient", "add/remove", "local", 1e-5, 5_000)
    >>> round_ = Event(noise=1.0, clip=1.0, rate=0.0512, steps=40)
    >>> print(epsilon([round_] * 50, terms, cell=1e-3))
    epsilon 16.97 at delta 1e-05, per patient of 5,000, add/remove adjacency, local trust \
model, by PLD
    """
    composed = _composed([events] if isinstance(events, Event) else events)
    if accountant != "PLD" and terms.adjacency != "add/remove":
        raise PrivacyError(
            f"{accountant} is Opacus's, which knows add/remove only; under {terms.adjacency} "
            "PLD alone is conservative"
        )
    if not composed:
        value = 0.0
    elif accountant == "PLD":
        value = _pld(composed, terms.adjacency, terms.delta, cell)
    else:
        value = _opacus(composed, accountant, terms.delta, prv_error)
    bound = Bound(max(0.0, value), terms, accountant)
    return bound.assuming(REPLACED) if terms.adjacency == "replace-one" else bound


def across_disjoint_sites(bounds: Mapping[str, Bound]) -> Bound:
    """Parallel composition: the maximum over sites that share no unit.

    Raises:
        PrivacyError: No site, or sites whose numbers are not about the same thing.
    """
    if not bounds:
        raise PrivacyError("no site: there is nothing to compose")
    largest = max(bounds.values(), key=lambda bound: bound.value)
    population = max(bound.terms.population for bound in bounds.values())
    expected = replace(largest.terms, population=1)
    for site, bound in bounds.items():
        if replace(bound.terms, population=1) != expected or (
            bound.accountant != largest.accountant
        ):
            raise PrivacyError(
                f"site {site}'s bound cannot stand beside the others': {bound}; expected "
                f"{largest.terms}, by {largest.accountant}"
            )
    composed = replace(largest, terms=replace(largest.terms, population=population))
    return composed.assuming(DISJOINT.format(count=len(bounds)))


@dataclass(frozen=True)
class Extrapolation:
    """A simulated cohort that stands for a larger one.

    Attributes:
        simulated: c, the clients that are simulated a round.
        assumed: c', the clients that a real round would have.
        population: N, the registered clients that the real round would draw from.

    >>> phones = Extrapolation(simulated=20, assumed=200, population=10_000)
    >>> phones.rate, phones.simulated_noise(5.0), str(phones)
    (0.02, 0.5, 'simulated 20, assumed 200, population 10000')
    """

    simulated: int
    assumed: int
    population: int

    def __post_init__(self) -> None:
        whole("the simulated cohort c", self.simulated)
        whole("the assumed cohort c'", self.assumed, self.simulated)
        whole("the population N", self.population, self.assumed)

    def __str__(self) -> str:
        return f"simulated {self.simulated}, assumed {self.assumed}, population {self.population}"

    @property
    def rate(self) -> float:
        """Sampling rate of the assumed cohort, c'/N."""
        return self.assumed / self.population

    def simulated_noise(self, noise: float) -> float:
        """What to add to the sum over c clients where a real round adds `noise` to c's.

        Scaled by c/c', so that the mean carries the noise that the real mean would.
        """
        return noise * self.simulated / self.assumed

    def epsilon(self, noise: float, clip: float, steps: int, terms: Terms) -> Bound:
        """The assumed cohort's epsilon; `noise` is the real round's, not the simulated one's.

        Raises:
            PrivacyError: `terms` are about another population.
        """
        if terms.population != self.population:
            raise PrivacyError(
                f"the terms are about {terms.population:,} units, the extrapolation about "
                f"{self.population:,}: they must be the same"
            )
        return epsilon(Event(noise, clip, self.rate, steps), terms).assuming(str(self))


#: Noise multiplier and sampling rate, steps.
Composed = tuple[tuple[tuple[float, float], int], ...]


def _composed(events: Sequence[Event]) -> Composed:
    """Equal events together, in an order that does not depend on theirs."""
    found: dict[tuple[float, float], int] = {}
    for event in events:
        key = (event.sigma, event.rate)
        found[key] = found.get(key, 0) + event.steps
    return tuple(sorted(found.items()))


@lru_cache(maxsize=256)
def _pld(composed: Composed, adjacency: Adjacency, delta: float, cell: float) -> float:
    """PLD's epsilon; cells are widened where it would need more than millions of them.

    Every width gives an upper bound. The first is chosen from what the loss would be
    without sampling, which is too much; the epsilon found then says how fine it can be.
    """
    losses = [(steps / sigma**2, 1 / sigma) for (sigma, _), steps in composed]
    total = sum(loss for loss, _ in losses)
    reach = total / 2 + 10 * math.sqrt(total) + max(10 * one for _, one in losses)
    width = max(cell, reach / 1e6)
    if width > 50:
        return math.inf
    value = _pld_of(composed, adjacency, delta, width)
    while width > cell:
        finer = max(cell, value / 1e6, reach / 1e7)
        if finer > 0.99 * width:
            break
        width = finer
        value = _pld_of(composed, adjacency, delta, width)
    return value


def _pld_of(composed: Composed, adjacency: Adjacency, delta: float, width: float) -> float:
    """PLD's epsilon with cells of one width."""
    import dp_accounting as dp  # noqa: PLC0415 - seconds of import that plain training never needs
    from dp_accounting.pld import PLDAccountant  # noqa: PLC0415

    relation = dp.NeighboringRelation
    accountant = PLDAccountant(
        relation.ADD_OR_REMOVE_ONE if adjacency == "add/remove" else relation.REPLACE_ONE, width
    )
    for (sigma, rate), steps in composed:
        event = dp.GaussianDpEvent(sigma)
        if rate < 1:
            event = dp.PoissonSampledDpEvent(rate, event)
        accountant.compose(event, steps)
    return float(accountant.get_epsilon(delta))


def _opacus(composed: Composed, accountant: Accountant, delta: float, prv_error: float) -> float:
    """Opacus's epsilon, by PRV's upper bound or by RDP."""
    from opacus.accountants import PRVAccountant, RDPAccountant  # noqa: PLC0415 - as above

    found = PRVAccountant() if accountant == "PRV" else RDPAccountant()
    found.history = [(sigma, rate, steps) for (sigma, rate), steps in composed]
    if accountant == "PRV":
        with np.errstate(divide="ignore"):  # log(1 - q) at q = 1, which its formulas survive
            return float(found.get_epsilon(delta, eps_error=prv_error))
    return float(found.get_epsilon(delta))
