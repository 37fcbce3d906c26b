"""The benchmark of scale: small, whole, and honest about what it read."""

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest

from benchmarks import scale, scale_figure
from benchmarks.scale_run import SETTING, Asked, Found, look, memory
from fedbreath import encoders
from fedbreath.config import load
from simulation import PACKAGES


def found(phones: int, cohort: int, rounds: int = 6, memory: float = 900.0) -> Found:
    """As if each phone cost 40 ms and a round 0.1 s."""
    one = Found(Asked(phones, cohort, rounds), 0.001, 5.0, 46_544)
    for values, value in (
        (one.seconds, 0.03 * cohort), (one.cpu, 0.1 + 0.04 * cohort), (one.parent, 400.0),
        (one.worker, 390.0), (one.total, memory),
    ):  # fmt: skip
        values.extend([value] * rounds)
    one.peaks.extend([400.0, 390.0, 390.0])
    return one


def test_the_encoder_is_small() -> None:
    config = load(SETTING, PACKAGES)
    assert encoders.build(config.encoder, 64, 0).parameter_count() <= 50_000
    assert config.training.steps == 1


def test_the_fit_and_the_ratios_are_those_of_the_numbers() -> None:
    grid = [found(p, c) for p in (100, 10_000) for c in (50, 100)]
    grid[-1].total[:] = [1_000.0] * 6
    long, declared = found(10_000, 100, 100), found(10**6, 100, 3)
    long.total[:] = [900.0 + 0.5 * k for k in range(100)]
    told = scale.verdicts(grid, long, declared)
    assert told["round_cpu_s"] == pytest.approx(0.1)
    assert told["phone_cpu_ms"] == pytest.approx(40)
    assert told["predicted_cpu_s"] == pytest.approx(told["declared_cpu_s"])
    assert told["memory_ratio"] == pytest.approx(1_000 / 900)
    assert told["time_ratio"] == pytest.approx(1)
    assert told["growth_kb_a_round"] == pytest.approx(500)
    assert told["growth"] == pytest.approx(949.5 / 904.5)


def test_the_figure_is_an_svg_and_always_the_same() -> None:
    grid = [found(p, c) for p in (100, 10_000) for c in (50, 100)]
    drawn = [
        scale_figure.svg(grid, found(10_000, 100, 100), found(10**6, 100, 3), (0.1, 0.04))
        for _ in range(2)
    ]
    assert drawn[0] == drawn[1]
    assert ElementTree.fromstring(drawn[0]).tag.endswith("svg")
    assert "0.10 s + 40.0 ms a phone" in drawn[0]


def test_a_look_at_everybody_costs_a_vector() -> None:
    seconds, most = look(10_000)
    assert seconds < 1
    assert 0.08 < most < 5


def test_memory_says_what_it_does_not_know() -> None:
    with pytest.raises(ValueError, match="status has no VmNothing"):
        memory(1, "status", "VmNothing")


@pytest.mark.parametrize(
    ("words", "why"),
    [("--rounds 2", "more than 2 rounds"), ("--phones 10 --cohorts 20", "least cohort")],
)
def test_what_cannot_be_measured_is_refused(
    words: str, why: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        scale.parsed(words.split())
    assert why in capsys.readouterr().err


def test_a_small_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = [
        "--phones", "6", "12", "--cohorts", "2", "4", "--rounds", "3", "--long", "4",
        "--declared", "1000", "--workers", "1",
        "--out", str(tmp_path),
    ]  # fmt: skip
    for asked in scale.planned(scale.parsed(words))[:-1]:  # those that are there are not run again
        path = tmp_path / f"{asked.phones}-{asked.cohort}-{asked.rounds}-{asked.workers}.json"
        path.write_text(json.dumps(found(asked.phones, asked.cohort, asked.rounds).__dict__,
                                   default=lambda a: a.__dict__))  # fmt: skip
    scale.main(words)
    told = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert told["declared"] == 1000
    assert told["memory_ratio"] > 0
    results = json.loads((tmp_path / "scale.json").read_text())["results"]
    assert [len(r["cpu"]) for r in results] == [3, 3, 3, 3, 4, 3]
    assert (tmp_path / "scale.svg").read_text().startswith("<?xml")
