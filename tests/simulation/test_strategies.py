"""Every strategy there is a YAML of trains two rounds on tiny data, from message to checkpoint."""

import json
from collections.abc import Mapping
from pathlib import Path

import pytest
import torch

from fedbreath.composition import choices
from fedbreath.features import Selection
from server import checkpoints
from simulation.arms import build_encoder, encoder_of
from simulation.data import prepare
from simulation.engines.in_process import Config, InProcess
from tests.simulation.tiny import Tiny

#: As many clients as the neediest rule asks for.
FIVE = ("data.cohorts=5", "rounds=2")


@pytest.fixture(scope="module")
def clients(tiny: Tiny) -> Mapping[str, Selection]:
    return prepare(tiny.config(*FIVE)).clients


@pytest.mark.parametrize("name", choices("strategy"))
def test_two_rounds_move_the_weights(
    tiny: Tiny, clients: Mapping[str, Selection], tmp_path: Path, name: str
) -> None:
    words = tiny.words(*FIVE, f"strategy={name}")
    config = tiny.config(*FIVE, f"strategy={name}")
    InProcess(Config()).federate(words, clients, tmp_path, lambda *_: None, lambda _: None)
    lines = [json.loads(line) for line in (tmp_path / "rounds.jsonl").read_text().splitlines()]
    assert [(len(r["participants"]), len(r["failures"])) for r in lines] == [(5, 0)] * 2
    found = checkpoints.read(tmp_path, config.digest)
    assert found is not None
    assert all(torch.isfinite(array).all() for array in found.weights.values())
    start = build_encoder(config, config.seed).state_dict()
    trained = encoder_of(config, found.weights).state_dict()
    assert any(not torch.equal(array, start[n]) for n, array in trained.items())
