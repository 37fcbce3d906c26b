"""The monitor: on public sound alone, the same every time, and it tells a collapse."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from fedbreath import collapse, encoders, monitor
from fedbreath.audio import FrontEnd
from fedbreath.composition import choices
from fedbreath.config import Component, Config, load
from fedbreath.encoders import Encoder
from fedbreath.features import Selection
from fedbreath.monitor import TAKES, Monitor
from fedbreath.objectives import Given, Objective, bank
from fedbreath.pretraining import Learner, rng_of
from tests.stores import person, store

SMALL = (
    "encoder.widths=[16,32,32] training.batch_size=12 training.steps=20 "
    "training.schedule=constant training.warmup=0"
)

#: Encoders of ours that have something to train.
OURS = [n for n in choices("encoder") if not n.startswith("opera_") and n != "descriptors"]


def views(config: Config) -> tuple[Tensor, Tensor]:
    frames = config.front_end.frames(config.views.seconds)
    return bank.views_of(TAKES, config.front_end, frames)


def test_the_signs_are_those_of_the_embeddings_of_two_views() -> None:
    config = load(SMALL)
    learner = Learner(config)
    first, second = views(config)
    with torch.no_grad():
        left, right = learner.encoder.eval()(first), learner.encoder(second)
    found, expected = (
        Monitor(config).look(learner.shared_state()),
        collapse.signs(left, right),
    )
    for name in ("spread", "effective_rank", "alignment", "uniformity"):
        assert getattr(found, name) == pytest.approx(getattr(expected, name), rel=1e-4)


def test_the_first_view_is_the_bank_and_the_second_another_crop() -> None:
    config = load(SMALL)
    first, second = views(config)
    assert first.shape == second.shape == (TAKES, 64, 62)
    assert torch.equal(first, torch.from_numpy(bank._made(TAKES, config.front_end, 62)))
    assert all(not torch.equal(one, other) for one, other in zip(first, second, strict=True))
    # Whatever the run's own views are, and however often it is asked.
    other = load(f"{SMALL} views.gain_db=0 views.noise=0 views.time_mask=0 views.mel_mask=0 seed=3")
    bank._other.cache_clear()
    assert torch.equal(views(other)[1], second)


def test_long_crops_still_differ() -> None:
    """No take of the bank is so long: without a mask and a gain both views would be one."""
    first, second = views(load(f"{SMALL} views.seconds=12"))
    assert all(not torch.equal(one, other) for one, other in zip(first, second, strict=True))


def test_a_look_changes_nothing_and_is_the_same_again() -> None:
    config = load(f"{SMALL} encoder.norm=batch training.head=averaged")
    weights = Learner(config).shared_state()
    before = {name: tensor.clone() for name, tensor in weights.items()}
    watcher = Monitor(config)
    first = watcher.look(weights)
    watcher.look({name: 2 * tensor for name, tensor in weights.items()})
    assert watcher.look(weights) == Monitor(config).look(weights) == first
    assert all(torch.equal(tensor, before[name]) for name, tensor in weights.items())


def test_it_is_time_at_the_start_every_so_many_rounds_and_at_the_end() -> None:
    watcher = Monitor(load(f"{SMALL} rounds=8 evaluation.every=3"))
    assert [n for n in range(9) if watcher.due(n)] == [0, 3, 6, 8]


@pytest.mark.parametrize("name", OURS)
def test_no_untrained_encoder_counts_as_collapsed(name: str) -> None:
    config = load(f"encoder={name}")
    assert not collapse.warning(Monitor(config).look(Learner(config).shared_state()))


@pytest.mark.parametrize("name", ["opera_ce", "opera_ct", "opera_gt"])
def test_nor_does_one_of_operas(name: str) -> None:
    config = load(f"encoder={name}")
    encoder = encoders.build(config.encoder, 64, 0)
    first, second = (view[:8] for view in views(config))
    assert not collapse.warning(monitor.watch(encoder, (first, second)))


def phones() -> Selection:
    takes = bank._log_mels(TAKES, FrontEnd())[:24]
    return store([person(n) for n in range(24)], [t.astype(np.float16) for t in takes]).select()


def trained(config: Config) -> tuple[collapse.Signs, collapse.Signs]:
    """Signs before and after some rounds on recordings that are nobody's."""
    learner, watcher = Learner(config), Monitor(config)
    weights, kept = learner.shared_state(), dict[str, Tensor]()
    start = watcher.look(weights)
    for number in range(3):
        update = learner.fit(weights, kept, phones(), rng_of(0, "phones", number), number + 1)
        weights, kept = update.state, update.kept
    return watcher.look(weights), start


@dataclass(frozen=True)
class Nothing:
    """Nothing to choose."""


class Pull(Objective):
    """Wang and Isola's alignment alone: views of a recording attract, and nothing repels."""

    views = 2
    decomposable = True
    minimum = 1

    def __init__(self, config: Nothing, given: Given) -> None:
        super().__init__()

    def forward(self, encoder: Encoder, views: Sequence[Tensor]) -> Tensor:
        first, second = (F.normalize(encoder(view), dim=1) for view in views)
        return (first - second).square().sum(dim=1).mean()


def test_an_encoder_that_was_made_to_collapse_is_told() -> None:
    """Its loss is as good as can be."""
    pull = Component(Pull, Nothing())
    now, start = trained(replace(load(f"{SMALL} training.learning_rate=0.003"), objective=pull))
    assert "spread" in collapse.warning(now, start)
    assert now.alignment is not None
    assert now.alignment < 0.01
    assert not collapse.warning(*trained(load(f"{SMALL} objective=vicreg")))


def test_weights_of_nothing_are_told() -> None:
    config = load(SMALL)
    nothing = {name: 0 * tensor for name, tensor in Learner(config).shared_state().items()}
    assert collapse.warning(Monitor(config).look(nothing))
    broken = {name: tensor * float("inf") for name, tensor in nothing.items()}
    assert collapse.warning(Monitor(config).look(broken)) == "embeddings that are not finite"
