"""Descriptors of a crop: against NumPy and SciPy, by hand, alone in any batch, and edges."""

import numpy as np
import pytest
import torch
from scipy import fft, stats
from torch import Tensor
from torch.func import vmap

from fedbreath import descriptors, tracks
from fedbreath.descriptors import CEPSTRA, FUNCTIONALS, QUANTILES, SPANS

MELS = 16
ROWS = MELS + len(tracks.NAMES)


def crops(batch: int = 3, frames: int = 62, seed: int = 0) -> Tensor:
    """Rows of different levels, spreads and shapes."""
    generator = torch.Generator().manual_seed(seed)
    made = torch.randn(batch, ROWS, frames, generator=generator)
    made[:, ::3] = made[:, ::3].exp()
    made[:, 1::3] = made[:, 1::3].cumsum(dim=2) / 8
    return made * torch.linspace(0.2, 3, ROWS)[:, None] + torch.linspace(-2, 2, ROWS)[:, None]


def described(crop: Tensor) -> Tensor:
    """(B, rows with cepstra, functionals)."""
    return descriptors.describe(crop, MELS).unflatten(1, (-1, FUNCTIONALS))  # type: ignore[no-untyped-call,no-any-return]


def test_functionals_are_numpys_and_scipys() -> None:
    made = crops()
    rows = made.double().numpy()
    cepstra = fft.dct(rows[:, :MELS], type=2, axis=1)[:, :CEPSTRA] * (0.5 * (2 / MELS) ** 0.5)
    rows = np.concatenate([rows, cepstra], axis=1)
    found = described(made).double().numpy()
    assert found.shape == (3, ROWS + MELS, 16)
    variance = rows.var(axis=2)
    spread = variance + 1e-4
    expected = [
        rows.mean(axis=2),
        np.log(np.sqrt(spread)),
        stats.skew(rows, axis=2) * (variance / spread) ** 1.5,
        np.log(stats.kurtosis(rows, axis=2, fisher=False) * (variance / spread) ** 2 + 1e-3),
        *(np.quantile(rows, q, axis=2, method="nearest") for q in QUANTILES),
    ]
    for k, values in enumerate(expected):
        np.testing.assert_allclose(found[:, :, k], values, rtol=2e-4, atol=2e-4, err_msg=str(k))


def test_cepstra_are_scipys_but_for_the_first() -> None:
    table = descriptors._dct(64).double().numpy()
    assert table.shape == (64, 20)
    expected = fft.dct(np.eye(64), type=2, norm="ortho", axis=0)[:20].T
    np.testing.assert_allclose(table[:, 1:], expected[:, 1:], atol=1e-6)
    np.testing.assert_allclose(table[:, 0], expected[:, 0] * 2**0.5, atol=1e-6)


def test_the_fluctuation_is_the_allan_deviation() -> None:
    """Root of two times it: the mean square of differences of adjacent averages, by loops."""
    made = crops(1, 70)
    rows = made[0].double().numpy()
    found = described(made)[0, :ROWS, -len(SPANS) :].double().numpy()
    for k, span in enumerate(SPANS):
        for r in range(0, ROWS, 7):
            x = rows[r]
            steps = [
                x[t + span : t + 2 * span].mean() - x[t : t + span].mean()
                for t in range(70 - 2 * span + 1)
            ]
            expected = np.log(np.mean(np.square(steps)) + 1e-4) / 2
            assert found[r, k] == pytest.approx(expected, abs=1e-3)


def test_the_fluctuation_of_known_sounds_by_hand() -> None:
    """Steps of a ramp are its slope times the span; an alternation is gone over two frames."""
    time = torch.arange(66.0)
    ramp = descriptors.functionals((0.5 * time).view(1, 1, -1))[0, 0, -5:]
    expected = [np.log((0.5 * span) ** 2 + 1e-4) / 2 for span in SPANS]
    torch.testing.assert_close(ramp, torch.tensor(expected, dtype=torch.float32))
    alternation = descriptors.functionals((3 * (-1) ** time).view(1, 1, -1))[0, 0, -5:]
    assert alternation[0] == pytest.approx(np.log(6), abs=1e-4)
    torch.testing.assert_close(alternation[1:], torch.full((4,), np.log(0.01)).float())
    noise = torch.randn(1, 1, 200_000, generator=torch.Generator().manual_seed(0))
    for span, found in zip(SPANS, descriptors.functionals(noise)[0, 0, -5:], strict=True):
        assert float(found.exp()) == pytest.approx((2 / span) ** 0.5, rel=0.03)


