"""Randomness of private runs: fresh, keyed by the unit, and never by the place in a batch."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from fedbreath.config import choices, load
from fedbreath.pretraining import Learner
from fedbreath.privacy.chance import Chance, Rows
from tests.stores import MELS, noise, person, store

Floats = NDArray[Any]


def test_two_chances_share_nothing() -> None:
    assert Chance().generator().random() != Chance().generator().random()
    first, second = Chance().step(), Chance().step()
    assert first.units != second.units
    assert len(first.units) == 32


def test_a_units_draws_depend_on_its_name_and_purpose_and_on_the_step_alone() -> None:
    step = Chance(lambda size: b"k" * size).step()
    same = Chance(lambda size: b"k" * size).step()
    assert step.of("anna", "views").random() == same.of("anna", "views").random()
    others = [
        step.of("bert", "views"),
        step.of("anna", "bucket"),
        Chance().step().of("anna", "views"),
    ]
    assert all(other.random() != step.of("anna", "views").random() for other in others)


@pytest.mark.parametrize("rows", [1, 3])
def test_rows_are_what_each_unit_alone_would_draw(rows: int) -> None:
    def draws(rng: np.random.Generator, count: int, high: int) -> list[Floats]:
        slack = np.full(count, high)
        return [
            rng.integers(0, slack),
            rng.uniform(-3, 3, (count, 1, 1)),
            rng.standard_normal((count, 4, 5), np.float32),
            rng.integers(0, 7, count),
            rng.random((count, 6)),
        ]

    units = [np.random.default_rng(n) for n in range(4)]
    whole = draws(Rows(units, rows), 4 * rows, 50)
    for number in range(4):
        alone = draws(np.random.default_rng(number), rows, 50)
        for together, apart in zip(whole, alone, strict=True):
            assert together.dtype == apart.dtype
            np.testing.assert_array_equal(together[number * rows : (number + 1) * rows], apart)


def test_draws_without_a_row_for_each_row_are_refused() -> None:
    rows = Rows([np.random.default_rng(0)], 2)
    with pytest.raises(ValueError, match="2 rows"):
        rows.random()
    with pytest.raises(ValueError, match="2 rows"):
        rows.random(3)
    with pytest.raises(ValueError, match="2 rows"):
        rows.integers(5, size=3)
    with pytest.raises(ValueError, match="2 rows"):
        rows.standard_normal((1, 2))
    for name in ("choice", "permutation", "normal", "shuffle"):
        with pytest.raises(TypeError, match=f"cannot draw by {name}"):
            getattr(rows, name)(3)


@pytest.mark.parametrize("objective", choices("objective"))
def test_every_objective_makes_a_units_views_the_same_whoever_is_beside_it(objective: str) -> None:
    learner = Learner(
        load(f"front_end.mels={MELS} views.seconds=0.5 encoder.widths=[8] objective={objective}")
    )
    selection = store([person(n) for n in range(6)], noise(6)).select()
    step = Chance().step()

    def views(units: list[int]) -> list[Floats]:
        rng = Rows([step.of(str(n), "views") for n in units], 1)
        return [v.numpy() for v in learner.views(selection, np.array(units), rng)]

    for together, alone in zip(views([4, 1, 3]), views([3]), strict=True):
        # Descriptors are sums in an order that depends on the batch.
        np.testing.assert_allclose(together[2], alone[0], rtol=1e-4, atol=1e-4)
