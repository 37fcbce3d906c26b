"""Every objective in short training on simulated phones: the loss falls, nothing collapses."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from fedbreath import building
from fedbreath.collapse import effective_rank, spread
from fedbreath.composition import choices
from fedbreath.config import Component, Config, load
from fedbreath.datasets import simulated
from fedbreath.features import Selection
from fedbreath.objectives import vicreg
from fedbreath.pretraining import Learner, rng_of

#: Views that differ in time alone: what a network this small can tell apart in seconds.
RUN = (
    "encoder.widths=[16,32,32] training.batch_size=12 training.steps=10 "
    "views.gain_db=0 views.noise=0 views.time_mask=0 views.mel_mask=0"
)

ROUNDS = 4

#: A regression learns the few directions that explain most first, and others after them: of
#: the descriptors' the effective rank falls from 15 to 7 in 40 steps, and is 12 after 300.
LONGER = {"descriptors": 16}


@pytest.fixture(scope="module")
def phones(tmp_path_factory: pytest.TempPathFactory) -> Selection:
    """A cough and a breath of each of twelve persons."""
    config = simulated.Config(1, 12, 1, persons_spread=0, sessions_spread=0)
    (site,) = simulated.Simulated(config).sites()
    cache: Path = tmp_path_factory.mktemp("stores")
    return building.prepare(site, load(RUN).front_end, cache).select()


def look(learner: Learner, phones: Selection) -> tuple[float, Tensor]:
    """The loss of all recordings, always with the same views, and their embeddings."""
    everyone = np.arange(len(phones))
    views = learner.views(phones, everyone, rng_of(9, "look"))
    learner.objective.begin(learner.encoder)
    with torch.no_grad():
        loss = float(learner.objective(learner.encoder, views))
        return loss, learner.encoder(views[0])


def train(config: Config, phones: Selection) -> tuple[Mapping[str, float], Mapping[str, float]]:
    """Loss, spread and effective rank before and after the run."""
    learner = Learner(config)
    found = []
    weights, kept = learner.shared_state(), dict[str, Tensor]()
    for done in range(config.rounds + 1):
        if done in (0, config.rounds):
            loss, embeddings = look(learner, phones)
            signs = {"spread": spread(embeddings), "rank": effective_rank(embeddings)}
            found.append({"loss": loss, **signs})
        if done < config.rounds:
            rng = rng_of(config.seed, "phones", done)
            update = learner.fit(weights, kept, phones, rng, done + 1)
            weights, kept = update.state, update.kept
    return found[0], found[1]


def collapsed(before: Mapping[str, float], after: Mapping[str, float]) -> bool:
    """Whether half of the untrained network's spread is gone, or half of its directions."""
    return after["spread"] < 0.5 * before["spread"] or after["rank"] < 0.5 * before["rank"]


@pytest.mark.parametrize("name", choices("objective"))
def test_the_loss_falls_and_the_embeddings_stay_apart(name: str, phones: Selection) -> None:
    before, after = train(load(f"{RUN} objective={name} rounds={LONGER.get(name, ROUNDS)}"), phones)
    assert after["loss"] < before["loss"] - 0.02
    assert not collapsed(before, after)


def test_an_objective_that_must_collapse_does(phones: Selection) -> None:
    """VICReg's invariance alone: the test above can fail."""
    alone = vicreg.Config(variance=0, covariance=0)
    config = replace(load(f"{RUN} rounds={ROUNDS}"), objective=Component(vicreg.VicReg, alone))
    before, after = train(config, phones)
    assert after["loss"] < 0.1 * before["loss"]
    assert collapsed(before, after)
