"""What holds for every objective there is a YAML for: none can be added that escapes."""

import importlib
import inspect
import pkgutil
from collections.abc import Callable, Sequence

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.func import functional_call, grad, vmap

from fedbreath import objectives
from fedbreath.composition import choices
from fedbreath.config import component
from fedbreath.objectives import Objective
from fedbreath.views import Views
from tests.objectives.small import (
    FRAMES,
    FRONT_END,
    VIEWS,
    Small,
    built,
    given,
    made,
    small,
    sound,
    tensors,
)

NAMES = choices("objective")
DECOMPOSABLE = [name for name in NAMES if built(name, small()).decomposable]

every = pytest.mark.parametrize("name", NAMES)
every_decomposable = pytest.mark.parametrize("name", DECOMPOSABLE)


class Whole(nn.Module):
    """Encoder and objective as one module, views -> loss."""

    def __init__(self, name: str, dtype: torch.dtype = torch.float32) -> None:
        super().__init__()
        self.encoder: Small = small()
        self.objective: Objective = built(name, self.encoder)
        self.to(dtype)
        self.objective.begin(self.encoder)
        # The target network is another one than the trained.
        with torch.no_grad(), torch.random.fork_rng(devices=[]):
            torch.manual_seed(1)
            for parameter in self.parameters():
                parameter.add_(0.05 * torch.randn_like(parameter))

    def forward(self, *views: Tensor) -> Tensor:
        loss: Tensor = self.objective(self.encoder, views)
        return loss

    def loss_and_gradient(self, views: Sequence[Tensor]) -> Tensor:
        """The loss and then its gradient, as one vector."""
        loss = self(*views)
        gradients = torch.autograd.grad(loss, list(self.parameters()))
        return torch.cat([loss.detach().reshape(1), *(g.flatten() for g in gradients)])


def test_every_objective_of_the_package_is_here() -> None:
    found = set()
    for info in pkgutil.iter_modules(objectives.__path__, f"{objectives.__name__}."):
        for _, kind in inspect.getmembers(importlib.import_module(info.name), inspect.isclass):
            if issubclass(kind, Objective) and kind.__module__ == info.name:
                found.add(kind)
    assert found == {component("objective", name).target for name in NAMES}
    assert len(DECOMPOSABLE) >= 5
    assert len(NAMES) - len(DECOMPOSABLE) >= 3


# -- views -------------------------------------------------------------------------------


@every
def test_the_views_are_as_many_as_it_says_with_a_row_for_each_recording(name: str) -> None:
    objective = built(name, small())
    arrays = made(objective, sound(5))
    assert len(arrays) == objective.views
    assert all(array.dtype == np.float32 and len(array) == 5 for array in arrays)
    assert arrays[0].shape == (5, FRONT_END.mels, FRAMES)


@every
def test_the_generator_alone_decides_the_views(name: str) -> None:
    objective = built(name, small())
    first, again, other = (made(objective, sound(), seed) for seed in (3, 3, 4))
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert not all(np.array_equal(a, b) for a, b in zip(first, other, strict=True))


@every
def test_no_view_mixes_two_recordings(name: str) -> None:
    objective = built(name, small())
    before, changed = sound(), sound()
    changed[2] = 7 - 3 * changed[2]
    for one, other in zip(made(objective, before), made(objective, changed), strict=True):
        rows = [0, 1, 3, 4]
        assert np.array_equal(one[rows], other[rows])


@every
def test_no_random_number_comes_from_a_global_generator(name: str) -> None:
    torch.manual_seed(0)
    before = torch.get_rng_state()
    state = np.random.get_state(legacy=False)["state"]  # noqa: NPY002 - is it left alone?
    encoder = small()
    objective = built(name, encoder)
    objective.train()
    objective.begin(encoder)
    objective(encoder, tensors(made(objective, sound()))).backward()
    objective.after_step(encoder)
    assert torch.equal(torch.get_rng_state(), before)
    after = np.random.get_state(legacy=False)["state"]  # noqa: NPY002
    assert np.array_equal(after["key"], state["key"])
    assert after["pos"] == state["pos"]


@every
def test_the_seed_alone_decides_the_head(name: str) -> None:
    first, same, other = (built(name, small(), seed).state_dict() for seed in (3, 3, 4))
    assert all(torch.equal(first[key], same[key]) for key in first)
    assert any(not torch.equal(first[key], other[key]) for key in first)


@every
def test_the_least_batch_is_known_without_building(name: str) -> None:
    chosen = component("objective", name)
    assert objectives.minimum(chosen) == built(chosen, small()).minimum


# -- who depends on whom -----------------------------------------------------------------


def changed_by(whole: Whole, batch: NDArray[np.float32]) -> tuple[float, float]:
    """How much recording 0's share of loss and gradient moves when recording 1 changes.

    With f(a, b) for the loss of a batch in which recordings 0 and 1 are as they are or
    changed, recording 0's own share is f(1, .) - f(0, .), whatever the others' shares are.

    Returns:
        The move of the share, and the size of the share, Euclidean.
    """

    def f(own: bool, others: bool) -> Tensor:
        log_mels = batch.copy()
        if own:
            log_mels[0] = log_mels[0, ::-1] * -0.7
        if others:
            log_mels[1] = log_mels[1] * 1.5 + 0.5
        return whole.loss_and_gradient(tensors(made(whole.objective, log_mels), torch.float64))

    alone = f(True, False) - f(False, False)
    beside = f(True, True) - f(False, True)
    return float((beside - alone).norm()), float(alone.norm())


