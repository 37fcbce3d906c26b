"""The grid: every combination composes, says what it needs, and costs the same."""

from pathlib import Path

import pytest

from benchmarks.objectives_grid import (
    ENCODERS,
    OPERA,
    OPERA_OBJECTIVES,
    OPERA_STEPS,
    RATES,
    Run,
    features,
    grid,
    objectives,
    overrides,
    steps_for,
    untrained,
    with_steps,
)
from fedbreath.composition import choices
from fedbreath.config import Config, load
from simulation import PACKAGES

ROOT = Path("/recordings")


def config(run: Run, *more: str) -> Config:
    return load(overrides(run, ROOT, more), PACKAGES)


def trained(objective: str, encoder: str = "cnn", scheme: str = "federated") -> Run:
    return Run("screening", "trained", "real", objective, encoder, scheme)


def test_the_grid_is_every_combination() -> None:
    alone = choices("objective")
    assert set(objectives()) > set(alone)
    assert len(objectives()) == len(set(objectives())) == 2 * len(alone) - 2
    runs = grid(objectives(), ENCODERS, ("centralised", "federated"), ("real", "simulated"))
    assert len(set(runs)) == len(runs) == len(objectives()) * 6 * 2 * 2
    assert set(RATES) == set(alone)


def test_operas_encoders_take_few_objectives() -> None:
    runs = grid(objectives(), OPERA, ("federated",), ("real",))
    assert len(runs) == len(OPERA) * len(OPERA_OBJECTIVES)
    assert with_steps(runs[0], OPERA_STEPS, 4).steps == OPERA_STEPS


@pytest.mark.parametrize("objective", objectives())
@pytest.mark.parametrize("data", ["real", "simulated"])
def test_every_objective_composes(objective: str, data: str) -> None:
    run = Run("screening", "trained", data, objective, "cnn_narrow", "federated")
    made = config(run)
    assert made.data.name == ("collection" if data == "real" else "simulated")
    if "+" in objective:
        assert sorted(made.objective.config.parts) == sorted(objective.split("+"))
    else:
        assert made.objective == config(trained(objective, "cnn_narrow")).objective


@pytest.mark.parametrize("encoder", [*ENCODERS, *OPERA])
@pytest.mark.parametrize("scheme", ["centralised", "federated"])
def test_every_encoder_and_scheme_composes(encoder: str, scheme: str) -> None:
    made = config(trained("descriptors", encoder, scheme))
    assert made.partition is not None
    assert made.partition.name == {"centralised": "pooled", "federated": "by_dataset"}[scheme]
    assert made.encoder == config(trained("cola", encoder, scheme)).encoder


def test_what_the_comparison_hangs_on_is_said() -> None:
    made = config(trained("cola"))
    assert made.training.batch_size == 64
    assert (made.training.learning_rate, made.training.schedule) == (2e-3, "cosine")
    assert (made.views.time_mask, made.views.mel_mask, made.views.noise) == (0.1, 0.1, 0.1)
    assert not made.evaluation.baselines


def test_only_the_last_stage_meets_test_persons() -> None:
    shares = {
        stage: config(Run(stage, "trained", "real", "cola", "cnn", "federated")).split.validation
        for stage in ("screening", "finalists", "test")
    }
    assert shares == {"screening": 0.35, "finalists": 0.35, "test": 0.0}


def test_settings_of_the_study_win() -> None:
    assert config(trained("cola"), "training.batch_size=7").training.batch_size == 7


def test_rows_without_training_do_not_hang_on_objective_or_scheme() -> None:
    (row,) = features("screening", ("log_mel",), ("real",))
    nets = untrained("screening", ("cnn",), ("real",))
    assert [run.seed for run in nets] == [0, 1, 2]
    assert {run.steps for run in (row, *nets)} == {0}
    assert config(nets[0]).objective == config(row).objective


@pytest.mark.parametrize("sites", [1, 4, 9])
@pytest.mark.parametrize("steps", [1, 3, 8, 23, 200, 1777])
def test_both_schemes_take_the_same_steps(steps: int, sites: int) -> None:
    federated = with_steps(trained("cola"), steps, sites)
    centralised = with_steps(trained("cola", scheme="centralised"), steps, sites)
    assert federated.steps == centralised.steps
    assert federated.clients == sites
    assert centralised.clients == 1
    assert federated.rounds == centralised.rounds
    # Never further from what was asked than half a round of the federation.
    assert abs(federated.steps - steps) <= max(sites, federated.local * sites / 2)


def test_a_budget_buys_steps_by_their_cost() -> None:
    costs = {"a": 0.1, "b": 0.4, "c": 2.3}
    bought = {name: steps_for(60.0, cost) for name, cost in costs.items()}
    assert bought == {"a": 600, "b": 150, "c": 26}
    for name, cost in costs.items():
        run = with_steps(trained("cola"), bought[name], 4)
        assert abs(run.steps * cost - 60.0) <= 0.5 * run.local * 4 * cost + cost
    assert steps_for(1.0, 60.0) == 1
