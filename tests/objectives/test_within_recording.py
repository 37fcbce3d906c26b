"""Within-recording contrast: NT-Xent of each recording alone, and short recordings."""

import numpy as np
import pytest
import torch

from fedbreath.config import Component
from fedbreath.objectives.nt_xent import nt_xent
from fedbreath.objectives.within_recording import Config, WithinRecording, within
from fedbreath.views import Views
from tests.objectives.small import FRAMES, VIEWS, Mean, built, made, sound, tensors
from tests.stores import noise, person, store


def random(batch: int, count: int, seed: int = 0) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(seed).normal(size=(batch, count, 5)))


def objective(crops: int = 3) -> WithinRecording:
    found = built(Component(WithinRecording, Config(crops)), Mean())
    assert isinstance(found, WithinRecording)
    return found


@pytest.mark.parametrize("crops", [2, 3, 5])
def test_the_loss_is_simclrs_of_each_recording_alone(crops: int) -> None:
    projected = random(4, 2 * crops)
    alone = [nt_xent(one[0::2], one[1::2], 0.2) for one in projected]
    torch.testing.assert_close(within(projected, 0.2), torch.stack(alone).mean())


def test_two_crops_by_hand() -> None:
    """Partners alike, crops at right angles, t = 1: -ln(e / (e + 2))."""
    z = torch.tensor([[[1.0, 0.0], [1.0, 0.0], [0.0, 1.0], [0.0, 1.0]]])
    assert within(z, 1.0).item() == pytest.approx(np.log(1 + 2 / np.e), rel=1e-6)


def test_crops_that_are_all_alike_cost_the_log_of_all_others() -> None:
    assert within(torch.ones(3, 6, 4), 0.2).item() == pytest.approx(np.log(5), rel=1e-6)


def test_lengths_do_not_count_nor_the_order_of_crops() -> None:
    projected = random(3, 6)
    expected = within(projected, 0.2)
    lengths = torch.rand(3, 6, 1, dtype=torch.float64) + 0.1
    torch.testing.assert_close(within(lengths * projected, 0.2), expected)
    order = torch.tensor([4, 5, 1, 0, 2, 3])
    torch.testing.assert_close(within(projected[:, order], 0.2), expected)


def test_partners_are_one_crop_changed_twice_and_the_others_are_other_crops() -> None:
    still = Views(VIEWS.seconds, gain_db=0, noise=0, time_mask=0, mel_mask=0)
    arrays = made(objective(), sound(8), views=still)
    assert len(arrays) == 6
    for k in range(0, 6, 2):
        assert np.array_equal(arrays[k], arrays[k + 1])
    assert not np.array_equal(arrays[0], arrays[2])
    changed = made(objective(), sound(8))
    assert not np.array_equal(changed[0], changed[1])
    # Changing one view in place must not change its partner.
    assert not any(np.shares_memory(changed[0], other) for other in changed[1:])


@pytest.mark.parametrize("length", [1, FRAMES // 2, FRAMES])
def test_a_short_recording_teaches_little_and_breaks_nothing(length: int) -> None:
    """Its crops hold the same sound: with no change, partners and others are one."""
    selection = store([person(0)], noise(1, frames=length, mels=16)).select()
    rng = np.random.default_rng(0)
    still = Views(VIEWS.seconds, gain_db=0, noise=0, time_mask=0, mel_mask=0)
    where = np.zeros(1, np.int64)
    contrast = objective()
    arrays = contrast.make(lambda: selection.crops(where, FRAMES, rng), still, rng, 6.0)
    loss = contrast(Mean(), tensors(arrays))
    loss.backward()
    assert torch.isfinite(loss)
    assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in contrast.parameters())
    if length != FRAMES // 2:  # every phase has the same frames, and so the same mean
        assert loss.item() == pytest.approx(np.log(5), rel=1e-4)


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"crops": 1}, "crops must be >= 2, got 1"),
        ({"projection": 0}, "projection must be >= 1, got 0"),
        ({"hidden": 0}, "hidden must be >= 1, got 0"),
        ({"temperature": -1.0}, "temperature must be > 0, got -1"),
    ],
)
def test_what_cannot_be_is_refused(values: dict[str, float], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        Config(**values)  # type: ignore[arg-type]
