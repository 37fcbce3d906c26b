"""Views: a gain that adds one constant, masks that are bounded and in one piece."""

import dataclasses

import numpy as np
import pytest
from numpy.typing import NDArray

from fedbreath.views import Views, augment

NOTHING = Views(gain_db=0, noise=0, time_mask=0, mel_mask=0)

#: Batch, frames, mels.
SHAPE = (200, 62, 64)


def changed(views: Views, seed: int = 0, scale: float = 6.0) -> NDArray[np.float32]:
    """Ones after `augment`, so that every change can be told from its value."""
    return augment(np.ones(SHAPE, np.float32), views, np.random.default_rng(seed), scale=scale)


@pytest.mark.parametrize("scale", [1.0, 6.0])
def test_a_gain_adds_one_constant_to_a_crop(scale: float) -> None:
    crops = np.random.default_rng(1).normal(0, 1, SHAPE).astype(np.float32)
    views = dataclasses.replace(NOTHING, gain_db=3.0)
    moved = augment(crops.copy(), views, np.random.default_rng(0), scale=scale) - crops
    gains = moved.mean(axis=(1, 2))
    np.testing.assert_allclose(moved, np.broadcast_to(gains[:, None, None], SHAPE), atol=1e-6)
    decibels = gains * scale * 10 / np.log(10)
    assert np.abs(decibels).max() <= 3.0
    assert decibels.min() < -2.7 < 2.7 < decibels.max()


def test_three_decibels_double_the_power() -> None:
    """Of natural-log energies: 10 log10(2) dB is ln 2."""

    class Highest(np.random.Generator):
        def uniform(self, low=0.0, high=1.0, size=None):  # type: ignore[no-untyped-def]
            return np.full(size, high)

    views = dataclasses.replace(NOTHING, gain_db=10 * np.log10(2))
    rng = Highest(np.random.PCG64(0))
    found = augment(np.zeros((1, 2, 2), np.float32), views, rng, scale=2.0)
    np.testing.assert_allclose(found, np.log(2) / 2, rtol=1e-6)


@pytest.mark.parametrize(("name", "axis"), [("time_mask", 1), ("mel_mask", 2)])
@pytest.mark.parametrize("share", [0.1, 0.2, 0.99])
def test_a_mask_is_bounded_and_in_one_piece(name: str, axis: int, share: float) -> None:
    crops = changed(dataclasses.replace(NOTHING, **{name: share}))
    masked = (crops == 0).all(axis=3 - axis)
    assert set(np.unique(crops)) == {0.0, 1.0}
    assert ((crops == 0) == np.expand_dims(masked, 3 - axis)).all()  # whole frames or bands
    edges = np.abs(np.diff(np.pad(masked, ((0, 0), (1, 1))).astype(int), axis=1)).sum(axis=1)
    assert set(edges) <= {0, 2}
    widths, longest = masked.sum(axis=1), int(share * SHAPE[axis])
    assert widths.min() <= 1
    assert longest - 2 <= widths.max() <= longest
    assert masked[:, 0].any()
    assert masked[:, -1].any()


def test_noise_has_a_deviation_of_its_own_in_every_crop() -> None:
    """Uniform between none and the greatest; white over cells; the crop is left as it is."""
    crops = np.random.default_rng(1).normal(0, 1, SHAPE).astype(np.float32)
    views = dataclasses.replace(NOTHING, noise=0.4)
    added = augment(crops.copy(), views, np.random.default_rng(0), scale=6.0) - crops
    deviations = added.std(axis=(1, 2))
    # Of 62 x 64 cells a deviation is known to 1.1 %; of 200 crops their mean to 0.008.
    assert deviations.min() < 0.02
    assert 0.38 < deviations.max() < 0.4 * 1.04
    assert abs(deviations.mean() - 0.2) < 0.03
    standard = added / deviations[:, None, None]
    assert abs(standard.mean()) < 0.006
    for shift in (1, 2):  # neither in time nor over bands
        beside = (standard[:, shift:] * standard[:, :-shift]).mean()
        above = (standard[:, :, shift:] * standard[:, :, :-shift]).mean()
        assert max(abs(beside), abs(above)) < 0.006
    assert abs((standard**4).mean() - 3) < 0.1


def test_a_masked_cell_holds_no_noise() -> None:
    views = Views(noise=1.0, time_mask=0.5, mel_mask=0.5)
    masked = changed(views) == 0
    assert masked.mean() > 0.3


def test_nothing_asked_changes_nothing() -> None:
    assert (changed(NOTHING) == 1).all()


def test_a_mask_narrower_than_a_cell_changes_nothing() -> None:
    assert (changed(dataclasses.replace(NOTHING, time_mask=0.01, mel_mask=0.01)) == 1).all()


def test_the_generator_alone_decides() -> None:
    np.testing.assert_array_equal(changed(Views(), seed=3), changed(Views(), seed=3))
    assert (changed(Views(), seed=3) != changed(Views(), seed=4)).any()


def test_crops_are_changed_in_place_and_apart_from_each_other() -> None:
    crops = np.ones(SHAPE, np.float32)
    assert augment(crops, Views(), np.random.default_rng(0), scale=6.0) is crops
    assert len(np.unique(crops.max(axis=(1, 2)))) == len(crops)


@pytest.mark.parametrize(
    ("key", "value"),
    [("seconds", 0), ("gain_db", -1), ("noise", -1), ("time_mask", 1), ("mel_mask", -0.1)],
)
def test_a_setting_out_of_range_is_named(key: str, value: float) -> None:
    with pytest.raises(ValueError, match=f"{key} must .*got {value}"):
        Views(**{key: value})
