"""Overrides of variants and of starts: what is kept, what falls away, what agrees."""

import pytest

from fedbreath.config import load
from fedbreath.errors import ConfigError
from simulation import PACKAGES, derived

PRIVATE = ("privacy=patient", "privacy.population=200", "privacy.rate=0.3",
           "strategy.weighting=uniform")  # fmt: skip


def test_another_component_takes_only_what_it_knows() -> None:
    words = derived.variant((*PRIVATE, "rounds=3"), ("privacy=recording", "privacy.epsilon=2"))
    config = load(words, PACKAGES)
    assert config.privacy.name == "recording"
    assert (config.privacy.config.rate, config.privacy.config.epsilon) == (0.3, 2.0)
    plain = load(derived.variant((*PRIVATE, "rounds=3"), ("privacy=none",)), PACKAGES)
    assert (plain.privacy.name, plain.rounds) == ("none", 3)


def test_what_an_experiment_set_falls_away_too() -> None:
    # The experiment sets encoder.widths, which a transformer does not have.
    words = derived.variant(("experiment=smoke",), ("encoder=vit", "encoder.depth=2"))
    config = load(words, PACKAGES)
    assert (config.encoder.name, config.encoder.config.depth) == ("vit", 2)
    assert config.rounds == load(["experiment=smoke"], PACKAGES).rounds


def test_a_misspelt_setting_does_not_fall_away() -> None:
    words = derived.variant(PRIVATE, ("privacy=none", "+privacy.rat=3"))
    with pytest.raises(ConfigError, match=r"privacy\.rat"):
        load(words, PACKAGES)


def test_a_start_agrees_with_its_run_and_has_defaults_otherwise() -> None:
    words = ("encoder=vit", "encoder.width=48", "views.noise=0.3", "front_end.sd=5", "seed=7",
             "objective=combined", "~objective.parts.cola", "~objective.weights.cola",
             "split.validation=0.3", "rounds=3", "training.freeze=[stem]", *PRIVATE)  # fmt: skip
    config = load(words, PACKAGES)
    start = load(derived.start(config, ["partition=pooled", "rounds=9"]), PACKAGES)
    for name in derived.CARRIED:
        assert start.tree[name] == config.tree[name], name
    assert (start.rounds, start.privacy.name, start.training.freeze) == (9, "none", ())


def test_a_start_may_say_otherwise() -> None:
    config = load(["encoder.adapter=4", "encoder.init=fedbreath:x"], PACKAGES)
    start = load(derived.start(config, ["encoder.adapter=0", "views.noise=0.4"]), PACKAGES)
    assert (start.encoder.config.adapter, start.encoder.config.init) == (0, None)
    assert start.views.noise == 0.4
    other = load(derived.start(config, ["encoder=vit"]), PACKAGES)
    assert other.encoder.name == "vit"


def test_where_and_how_fast_is_the_runs() -> None:
    config = load(["cache='/x/it''s here'".replace("''", r"\'"), "engine.workers=1"], PACKAGES)
    start = load(derived.start(config, []), PACKAGES)
    assert start.cache == config.cache == "/x/it's here"
    assert start.engine == config.engine
