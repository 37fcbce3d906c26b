import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from fedbreath.downstream import benchmark, embedding
from simulation import curve as module
from simulation.curve import Curve
from tests.simulation.tiny import Tiny

TASKS = ("first", "second")


@pytest.fixture
def probed(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The embeddings asked for, with the probe itself replaced by its outcome."""
    asked: list[int] = []

    def embed(encoder: int, *_: object) -> int:
        asked.append(encoder)
        return encoder

    monkeypatch.setattr(module, "build_encoder", lambda config, seed, **_: 0)
    monkeypatch.setattr(module, "encoder_of", lambda config, weights: int(weights["n"]))
    monkeypatch.setattr(embedding, "embed", embed)
    monkeypatch.setattr(
        benchmark, "score", lambda pool, vectors, **_: SimpleNamespace(scores=vectors)
    )
    monkeypatch.setattr(
        benchmark, "values", lambda pool, n: {task: n / 10 for task in TASKS if pool.tasks}
    )
    return asked


def curve(tiny: Tiny, out: Path, every: int = 2, rounds: int = 5, tasks: Any = TASKS) -> Curve:
    prepared: Any = SimpleNamespace(pool=SimpleNamespace(tasks=tasks, selection=None))
    return Curve(tiny.config(f"evaluation.every={every}", f"rounds={rounds}"), prepared, out)


def observe(made: Curve, first: int, last: int) -> None:
    for number in range(first, last + 1):
        made(number, {"n": torch.tensor(number)})


def rows(out: Path) -> list[tuple[int, str, float]]:
    lines = [json.loads(line) for line in (out / "probes.jsonl").read_text().splitlines()]
    return [(line["round"], line["task"], line["value"]) for line in lines]


def test_probes_when_due_and_at_the_end(tiny: Tiny, tmp_path: Path, probed: list[int]) -> None:
    observe(curve(tiny, tmp_path), 0, 5)
    assert probed == [0, 2, 4, 5]
    assert rows(tmp_path) == [(n, task, n / 10) for n in (0, 2, 4, 5) for task in TASKS]


def test_no_task_no_probe(tiny: Tiny, tmp_path: Path, probed: list[int]) -> None:
    observe(curve(tiny, tmp_path, tasks=()), 0, 5)
    assert probed == []
    assert rows(tmp_path) == []


def test_a_resumed_run_probes_only_what_is_missing(
    tiny: Tiny, tmp_path: Path, probed: list[int]
) -> None:
    observe(curve(tiny, tmp_path), 0, 5)
    whole = (tmp_path / "probes.jsonl").read_bytes()
    observe(curve(tiny, tmp_path), 5, 5)
    assert (tmp_path / "probes.jsonl").read_bytes() == whole
    assert probed == [0, 2, 4, 5]


@pytest.mark.parametrize("kept", range(9))
@pytest.mark.parametrize("torn", ["", '{"round": 4, "ta'])
def test_a_round_that_was_probed_in_part_is_probed_again(
    tiny: Tiny, tmp_path: Path, probed: list[int], kept: int, torn: str
) -> None:
    """Killed after `kept` lines, and one in the middle; the checkpoint is of that round."""
    observe(curve(tiny, tmp_path), 0, 5)
    path = tmp_path / "probes.jsonl"
    whole = path.read_text()
    path.write_text("".join(whole.splitlines(keepends=True)[:kept]) + torn)
    reached = [2, 2, 2, 2, 4, 4, 5, 5, 5][kept]  # the start is probed with round 2
    probed.clear()
    observe(curve(tiny, tmp_path), reached, 5)
    assert path.read_text() == whole
    assert len(probed) == 4 - kept // 2


def test_probes_of_rounds_that_are_lost_go(tiny: Tiny, tmp_path: Path, probed: list[int]) -> None:
    observe(curve(tiny, tmp_path), 0, 5)
    whole = (tmp_path / "probes.jsonl").read_text()
    observe(curve(tiny, tmp_path), 3, 3)
    assert {number for number, _, _ in rows(tmp_path)} == {0, 2}
    observe(curve(tiny, tmp_path), 3, 5)
    assert (tmp_path / "probes.jsonl").read_text() == whole


def test_other_tasks_than_before_are_probed_anew(
    tiny: Tiny, tmp_path: Path, probed: list[int]
) -> None:
    (tmp_path / "probes.jsonl").write_text('{"round": 0, "task": "old", "value": 0.5}\n')
    observe(curve(tiny, tmp_path), 2, 2)
    assert rows(tmp_path) == [(n, task, n / 10) for n in (0, 2) for task in TASKS]
