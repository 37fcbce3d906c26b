"""What cannot be made private is refused when a run is composed, in a sentence that teaches."""

import re
from dataclasses import replace
from typing import Any, ClassVar

import pytest
from torch import nn

from fedbreath.composition import choices
from fedbreath.config import LIBRARY, Component, Config, load
from fedbreath.errors import ConfigError
from fedbreath.objectives import cola
from fedbreath.objectives.combined import Combined
from fedbreath.objectives.combined import Config as CombinedConfig
from fedbreath.pretraining import Learner

PATIENT = "privacy=patient privacy.population=200 strategy.weighting=uniform"
RECORDING = "privacy=recording privacy.population=200 strategy.weighting=uniform"
BUCKETS = "privacy=buckets privacy.population=200 strategy.weighting=uniform"
CENTRAL = "privacy=client_central privacy.population=2000 strategy.weighting=uniform"
PACKAGES = {**LIBRARY, "strategy": "strategies"}

REFUSED = {
    # An in-batch contrast, whose negatives are others' recordings.
    f"{RECORDING} objective=cola": "objective=cola .* privacy=recording: its negatives are",
    f"{PATIENT} objective=nt_xent": "objective=nt_xent .* its negatives are .* Sound are",
    f"{PATIENT} objective=vicreg": "variance and covariance are taken over the batch",
    f"{PATIENT} objective=combined": "of its part cola, its negatives are",
    f"{RECORDING} encoder=opera_ce": "encoder.norm=batch .* encoder.norm=group, or freeze",
    f"{BUCKETS} encoder=opera_ct": "encoder.norm=batch .* privacy=buckets",
    # Persons that nobody knows.
    f"{PATIENT} data=covid19_cough data.root=x": "data=covid19_cough .* publishes no person ids",
    f"{PATIENT} data=real data.root=x": "data=covid19_cough .* privacy=recording",
    f"{BUCKETS} data=esc10 data.root=x": "data=esc10 cannot go with privacy=buckets",
    # What would be told in the clear.
    f"{PATIENT} training.told=[loss]": "training.told=loss .* in the clear",
    f"{CENTRAL} training.told=[norm,recordings]": "training.told=norm,recordings",
    "privacy=patient privacy.population=200": "strategy.weighting=examples .*=uniform",
    f"{CENTRAL} strategy.weighting=examples": "strategy.weighting=examples .*=client_central",
    # Public numbers.
    "privacy=patient": "population must be a whole number, got None: .* never|len|public",
    "privacy=patient privacy.population=data": "population must be a whole number, got 'data'",
    f"{PATIENT} privacy.delta=0.005": "delta must be > 0 and < 1/population = 0.005, got 0.005",
    f"{PATIENT} privacy.delta=0": "delta must be > 0",
    f"{CENTRAL} privacy.delta=0.01": "delta must be > 0 and < 1/population",
    f"{PATIENT} privacy.epsilon=0": "epsilon must be > 0, got 0",
    f"{PATIENT} privacy.epsilon=-1": "epsilon must be > 0, got -1",
    f"{PATIENT} privacy.sigma=0": "sigma must be > 0, got 0.0: without noise nothing",
    f"{PATIENT} privacy.clip=0": "clip must be > 0",
    f"{PATIENT} privacy.rate=1.5": "rate must lie in",
    f"{PATIENT} privacy.recordings=0": "recordings must be >= 1",
    f"{CENTRAL} privacy.cohort=2001": "cohort must lie in 1 to population = 2000, got 2001",
    f"{CENTRAL} privacy.simulated=201": "simulated must lie in 1 to cohort = 200, got 201",
    # Draws and rules of the server.
    f"{CENTRAL} strategy.fraction=0.5": "strategy.fraction .* cannot go",
    f"{CENTRAL} strategy.cohort=5": "strategy.cohort cannot go",
}


@pytest.mark.parametrize("words", REFUSED)
def test_a_run_that_cannot_be_private_is_refused_when_it_is_composed(words: str) -> None:
    with pytest.raises(ConfigError, match=REFUSED[words]) as refusal:
        load(words, PACKAGES)
    assert "\n" not in str(refusal.value)


def strategy(name: str) -> Component:
    found = load(f"strategy={name}", PACKAGES).strategy
    assert found is not None
    return found


