"""Central privacy in the rounds: reserved before the calls, committed after the checkpoint."""

import json
from pathlib import Path

import pytest
import torch

from fedbreath.config import Config, load
from fedbreath.errors import BudgetError
from fedbreath.pretraining import Learner
from fedbreath.privacy.client_central import ClientCentral
from fedbreath.report import folder as records
from server import checkpoints
from server.app import PACKAGES
from tests.flower import FakeGrid
from tests.server.test_rounds import SMALL, adds, refuses, run

WORDS = (
    "privacy=client_central", "privacy.population=1000", "privacy.cohort=200", "privacy.delta=1e-4",
    "privacy.simulated=3", "strategy.weighting=uniform", "privacy.sigma=1",
)  # fmt: skip


def config(*more: str) -> Config:
    return load((*SMALL, *WORDS, *more), PACKAGES)


def kinds(folder: Path) -> list[str]:
    (path,) = (folder / "privacy").glob("*.jsonl")
    return [json.loads(line)["kind"] for line in path.read_text().splitlines()]


def test_every_round_is_reserved_and_committed(tmp_path: Path) -> None:
    state, seen, _ = run(tmp_path, {n: adds(1) for n in (1, 2, 3)}, config())
    assert seen == [0, 1, 2, 3]
    assert kinds(tmp_path) == ["open", *["reserve", "commit"] * 3]
    start = Learner(config()).shared_state()
    assert all(not torch.equal(state.weights[n], start[n]) for n in start)


def test_a_round_that_draws_nobody_adds_noise_and_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ClientCentral, "called", lambda *_: [])
    state, _, _grid = run(tmp_path, {1: adds(1)}, config("rounds=1"))
    assert kinds(tmp_path) == ["open", "reserve", "commit"]
    start = Learner(config()).shared_state()
    assert any(not torch.equal(state.weights[n], start[n]) for n in start)
    assert records.first_round(tmp_path).participants == ()  # type: ignore[union-attr]


def test_a_round_in_which_all_fail_is_an_empty_sum(tmp_path: Path) -> None:
    run(tmp_path, dict.fromkeys((1, 2, 3), refuses), config("rounds=1"))
    assert kinds(tmp_path) == ["open", "reserve", "commit"]


def test_the_reservation_stands_before_anybody_is_called(tmp_path: Path) -> None:
    class Watching(FakeGrid):
        def send_and_receive(self, messages, *, timeout=None):  # type: ignore[no-untyped-def]
            assert kinds(tmp_path)[-1] == "reserve"
            return super().send_and_receive(messages, timeout=timeout)

    run(tmp_path, Watching({1: adds(1)}), config("rounds=2"))


def test_a_kill_before_the_checkpoint_counts_and_the_round_is_done_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as broken:
        broken.setattr(checkpoints, "write", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt()))
        with pytest.raises(KeyboardInterrupt):
            run(tmp_path, {1: adds(1)}, config())
    assert kinds(tmp_path) == ["open", "reserve"]
    run(tmp_path, {1: adds(1)}, config())
    assert kinds(tmp_path) == ["open", "reserve", *["reserve", "commit"] * 3]


def test_more_lost_rounds_than_were_spared_end_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = config("rounds=1", "privacy.sigma=null", "privacy.spare_rounds=1")
    with monkeypatch.context() as broken:
        broken.setattr(checkpoints, "write", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt()))
        for _ in range(2):
            with pytest.raises(KeyboardInterrupt):
                run(tmp_path, {1: adds(1)}, asked)
    with pytest.raises(BudgetError, match="is used up"):
        run(tmp_path, {1: adds(1)}, asked)


def test_an_adaptive_clip_is_in_the_checkpoint(tmp_path: Path) -> None:
    asked = config("privacy.adaptive=true", "strategy=fedavgm")
    state, _, _ = run(tmp_path, {n: adds(1) for n in (1, 2, 3)}, asked)
    found = checkpoints.read(tmp_path, asked.digest)
    assert found is not None
    assert found.strategy["central.clip"] == state.strategy["central.clip"] != 1
    reserved = [
        json.loads(line)
        for line in next((tmp_path / "privacy").glob("*.jsonl")).read_text().splitlines()
        if '"reserve"' in line
    ]
    assert [r["sigma"] for r in reserved] == [1.0] * 3
    assert len({r["C"] for r in reserved}) == 3
