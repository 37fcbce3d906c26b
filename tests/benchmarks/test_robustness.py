"""The benchmark of hostile clients: resumable, paired, and honest about what was not run."""

from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from benchmarks import robustness
from benchmarks.robustness import ATTACKS, STRATEGIES, Cell, cells_of, overrides_of, parsed
from fedbreath.config import load
from fedbreath.downstream import embedding
from simulation import PACKAGES


def test_every_cell_composes_and_two_of_ten_are_hostile() -> None:
    for words in ([], ["--root", "/somewhere"]):
        asked = parsed([*words, "--seeds", "1"])
        cells = cells_of(asked)
        assert len(cells) == 1 + len(STRATEGIES) * len(ATTACKS)
        for cell in cells:
            config = load(overrides_of(asked, cell), PACKAGES)
            assert config.adversary.share == (0 if cell.attack == "clean" else 0.2)
            assert config.guard.norm == (5 if cell.strategy.endswith("guard") else None)


def test_the_table_has_paired_differences_and_gaps() -> None:
    def result(value: float) -> dict[str, object]:
        noise = np.random.default_rng(0).normal(0, 0.1, 50)
        return {"tasks": {"a": [value, *(value + noise)], "b": [value, *(value + noise)]}}

    results = {
        Cell("fedavg", "clean", 0): result(0.8),
        Cell("fedavg", "x-10", 0): result(0.7),
        Cell("median", "x-10", 0): result(0.79),
    }
    console = Console(width=200, record=True)
    console.print(robustness.table_of(results, 1))
    text = console.export_text()
    # The same persons: what moves both moves no difference.
    assert "-0.100 (-0.100 to -0.100)" in text
    assert "-0.010 (-0.010 to -0.010)" in text
    assert "0.800" in text


def test_what_is_there_is_not_run_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    words = [
        "--out", str(tmp_path / "out"), "--seeds", "1", "--clients", "5", "--rounds", "1",
        "--steps", "1", "--encoder", "cnn_narrow", "--strategies", "fedavg", "--attacks", "clean",
        "x-10",
    ]  # fmt: skip
    small = ("data.cohorts=2", "data.persons=12", "data.sessions=1", "evaluation.min_subjects=1")
    plain = overrides_of
    monkeypatch.setattr(robustness, "overrides_of", lambda *a: (*plain(*a), *small))
    robustness.main(words)
    first = capsys.readouterr().out
    assert len(list((tmp_path / "out").glob("*.json"))) == 3
    assert not [path for path in (tmp_path / "out").iterdir() if path.is_dir()]
    monkeypatch.setattr(embedding, "embed", lambda *_: pytest.fail("it is there"))
    robustness.main(words)
    assert capsys.readouterr().out.splitlines()[-1] == first.splitlines()[-1]
