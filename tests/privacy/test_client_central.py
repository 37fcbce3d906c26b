"""DP-FedAvg at the server: the clip, the divisor, the noise, the adaptive clip."""

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from fedbreath.errors import ConfigError
from fedbreath.privacy import Plan
from fedbreath.privacy.chance import Chance
from fedbreath.privacy.client_central import ClientCentral, Config

ASKED = Config(population=1000, cohort=4, delta=1e-6, sigma=1.0, clip=1.0)
START: dict[str, NDArray[Any]] = {"a": np.zeros(2, np.float32), "b": np.ones(1, np.float32)}


def counted() -> Chance:
    """Known randomness, fresh at every call."""
    numbers = iter(range(10**9))
    return Chance(lambda size: next(numbers).to_bytes(size, "little"))


def mechanism(**changes: Any) -> ClientCentral:
    found = ClientCentral(replace(ASKED, **changes), Plan(10, 5))
    found.chance = counted()
    return found


def moved(by: float, name: str = "a") -> dict[str, NDArray[Any]]:
    return {n: w + np.float32(by if n == name else 0) for n, w in START.items()}


def test_each_update_is_clipped_as_a_whole_and_counts_as_much_as_the_next() -> None:
    far = {"a": START["a"] + np.float32(3), "b": START["b"] + np.float32(4)}
    sums, unclipped = mechanism(clip=2.0).total(START, [far, moved(0.5)])
    norm = math.sqrt(9 + 9 + 16)
    np.testing.assert_allclose(sums["a"], [3 * 2 / norm + 0.5] * 2, rtol=1e-6)
    np.testing.assert_allclose(sums["b"], [4 * 2 / norm], rtol=1e-6)
    assert unclipped == 1


@pytest.mark.parametrize("odd", [np.nan, np.inf, -np.inf])
def test_a_reply_that_is_not_finite_contributes_nothing(odd: float) -> None:
    sums, unclipped = mechanism().total(START, [moved(odd), moved(0.5)])
    np.testing.assert_array_equal(sums["a"], [0.5, 0.5])
    assert unclipped == 1


def test_an_update_of_zero_is_no_division_by_zero() -> None:
    sums, unclipped = mechanism().total(START, [START])
    assert {name: total.tolist() for name, total in sums.items()} == {"a": [0, 0], "b": [0]}
    assert unclipped == 1


def test_one_client_more_moves_the_sum_by_at_most_the_clip() -> None:
    rng = np.random.default_rng(0)
    central = mechanism(clip=0.7)
    for size in (1e-3, 1.0, 1e6):
        replies = [
            {n: w + rng.normal(0, size, w.shape).astype(np.float32) for n, w in START.items()}
            for _ in range(9)
        ]
        less, more = (central.total(START, chosen)[0] for chosen in (replies[:-1], replies))
        change = math.sqrt(sum(np.sum((more[n] - less[n]) ** 2) for n in less))
        assert change <= 0.7 * (1 + 1e-6)


def test_the_mean_is_divided_by_the_public_cohort_and_counters_stay() -> None:
    weights = {**START, "count": np.array(7)}
    reply = {**moved(0.5), "count": np.array(99)}
    new = mechanism(sigma=1e-9).mean(weights, [reply])
    np.testing.assert_allclose(new["a"], [0.5 / 4] * 2, rtol=1e-6)
    assert new["count"] == 7
    assert new["a"].dtype == np.float32


@pytest.mark.parametrize(("simulated", "divisor"), [(None, 4), (2, 4)])
def test_the_noise_on_the_mean_is_that_of_the_assumed_cohort(
    simulated: int | None, divisor: int
) -> None:
    """Two-sided: right within 5 %, and neither 2/3 nor 3/2 of it."""
    central = mechanism(simulated=simulated, sigma=1.5, clip=2.0)
    wide = {"a": np.zeros(20_000)}
    found = float(central.mean(wide, [])["a"].std())
    expected = 1.5 * 2.0 / divisor
    assert found == pytest.approx(expected, rel=0.05)
    assert abs(found - expected) < abs(found - 2 / 3 * expected)
    assert abs(found - expected) < abs(found - 3 / 2 * expected)


