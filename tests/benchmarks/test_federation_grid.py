"""The grid: every setting and strategy composes, and takes the same steps in all."""

from pathlib import Path

import pytest

from benchmarks.federation_grid import (
    ALONE,
    FRACTION,
    SETTINGS,
    STRATEGIES,
    TITLES,
    Run,
    arms,
    called_of,
    overrides,
    sites_alone,
    with_steps,
)
from fedbreath.composition import choices
from fedbreath.config import Config, load
from simulation import PACKAGES

ROOT = Path("/recordings")
CLIENTS = {"real": 4, "iid5": 5, "skewed5": 5, "iid50": 50, "skewed50": 50}


def planned(setting: str, seed: int = 0, steps: int = 960) -> list[Run]:
    sites = sites_alone([f"client-{i:02d}" for i in range(CLIENTS[setting])])
    return [
        with_steps(run, steps, CLIENTS[setting])
        for run in arms("validation", setting, seed, STRATEGIES, sites)
    ]


def config(run: Run, *more: str) -> Config:
    return load(overrides(run, ROOT, more), PACKAGES)


@pytest.mark.parametrize("setting", SETTINGS)
def test_a_setting_has_every_arm(setting: str) -> None:
    runs = planned(setting)
    assert len(set(runs)) == len(runs)
    kinds = [run.arm for run in runs]
    assert kinds.count("centralised") == 1
    assert [run.strategy for run in runs if run.arm == "federated"] == list(STRATEGIES)
    assert kinds.count("local") == (CLIENTS[setting] if CLIENTS[setting] < 50 else ALONE)
    assert setting in TITLES


@pytest.mark.parametrize("setting", SETTINGS)
@pytest.mark.parametrize("steps", [240, 480, 960])
def test_federated_and_centralised_take_the_same_steps(setting: str, steps: int) -> None:
    runs = planned(setting, steps=steps)
    assert {r.steps for r in runs if r.arm != "local"} == {steps}
    (alone,) = {r.steps for r in runs if r.arm == "local"}
    assert alone == pytest.approx(steps / CLIENTS[setting], abs=3)


def test_few_steps_are_at_least_one_round() -> None:
    for setting in SETTINGS:
        assert all(1 <= run.steps <= 5 for run in planned(setting, steps=1))


def test_fifty_clients_are_called_a_tenth_at_a_time() -> None:
    run = next(r for r in planned("iid50") if r.strategy == "fedadam")
    made = config(run)
    assert made.strategy is not None
    assert made.strategy.config.fraction == pytest.approx(FRACTION)
    assert called_of(50) == 5
    whole = config(next(r for r in planned("iid5") if r.strategy == "fedadam")).strategy
    assert whole is not None
    assert whole.config.fraction == 1.0


def test_simulated_settings_share_their_centralised_run() -> None:
    digests = {config(planned(s)[0]).digest for s in SETTINGS if s != "real"}
    assert len(digests) == 1
    assert config(planned("iid5", seed=1)[0]).digest not in digests


def test_what_is_compared_differs_in_nothing_else() -> None:
    apart = ("strategy", "partition", "rounds", "training")
    trees = [
        {key: part for key, part in config(run).tree.items() if key not in apart}
        for run in planned("skewed5")
        if run.arm != "local"
    ]
    assert all(tree == trees[0] for tree in trees)


@pytest.mark.parametrize("strategy", choices("strategy"))
def test_every_strategy_composes(strategy: str) -> None:
    run = with_steps(Run("test", "iid50", "federated", strategy), 960, 50)
    assert config(run).digest
    assert config(run).split.validation == 0.0


def test_a_rate_is_the_servers() -> None:
    run = Run("screening", "iid5", "federated", "fedadam", 0.003)
    strategy = config(run).strategy
    assert strategy is not None
    assert strategy.config.learning_rate == 0.003
    assert config(run).training.learning_rate == 0.002
    assert run.title == "screening: iid5 federated fedadam rate 0.003 seed 0"


def test_skew_is_by_phone() -> None:
    partition = config(planned("skewed50")[1]).partition
    assert partition is not None
    assert (partition.config.label, partition.config.clients) == ("device", 50)
