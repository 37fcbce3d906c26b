"""Signs of collapse on the page and in the terminal: what went well, and what did not."""

import dataclasses
import io
from pathlib import Path

import pytest
from rich.console import Console

from fedbreath.collapse import Signs
from fedbreath.report import folder, page, signs
from fedbreath.report.decoding import loads
from fedbreath.report.records import Records, RoundRecord
from fedbreath.report.terminal import summary

from . import sample

START, WELL, ILL = (
    Signs(0.25, 50.0, 0.02, -0.4),
    Signs(0.38, 41.5, 0.11, -1.2),
    Signs(0.004, 1.3, 0.0, -0.0),
)
BROKEN = Signs(None, None, None, None)


def looked(looks: dict[int, Signs], count: int = 24, start: Signs | None = START) -> Records:
    """A run whose encoder was looked at after these rounds, and at the start."""
    records = sample.records()
    rounds = [dataclasses.replace(r, signs=looks.get(r.number)) for r in records.rounds[:count]]
    rounds[0] = dataclasses.replace(rounds[0], signs_before=start)
    return dataclasses.replace(records, rounds=tuple(rounds))


def test_the_table_shows_each_look() -> None:
    rows = signs.table(looked({5: WELL, 24: ILL}).rounds)
    assert [(row.round, row.cells, row.collapsed) for row in rows] == [
        (0, ("0.250", "50.0", "0.020", "−0.400"), False),
        (5, ("0.380", "41.5", "0.110", "−1.200"), False),
        (24, ("0.004", "1.3", "0.000", "0.000"), True),
    ]


@pytest.mark.parametrize("count", [1, 9, 10, 11, 24])
def test_a_long_table_keeps_its_ends(count: int) -> None:
    rows = signs.table(looked(dict.fromkeys(range(1, count + 1), WELL), count).rounds)
    assert len(rows) == min(count + 1, signs.ROWS)
    numbers = [row.round for row in rows]
    assert (numbers[0], numbers[-1]) == (0, count)
    assert numbers == sorted(set(numbers))


def test_all_is_well() -> None:
    records = looked({5: WELL, 24: WELL})
    assert signs.alarm(records.rounds) == ""
    assert signs.sentence(records.rounds) == (
        "From the start to round 24 spread went from 0.250 to 0.380 and effective rank from "
        "50.0 to 41.5: no sign of collapse."
    )
    text = page.html(records)
    assert "no sign of collapse" in text
    assert "WARNING" not in text


def test_a_collapse_is_a_warning_on_the_page_and_in_the_terminal(tmp_path: Path) -> None:
    records = looked({5: WELL, 24: ILL})
    alarm = signs.alarm(records.rounds)
    assert alarm.startswith(
        "After round 24 the representations have collapsed "
        "(spread 0.004, below 0.01; effective rank 1.3, below 2)"
    )
    text = page.html(records)
    assert "WARNING: collapse" in text.partition('class="tiles"')[0]
    assert alarm in text
    assert "see the warning" in text
    console = Console(width=300, record=True, file=io.StringIO())
    console.print(summary(sample.write(tmp_path, records)))
    assert f"WARNING: {alarm}" in console.export_text()


def test_a_collapse_that_passed_is_told_as_such() -> None:
    alarm = signs.alarm(looked({5: ILL, 24: WELL}).rounds)
    assert alarm.startswith("After round 5 the representations had collapsed (spread 0.004")
    assert alarm.endswith("after round 24 they no longer were.")


def test_the_start_is_the_measure_and_is_not_judged() -> None:
    """A tenth of what it was; a start that has little spread is no collapse by itself."""
    low = Signs(0.02, 4.0, 0.1, -0.4)
    assert "a tenth" in signs.alarm(looked({24: low}).rounds)
    assert signs.alarm(looked({24: low}, start=low).rounds) == ""
    assert signs.alarm(looked({24: low}, start=None).rounds) == ""
    assert signs.alarm(looked({}, start=ILL).rounds) == ""


def test_what_is_not_finite_is_said() -> None:
    records = looked({24: BROKEN})
    assert "embeddings that are not finite" in signs.alarm(records.rounds)
    assert signs.table(records.rounds)[-1].cells == ("not finite",) * 4
    assert "not finite" in page.html(records)


def test_a_run_that_nobody_looked_at() -> None:
    records = sample.records()
    assert signs.table(records.rounds) == ()
    assert signs.sentence(records.rounds) == signs.alarm(records.rounds) == ""
    assert "Signs of collapse" not in page.html(records)


def test_records_go_to_disk_and_back_and_old_ones_are_read(tmp_path: Path) -> None:
    records = looked({24: WELL, 5: BROKEN})
    assert folder.read(sample.write(tmp_path, records)) == records
    first = folder.first_round(tmp_path)
    assert first == records.rounds[0]
    assert folder.first_round(tmp_path / "absent") is None
    old = (
        '{"number": 1, "participants": [], "failures": [], "norm": 0.5, "seconds": 1.0, '
        '"bytes_down": 1, "bytes_up": 1}'
    )
    assert loads(RoundRecord, old) == RoundRecord(1, (), (), 0.5, 1.0, 1, 1)
