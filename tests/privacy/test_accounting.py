"""Epsilon against the specification's table, three accountants, and what must not happen."""

import itertools
import math
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm

from fedbreath.errors import PrivacyError
from fedbreath.privacy.accounting import (
    COARSE,
    Extrapolation,
    across_disjoint_sites,
    epsilon,
)
from fedbreath.privacy.terms import Accountant, Adjacency, Bound, Event, Terms

TERMS = Terms("recording", "add/remove", "local", 1e-5, 5_000)


def terms(population: int, delta: float) -> Terms:
    return replace(TERMS, population=population, delta=delta)


def event(sigma: float, rate: float, steps: int) -> Event:
    return Event(noise=sigma, clip=1.0, rate=rate, steps=steps)


#: Event, population, delta, PLD, PRV and the eps_error that gives its digits, Opacus's RDP.
TABLE = [
    (event(1, 256 / 5_000, 2_000), 5_000, 1e-5, "16.97", "16.99", 0.02, "18.34"),
    (event(2, 256 / 5_000, 2_000), 5_000, 1e-5, "5.625", "5.635", 0.01, "6.09"),
    (event(1, 200 / 10_000, 500), 10_000, 1e-6, "3.214", "3.234", 0.02, "3.60"),
    (event(2, 128 / 1_000, 500), 1_000, 1e-5, "7.40", "7.42", 0.02, "8.0"),
    (event(1, 1_024 / 50_000, 4_000), 50_000, 1e-6, "9.46", "9.48", 0.02, "10.2"),
]


def to_digits(value: float, like: str) -> str:
    return f"{value:.{len(like.partition('.')[2])}f}"


@pytest.mark.parametrize(("what", "population", "delta", "pld", "prv", "error", "rdp"), TABLE)
def test_the_reference_table(
    what: Event, population: int, delta: float, pld: str, prv: str, error: float, rdp: str
) -> None:
    about = terms(population, delta)
    primary = epsilon(what, about, cell=3e-4).value
    assert to_digits(primary, pld) == pld
    assert to_digits(epsilon(what, about, "PRV", prv_error=error).value, prv) == prv
    assert to_digits(epsilon(what, about, "RDP").value, rdp) == rdp
    # PRV's bound lies eps_error above its estimate, and the estimate is PLD's.
    assert epsilon(what, about, "PRV").value == pytest.approx(primary + 0.01, abs=2e-3)


@pytest.mark.slow
@pytest.mark.parametrize(("what", "population", "delta", "pld", "prv", "error", "rdp"), TABLE)
def test_the_reference_table_with_the_cells_that_are_reported(
    what: Event, population: int, delta: float, pld: str, prv: str, error: float, rdp: str
) -> None:
    assert to_digits(epsilon(what, terms(population, delta)).value, pld) == pld


def gaussian_delta(epsilon_: float, distance: float) -> float:
    """Balle and Wang 2018, theorem 8: the Gaussian mechanism, exactly; distance = D/noise."""
    return float(
        norm.cdf(distance / 2 - epsilon_ / distance)
        - math.exp(epsilon_) * norm.cdf(-distance / 2 - epsilon_ / distance)
    )


@pytest.mark.parametrize(("adjacency", "moved"), [("add/remove", 1), ("replace-one", 2)])
def test_without_sampling_it_is_the_gaussian_mechanisms(adjacency: Adjacency, moved: int) -> None:
    about = replace(TERMS, adjacency=adjacency)
    found = epsilon(event(5.0, 1.0, 10), about).value
    assert gaussian_delta(found, moved * math.sqrt(10) / 5) == pytest.approx(1e-5, rel=1e-3)


def test_fifty_rounds_are_one_composition_and_not_fifty_first_rounds() -> None:
    round_ = event(1.0, 0.0512, 40)
    assert to_digits(epsilon(round_, TERMS, cell=1e-3).value, "2.52") == "2.52"
    assert to_digits(epsilon([round_] * 50, TERMS, cell=1e-3).value, "16.97") == "16.97"


def test_known_draws_lose_the_amplification() -> None:
    assert 90 < epsilon(event(1.0, 1.0, 103), TERMS, cell=COARSE).value < 96


def test_units_of_noise_and_clip_do_not_matter_but_their_ratio_does() -> None:
    one = epsilon(Event(2.0, 1.0, 0.05, 40), TERMS, cell=COARSE)
    assert epsilon(Event(2e-3, 1e-3, 0.05, 40), TERMS, cell=COARSE) == one
    assert epsilon(Event(2.0, 2.0, 0.05, 40), TERMS, cell=COARSE).value > 2 * one.value


def test_the_order_and_the_cut_into_events_do_not_matter() -> None:
    parts = [event(1.0, 0.05, 30), event(2.0, 0.1, 50), event(1.0, 0.05, 10)]
    whole = {epsilon(order, TERMS, cell=COARSE) for order in itertools.permutations(parts)}
    whole.add(epsilon([event(1.0, 0.05, 40), event(2.0, 0.1, 50)], TERMS, cell=COARSE))
    assert len(whole) == 1


@pytest.mark.parametrize("accountant", ["PRV", "RDP"])
def test_accountants_agree_on_different_events(accountant: Accountant) -> None:
    parts = [event(1.0, 0.05, 40), event(2.0, 0.1, 100), event(3.0, 1.0, 2)]
    primary = epsilon(parts, TERMS, cell=1e-3).value
    excess = epsilon(parts, TERMS, accountant).value - primary
    assert 0 < excess < (0.02 if accountant == "PRV" else 0.15 * primary)


def test_nothing_released_is_nothing_spent() -> None:
    assert epsilon([], TERMS).value == 0.0


