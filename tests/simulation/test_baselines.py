"""Rows that no network learnt, and the one beside the federated encoder: run, or said not to be."""

import json
from pathlib import Path

import numpy as np
import pytest

from fedbreath.downstream import benchmark, embedding, functionals
from fedbreath.report import folder as records
from server import checkpoints
from simulation import baselines
from simulation.arms import encoder_of
from simulation.data import prepare
from simulation.planning import plan
from tests.simulation.tiny import Tiny

ABSENT = "front_end.tracks=true keeps what they need"

WITHOUT_TRACKS = "front_end.tracks=false"


@pytest.fixture
def quick_opensmile(monkeypatch: pytest.MonkeyPatch) -> None:
    """Installed, and done at once."""
    monkeypatch.setattr(functionals, "missing", lambda: "")
    monkeypatch.setattr(functionals, "_version", lambda: "0")
    monkeypatch.setattr(
        functionals, "extractor", lambda _: lambda x: np.array([len(x), x.std()], np.float32)
    )


def why(tiny: Tiny, *words: str) -> dict[str, str]:
    config = tiny.config(*words)
    return {arm.name: arm.missing for arm in plan(config, tuple(words), {}) if arm.missing}


def test_what_was_not_asked_for_says_how_to_ask(tiny: Tiny) -> None:
    asked = "evaluation.opensmile=true compares with it"
    assert why(tiny) == {"opensmile_compare": asked, "opensmile_egemaps": asked}


def test_what_is_not_installed_says_how_to_install_it(
    tiny: Tiny, monkeypatch: pytest.MonkeyPatch
) -> None:
    pip = "pip install 'fedbreath[baselines]'"
    monkeypatch.setattr(functionals, "missing", lambda: pip)
    assert why(tiny, "evaluation.opensmile=true", WITHOUT_TRACKS) == {
        "descriptors": ABSENT,
        "encoder_descriptors": ABSENT,
        "opensmile_compare": pip,
        "opensmile_egemaps": pip,
    }
    monkeypatch.setattr(functionals, "missing", lambda: "")
    assert why(tiny, "evaluation.opensmile=true") == {}


def test_a_row_that_was_not_run_is_on_the_page_once_and_says_why(
    tiny: Tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(functionals, "missing", lambda: "pip install 'fedbreath[baselines]'")
    out = tmp_path / "run"
    words = ("evaluation.opensmile=true", "evaluation.baselines=false", "rounds=1",
             WITHOUT_TRACKS)  # fmt: skip
    assert tiny.run(out, *words) == 0
    scores = records.read(out).scores
    assert scores is not None
    notes = {arm.name: arm.note for arm in scores.arms}
    for name in ("opensmile_compare", "opensmile_egemaps"):
        assert notes[name] == "not run: pip install 'fedbreath[baselines]'"
        assert not (out / "arms" / f"{name}.json").exists(), "another day it may be there"
    assert {score.arm for score in scores.scores} == {
        "federated", "random", "log_mel", "level_length"
    }  # fmt: skip
    page = (out / "report.html").read_text(encoding="utf-8")
    assert page.count("not run: pip install &#39;fedbreath[baselines]&#39;") == 2
    assert page.count(f"not run: {ABSENT}") == 2


@pytest.mark.usefixtures("quick_opensmile")
def test_all_rows_of_a_run_with_validation_persons(tiny: Tiny, tmp_path: Path) -> None:
    out = tmp_path / "run"
    words = ("evaluation.opensmile=true", "rounds=1", "split.validation=0.5", "data.persons=12")
    assert tiny.run(out, *words) == 0
    scores = records.read(out).scores
    assert scores is not None
    assert scores.persons == "validation"
    arms = [arm.name for arm in scores.arms]
    assert {score.arm for score in scores.scores} == set(arms)
    assert {"centralised", "local:cohort-00", "local:cohort-01"} < set(arms)
    pairs = {(d.arm, d.against) for d in scores.differences if d.task == "mean"}
    others = {"random", "centralised", "log_mel", "level_length", "descriptors",
              "opensmile_compare", "opensmile_egemaps"}  # fmt: skip
    assert {against for arm, against in pairs if arm == "federated"} == others
    assert ("encoder_descriptors", "descriptors") in pairs
    assert (tiny.cache / "opensmile").is_dir()
    assert "Scores are of validation persons" in (out / "report.html").read_text(encoding="utf-8")


def test_the_combined_row_is_of_the_federated_encoder(tiny: Tiny, tmp_path: Path) -> None:
    out = tmp_path / "run"
    words = ("evaluation.baselines=false", "rounds=1")
    assert tiny.run(out, *words) == 0
    config = tiny.config(*words)
    pool = prepare(config).pool
    checkpoint = checkpoints.read(out, config.digest)
    assert checkpoint is not None
    encoder = encoder_of(config, checkpoint.weights)
    seconds = config.views.seconds
    blocks = [
        embedding.embed(network, pool.selection, seconds)
        for network in (encoder, baselines.describer(config))
    ]
    assert blocks[1].shape[1] == 1984
    expected = benchmark.score(pool, np.concatenate(blocks, axis=1))
    (found,) = json.loads((out / "arms/encoder_descriptors.json").read_text())
    for task, scores in expected.scores.items():
        np.testing.assert_allclose(found["scores"][task], scores, rtol=1e-6)


@pytest.mark.usefixtures("quick_opensmile")
def test_a_slow_row_tells_of_each_hundredth(tiny: Tiny, tmp_path: Path) -> None:
    config = tiny.config(f"cache='{tmp_path}'")
    told: list[int] = []
    selection = prepare(config).pool.selection
    baselines.vectors("opensmile_egemaps", config, selection, lambda: told.append(1))
    assert len(told) == 100
