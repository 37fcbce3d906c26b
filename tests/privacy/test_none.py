"""No mechanism: a uniform draw, the plain gradient, and no promise."""

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from fedbreath.privacy import Guarantee, Plan, Site
from fedbreath.privacy.none import Config, NoPrivacy, draw

PLAIN = NoPrivacy(Config(), Plan(1, 1))


def test_a_draw_has_every_recording_at_most_once() -> None:
    drawn = draw(50, 32, np.random.default_rng(0))
    assert drawn.dtype == np.int64
    assert len(set(drawn.tolist())) == 32
    assert drawn.min() >= 0
    assert drawn.max() < 50


@pytest.mark.parametrize("size", [1, 5, 32])
def test_a_site_with_fewer_recordings_than_a_batch_gives_all(size: int) -> None:
    assert sorted(draw(size, 32, np.random.default_rng(0))) == list(range(size))


def test_every_recording_is_drawn_as_often_as_the_next() -> None:
    rng = np.random.default_rng(0)
    counts = np.bincount(np.concatenate([draw(10, 3, rng) for _ in range(4000)]))
    # 4000 draws with probability 0.3: standard deviation 29.
    assert np.abs(counts - 1200).max() < 5 * 29


class Mean(nn.Linear):
    """The mean output as a loss."""

    def forward(self, inputs: Tensor) -> Tensor:
        return super().forward(inputs).mean()


def test_the_gradient_is_that_of_the_loss_of_what_was_drawn() -> None:
    module = Mean(2, 1, bias=False)
    inputs = torch.tensor([[1.0, 2.0], [3.0, 5.0], [7.0, 11.0]])
    drawn: list[NDArray[np.int64]] = []

    def make(indices: NDArray[np.int64], rng: np.random.Generator) -> list[Tensor]:
        drawn.append(indices)
        return [inputs[indices]]

    value = PLAIN.step(module, Site([None] * 3), make, 2, np.random.default_rng(0))
    assert module.weight.grad is not None
    expected = inputs[drawn[0]].mean(dim=0, keepdim=True)
    torch.testing.assert_close(module.weight.grad, expected)
    assert value == pytest.approx(module(inputs[drawn[0]]).item())


def test_nothing_is_promised() -> None:
    guarantee = PLAIN.guarantee("encoder weights")
    assert (guarantee.epsilon, guarantee.delta, guarantee.unit) == (None, None, "nothing")
    assert guarantee.sentence().startswith("No formal privacy guarantee (mechanism: none).")
    assert "encoder weights leave it in the clear" in guarantee.sentence()
    assert PLAIN.tells_metrics


def test_a_bound_never_stands_alone() -> None:
    sentence = Guarantee(
        "dp_sgd", 3.14159, 1e-5, "patient", "add/remove", "local", "PRV", "encoder weights"
    ).sentence()
    for part in ("(3.14, 1e-05)", "per patient", "add/remove", "local trust", "PRV", "weights"):
        assert part in sentence
