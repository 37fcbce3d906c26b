"""No mechanism: a uniform draw, the plain gradient, and no promise."""

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from fedbreath.privacy import Guarantee
from fedbreath.privacy.none import Config, NoPrivacy

PLAIN = NoPrivacy(Config())


def test_a_draw_has_every_recording_at_most_once() -> None:
    drawn = PLAIN.draw([None] * 50, 32, np.random.default_rng(0))
    assert drawn.dtype == np.int64
    assert len(set(drawn.tolist())) == 32
    assert drawn.min() >= 0
    assert drawn.max() < 50


@pytest.mark.parametrize("size", [1, 5, 32])
def test_a_site_with_fewer_recordings_than_a_batch_gives_all(size: int) -> None:
    assert sorted(PLAIN.draw([None] * size, 32, np.random.default_rng(0))) == list(range(size))


def test_every_recording_is_drawn_as_often_as_the_next_whoever_it_is_of() -> None:
    subjects = ["busy"] * 9 + ["rare"]
    rng = np.random.default_rng(0)
    counts = np.bincount(np.concatenate([PLAIN.draw(subjects, 3, rng) for _ in range(4000)]))
    # 4000 draws with probability 0.3: standard deviation 29.
    assert np.abs(counts - 1200).max() < 5 * 29


def test_the_gradient_is_the_losss() -> None:
    model = nn.Linear(2, 1, bias=False)
    inputs = torch.tensor([[1.0, 2.0], [3.0, 5.0], [7.0, 11.0]])

    def loss(views: list[Tensor]) -> Tensor:
        found: Tensor = model(views[0]).mean()
        return found

    value = PLAIN.backward(loss, model, lambda drawn: [inputs[drawn]], np.array([0, 2]))  # type: ignore[arg-type]
    assert model.weight.grad is not None
    np.testing.assert_array_equal(model.weight.grad.numpy(), [[4.0, 6.5]])
    assert value == pytest.approx(model(inputs[[0, 2]]).mean().item())


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
