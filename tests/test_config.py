"""The run configuration: what is accepted, what is one sentence, what the digest covers."""

import sys
from pathlib import Path

import pytest

from fedbreath import composition
from fedbreath.config import LIBRARY, Component, component, digest, load, to_yaml
from fedbreath.encoders.cnn import Cnn
from fedbreath.encoders.cnn import Config as CnnConfig
from fedbreath.errors import ConfigError

#: Every kind of mistake, and what its sentence must say.
MISTAKES = {
    "rouns=3": "unknown key rouns; did you mean rounds?",
    "training.stpes=3": "unknown key training.stpes; did you mean training.steps?",
    "+training.stpes=3": "unknown key training.stpes; did you mean training.steps?",
    "data.root=x": "unknown key data.root; did you mean data.cohorts?",
    "data=real data.root=x data.sites.sprsound.rooot=y": "did you mean data.sites.sprsound.root?",
    "+zzz=1": "unknown key zzz; known here: adversary, cache, data, device",
    "rounds=many": "rounds must be a whole number, got 'many'",
    "rounds=1e3": "rounds must be a whole number, got 1000.0",
    "seed=true": "seed must be a whole number, got True",
    "views.gain_db=[1]": "views.gain_db must be a number, got [1]",
    "evaluation.baselines=1": "evaluation.baselines must be true or false, got 1",
    "encoder.widths=8": "encoder.widths must be a list, got 8",
    "encoder.widths=[8,wide]": "encoder.widths[1] must be a whole number, got 'wide'",
    "front_end=null": "front_end must be a mapping of keys, got None",
    "training=3": "training must be a mapping of keys, got 3",
    "data=real data.root=x data.sites=null": "data.sites must be a mapping, got None",
    "training.head=locl": "training.head must be one of local, averaged, start, got 'locl'",
    "data=reel": "data=reel: no such choice; did you mean real? choose one of coda_tb",
    "data=[simulated,reel]": "data=reel: no such choice",
    "experiment=smok": "experiment=smok: no such choice; did you mean smoke?",
    "encoder=null": "encoder=null: a run needs one of cnn",
    "tasks=null": "tasks=null: a run needs one of all",
    "data=real": "data.root has no value: say data.root=PATH",
    "data=sprsound": "data.root has no value",
    "rounds=0": "rounds must be >= 1, got 0",
    "seed=-1": "seed must lie in 0 to 4294967295, got -1",
    "seed=4294967296": "seed must lie in 0 to",
    "split.test=1": "split.test must lie between 0 and 1, got 1.0",
    "split.validation=1": "split.validation must lie in [0, 1), got 1.0",
    "training.batch_size=1": "training.batch_size must be >= 2, got 1",
    "training.learning_rate=nan": "training.learning_rate must be finite, got nan",
    "views.seconds=inf": "views.seconds must be finite, got inf",
    "views.mel_mask=1": "views.mel_mask must lie in [0, 1), got 1.0",
    "front_end.fft=256": "front_end.fft must be >= the window's 512 samples, got 256",
    "front_end.high=9000": "front_end.low and high must satisfy",
    "front_end.hop=0.00001": "front_end.hop must be a sample or more",
    "front_end.min_seconds=0": "front_end.min_seconds must be >= 0.032",
    "encoder.groups=0": "encoder.groups must be >= 1, got 0",
    "encoder.widths=[12]": "encoder.widths must be multiples of groups=8, got 12",
    "objective.clip=0": "objective.clip must be > 0, got 0.0",
    "data.persons=0": "data.persons must be >= 1, got 0",
    "rounds": "cannot read the override 'rounds'",
    "out=[": "cannot read the override 'out=['",
    "out='x": "No closing quotation",
    "seed=1,2": "seed=1,2",
    "seed=${nothing}": "Interpolation key 'nothing' not found",
    "~seed": "the configuration lacks seed",
    "~encoder": "the configuration lacks encoder",
    "~rounds=3": "Could not delete",
    "~rouns": "unknown key rouns; did you mean rounds?",
    "out=${oc.env:HOME}": "out=${oc.env:HOME}: a run's settings hold values, not resolvers",
    "hydra.run.dir=x": "hydra.run.dir: Hydra's own settings are not for a run to change",
    "+tasks.mine=3": "tasks.mine must name a component by _target_, got 3",
    "~encoder._target_": "encoder must name a component by _target_",
}

TARGETS = {
    "another package": "os.system",
    "another group's package": "fedbreath.objectives.cola.Cola",
    "a package that only starts alike": "fedbreath.encoders_of_mine.cnn.Cnn",
    "the package itself": "fedbreath.encoders.Encoder",
    "no such module": "fedbreath.encoders.nothing.Cnn",
    "no module name": "fedbreath.encoders..cnn.Cnn",
    "no such class": "fedbreath.encoders.cnn.Rnn",
    "a module": "fedbreath.encoders.cnn",
    "an import of the module": "fedbreath.encoders.cnn.Encoder",
    "not a class": "fedbreath.encoders.cnn.nn",
    "the schema": "fedbreath.encoders.cnn.Config",
    "nothing": "null",
    "a number": "3",
}


@pytest.mark.parametrize("overrides", MISTAKES)
def test_a_mistake_is_one_sentence(overrides: str) -> None:
    with pytest.raises(ConfigError) as error:
        load(overrides)
    assert MISTAKES[overrides] in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("target", TARGETS.values(), ids=TARGETS.keys())