@settings(max_examples=15, deadline=None)
@given(
    sigma=st.floats(0.6, 8),
    rate=st.floats(0.001, 0.5),
    steps=st.integers(1, 300),
    more=st.floats(1.05, 2),
)
def test_more_noise_costs_less_and_more_of_the_rest_costs_more(
    sigma: float, rate: float, steps: int, more: float
) -> None:
    def cost(sigma: float, rate: float, steps: int, delta: float = 1e-5) -> float:
        about = replace(TERMS, delta=delta)
        return epsilon(event(sigma, rate, steps), about, cell=COARSE).value

    here = cost(sigma, rate, steps)
    slack = 1e-6 + 1e-3 * here
    assert cost(sigma * more, rate, steps) <= here + slack
    assert cost(sigma, rate * more, steps) >= here - slack
    assert cost(sigma, rate, 2 * steps) >= here - slack
    assert cost(sigma, rate, steps, 1e-6) >= here - slack


@pytest.mark.parametrize("what", [event(1, 0.05, 200), event(0.2, 0.05, 50), event(4, 1.0, 20)])
def test_wider_cells_are_never_an_understatement(what: Event) -> None:
    found = [epsilon(what, TERMS, cell=cell).value for cell in (1e-3, 3e-3, 1e-2, 3e-2)]
    assert found == sorted(found)
    assert found[0] >= 0


def test_replace_one_passes_the_clip_of_added_and_costs_more() -> None:
    # Random buckets: D_add = D_replace = 2 C, noise 4 C. Passing D_replace as if it were the
    # distance between the two sums (dp-accounting: half of it as the clip) gives 6.64.
    buckets = Event(noise=4.0, clip=2.0, rate=0.128, steps=500)
    added = epsilon(buckets, terms(1_000, 1e-5), cell=1e-3)
    replaced = epsilon(buckets, replace(added.terms, adjacency="replace-one"), cell=1e-3)
    wrong = epsilon(replace(buckets, clip=1.0), replaced.terms, cell=1e-3)
    assert to_digits(added.value, "7.40") == "7.40"
    assert to_digits(wrong.value, "6.64") == "6.64"
    assert to_digits(replaced.value, "15.50") == "15.50"
    assert "replace-one computed with clip D_add" in str(replaced)


@pytest.mark.parametrize("accountant", ["PRV", "RDP"])
def test_opacus_is_not_asked_what_it_does_not_know(accountant: Accountant) -> None:
    with pytest.raises(PrivacyError, match=r"Opacus's, which knows add/remove only"):
        epsilon(event(1, 0.1, 1), replace(TERMS, adjacency="replace-one"), accountant)


def test_hopeless_noise_is_an_infinite_bound_and_quick() -> None:
    assert epsilon(event(1e-4, 0.5, 1_000), TERMS).value == math.inf
    assert epsilon(event(0.1, 0.5, 100), TERMS).value > 100


def test_disjoint_sites_pay_the_largest_and_say_so() -> None:
    bounds = {
        "ward": Bound(2.0, terms(250, 1e-5), "PLD"),
        "clinic": Bound(3.0, terms(100, 1e-5), "PLD"),
        "lab": Bound(1.0, terms(700, 1e-5), "PLD"),
    }
    found = across_disjoint_sites(bounds)
    assert (found.value, found.terms.population) == (3.0, 700)
    assert "nobody is at two of the 3 sites (an assumption" in str(found)


@pytest.mark.parametrize(
    "other",
    [
        Bound(1.0, replace(TERMS, unit="patient"), "PLD"),
        Bound(1.0, replace(TERMS, adjacency="replace-one"), "PLD"),
        Bound(1.0, replace(TERMS, trust_model="central"), "PLD"),
        Bound(1.0, replace(TERMS, delta=1e-6), "PLD"),
        Bound(1.0, TERMS, "RDP"),
    ],
)
def test_numbers_about_different_things_are_not_compared(other: Bound) -> None:
    with pytest.raises(PrivacyError, match="ward's bound cannot stand beside the others'"):
        across_disjoint_sites({"clinic": Bound(2.0, TERMS, "PLD"), "ward": other})


def test_no_site_is_no_guarantee() -> None:
    with pytest.raises(PrivacyError, match="no site"):
        across_disjoint_sites({})


def test_an_extrapolated_cohort_is_accounted_for_as_the_one_it_stands_for() -> None:
    phones = Extrapolation(20, 200, 10_000)
    about = Terms("client", "add/remove", "central", 1e-6, 10_000)
    found = phones.epsilon(noise=0.3, clip=0.3, steps=500, terms=about)
    assert to_digits(found.value, "3.214") == "3.214"
    assert str(found).endswith("simulated 20, assumed 200, population 10000")
    # The mean over 20 simulated clients carries the noise of the mean over 200.
    assert phones.simulated_noise(0.3) / 20 == pytest.approx(0.3 / 200)
    with pytest.raises(PrivacyError, match="about 5,000 units, the extrapolation about 10,000"):
        phones.epsilon(0.3, 0.3, 500, TERMS)


@pytest.mark.parametrize(
    ("simulated", "assumed", "population", "said"),
    [
        (0, 200, 10_000, "simulated cohort c must be a whole number >= 1"),
        (200, 20, 10_000, "assumed cohort c' must be a whole number >= 200, got 20"),
        (20, 200, 100, "population N must be a whole number >= 200"),
    ],
)
def test_an_odd_extrapolation_is_refused(
    simulated: int, assumed: int, population: int, said: str
) -> None:
    with pytest.raises(PrivacyError, match=said):
        Extrapolation(simulated, assumed, population)