@pytest.mark.parametrize("name", choices("strategy"))
def test_a_strategy_under_central_privacy_is_ruled_by_itself(name: str) -> None:
    words = f"{CENTRAL.replace(' strategy.weighting=uniform', '')} strategy={name}"
    if hasattr(strategy(name).config, "weighting"):
        words += " strategy.weighting=uniform"
    target: Any = strategy(name).target
    why = target.central_privacy
    if why:
        with pytest.raises(ConfigError, match=rf"strategy={name} .*{re.escape(why)}"):
            load(words, PACKAGES)
    else:
        load(words, PACKAGES)


def test_the_strategies_that_the_specification_allows_are_those_that_are_allowed() -> None:
    targets: dict[str, Any] = {name: strategy(name).target for name in choices("strategy")}
    allowed = {name for name, target in targets.items() if not target.central_privacy}
    assert allowed == {"fedavg", "fedavgm", "fedadam", "fedyogi", "fedprox", "fedema"}


@pytest.mark.parametrize("objective", choices("objective"))
def test_an_objective_says_why_if_and_only_if_it_does_not_decompose(objective: str) -> None:
    config = load(f"objective={objective}")
    built = Learner(config).objective
    assert built.decomposable is (not built.coupling(config.objective.config))


def test_a_combination_of_what_decomposes_is_allowed() -> None:
    words = f"{PATIENT} objective=combined ~objective.parts.cola ~objective.weights.cola"
    config = load(words, PACKAGES)
    assert config.objective.config.parts
    assert config.privacy.name == "patient"


class Queue(cola.Cola):
    """A queue of private keys: declared, so that it is refused."""

    COUPLING: ClassVar[str] = ""
    MEMORY: ClassVar[str] = "its negatives are a queue of other recordings' embeddings"


class Mixed(cola.Cola):
    """Clips of a batch are mixed: declared, so that it is refused."""

    COUPLING: ClassVar[str] = "its views mix the recordings of a batch"


def with_objective(words: str, target: type) -> Config:
    """A run whose objective is another class, checked as a composed one is."""
    run = load(words, PACKAGES)
    return replace(run, objective=Component(target, run.objective.config))


@pytest.mark.parametrize("words", [RECORDING, PATIENT, BUCKETS])
def test_a_private_queue_is_refused_by_every_mechanism_at_the_site(words: str) -> None:
    with pytest.raises(ConfigError, match=f"{Queue.MEMORY}, .* objective=public_bank"):
        with_objective(words, Queue)
    parts = {"one": Component(Queue, cola.Config())}
    combined = Component(Combined, CombinedConfig(parts, {"one": 1.0}))
    run = load(words, PACKAGES)
    with pytest.raises(ConfigError, match=f"of its part one, {Queue.MEMORY}"):
        replace(run, objective=combined)


@pytest.mark.parametrize("words", [RECORDING, PATIENT])
def test_a_mixed_batch_is_refused_where_each_unit_is_clipped(words: str) -> None:
    with pytest.raises(ConfigError, match=f"{Mixed.COUPLING}, so a recording's gradient"):
        with_objective(words, Mixed)
    with_objective(BUCKETS, Mixed)  # inside a bucket all is clipped together


def test_a_frozen_batch_norm_is_no_batch_norm() -> None:
    config = load(f"{PATIENT} encoder=opera_ce privacy.grad=vmap training.freeze=[norm]", PACKAGES)
    norms = [m for m in Learner(config).encoder.modules() if isinstance(m, nn.BatchNorm2d)]
    assert norms
    assert not any(m.training or m.weight.requires_grad for m in norms)


def test_what_passes_through_the_encoder_beside_recordings_needs_vmap() -> None:
    with pytest.raises(ConfigError, match=r"objective=public_bank .* use privacy.grad=vmap"):
        load(f"{PATIENT} objective=public_bank", PACKAGES)
    load(f"{PATIENT} objective=public_bank privacy.grad=vmap", PACKAGES)


def test_layers_that_no_rule_is_known_for_are_refused_before_any_data() -> None:
    Learner(load(f"{PATIENT} encoder=vit_narrow", PACKAGES))
    with pytest.raises(ConfigError, match=r"privacy\.grad=vmap"):
        Learner(load(f"{PATIENT} encoder=opera_ct encoder.norm=group", PACKAGES))
