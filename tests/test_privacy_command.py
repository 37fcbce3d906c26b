"""``fedbreath privacy ledger``: what an operator reads, and its exit codes."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from fedbreath.cli import app
from fedbreath.errors import UserError
from fedbreath.site.ledger import Ledger
from tests.site.test_ledger import BUDGET, REPLY, ledger_in, round_


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    found = ledger_in(tmp_path)
    found.create(BUDGET)
    found.commit(found.reserve(round_(1)), REPLY)
    found.reserve(round_(2))
    return found


def call(*words: object) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["privacy", "ledger", *map(str, words)])
    if isinstance(result.exception, UserError):
        raise result.exception
    return result.exit_code, result.output


def test_spent_and_left_are_said_with_their_terms(ledger: Ledger, tmp_path: Path) -> None:
    code, text = call(ledger.path, "--second", tmp_path / "second")
    assert code == 0
    for line in text.splitlines():
        if "epsilon" in line:
            assert "delta 1e-05, per patient of 5,000, add/remove adjacency, local trust" in line
    assert "spent:  epsilon" in text
    assert "left:   epsilon" in text
    assert "by PLD" in text
    assert "2 releases reserved, 1 of them never committed" in text
    assert "48 more releases like the last one fit" in text
    assert "chain of 4 records" in text
    assert "both copies of its head" in text


def test_an_unchecked_copy_is_named(ledger: Ledger) -> None:
    code, text = call(ledger.path)
    assert code == 0
    assert "the second copy of the head was not checked" in text


def test_export(ledger: Ledger) -> None:
    code, text = call(ledger.path.parent, "--json")
    (found,) = json.loads(text)["ledgers"]
    assert code == 0
    assert found["trusted"]
    assert found["spent"]["unit"] == "patient"
    assert found["spent"]["epsilon"] + found["left"]["epsilon"] == pytest.approx(17.0)
    assert [record["kind"] for record in found["records"]] == [
        "open",
        "reserve",
        "commit",
        "reserve",
    ]


@pytest.mark.parametrize("words", [[], ["--json"]])
def test_a_broken_chain_is_exit_code_1(ledger: Ledger, words: list[str]) -> None:
    content = ledger.path.read_bytes()
    ledger.path.write_bytes(content.replace(b'"q":0.0512', b'"q":0.0012', 1))
    code, text = call(ledger.path, *words)
    assert code == 1
    assert "record 2 is broken: the file was changed" in text


def test_a_lost_ledger_is_exit_code_1(ledger: Ledger) -> None:
    ledger.path.unlink()
    code, text = call(ledger.path.parent)
    assert code == 1
    assert "has 0 records" in text


def test_a_second_folder_that_is_not_there_is_exit_code_1(ledger: Ledger, tmp_path: Path) -> None:
    code, text = call(ledger.path, "--second", tmp_path / "typo")
    assert code == 1
    assert "the folder of the second copy of the head, does not exist" in text
    assert not (tmp_path / "typo").exists()


def test_looking_changes_nothing(ledger: Ledger, tmp_path: Path) -> None:
    head = tmp_path / "second" / "ward.patients.head.json"
    old = head.read_bytes()
    ledger.reserve(round_(3))
    head.write_bytes(old)
    assert call(ledger.path, "--second", tmp_path / "second")[0] == 0
    assert head.read_bytes() == old


def test_nothing_there_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="does not exist"):
        call(tmp_path / "none")
    with pytest.raises(UserError, match="holds no privacy ledger"):
        call(tmp_path)
