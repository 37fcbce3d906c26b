"""Noise for a target epsilon: the specification's lines, and both sides of the target."""

from typing import Any

import pytest

from fedbreath.errors import PrivacyError
from fedbreath.privacy.accounting import epsilon
from fedbreath.privacy.calibration import more, sigma_for
from fedbreath.privacy.terms import Event, Terms

WARD = Terms("patient", "add/remove", "local", 1e-4, 250)


def terms(population: int, delta: float) -> Terms:
    return Terms("patient", "add/remove", "local", delta, population)


#: Population, delta, q, steps, sigma for epsilon 1, 3 and 8 as the specification rounds it.
LINES = [
    (1_000, 1e-5, 0.128, 500, (10.8, 4.1, 1.89)),
    (5_000, 1e-5, 0.0512, 2_000, (8.6, 3.3, 1.56)),
    (50_000, 1e-6, 0.02048, 4_000, (5.6, 2.15, 1.09)),
    (10_000, 1e-6, 0.02, 500, (2.10, 1.03, 0.69)),
    (250, 1e-4, 0.2, 500, (14.3, 5.6, 2.55)),
]


@pytest.mark.slow
@pytest.mark.parametrize(("population", "delta", "rate", "steps", "sigmas"), LINES)
def test_the_reference_sigmas(
    population: int, delta: float, rate: float, steps: int, sigmas: tuple[float, ...]
) -> None:
    for target, expected in zip((1, 3, 8), sigmas, strict=True):
        found = sigma_for(
            target, terms(population, delta), rate=rate, steps=steps, spare_rounds=0
        ).sigma
        assert found == pytest.approx(expected, rel=0.01)


def test_the_target_is_met_and_not_by_far() -> None:
    found = sigma_for(3, WARD, rate=0.2, steps=500, spare_rounds=0)
    assert found.sigma == pytest.approx(5.6, abs=0.05)
    assert 3 * 0.99 < found.bound.value <= 3
    assert found.bound.terms == WARD
    less = epsilon(Event(found.sigma * 0.99, 1.0, 0.2, 500), WARD, cell=1e-3)
    assert less.value > 3


@pytest.mark.slow
@pytest.mark.parametrize("target", [0.05, 12])
def test_targets_far_from_the_usual(target: float) -> None:
    found = sigma_for(target, WARD, rate=0.05, steps=20, spare_rounds=0)
    assert target * 0.97 < found.bound.value <= target


def test_two_rounds_may_be_lost() -> None:
    found = sigma_for(3, WARD, rate=0.2, steps=10, rounds=48)
    assert (found.steps, found.spare_rounds) == (500, 2)
    all_at_once = sigma_for(3, WARD, rate=0.2, steps=500, spare_rounds=0)
    assert found.sigma == pytest.approx(all_at_once.sigma)


@pytest.mark.parametrize(
    ("word", "value", "said"),
    [
        ("target", 0.0, "the target epsilon must be > 0, got 0.0"),
        ("target", -1.0, "the target epsilon must be > 0, got -1.0"),
        ("target", float("inf"), "the target epsilon must be > 0, got inf"),
        ("rate", 0.0, "q must be in"),
        ("rate", 1.5, "q must be in"),
        ("steps", 0, "steps must be a whole number >= 1"),
        ("rounds", 0, "rounds must be a whole number >= 1"),
        ("spare_rounds", -1, "spare rounds must be a whole number >= 0"),
        ("target", 1e-4, "needs a sigma above 100000"),
    ],
)
def test_bad_input_is_refused(word: str, value: Any, said: str) -> None:
    given = {"target": 1.0, "rate": 1.0, "steps": 100, "rounds": 1, "spare_rounds": 2}
    with pytest.raises(PrivacyError, match=said):
        sigma_for(terms=terms(250, 1e-12), **{**given, word: value})


def test_how_many_more_releases_fit() -> None:
    round_ = Event(1.0, 1.0, 0.0512, 40)
    about = terms(5_000, 1e-5)
    left = more([round_] * 30, round_, about, 16.99)
    assert left == 20
    assert more([round_] * 50, round_, about, 16.99) == 0