def test_arrays_of_equal_shape_and_rounds_get_noise_of_their_own() -> None:
    central = mechanism()
    wide = {"a": np.zeros(20_000), "b": np.zeros(20_000)}
    first, second = central.mean(wide, []), central.mean(wide, [])
    drawn = [first["a"], first["b"], second["a"], second["b"]]
    correlations = np.corrcoef(drawn)[np.triu_indices(4, 1)]
    assert np.abs(correlations).max() < 5 / math.sqrt(20_000)


@pytest.mark.parametrize("start", [2.0, 0.1])
def test_an_adaptive_clip_goes_to_the_quantile_and_stays_there(start: float) -> None:
    """All norms are 1: a clip that were fed the share clipped would run away."""
    central = mechanism(
        clip=start, adaptive=True, cohort=1000, population=100_000, delta=1e-7, sigma=0.5
    )
    replies = [{"a": np.array([1.0])} for _ in range(1000)]
    for _ in range(200):
        central.mean({"a": np.zeros(1)}, replies)
    assert central.clip == pytest.approx(1.0, rel=0.15)


def test_an_adaptive_clip_follows_its_equation() -> None:
    """Half of four updates fit: no noise to speak of, so C stays; all fit: it shrinks."""
    quiet = {"adaptive": True, "cohort": 4, "sigma": 1e-3, "clip": 1.0}
    central = mechanism(**quiet)
    central.chance = Chance(lambda size: b"\0" * size)
    bits = central.chance.generator()
    bits.standard_normal(2), bits.standard_normal(1)
    error = 4 / 20 * float(bits.standard_normal())
    central.mean(START, [moved(0.1), moved(0.2), moved(5), moved(6)])
    assert central.clip == pytest.approx(math.exp(-0.2 * (error / 4)), rel=1e-9)
    central = mechanism(**quiet)
    central.chance = Chance(lambda size: b"\0" * size)
    central.mean(START, [moved(0.1)] * 4)
    assert central.clip == pytest.approx(math.exp(-0.2 * (0.5 + error / 4)), rel=1e-9)


def test_bits_and_updates_together_cost_what_one_release_would() -> None:
    central = mechanism(adaptive=True, cohort=200, sigma=1.0)
    assert central.update_sigma**-2 + (2 * 200 / 20) ** -2 == pytest.approx(1.0)
    assert central.event().sigma == 1.0
    with pytest.raises(ConfigError, match=r"needs 2 s_b = cohort/10 = 0.4 above"):
        _ = mechanism(adaptive=True, cohort=4, sigma=1.0).update_sigma


def test_clients_are_drawn_by_themselves_without_topping_up() -> None:
    central = mechanism(cohort=100)
    counts = [len(central.called(range(1000))) for _ in range(400)]
    assert np.mean(counts) == pytest.approx(100, abs=5 * math.sqrt(90 / 400))
    assert np.var(counts) == pytest.approx(90, rel=0.4)
    assert central.called([]) == []


def test_a_simulated_cohort_is_drawn_of_those_that_are_there() -> None:
    central = mechanism(cohort=200, simulated=20)
    counts = [len(central.called(range(50))) for _ in range(400)]
    assert np.mean(counts) == pytest.approx(20, abs=5 * math.sqrt(12 / 400))
    sentence = central.guarantee("encoder weights").sentence()
    assert "simulated 20, assumed 200, population 1000" in sentence
    for part in ("per client", "add/remove", "central trust model", "PLD", "1e-06"):
        assert part in sentence


def test_the_reference_of_ten_thousand_phones() -> None:
    asked = Config(population=10_000, cohort=200, delta=1e-6, sigma=1.0)
    assert ClientCentral(asked, Plan(500, 1)).guarantee("w").epsilon == pytest.approx(3.214, 5e-3)
