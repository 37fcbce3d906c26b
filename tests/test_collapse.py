"""Signs of collapse: hand-sized numbers, what does not change them, and the worst cases."""

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from fedbreath.collapse import (
    Signs,
    alignment,
    effective_rank,
    signs,
    spread,
    uniformity,
    warning,
)


def random(rows: int = 50, size: int = 8, seed: int = 0) -> NDArray[np.float64]:
    found: NDArray[np.float64] = np.random.default_rng(seed).normal(size=(rows, size))
    return found


def unit(x: NDArray[np.float64]) -> NDArray[np.float64]:
    found: NDArray[np.float64] = x / np.linalg.norm(x, axis=1, keepdims=True)
    return found


# -- by hand -----------------------------------------------------------------------------


def test_spread_by_hand() -> None:
    """(1, 0) and (0, 1): SD 1/2 in both dimensions, times the root of 2."""
    assert spread(torch.eye(2)) == pytest.approx(np.sqrt(2) / 2)
    assert spread(torch.from_numpy(random())) == pytest.approx(
        unit(random()).std(axis=0).mean() * np.sqrt(8)
    )


def test_effective_rank_by_hand() -> None:
    """Singular values 3 and 1: exp(-(3/4 ln 3/4 + 1/4 ln 1/4)) = 1.7548."""
    x = torch.tensor([[3.0, 0.0], [-3.0, 0.0], [0.0, 1.0], [0.0, -1.0]])
    expected = np.exp(-(0.75 * np.log(0.75) + 0.25 * np.log(0.25)))
    assert effective_rank(x) == pytest.approx(expected)
    assert effective_rank(x) == pytest.approx(1.7548, abs=1e-4)


def test_alignment_by_hand() -> None:
    """Squared distances 0, 2 and 4."""
    first = torch.tensor([[1.0, 0.0], [1.0, 0.0], [1.0, 0.0]])
    second = torch.tensor([[5.0, 0.0], [0.0, 2.0], [-1.0, 0.0]])
    assert alignment(first, second) == pytest.approx(2)


def test_uniformity_by_hand() -> None:
    """Three points: squared distances 2, 2 and 4."""
    x = torch.tensor([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0]])
    assert uniformity(x) == pytest.approx(np.log((2 * np.exp(-4) + np.exp(-8)) / 3))


def test_uniformity_is_the_papers() -> None:
    x = unit(random())
    pairs = [np.exp(-2 * np.square(a - b).sum()) for i, a in enumerate(x) for b in x[:i]]
    assert uniformity(torch.from_numpy(random())) == pytest.approx(np.log(np.mean(pairs)))


# -- what does not change them -----------------------------------------------------------

ONE = {"spread": spread, "rank": effective_rank, "uniformity": uniformity}


@pytest.mark.parametrize("name", ONE)
def test_neither_the_order_nor_the_scale_counts(name: str) -> None:
    x = torch.from_numpy(random())
    expected = ONE[name](x)
    assert ONE[name](x.flip(0)) == pytest.approx(expected)
    assert ONE[name](1e-3 * x) == pytest.approx(expected)
    assert ONE[name](1e6 * x) == pytest.approx(expected)


@pytest.mark.parametrize("name", ["rank", "uniformity"])
def test_a_turn_does_not_count(name: str) -> None:
    x = torch.from_numpy(random())
    turn = torch.linalg.qr(torch.from_numpy(random(8, seed=1))).Q
    assert ONE[name](x @ turn) == pytest.approx(ONE[name](x))


def test_a_shift_does_not_change_the_rank() -> None:
    x = torch.from_numpy(random())
    assert effective_rank(x + 5) == pytest.approx(effective_rank(x))


# -- what they tell ----------------------------------------------------------------------


@pytest.mark.parametrize("value", [0.0, 1.0, -3.7, 1e-3])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_embeddings_that_are_all_alike(value: float, dtype: torch.dtype) -> None:
    x = torch.full((20, 30), value, dtype=dtype)
    assert spread(x) == pytest.approx(0, abs=1e-12)
    assert effective_rank(x) == 0
    assert uniformity(x) == pytest.approx(0, abs=1e-12)
    assert alignment(x, x) == 0


def test_what_rounding_leaves_of_equal_embeddings_is_no_direction() -> None:
    generator = torch.Generator().manual_seed(0)
    x = 3 + 1e-7 * torch.randn(100, 64, generator=generator)
    assert effective_rank(x) == 0


