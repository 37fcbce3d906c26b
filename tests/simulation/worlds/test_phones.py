"""When phones are there, and how long a round takes them: pure functions of the seed."""

import numpy as np
import pytest

from fedbreath.config import load
from fedbreath.errors import ConfigError
from simulation import PACKAGES
from simulation.worlds import chance
from simulation.worlds.phones import Config, Phones

HOUR = 3600.0
MANY = np.arange(1, 20_001)


def test_draws_are_uniform_and_hang_on_all_they_are_of() -> None:
    drawn = chance.uniform(3, "x", MANY, 7)
    assert 0 < drawn.min() < drawn.max() < 1
    assert abs(drawn.mean() - 0.5) < 0.01
    assert abs(np.var(drawn) * 12 - 1) < 0.03
    for other in (
        chance.uniform(4, "x", MANY, 7), chance.uniform(3, "y", MANY, 7),
        chance.uniform(3, "x", MANY, 8), chance.uniform(3, "x", MANY + 1, 7),
    ):  # fmt: skip
        assert abs(np.corrcoef(drawn, other)[0, 1]) < 0.03
    assert float(chance.uniform(3, "x", 11, 7)) == drawn[10]


def test_log_normal_speeds() -> None:
    drawn = np.log([chance.log_normal(0, "device", n, 0.5) for n in range(4000)])
    assert abs(np.median(drawn)) < 0.04
    assert abs(drawn.std() - 0.5) < 0.03
    assert chance.log_normal(0, "device", 1, 0.0) == 1


def share(phones: Phones, hour: float) -> float:
    return float(phones.there(MANY, hour * HOUR).mean())


def test_phones_charge_at_night() -> None:
    phones = Phones(Config(zones=0))
    night, noon = share(phones, 24 + 2), share(phones, 24 + 13)
    assert abs(night - 0.8 * 0.96) < 0.1
    assert noon < 0.02
    # Over all time zones it is always night somewhere: 8 of 24 h, on 4 of 5 nights.
    everywhere = [share(Phones(Config()), hour) for hour in (24, 31, 37, 45)]
    assert all(abs(found - 0.8 * 8 / 24) < 0.015 for found in everywhere)


def test_a_phone_keeps_its_hours_and_not_its_nights() -> None:
    phones = Phones(Config(zones=0))
    nights = np.array([phones.there(MANY, (24 * d + 2) * HOUR) for d in range(10)])
    often = nights.mean(0)
    assert len(np.unique(often)) > 5
    assert 0.6 < often.mean() < 0.85


def test_those_that_are_always_there() -> None:
    phones = Phones(Config(charging=24, plugged=1))
    assert all(share(phones, hour) == 1 for hour in range(0, 50, 7))


def test_cohorts_change() -> None:
    always = {"charging": 24.0, "plugged": 1.0, "days": 10.0}
    grows = Phones(Config(joins=0.5, **always))
    shrinks = Phones(Config(leaves=0.5, **always))
    for day, joined, stayed in ((0, 0.5, 1.0), (5, 0.75, 0.75), (10, 1.0, 0.5), (99, 1.0, 0.5)):
        assert abs(share(grows, 24 * day) - joined) < 0.02
        assert abs(share(shrinks, 24 * day) - stayed) < 0.02


def test_a_trip_by_hand() -> None:
    config = Config(
        device_spread=0, link_spread=0, down=1000, up=100, step_seconds=2, before=0, after=1
    )
    trip = Phones(config).trip(5, 1, (4000, 300), steps=6)
    assert (trip.down, trip.training, trip.up, trip.seconds) == (4, 12, 3, 19)
    assert (trip.before, trip.after) == (False, True)


def test_the_seed_decides() -> None:
    first, again, other = (Phones(Config(), seed) for seed in (1, 1, 2))
    assert np.array_equal(first.there(MANY, 9e4), again.there(MANY[::-1], 9e4)[::-1])
    assert not np.array_equal(first.there(MANY, 9e4), other.there(MANY, 9e4))
    assert first.trip(3, 4, (10, 10), 1) == again.trip(3, 4, (10, 10), 1)


def test_a_million_phones_are_declared_for_nothing() -> None:
    """Who is asked about is computed, and nobody else."""
    phones = Phones(Config())
    some = np.array([5, 999_999])
    whole = phones.there(np.arange(1_000_000), 1e5)
    assert np.array_equal(phones.there(some, 1e5), whole[some])


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ("world.before=1.5", r"world.before must lie in \[0, 1\], got 1.5"),
        ("world.deadline=0", "world.deadline must be > 0"),
        ("world.over_selection=0.5", "world.over_selection must be >= 1, got 0.5"),
        ("world.stragglers=3", "unknown key world.stragglers"),
    ],
)
def test_refusals(words: str, sentence: str) -> None:
    with pytest.raises(ConfigError, match=sentence):
        load(f"world=phones {words}", PACKAGES)
