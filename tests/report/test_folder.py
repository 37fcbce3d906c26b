"""The records of a run: what is written is read back, and nothing else is accepted."""

import dataclasses
import json
from pathlib import Path

import pytest

from fedbreath.errors import UserError
from fedbreath.report import folder
from fedbreath.report.decoding import RecordError, dumps, loads
from fedbreath.report.records import Participant, TaskScore

from . import sample

FILES = ("run.json", "data.json", "rounds.jsonl", "probes.jsonl", "scores.json")


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return sample.write(tmp_path / "out", sample.records())


def change(path: Path, key: str, value: object) -> None:
    tree = json.loads(path.read_text(encoding="utf-8"))
    tree[key] = value
    path.write_text(json.dumps(tree), encoding="utf-8")


def test_what_was_written_is_read_back(out: Path) -> None:
    assert folder.read(out) == sample.records()


@pytest.mark.parametrize("name", FILES)
def test_a_missing_file_is_named(out: Path, name: str) -> None:
    (out / name).unlink()
    with pytest.raises(UserError, match=rf"{name} is missing: name the folder"):
        folder.read(out)


@pytest.mark.parametrize("name", FILES)
def test_a_file_that_is_not_json_is_named(out: Path, name: str) -> None:
    (out / name).write_text('{"number": 1,', encoding="utf-8")
    with pytest.raises(UserError, match=rf"{name}.*it is not JSON.*run the simulation again"):
        folder.read(out)


def test_a_broken_line_is_numbered(out: Path) -> None:
    log = out / "rounds.jsonl"
    log.write_text(log.read_text(encoding="utf-8") + '{"number": 25', encoding="utf-8")
    with pytest.raises(UserError, match=r"rounds\.jsonl, line 25: it is not JSON"):
        folder.read(out)


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("seed", "0", 'seed must be a whole number, got "0"'),
        ("seed", True, "seed must be a whole number, got true"),
        ("digest", None, "digest must be a text, got null"),
        ("overrides", "data=real", "overrides must be a list"),
        ("versions", {"torch": 2}, "versions.torch must be a text, got 2"),
        ("machine", {"cpu": "x", "cores": 1, "device": "cpu"}, "machine.threads is missing"),
        ("colour", "blue", "colour is not a key of this record"),
    ],
)
def test_a_wrong_value_is_named(out: Path, key: str, value: object, said: str) -> None:
    change(out / "run.json", key, value)
    with pytest.raises(UserError, match=r"run\.json") as caught:
        folder.read(out)
    assert said in str(caught.value)


def test_a_literal_outside_its_choices_is_refused(out: Path) -> None:
    tree = json.loads((out / "scores.json").read_text(encoding="utf-8"))
    tree["tasks"][0]["unit"] = "person"
    (out / "scores.json").write_text(json.dumps(tree), encoding="utf-8")
    with pytest.raises(UserError, match=r"tasks\[0\]\.unit must be 'subject' or 'recording'"):
        folder.read(out)


def test_a_score_of_an_unknown_arm_is_refused(out: Path) -> None:
    tree = json.loads((out / "scores.json").read_text(encoding="utf-8"))
    tree["scores"][0]["arm"] = "nobody"
    (out / "scores.json").write_text(json.dumps(tree), encoding="utf-8")
    with pytest.raises(UserError, match="arm 'nobody' has a result and is not listed"):
        folder.read(out)


def test_a_run_under_way_needs_no_logs_and_no_scores(out: Path) -> None:
    folder.save(out, sample.run_record(finished=None, seconds=None))
    for name in FILES[2:]:
        (out / name).unlink()
    read = folder.read(out)
    assert (read.rounds, read.probes, read.scores) == ((), (), None)


def test_start_empties_the_logs_and_save_leaves_them(out: Path) -> None:
    folder.save(out, sample.run_record(seed=1))
    assert len(folder.read(out).rounds) == 24
    folder.start(out, sample.run_record())
    assert folder.read(out).rounds == ()


def test_an_undefined_number_becomes_null_where_it_may() -> None:
    score = TaskScore("a", "t", 0.5, float("nan"), float("inf"), None, None)
    assert loads(TaskScore, dumps(score)).low is None
    with pytest.raises(RecordError, match="value must be a number, got null"):
        dumps(dataclasses.replace(score, value=float("nan")))


def test_a_client_under_privacy_tells_its_name_alone(out: Path) -> None:
    silent = Participant("a", None, None, None, None, None)
    assert loads(Participant, dumps(silent)) == silent
    one = dataclasses.replace(sample.records().rounds[0], participants=(silent,))
    folder.append(out, one)
    assert folder.read(out).rounds[-1].participants == (silent,)


def test_nan_in_a_file_is_refused() -> None:
    text = dumps(Participant("a", 1, 1, 0.5, None, 1.0)).replace("0.5", "NaN")
    with pytest.raises(RecordError, match="it holds NaN"):
        loads(Participant, text)


def test_a_name_with_a_line_separator_stays_on_its_line(out: Path) -> None:
    one = sample.records().rounds[0]
    odd = dataclasses.replace(one.participants[0], name="a\u2028b\nc")
    folder.append(out, dataclasses.replace(one, participants=(odd,)))
    assert folder.read(out).rounds[-1].participants[0].name == "a\u2028b\nc"
