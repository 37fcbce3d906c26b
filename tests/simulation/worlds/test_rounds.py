"""Whole runs among phones: the same whoever asks, killed or not, and never endless."""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from fedbreath.config import Config, load
from fedbreath.report import folder as records
from fedbreath.report.records import RoundRecord
from server.checkpoints import Checkpoint
from server.rounds import federate
from simulation import PACKAGES
from tests.flower import FakeGrid, Node
from tests.server.test_rounds import SMALL, KilledError, adds, dies_at, same
from tests.simulation.tiny import Tiny, result

PHONES = (
    "world=phones", "world.charging=12", "world.step_seconds=20", "world.deadline=400",
    "world.over_selection=1.3", "strategy.minimum=3", "rounds=6",
)  # fmt: skip
NODES: Mapping[int, Node] = {n: adds(n / 10) for n in range(1, 13)}


def config(*words: str) -> Config:
    return load((*SMALL, *PHONES, *words), PACKAGES)


def run(folder: Path, nodes: Mapping[int, Node] = NODES, *words: str) -> Checkpoint:
    chosen = config(*words)
    assert chosen.strategy is not None
    assert chosen.world is not None
    names = {n: f"site-{n}" for n in nodes}
    grid = chosen.world.build().around(FakeGrid(nodes), chosen, names)
    strategy = chosen.strategy.build(chosen.seed)
    return federate(grid, strategy, chosen, folder, lambda *_: None)


def rounds(folder: Path) -> list[RoundRecord]:
    return list(records._read_lines(folder, RoundRecord, absent_is_fine=False))


def told(folder: Path) -> list[dict[str, Any]]:
    found = [asdict(one) for one in rounds(folder)]
    for one in found:
        del one["seconds"]
    return found


def test_the_same_seed_tells_the_same_story(tmp_path: Path) -> None:
    first = run(tmp_path / "a")
    assert same(first, run(tmp_path / "b"))
    assert told(tmp_path / "a") == told(tmp_path / "b")
    assert not same(first, run(tmp_path / "c", NODES, "seed=1"))


def test_the_story(tmp_path: Path) -> None:
    run(tmp_path)
    before = 0.0
    outcomes = set()
    for one in rounds(tmp_path):
        told = one.simulated
        assert told is not None
        assert told.started == before
        assert told.started <= told.called <= told.finished <= told.called + 400
        before = told.finished
        took = {c.name for c in told.clients if c.outcome == "took part"}
        assert took == {p.name for p in one.participants}
        assert {c.name for c in told.clients} - took == {f.name for f in one.failures}
        assert one.bytes_down == sum(c.bytes_down for c in told.clients)
        assert one.bytes_up == sum(c.bytes_up for c in told.clients)
        assert len(told.clients) == told.there >= 3
        assert len(took) <= max(1, int(len(told.clients) / 1.3))
        outcomes |= {c.outcome for c in told.clients}
    assert {"took part", "late"} <= outcomes


@pytest.mark.parametrize("death", [1, 2])
def test_killed_and_gone_on_with(death: int, tmp_path: Path) -> None:
    whole = run(tmp_path / "whole")
    nodes = {n: dies_at(death, n / 10) for n in NODES}
    with pytest.raises(KilledError):
        run(tmp_path / "killed", nodes)
    assert same(whole, run(tmp_path / "killed"))
    assert told(tmp_path / "whole") == told(tmp_path / "killed")


def test_where_nobody_comes_rounds_are_skipped(tmp_path: Path) -> None:
    start = run(tmp_path / "one", NODES, "rounds=1", "world.before=1")
    nobody = run(tmp_path / "none", NODES, "world.plugged=0", "world.patience=7200", "rounds=3")
    assert same(start, nobody)  # neither moved from where it began
    found = rounds(tmp_path / "none")
    assert [one.simulated.finished for one in found if one.simulated] == [7200, 14400, 21600]
    assert all(not one.participants and not one.failures and one.norm == 0 for one in found)
    (only,) = rounds(tmp_path / "one")
    assert {f.code for f in only.failures} == {"2001: dropped out before training"}


def test_too_few_for_the_rule_is_skipped_too(tmp_path: Path) -> None:
    words = ("strategy=krum", "strategy.byzantine=1", "strategy.minimum=5", "rounds=2")
    run(tmp_path, NODES, *words, "world.after=0.9", "world.charging=24", "world.plugged=1")
    assert all(not one.participants for one in rounds(tmp_path))


def test_the_simulation_among_phones(tiny: Tiny, tmp_path: Path) -> None:
    words = ("world=phones", "world.charging=24", "world.plugged=1", "rounds=2")
    assert tiny.run(tmp_path / "a", *words) == 0
    assert tiny.run(tmp_path / "b", *words, "engine.workers=2") == 0
    assert result(tmp_path / "a") == result(tmp_path / "b")
    found = records.read(tmp_path / "a")
    assert all(one.simulated is not None for one in found.rounds)
    # What it is compared with knows no world.
    (central,) = tmp_path.glob("a/arms/centralised/rounds.jsonl")
    assert '"simulated":null' in central.read_text().replace(" ", "")