@every
@pytest.mark.parametrize("seed", range(3))
def test_another_recording_matters_if_and_only_if_it_does_not_decompose(
    name: str, seed: int
) -> None:
    whole = Whole(name, torch.float64)
    moved, share = changed_by(whole, sound(4, seed))
    assert share > 1e-4
    if whole.objective.decomposable:
        assert moved < 1e-9 * share
    else:
        assert moved > 1e-3 * share


@every_decomposable
def test_the_loss_is_the_mean_of_the_recordings_own(name: str) -> None:
    whole = Whole(name, torch.float64)
    views = tensors(made(whole.objective, sound(5)), torch.float64)
    alone = [whole.loss_and_gradient([view[i : i + 1] for view in views]) for i in range(5)]
    torch.testing.assert_close(torch.stack(alone).mean(dim=0), whole.loss_and_gradient(views))


@every_decomposable
def test_every_recordings_own_gradient_at_once(name: str) -> None:
    """``torch.func`` gives what one recording after another gives."""
    whole = Whole(name, torch.float64)
    views = tensors(made(whole.objective, sound(3)), torch.float64)

    def loss(parameters: dict[str, Tensor], *one: Tensor) -> Tensor:
        rows = tuple(view.unsqueeze(0) for view in one)
        found: Tensor = functional_call(whole, parameters, rows)
        return found

    parameters = {name: p.detach() for name, p in whole.named_parameters()}
    found = vmap(grad(loss), in_dims=(None, *(0 for _ in views)))(parameters, *views)
    for i in range(3):
        expected = whole.loss_and_gradient([view[i : i + 1] for view in views])[1:]
        torch.testing.assert_close(torch.cat([g[i].flatten() for g in found.values()]), expected)


@every
def test_the_order_of_the_batch_does_not_matter(name: str) -> None:
    whole = Whole(name, torch.float64)
    views = tensors(made(whole.objective, sound(5)), torch.float64)
    order = torch.tensor([3, 0, 4, 1, 2])
    mixed = whole.loss_and_gradient([view[order] for view in views])
    torch.testing.assert_close(mixed, whole.loss_and_gradient(views), rtol=1e-8, atol=1e-10)


# -- edges -------------------------------------------------------------------------------

#: The log of the front end's floor, normalised.
SILENCE = (np.log(FRONT_END.floor) - FRONT_END.mean) / FRONT_END.sd

EDGES: dict[str, Callable[[int], NDArray[np.float32]]] = {
    "the least batch": sound,
    "the least batch, of silence": lambda least: np.full_like(sound(least), SILENCE),
    "a batch of silence": lambda _: np.full_like(sound(4), SILENCE),
    "nothing but zeros": lambda _: np.zeros_like(sound(4)),
    "recordings that are all the same": lambda _: sound(1).repeat(4, axis=0),
    "very loud": lambda _: 100 * sound(4),
}


@every
@pytest.mark.parametrize("edge", EDGES)
@pytest.mark.parametrize("quiet", [False, True])
def test_loss_and_gradient_stay_finite(name: str, edge: str, quiet: bool) -> None:
    whole = Whole(name)
    # Without augmentation, views of a recording that does not change are identical.
    still = Views(VIEWS.seconds, gain_db=0, noise=0, time_mask=0, mel_mask=0)
    log_mels = EDGES[edge](whole.objective.minimum)
    views = tensors(made(whole.objective, log_mels, views=still if quiet else VIEWS))
    assert torch.isfinite(whole.loss_and_gradient(views)).all()


@every
def test_identical_views_stay_finite(name: str) -> None:
    whole = Whole(name)
    log_mels = sound(4, length=FRAMES)  # no longer than a crop: every crop is the same
    still = Views(VIEWS.seconds, gain_db=0, noise=0, time_mask=0, mel_mask=0)
    views = tensors(made(whole.objective, log_mels, views=still))
    assert torch.isfinite(whole.loss_and_gradient(views)).all()


# -- what is learnt, what is not ---------------------------------------------------------


@every
def test_the_gradient_reaches_every_weight_of_encoder_and_head(name: str) -> None:
    whole = Whole(name)
    whole(*tensors(made(whole.objective, sound(6)))).backward()
    for key, parameter in whole.named_parameters():
        assert parameter.grad is not None, key
        assert parameter.grad.abs().sum() > 0, key
    assert list(whole.objective.parameters())


@every
def test_nothing_but_what_is_learnt_is_sent_or_kept(name: str) -> None:
    whole = Whole(name)
    learnt = {key for key, _ in whole.objective.named_parameters()}
    assert set(whole.objective.state_dict()) == learnt
    whole.objective.after_step(whole.encoder)
    assert set(whole.objective.state_dict()) == learnt
    # Nor does an objective hold on to the encoder as a part of itself.
    assert not any(isinstance(module, Small) for module in whole.objective.modules())


@every
def test_the_hooks_leave_the_encoder_alone(name: str) -> None:
    encoder = small()
    objective = objectives.build(component("objective", name), given(encoder), 0)
    before = {key: tensor.clone() for key, tensor in encoder.state_dict().items()}
    objective.begin(encoder)
    objective.after_step(encoder)
    assert all(torch.equal(before[key], t) for key, t in encoder.state_dict().items())
    assert encoder.training
    assert all(p.grad is None and p.requires_grad for p in encoder.parameters())
