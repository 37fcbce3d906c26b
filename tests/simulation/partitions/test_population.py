"""Phones beyond the listed persons: declared, never listed, never scored on."""

import json
import re
from pathlib import Path

import pytest

from fedbreath.errors import ConfigError
from simulation.data import prepare
from simulation.partitions.population import Config, Declared
from simulation.planning import plan
from simulation.population import Population
from tests.simulation.partitions.sites import Take, site, training
from tests.simulation.tiny import Tiny

WORDS = (
    "partition=population", "partition.phones=1_000_000", "strategy.cohort=4",
    "training.optimizer_state=fresh", "training.head=averaged",
)  # fmt: skip


def test_phones_are_other_persons_of_the_same_cohorts(tiny: Tiny) -> None:
    config = tiny.config(*WORDS)
    prepared = prepare(config)
    clients = prepared.clients
    assert isinstance(clients, Population)
    assert len(clients) == 1_000_000
    assert [(b.cohort, b.count) for b in clients.blocks] == [(0, 500_000), (1, 500_000)]
    for block, store in zip(clients.blocks, prepared.stores, strict=True):
        listed = {int(e.group[-4:]) for e in store.entries}
        assert block.first == max(listed) + 1
    entry = clients[clients.names[0]].entries[0]
    assert entry.recording.source.world.seed == config.data.config.seed  # type: ignore[union-attr]
    kinds = {arm.kind for arm in plan(config, (), clients)}
    assert kinds.isdisjoint({"centralised", "local"})


def test_a_whole_run_says_what_was_declared(
    tiny: Tiny, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert tiny.run(tmp_path / "run", *WORDS) == 0
    assert "1,000,000 phones declared" in capsys.readouterr().out
    data = json.loads((tmp_path / "run" / "data.json").read_text())
    assert (data["declared"], data["clients"]) == (1_000_000, [])
    assert {p["reason"] for p in data["problems"]} == {
        "at no client: the population's phones are other persons"
    }
    rounds = (tmp_path / "run" / "rounds.jsonl").read_text().splitlines()
    called = {p["name"] for line in rounds for p in json.loads(line)["participants"]}
    assert len(called) == 12
    page = (tmp_path / "run" / "report.html").read_text()
    assert "Of 1,000,000 phones, those that a round called: 12." in page
    assert re.search(r"declared, not listed", page)
    assert not (tmp_path / "run" / "sites").exists()


def test_in_the_world_of_phones(tiny: Tiny, tmp_path: Path) -> None:
    words = (*WORDS, "partition.phones=5000", "world=phones", "tasks=[coswara_cough_vs_breath]")
    assert tiny.run(tmp_path / "run", *words, "world.before=0", "world.after=0") == 0
    rounds = [json.loads(x) for x in (tmp_path / "run" / "rounds.jsonl").read_text().splitlines()]
    assert all(100 < r["simulated"]["there"] < 5000 for r in rounds)
    assert all(len(r["simulated"]["clients"]) == 4 for r in rounds)


def test_a_site_that_is_no_simulated_cohort_is_refused() -> None:
    other = training(site("clinic", [Take("a")]))
    with pytest.raises(ConfigError, match="clinic is no simulated cohort"):
        Declared(Config()).clients(other)
    with pytest.raises(ConfigError, match="the sites are none"):
        Declared(Config()).clients({})


def test_no_phones_are_refused() -> None:
    with pytest.raises(ValueError, match="phones must be >= 1, got 0"):
        Config(phones=0)
    with pytest.raises(ValueError, match="sessions must be >= 1, got 0"):
        Config(sessions=0)
