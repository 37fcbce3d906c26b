"""A projection head that comes from the run that the encoder starts from, and stands still."""

from pathlib import Path

import pytest
import torch

from fedbreath.config import load
from fedbreath.errors import ConfigError, UserError
from fedbreath.pretraining import Learner, rng_of
from server import checkpoints
from server.checkpoints import Checkpoint
from tests.stores import MELS, noise, person, store

TINY = (
    f"front_end.mels={MELS} views.seconds=0.5 encoder.widths=[8] objective=within_recording "
    "objective.hidden=8 objective.projection=8 training.batch_size=8 training.steps=2"
)


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """The folder of a run that averaged its head."""
    config = load(f"{TINY} training.head=averaged seed=5")
    checkpoints.write(tmp_path, Checkpoint(1, config.digest, Learner(config).shared_state()))
    return tmp_path


def started(run: Path, more: str = "") -> str:
    return f"{TINY} training.head=start encoder.init='fedbreath:{run}' {more}"


def test_the_head_is_that_of_the_start_travels_and_is_not_trained(run: Path) -> None:
    learner = Learner(load(started(run)), warm=True)
    first = Learner(load(f"{TINY} training.head=averaged seed=5")).shared_state()
    sent = learner.shared_state()
    assert sent.keys() == first.keys()
    assert all(torch.equal(sent[name], first[name]) for name in first)
    selection = store([person(n) for n in range(9)], noise(9)).select()
    # A client reads no file: what it is sent is all it has.
    client = Learner(load(started(run)))
    update = client.fit(sent, {}, selection, rng_of(0, "site", 1), 1)
    # It stands still, so it does not come back.
    assert update.state.keys() == {name for name in sent if name.startswith("encoder.")}
    assert any(not torch.equal(update.state[name], sent[name]) for name in update.state)
    assert all(
        torch.equal(client.shared_state()[name], sent[name])
        for name in sent.keys() - update.state.keys()
    )
    assert not any(name.startswith("head.") for name in update.kept)


def test_the_head_of_another_objective_is_refused(run: Path) -> None:
    other = started(run).replace("objective=within_recording", "objective=masked")
    other = other.replace("objective.hidden=8 objective.projection=8", "")
    with pytest.raises(UserError, match="has not the tensors of objective=masked"):
        Learner(load(other), warm=True)
    wider = started(run).replace("objective.projection=8", "objective.projection=16")
    with pytest.raises(UserError, match="has not the tensors of objective=within_recording"):
        Learner(load(wider), warm=True)


def test_a_run_that_kept_no_head_is_refused(tmp_path: Path) -> None:
    config = load(f"{TINY} training.head=local")
    checkpoints.write(tmp_path, Checkpoint(1, config.digest, Learner(config).shared_state()))
    with pytest.raises(UserError, match="holds no projection head: only a run with"):
        Learner(load(started(tmp_path)), warm=True)


def test_no_start_at_all_is_refused_when_the_run_is_composed() -> None:
    with pytest.raises(ConfigError, match=r"training\.head=start needs a run to start from"):
        load(f"{TINY} training.head=start")
    words = [*TINY.split(), "training.head=start", "start='rounds=1'"]
    assert load(words).start == "rounds=1"
