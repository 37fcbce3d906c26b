"""The causal model: prevalence, sourced effects, and their direction."""

from collections import Counter
from functools import cache

import numpy as np
import pytest
from numpy.typing import NDArray

from fedbreath.datasets.population import Person
from fedbreath.datasets.simulated import VERSION, World


@cache
def population() -> list[list[Person]]:
    world = World(VERSION, seed=11)
    return [[world.person(c, i) for i in range(200)] for c in range(40)]


def persons() -> list[Person]:
    return [person for cohort in population() for person in cohort]


def odds_ratio(cause: list[bool], effect: list[bool]) -> float:
    table = Counter(zip(cause, effect, strict=True))
    agree, differ = table[True, True] * table[False, False], table[True, False] * table[False, True]
    return agree / differ


def test_prevalence_is_that_of_a_clinic() -> None:
    def share(values: list[bool]) -> float:
        return float(np.mean(values))

    assert 0.40 < share([p.diseased for p in persons()]) < 0.50
    assert 0.35 < share([p.smoker for p in persons()]) < 0.50
    assert 0.35 < share([p.symptom for p in persons()]) < 0.55
    assert 0.40 < share([bool(p.severe) for p in persons() if p.diseased]) < 0.65
    assert 0.48 < share([p.female for p in persons()]) < 0.52


def test_cohorts_differ_by_more_than_chance() -> None:
    prevalence = np.array([np.mean([p.diseased for p in cohort]) for cohort in population()])
    chance = np.sqrt(prevalence.mean() * (1 - prevalence.mean()) / 200)
    assert prevalence.std() > 1.5 * chance
    favourites = [Counter(p.phone for p in cohort).most_common(1)[0] for cohort in population()]
    assert len({phone for phone, _ in favourites}) >= 5
    assert np.mean([count for _, count in favourites]) > 0.3 * 200


def test_fev1_follows_health_disease_and_smoking() -> None:
    def z(diagnosis: str, smoker: bool) -> NDArray[np.float64]:
        group = [p for p in persons() if p.diagnosis == diagnosis and p.smoker == smoker]
        return np.array([p.fev1_z for p in group])

    healthy = z("healthy", smoker=False)
    # GLI-2012 defines the z-score on healthy non-smokers as N(0, 1).
    assert healthy.mean() == pytest.approx(0, abs=0.08)
    assert healthy.std() == pytest.approx(1, abs=0.06)
    assert z("copd", smoker=False).mean() < z("asthma", smoker=False).mean() < -1.6
    assert -0.45 < z("healthy", smoker=True).mean() < -0.15
    mild = [p.fev1_z for p in persons() if p.severe is False]
    severe = [p.fev1_z for p in persons() if p.severe]
    assert np.mean(severe) < np.mean(mild) - 1


def test_smokers_wheeze_by_the_sourced_odds_ratio() -> None:
    healthy = [p for p in persons() if not p.diseased]
    ratio = odds_ratio([p.smoker for p in healthy], [p.airway.wheeze > 0 for p in healthy])
    assert 1.4 < ratio < 2.2  # 1.70, and a little more through FEV1
    women = odds_ratio([p.female for p in healthy], [p.airway.wheeze > 0 for p in healthy])
    assert 1.15 < women < 1.8  # 1.45


def test_causes_move_the_airway_in_the_known_direction() -> None:
    def mean(name: str, group: list[Person]) -> float:
        return float(np.mean([getattr(p.airway, name) for p in group]))

    sick = [p for p in persons() if p.diseased]
    well = [p for p in persons() if not p.diseased]
    for name in ("wheeze", "crackles", "cough_length", "loudness", "expiration", "rattle"):
        assert mean(name, sick) > mean(name, well), name
    for female in (False, True):
        smokers = [p for p in persons() if p.smoker and p.female == female]
        others = [p for p in persons() if not p.smoker and p.female == female]
        assert 0.85 < mean("f0", smokers) / mean("f0", others) < 0.95
        assert mean("hoarse", smokers) > mean("hoarse", others)
    men, women = ([p for p in persons() if p.female == f] for f in (False, True))
    assert mean("f0", women) / mean("f0", men) == pytest.approx(400 / 280, rel=0.03)
