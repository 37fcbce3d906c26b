"""The summary in the terminal."""

import dataclasses
import io
from pathlib import Path

import pytest
from rich.console import Console

from fedbreath.errors import UserError
from fedbreath.report.records import Records
from fedbreath.report.terminal import summary
from fedbreath.report.wording import verdict

from . import sample


def printed(out: Path, records: Records) -> str:
    console = Console(width=160, record=True, file=io.StringIO())
    console.print(summary(sample.write(out, records)))
    return console.export_text()


def test_the_verdict_and_the_headline_scores_are_printed(tmp_path: Path) -> None:
    records = sample.records()
    text = printed(tmp_path, records)
    assert verdict(records).text in text
    assert "24 rounds · 5 clients" in text
    assert "COPD against healthy (ICBHI 2017)" in text
    assert "Crackles" not in text
    assert "No formal privacy guarantee" in text


def test_brackets_in_a_name_are_no_markup(tmp_path: Path) -> None:
    records = sample.records()
    assert records.scores is not None
    arms = tuple(dataclasses.replace(a, title="[red]x[/red]") for a in records.scores.arms)
    scores = dataclasses.replace(records.scores, arms=arms)
    assert "[red]x[/red]" in printed(tmp_path, dataclasses.replace(records, scores=scores))


def test_a_run_without_scores_has_a_summary(tmp_path: Path) -> None:
    run = sample.run_record(finished=None, seconds=None)
    text = printed(tmp_path, dataclasses.replace(sample.records(), run=run, scores=None))
    assert "has not been scored yet" in text


def test_a_folder_that_is_no_run_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"run\.json is missing"):
        summary(tmp_path)


def test_one_client_is_no_federation(tmp_path: Path) -> None:
    text = printed(tmp_path, sample.records(1))
    assert "24 rounds · 1 client · " in text
    assert "Pretraining in one place gained" in text
    assert "share of" not in text
    assert "of the centralised gain" not in text
