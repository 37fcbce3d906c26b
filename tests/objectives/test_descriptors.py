"""Descriptor prediction: targets of the clean crop, the loss by hand, one recording at a time."""

import dataclasses

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from fedbreath import descriptors
from fedbreath.config import component, load
from fedbreath.encoders import Encoder
from fedbreath.errors import ConfigError
from fedbreath.objectives import Floats, Given, public
from fedbreath.objectives.descriptors import Config, DescriptorPrediction
from fedbreath.views import Views
from tests.objectives.small import (
    FRAMES,
    FRONT_END,
    VIEWS,
    Mean,
    built,
    given,
    made,
    small,
    sound,
    tensors,
    with_tracks,
)

STILL = Views(VIEWS.seconds, gain_db=0, noise=0, time_mask=0, mel_mask=0)


def objective(encoder: Encoder | None = None, *overrides: str) -> DescriptorPrediction:
    chosen = component("objective", "descriptors", overrides)
    found = built(chosen, encoder or small())
    assert isinstance(found, DescriptorPrediction)
    return found


def clean(seed: int = 0) -> Tensor:
    """Crops as recordings give them that are no longer than a crop: (B, rows, frames)."""
    return torch.from_numpy(with_tracks(sound(4, seed, FRAMES)).transpose(0, 2, 1).copy())


def test_targets_are_the_standardised_descriptors_of_the_clean_crop() -> None:
    mean, sd = public.standard(FRONT_END, FRAMES)
    expected = (descriptors.describe(clean(), FRONT_END.mels) - mean) / sd
    for views in (VIEWS, STILL):
        _, targets = made(objective(), sound(4, length=FRAMES), views=views)
        assert targets.shape == (4, descriptors.count(FRONT_END.mels))
        torch.testing.assert_close(torch.from_numpy(targets), expected.clamp(-5, 5))


@pytest.mark.parametrize("clip", [0.5, 5.0])
def test_targets_lie_within_the_clip(clip: float) -> None:
    loud = 100 * sound(4, length=FRAMES)
    _, targets = made(objective(None, f"clip={clip}"), loud)
    assert np.abs(targets).max() == clip
    assert np.isfinite(targets).all()


def test_the_view_is_the_changed_log_mels_and_holds_no_track() -> None:
    still, _ = made(objective(), sound(4, length=FRAMES), views=STILL)
    np.testing.assert_array_equal(still, clean()[:, : FRONT_END.mels])
    view, _ = made(objective(), sound(4, length=FRAMES))
    assert view.shape == (4, FRONT_END.mels, FRAMES)
    assert (view != still).mean() > 0.9
    # Other tracks of the same log-mels: other targets, the same view.
    chosen = objective()

    def with_others() -> Floats:
        crops = clean().numpy().transpose(0, 2, 1).copy()
        crops[:, :, FRONT_END.mels :] *= -2
        return crops

    first = chosen.make(lambda: clean().numpy().transpose(0, 2, 1).copy(), VIEWS,
                        np.random.default_rng(0), FRONT_END.sd)  # fmt: skip
    other = chosen.make(with_others, VIEWS, np.random.default_rng(0), FRONT_END.sd)
    np.testing.assert_array_equal(first[0], other[0])
    assert (first[1] != other[1]).any()


def test_targets_and_view_share_no_memory_with_the_crop() -> None:
    crops = clean().numpy().transpose(0, 2, 1).copy()
    before = crops.copy()
    view, targets = objective().make(lambda: crops, VIEWS, np.random.default_rng(0), 6.0)
    np.testing.assert_array_equal(crops, before)
    assert not np.shares_memory(view, crops)
    assert not np.shares_memory(targets, crops)


def test_the_loss_by_hand() -> None:
    """Two recordings, a head that says one thing: errors of 0.5 and 2 count 1/8 and 3/2."""
    chosen = objective(Mean())
    with torch.no_grad():
        chosen.head.weight.zero_()
        chosen.head.bias.fill_(1.0)
    view = torch.zeros(2, FRONT_END.mels, FRAMES)
    targets = torch.stack([torch.full((chosen.head.out_features,), t) for t in (1.5, -1.0)])
    loss = chosen(Mean(), [view, targets])
    assert float(loss) == pytest.approx((0.5**2 / 2 + (2 - 0.5)) / 2)


def test_a_linear_head_on_the_embedding_is_all_there_is() -> None:
    chosen, encoder = objective(), small()
    assert isinstance(chosen.head, nn.Linear)
    view, targets = tensors(made(chosen, sound(3)))
    said = encoder(view) @ chosen.head.weight.T + chosen.head.bias
    error = (said - targets).detach().abs().double()
    huber = torch.where(error < 1, error.square() / 2, error - 0.5).mean()
    assert float(chosen(encoder, [view, targets])) == pytest.approx(float(huber), rel=1e-6)


def test_loss_and_gradient_are_the_means_of_single_recordings() -> None:
    chosen, encoder = objective().double(), small().double()
    views = tensors(made(chosen, sound(5)), torch.float64)
    parameters = [*chosen.parameters(), *encoder.parameters()]

    def told(rows: slice) -> Tensor:
        loss = chosen(encoder, [view[rows] for view in views])
        gradients = torch.autograd.grad(loss, parameters)
        return torch.cat([loss.detach().reshape(1), *(g.flatten() for g in gradients)])

    alone = torch.stack([told(slice(i, i + 1)) for i in range(5)]).mean(dim=0)
    torch.testing.assert_close(alone, told(slice(None)))


def test_one_recordings_targets_are_the_same_beside_any_other() -> None:
    whole = objective().targets(clean())
    for i in range(4):
        assert torch.equal(objective().targets(clean()[i : i + 1])[0], whole[i])


def test_constants_do_not_travel_and_are_not_trained() -> None:
    chosen = objective()
    assert set(chosen.state_dict()) == {"head.weight", "head.bias"}
    assert not chosen.mean.requires_grad
    assert not chosen.sd.requires_grad


def test_without_tracks_there_are_no_targets() -> None:
    without = dataclasses.replace(
        given(small()), front_end=dataclasses.replace(FRONT_END, tracks=False)
    )
    with pytest.raises(ConfigError, match=r"objective=descriptors needs front_end\.tracks=true"):
        DescriptorPrediction(Config(), without)


def test_a_clip_of_nothing_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"objective\.clip must be > 0, got 0"):
        load("objective=descriptors objective.clip=0")


def test_in_a_combination_it_alone_sees_tracks() -> None:
    parts = (
        "objective=combined +objective.parts.d._target_="
        "fedbreath.objectives.descriptors.DescriptorPrediction "
        "+objective.parts.d.clip=5.0 +objective.weights.d=2.0"
    )
    chosen = load(parts).objective
    both = built(chosen, small())
    assert both.tracks
    arrays = made(both, sound(4))
    assert len(arrays) == both.views
    assert [a.shape[1] for a in arrays].count(descriptors.count(FRONT_END.mels)) == 1
    assert all(
        a.shape[1] in (FRONT_END.mels, descriptors.count(FRONT_END.mels)) or a.ndim == 2
        for a in arrays
    )
    assert torch.isfinite(both(small(), tensors(arrays)))


def test_what_it_is_given_decides_its_size() -> None:
    encoder = small()
    chosen = DescriptorPrediction(Config(), Given(encoder, FRONT_END, VIEWS))
    assert chosen.head.in_features == encoder.dim
    assert chosen.head.out_features == descriptors.count(FRONT_END.mels)