def test_a_target_is_a_component_class_of_its_group(target: str) -> None:
    with pytest.raises(ConfigError, match=r"classes in fedbreath\.encoders\)$"):
        load([f"encoder._target_={target}"])


def test_a_class_beside_the_component_is_no_component() -> None:
    with pytest.raises(ConfigError, match="no component of ours"):
        load("data._target_=fedbreath.datasets.simulated.World")


@pytest.mark.parametrize(
    "override", ["encoder._target_=outside.Cnn", "hydra.searchpath=[pkg://outside]"]
)
def test_code_outside_our_packages_is_never_imported(
    override: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "outside"
    package.mkdir()
    (package / "__init__.py").write_text("raise SystemExit('imported')\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ConfigError):
        load([override])
    assert "outside" not in sys.modules


def test_the_yaml_says_what_the_dataclasses_say() -> None:
    run = load()
    for name in (
        "front_end",
        "views",
        "split",
        "training",
        "evaluation",
        "patience",
        "guard",
        "adversary",
    ):
        assert getattr(run, name) == type(getattr(run, name))(), name
    assert run.encoder == Component(Cnn, CnnConfig())
    assert (run.seed, run.rounds, run.out, run.strategy) == (0, 40, None, None)


def test_an_override_changes_one_value_and_keeps_the_rest() -> None:
    run = load("encoder.widths=[8,16] training.steps=3")
    assert run.encoder.config == CnnConfig(widths=(8, 16))
    assert run.training.steps == 3
    assert run.training.batch_size == load().training.batch_size


def test_a_group_that_the_caller_did_not_pass_is_not_built() -> None:
    run = load("", {**LIBRARY, "strategy": "strategies"})
    assert run.strategy is not None
    assert (run.partition, run.engine) == (None, None)


def test_a_group_that_the_caller_needs_cannot_be_deleted() -> None:
    with pytest.raises(ConfigError, match="the configuration lacks strategy"):
        load("~strategy", {**LIBRARY, "strategy": "strategies"})


def test_components_nest() -> None:
    run = load("data=real data.root=/somewhere ~data.sites.coswara")
    assert sorted(run.data.config.sites) == ["covid19_cough", "icbhi2017", "sprsound"]
    assert run.data.config.sites["sprsound"].config.root == "/somewhere/sprsound"
    assert run.data.config.evaluation["noise_of_life"].name == "noise_of_life"


def test_a_task_can_be_taken_out_and_chosen() -> None:
    assert "simulated_disease" not in load("~tasks.simulated_disease").tasks
    assert list(load("tasks=[simulated_smoker]").tasks) == ["simulated_smoker"]


@pytest.mark.parametrize(
    "overrides",
    [
        "seed=1 rounds=3",
        "encoder.widths=[8,16] views.seconds=2",
        "data=sprsound data.root=/a-b/c_d",
    ],
)
def test_a_string_of_overrides_is_the_list_of_them(overrides: str) -> None:
    assert load(overrides) == load(overrides.split(" "))
    assert load(overrides).digest == load(overrides.split(" ")).digest


def test_the_order_of_overrides_does_not_matter_and_the_last_one_wins() -> None:
    assert load("seed=1 rounds=3").digest == load("rounds=3 seed=1").digest
    assert load("seed=1 seed=2").seed == 2


@pytest.mark.parametrize(
    "override",
    [
        "seed=1",
        "rounds=3",
        "front_end.mels=32",
        "front_end.tracks=false",
        "views.gain_db=0",
        "views.noise=0",
        "training.schedule=constant",
        "training.warmup=0",
        "split.seed=1",
        "training.head=averaged",
        "evaluation.bootstrap=7",
        "data.persons=59",
        "encoder.widths=[8]",
        "objective.clip=3",
        "strategy.fraction=0.5",
        "~tasks.simulated_disease",
    ],
)
def test_the_digest_covers_what_decides_the_result(override: str) -> None:
    assert load(override).digest != load().digest


@pytest.mark.parametrize(
    "override",
    ["out=x", "resume=x", "cache=x", "device=cpu", "engine.workers=3", "rounds=40", "seed=0"],
)
def test_the_digest_leaves_out_where_and_how_fast(override: str) -> None:
    assert load(override).digest == load().digest


def test_a_digest_is_of_values_and_not_of_their_order() -> None:
    assert digest({"a": 1, "b": [1, 2]}) == digest({"b": [1, 2], "a": 1})
    assert digest({"b": [1, 2]}) != digest({"b": [2, 1]})
    assert len(digest({})) == 12


def test_one_component_without_a_run() -> None:
    assert component("data", "sprsound", ["root=/x"]).config.root == "/x"
    with pytest.raises(ConfigError, match="did you mean sprsound"):
        component("data", "sprsond")
    with pytest.raises(ConfigError, match=r"unknown key data\.rot"):
        component("data", "sprsound", ["rot=/x"])
    with pytest.raises(ConfigError, match=r"data\.root has no value"):
        component("data", "sprsound")


def test_the_yaml_of_a_run_shows_its_overrides() -> None:
    assert "rounds: 3\n" in to_yaml(load("rounds=3"))


def test_a_wheel_carries_its_yaml_inside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "site-packages" / "fedbreath"
    (package / "configs").mkdir(parents=True)
    monkeypatch.setattr(composition, "__file__", str(package / "composition.py"))
    assert composition.config_dir() == package / "configs"
    (package / "configs").rmdir()
    with pytest.raises(ConfigError, match="installation is broken"):
        composition.config_dir()