def test_a_constant_crop_by_hand() -> None:
    crop = torch.full((1, ROWS, 62), 0.75)
    found = described(crop)[0, :ROWS]
    least = np.log(0.01)
    expected = [0.75, least, 0, np.log(1e-3), *[0.75] * 7, *[least] * 5]
    torch.testing.assert_close(
        found, torch.tensor(expected, dtype=torch.float32).expand(ROWS, -1), atol=1e-4, rtol=1e-4
    )
    # Of level bands the first cepstrum alone is not 0.
    cepstra = described(crop)[0, ROWS:, 0]
    assert cepstra[0] == pytest.approx(0.75 * MELS * (2 / MELS) ** 0.5, rel=1e-5)
    assert cepstra[1:].abs().max() < 1e-5


@pytest.mark.parametrize("frames", [1, 2, 20, 32])
def test_a_crop_shorter_than_33_frames_is_repeated_from_its_start(frames: int) -> None:
    short = crops(2, frames)
    whole = short.repeat(1, 1, 33)[:, :, :33]
    assert torch.equal(described(short), described(whole))
    assert torch.isfinite(described(short)).all()


def test_a_crop_of_33_frames_is_taken_as_it_is() -> None:
    crop = crops(1, 33)
    assert described(crop)[0, 3, 4] == crop[0, 3].min()
    assert described(crop)[0, 3, 10] == crop[0, 3].max()


# -- invariance --------------------------------------------------------------------------


@pytest.mark.parametrize("frames", [20, 62, 125])
def test_a_recordings_descriptors_do_not_depend_on_the_batch_bit_for_bit(frames: int) -> None:
    made = crops(17, frames)
    whole = descriptors.describe(made, MELS)
    for i in range(17):
        assert torch.equal(descriptors.describe(made[i : i + 1].clone(), MELS)[0], whole[i])
    assert torch.equal(descriptors.describe(made[3:10], MELS), whole[3:10])
    others = made.clone()
    others[1:] = 1e3 * torch.randn_like(others[1:])
    assert torch.equal(descriptors.describe(others, MELS)[0], whole[0])
    one = vmap(lambda crop: descriptors.describe(crop.unsqueeze(0), MELS)[0])(made)
    torch.testing.assert_close(one, whole, rtol=1e-6, atol=1e-6)


def test_nor_on_how_it_lies_in_memory() -> None:
    made = crops(5)
    lying = made.transpose(1, 2).contiguous().transpose(1, 2)
    assert not lying.is_contiguous()
    assert torch.equal(descriptors.describe(lying, MELS), descriptors.describe(made, MELS))


def test_the_order_of_frames_matters_to_the_fluctuation_alone() -> None:
    made = crops()
    order = torch.randperm(62, generator=torch.Generator().manual_seed(0))
    before, after = described(made), described(made[:, :, order])
    # All rows alike but cepstra, of which each frame's are its own: the same in any order.
    torch.testing.assert_close(after[..., :11], before[..., :11], rtol=1e-4, atol=1e-4)
    assert (after[..., 11:] - before[..., 11:]).abs().mean() > 0.1


def test_a_shift_moves_positions_and_a_scale_moves_deviations() -> None:
    made = 10 * crops()
    before = described(made)[:, :ROWS]
    shifted, scaled = described(made + 5)[:, :ROWS], described(2 * made)[:, :ROWS]
    places = [0, *range(4, 11)]
    torch.testing.assert_close(shifted[..., places], before[..., places] + 5, rtol=1e-4, atol=1e-3)
    torch.testing.assert_close(shifted[..., 1:4], before[..., 1:4], rtol=1e-3, atol=1e-3)
    moved = scaled[..., [1, *range(11, 16)]] - before[..., [1, *range(11, 16)]]
    torch.testing.assert_close(moved, torch.full_like(moved, np.log(2)), rtol=0, atol=2e-3)


# -- edges -------------------------------------------------------------------------------


@pytest.mark.parametrize("value", [0.0, -1e3, 1e3])
def test_extremes_are_finite(value: float) -> None:
    made = torch.full((2, ROWS, 62), value)
    made[1, :, 30] = -value
    assert torch.isfinite(described(made)).all()


@pytest.mark.parametrize("shape", [(2, MELS, 62), (ROWS, 62), (2, ROWS, 0), (2, ROWS + 1, 62)])
def test_another_shape_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=rf"shape \(B, {ROWS}, frames\), got"):
        descriptors.describe(torch.zeros(shape), MELS)


@pytest.mark.parametrize(("mels", "count"), [(64, 1984), (8, 896), (20, 1280), (128, 3008)])
def test_there_are_so_many(mels: int, count: int) -> None:
    assert descriptors.count(mels) == count
    crop = torch.zeros(1, mels + len(tracks.NAMES), 40)
    assert descriptors.describe(crop, mels).shape == (1, count)
