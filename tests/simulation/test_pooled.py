"""One client with everything: the centralised arm as a run of its own, and what follows it."""

import hashlib
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from fedbreath.report import folder as records
from fedbreath.report import page
from fedbreath.report.records import Records
from server import checkpoints
from simulation.data import prepare
from simulation.partitions import pooled
from tests.simulation.partitions.sites import ids, persons, training
from tests.simulation.tiny import Tiny


@pytest.fixture(scope="module")
def runs(tiny: Tiny, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A federation with its baselines, the pooled run of as many steps, one started from it."""
    folder = tmp_path_factory.mktemp("runs")
    # Six steps that are large enough for a probe to tell.
    rate = "training.learning_rate=0.05"
    assert tiny.run(folder / "federated", rate) == 0
    # Two clients of one step each.
    assert tiny.run(folder / "pooled", "partition=pooled", "training.steps=2", rate) == 0
    init = f"encoder.init=fedbreath:{folder / 'pooled'}"
    assert tiny.run(folder / "warm", "partition=pooled", "rounds=1", init, "encoder.adapter=2") == 0
    return folder


def probes(found: Records, number: int) -> dict[str, float]:
    return {p.task: p.value for p in found.probes if p.round == number}


def test_everything_is_at_the_one_client() -> None:
    given = training(persons("b", 3), persons("a", 2))
    made = pooled.Pooled(pooled.Config()).clients(given)
    assert {name: ids(chosen) for name, chosen in made.items()} == {
        "pooled": [i for chosen in given.values() for i in ids(chosen)]
    }
    (nobody,) = pooled.Pooled(pooled.Config()).clients({}).values()
    assert len(nobody) == 0


def test_test_persons_are_not_in_it(tiny: Tiny) -> None:
    apart, together = prepare(tiny.config()), prepare(tiny.config("partition=pooled"))
    assert together.held_out == apart.held_out
    assert len(together.clients["pooled"]) == sum(len(c) for c in apart.clients.values())


def test_it_is_the_centralised_arm_bit_for_bit(runs: Path) -> None:
    arm = load_file(runs / "federated" / "arms" / "centralised" / checkpoints.NAME)
    own = load_file(runs / "pooled" / checkpoints.NAME)
    assert own.keys() == arm.keys()
    assert all(torch.equal(tensor, arm[name]) for name, tensor in own.items())


def test_the_page_compares_with_nothing_that_is_not_there(runs: Path) -> None:
    found = records.read(runs / "pooled")
    assert [c.name for c in found.data.clients] == ["pooled"]
    assert found.scores is not None
    titles = [a.title for a in found.scores.arms]
    assert titles[:2] == ["Pretrained", "Untrained network"]
    assert "Pretrained encoder and descriptors" in titles
    text = page.html(found)
    body = text.partition("<main>")[2].partition('<section id="reproduce">')[0]
    for word in ("Federated", "federated −", "(centralised − untrained)", "share of a centralised"):
        assert word not in body
    for word in ("Pretraining in one place", "pretrained − untrained", "held every recording"):
        assert word in body
    both = page.html(records.read(runs / "federated"))
    for word in ("<h1>Federated pretraining", "(centralised − untrained)"):
        assert word in both
    assert "held every recording" not in both


def test_another_run_goes_on_where_it_ended(runs: Path) -> None:
    """From the folder, and with adapters that the checkpoint does not have."""
    before, after = records.read(runs / "pooled"), records.read(runs / "warm")
    sha256 = hashlib.sha256((runs / "pooled" / checkpoints.NAME).read_bytes()).hexdigest()
    assert after.run.encoder.start == f"fedbreath:{checkpoints.NAME} sha256 {sha256}"
    assert probes(after, 0) == probes(before, 3) != probes(before, 0)
    held = load_file(runs / "warm" / checkpoints.NAME)
    assert any(name.startswith("encoder.adapters.") for name in held)