def test_directions_that_are_spread_evenly() -> None:
    x = torch.from_numpy(random(4000, 64))
    assert spread(x) == pytest.approx(1, abs=0.01)
    assert effective_rank(x) > 60
    # Squared distances have mean 2 and variance 4 / D: -2 x 2 + 2^2 x (4 / D) / 2.
    assert uniformity(x) == pytest.approx(-4 + 8 / 64, abs=0.01)


@pytest.mark.parametrize("rank", [1, 3, 8])
def test_the_rank_counts_directions(rank: int) -> None:
    x = torch.linalg.qr(torch.from_numpy(random(50, 20))).Q[:, :rank]
    x = x - x.mean(dim=0)
    found = effective_rank(torch.linalg.qr(x).Q @ torch.eye(rank, 40, dtype=x.dtype))
    assert found == pytest.approx(rank)


def test_one_embedding_alone() -> None:
    x = torch.ones(1, 4)
    assert spread(x) == 0
    assert effective_rank(x) == 0
    assert alignment(x, -x) == pytest.approx(4)
    with pytest.raises(ValueError, match="uniformity needs two embeddings or more, got 1"):
        uniformity(x)


def test_no_gradient_is_kept() -> None:
    x = torch.from_numpy(random()).requires_grad_()
    assert all(isinstance(measure(x), float) for measure in ONE.values())


@pytest.mark.parametrize("x", [torch.zeros(3), torch.zeros(0, 4), torch.zeros(2, 3, 4)])
def test_what_is_no_batch_is_refused(x: Tensor) -> None:
    for measure in ONE.values():
        with pytest.raises(ValueError, match="must have the shape"):
            measure(x)
    with pytest.raises(ValueError, match="must have the shape"):
        alignment(x, x)


def test_views_of_different_shape_are_refused() -> None:
    with pytest.raises(ValueError, match=r"one shape, got \(3, 4\) and \(2, 4\)"):
        alignment(torch.zeros(3, 4), torch.zeros(2, 4))


# -- all four, and what they say ---------------------------------------------------------


def test_the_signs_are_the_four_numbers() -> None:
    first, second = torch.from_numpy(random()), torch.from_numpy(random(seed=1))
    assert signs(first, second) == Signs(
        spread(first), effective_rank(first), alignment(first, second), uniformity(first)
    )


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_signs_of_what_is_not_finite_are_absent(value: float) -> None:
    broken = torch.from_numpy(random())
    broken[3, 2] = value
    for pair in ((broken, torch.ones(50, 8)), (torch.ones(50, 8), broken)):
        found = signs(*pair)
        assert found == Signs(None, None, None, None)
        assert warning(found) == "embeddings that are not finite"


START = Signs(0.3, 40.0, 0.1, -0.4)


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        (Signs(0.3, 40.0, 0.1, -0.4), ""),
        (Signs(0.031, 4.1, 0.0, 0.0), ""),
        (Signs(0.029, 40.0, 0.1, -0.4), "spread 0.029, below a tenth of the 0.3 at the start"),
        (Signs(0.3, 3.9, 0.1, -0.4), "effective rank 3.9, below a tenth of the 40 at the start"),
        (Signs(0.009, 40.0, 0.1, -0.4), "spread 0.009, below 0.01"),
        (Signs(0.3, 1.9, 0.1, -0.4), "effective rank 1.9, below 2"),
        (Signs(0.0, 0.0, 0.0, 0.0), "spread 0, below 0.01; effective rank 0, below 2"),
    ],
)
def test_the_warning_by_hand(now: Signs, expected: str) -> None:
    assert warning(now, START) == expected


def test_without_a_start_the_fixed_bounds_are_left() -> None:
    assert warning(Signs(0.011, 2.1, 0.0, 0.0)) == ""
    assert warning(Signs(0.011, 2.1, 0.0, 0.0), Signs(None, None, None, None)) == ""
    assert warning(Signs(0.009, 2.1, 0.0, 0.0)) == "spread 0.009, below 0.01"


def test_embeddings_that_are_alike_are_a_collapse_whatever_their_length() -> None:
    same = torch.from_numpy(random(1)).expand(50, 8)
    near = same + 1e-3 * torch.from_numpy(random())
    line = torch.linspace(-1, 1, 50).unsqueeze(1) * torch.from_numpy(random(1))
    for scale in (1e-6, 1.0, 1e6):
        for embeddings in (same, near, line):
            assert warning(signs(scale * embeddings, scale * embeddings))
        assert not warning(signs(scale * torch.from_numpy(random()), torch.ones(50, 8)))
