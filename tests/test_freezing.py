"""Frozen groups: no gradient, no decay, no state, no statistics; and what is refused."""

import pytest
import torch
from torch import Tensor, nn

from fedbreath import encoders
from fedbreath.composition import choices
from fedbreath.config import component, load
from fedbreath.encoders import Encoder
from fedbreath.errors import ConfigError
from fedbreath.features import Selection
from fedbreath.pretraining import Learner, Update, rng_of
from fedbreath.site import guard
from tests.stores import MELS, noise, person, store

TINY = (
    f"front_end.mels={MELS} views.seconds=0.5 encoder.widths=[8,16] "
    "training.batch_size=8 training.steps=4"
)


def selection(count: int = 20) -> Selection:
    return store([person(n) for n in range(count)], noise(count)).select()


def fitted(overrides: str) -> tuple[Learner, dict[str, Tensor], Update]:
    learner = Learner(load(f"{TINY} {overrides}"))
    start = learner.shared_state()
    return learner, start, learner.fit(start, {}, selection(), rng_of(0, "site", 1), 1)


def moved(start: dict[str, Tensor], learner: Learner) -> set[str]:
    """Names of the encoder's tensors that a fit changed, whether they leave the site or not."""
    return {
        name.removeprefix("encoder.")
        for name, tensor in learner.shared_state().items()
        if not torch.equal(tensor, start[name])
    }


@pytest.mark.parametrize("freeze", ["stem", "blocks", "norm", "stem,norm", "blocks,norm"])
def test_frozen_groups_stand_and_the_others_move(freeze: str) -> None:
    """With a decay that would move every weight that is touched at all."""
    learner, start, update = fitted(f"training.freeze=[{freeze}] training.weight_decay=1")
    groups = learner.encoder.groups()
    held = {n for group in freeze.split(",") for n in groups[group]}
    free = {n for names in groups.values() for n in names} - held
    assert moved(start, learner) == free
    # What stands is not sent back.
    assert set(update.state) == {f"encoder.{n}" for n in free}
    guard.check(update.state, learner.exchange.moving(start))


@pytest.mark.parametrize("objective", choices("objective"))
def test_every_objective_trains_adapters_alone(objective: str) -> None:
    learner, start, _ = fitted(
        f"objective={objective} encoder.adapter=4 training.freeze=[stem,blocks,norm]"
    )
    assert moved(start, learner) == set(learner.encoder.groups()["adapters"])


def test_the_state_of_what_stands_is_not_kept() -> None:
    learner, start, update = fitted("training.freeze=[stem,blocks]")
    trained = [p for p in learner.model.parameters() if p.requires_grad]
    moments = [n for n in update.kept if n.startswith("optimizer.")]
    assert len(moments) == 3 * len(trained) < 3 * len(list(learner.model.parameters()))
    sizes = sum(t.numel() for n, t in update.kept.items() if n.startswith("optimizer.mean"))
    assert sizes == sum(p.numel() for p in trained)
    again = learner.fit(start | update.state, update.kept, selection(), rng_of(0, "site", 2), 2)
    assert set(again.kept) == set(update.kept)


def test_nothing_frozen_changes_nothing() -> None:
    _, _, plain = fitted("")
    _, _, named = fitted("training.freeze=[]")
    assert plain.loss == named.loss
    assert all(torch.equal(tensor, plain.state[n]) for n, tensor in named.state.items())


def test_a_frozen_part_is_the_same_function_as_before() -> None:
    """Same loss at the first step: freezing says what is trained, not what is computed."""
    _, _, free = fitted("training.steps=1")
    _, _, frozen = fitted("training.steps=1 training.freeze=[blocks]")
    assert free.loss == frozen.loss


# -- BatchNorm's statistics --------------------------------------------------------------


def statistics(encoder: Encoder) -> dict[str, Tensor]:
    return {n: t.clone() for n, t in encoder.named_buffers() if "running" in n or "num_" in n}


def test_statistics_stand_with_their_group_and_with_no_other() -> None:
    for freeze, stand in (("norm", True), ("stem,blocks", False)):
        learner, start, _ = fitted(f"encoder.norm=batch training.freeze=[{freeze}]")
        names = [n for n in start if "running" in n or n.endswith("num_batches_tracked")]
        assert names
        after = learner.shared_state()
        for name in names:
            assert torch.equal(after[name], start[name]) == stand, name
        assert all(
            module.training != stand
            for module in learner.encoder.modules()
            if isinstance(module, nn.BatchNorm2d)
        )


def test_statistics_stand_through_changes_of_mode() -> None:
    """Objectives put the encoder into evaluation mode and back."""
    encoder = encoders.build(component("encoder", "cnn_narrow", ["norm=batch"]), 64, 0)
    encoder.freeze(["norm"])
    before = statistics(encoder)
    nn.ModuleDict({"encoder": encoder}).train()
    encoder.eval()
    encoder.train()
    assert encoder.training
    encoder(torch.randn(4, 64, 62))
    assert before
    assert all(torch.equal(tensor, before[n]) for n, tensor in statistics(encoder).items())
    # By its own statistics, as in evaluation: no recording enters another's embedding.
    window = torch.randn(1, 64, 62)
    both = torch.cat([window, 9 * torch.randn(1, 64, 62)])
    torch.testing.assert_close(encoder(both)[:1], encoder(window), rtol=1e-3, atol=1e-4)


# -- what is refused ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("overrides", "sentence"),
    [
        ("training.freeze=[steam]", "names 'steam', .* groups are stem, blocks, norm$"),
        ("training.freeze=[adapters]", "names 'adapters', .* groups are stem, blocks, norm$"),
        ("encoder.adapter=4 training.freeze=[block]", "are stem, blocks, norm, adapters$"),
        ("training.freeze=[norm,stem,blocks]", r"names all groups .* \(stem, blocks, norm\)"),
        (
            "encoder.adapter=4 training.freeze=[norm,stem,blocks,adapters]",
            r"names all groups .*: leave one to train",
        ),
        ("training.freeze=stem", "training.freeze must be a list, got 'stem'"),
    ],
)
def test_what_cannot_be_frozen_is_refused_at_composition(overrides: str, sentence: str) -> None:
    with pytest.raises(ConfigError, match=sentence):
        load(overrides)


@pytest.mark.parametrize("name", [n for n in choices("encoder") if not n.startswith("opera_c")])
@pytest.mark.parametrize("adapter", [0, 2])
def test_the_names_that_are_composed_with_are_those_of_the_network(name: str, adapter: int) -> None:
    overrides = [f"adapter={adapter}"] if name.startswith(("cnn", "vit")) else []
    chosen = component("encoder", name, overrides)
    encoder = encoders.build(chosen, 64, 0)
    assert list(encoder.groups()) == list(type(encoder).group_names(chosen.config))
