from pathlib import Path

import pytest
import torch

from fedbreath.config import load
from fedbreath.features import Selection
from fedbreath.pretraining import Learner
from simulation import PACKAGES, arms
from simulation.arms import Arm, build_encoder, clients_of, encoder_of
from simulation.data import Prepared, prepare
from simulation.planning import plan
from tests.simulation.tiny import Tiny


@pytest.fixture(scope="module")
def prepared(tiny: Tiny) -> Prepared:
    return prepare(tiny.config())


def planned(tiny: Tiny, clients: int, *words: str) -> dict[str, Arm]:
    given = tuple(tiny.words(*words))
    named = {f"site-{n}": Selection(()) for n in range(clients)}
    return {arm.name: arm for arm in plan(tiny.config(*words), given, named)}


@pytest.mark.parametrize(("clients", "rounds", "steps"), [(2, 3, 1), (3, 5, 4), (4, 2, 7)])
def test_the_same_steps_in_all(tiny: Tiny, clients: int, rounds: int, steps: int) -> None:
    found = planned(tiny, clients, f"rounds={rounds}", f"training.steps={steps}")
    assert found["federated"].steps == rounds * clients * steps
    assert found["centralised"].steps == found["federated"].steps
    local = [arm for arm in found.values() if arm.kind == "local"]
    assert [arm.name for arm in local] == [f"local:site-{n}" for n in range(clients)]
    assert {arm.steps for arm in local} == {rounds * steps}
    assert sum(arm.steps for arm in local) == found["centralised"].steps
    assert [arm.fits for arm in (found["federated"], found["centralised"], local[0])] == [
        rounds * clients, rounds, rounds
    ]  # fmt: skip
    for arm in found.values():
        assert (arm.steps > 0) == arm.trained, arm.name


def test_a_run_without_a_word_is_trained_all_the_same() -> None:
    two = {"a": Selection(()), "b": Selection(())}
    trained = {arm.name for arm in plan(load((), PACKAGES), (), two) if arm.trained}
    assert trained == {"federated", "centralised", "local:a", "local:b"}


def test_fewer_clients_called_make_fewer_steps(tiny: Tiny) -> None:
    found = planned(tiny, 10, "strategy.fraction=0.3", "rounds=2", "training.steps=4")
    assert found["federated"].steps == found["centralised"].steps == 2 * 3 * 4
    assert found["local:site-9"].steps == 2 * 4


def test_the_baselines_configuration_takes_those_steps(tiny: Tiny) -> None:
    found = planned(tiny, 3, "training.steps=4", "training.head=averaged")
    for name, steps in (("centralised", 12), ("local:site-1", 4)):
        config = load(found[name].overrides, PACKAGES)
        assert config.training.steps == steps
        assert (config.training.head, config.training.optimizer_state) == ("local", "kept")
        assert config.seed == tiny.config().seed


def test_a_baseline_waits_for_one_client_only(tiny: Tiny) -> None:
    found = planned(tiny, 3, "strategy.minimum=3", "strategy.fraction=0.4")
    for name in ("centralised", "local:site-0"):
        config = load(found[name].overrides, PACKAGES)
        assert config.strategy is not None
        assert config.strategy.config.minimum == 1


def test_a_baseline_is_plain_training_whatever_the_strategy(tiny: Tiny) -> None:
    words = ("strategy=krum", "strategy.byzantine=0", "++strategy.minimum=2")
    found = planned(tiny, 3, *words)
    for name in ("centralised", "local:site-0"):
        config = load(found[name].overrides, PACKAGES)
        assert config.strategy is not None
        assert config.strategy.name == "fedavg"
        assert config.strategy.config.weighting == "uniform"
    assert "strategy.byzantine=0" in found["federated"].overrides


@pytest.mark.parametrize(("clients", "word"), [(1, "seed=0"), (2, "evaluation.baselines=false")])
def test_without_baselines(tiny: Tiny, clients: int, word: str) -> None:
    found = planned(tiny, clients, word)
    assert list(found) == [
        "federated", "random", "log_mel", "descriptors", "encoder_descriptors",
        "opensmile_compare", "opensmile_egemaps", "level_length",
    ]  # fmt: skip


def test_each_arm_has_a_folder_of_its_own(tiny: Tiny, tmp_path: Path) -> None:
    found = planned(tiny, 3)
    folders = {arm.folder(tmp_path) for arm in found.values()}
    assert len(folders) == len(found)
    assert found["federated"].folder(tmp_path) == tmp_path
    assert ":" not in found["local:site-0"].folder(tmp_path).name


def test_who_trains(tiny: Tiny, prepared: Prepared) -> None:
    given = tuple(tiny.words())
    found = {arm.name: arm for arm in plan(tiny.config(), given, prepared.clients)}
    assert clients_of(found["federated"], prepared) == prepared.clients
    assert list(clients_of(found["local:cohort-01"], prepared)) == ["cohort-01"]
    (pooled,) = clients_of(found["centralised"], prepared).values()
    everybody = [e.recording.id for s in prepared.clients.values() for e in s.entries]
    assert [e.recording.id for e in pooled.entries] == everybody
    tested = {g for groups in prepared.held_out.values() for g in groups}
    assert tested.isdisjoint(str(subject) for subject in pooled.subjects)


def test_the_untrained_arm_is_where_training_starts(tiny: Tiny) -> None:
    config = tiny.config()
    start = Learner(config).shared_state()
    fresh = build_encoder(config, config.seed).state_dict()
    torch.testing.assert_close({f"encoder.{k}": v for k, v in fresh.items()}, start)
    restored = encoder_of(config, {n: t + 1 for n, t in start.items()} | {"head.x": torch.ones(1)})
    for name, tensor in restored.state_dict().items():
        torch.testing.assert_close(tensor, fresh[name] + 1)


def test_a_scored_arm_is_read_back(tiny: Tiny, prepared: Prepared, tmp_path: Path) -> None:
    config = tiny.config("evaluation.random_seeds=2")
    given = tuple(tiny.words("evaluation.random_seeds=2"))
    by_name = {arm.name: arm for arm in plan(config, given, prepared.clients)}
    arm = by_name["random"]
    first = arms.run(arm, config, prepared, tmp_path, pytest.fail)
    assert len(first) == 2
    empty = Prepared((), {}, {}, {}, prepared.pool)
    again = arms.run(arm, config, empty, tmp_path, pytest.fail)
    for one, other in zip(first, again, strict=True):
        assert (one.device, one.site) == (other.device, other.site)
        for task, scores in one.scores.items():
            assert (scores == other.scores[task]).all()
