"""The ledger: written before, never refunded, never taken back, and right by the accountant."""

import json
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fedbreath.errors import BudgetError, LedgerError, PrivacyError
from fedbreath.privacy.accounting import epsilon
from fedbreath.privacy.terms import Event, Terms
from fedbreath.site.account import account
from fedbreath.site.ledger import Ledger
from fedbreath.site.records import Budget, Release, Reservation

ROOT = Path(__file__).resolve().parents[2]

TERMS = Terms("patient", "add/remove", "local", 1e-5, 5_000)
BUDGET = Budget(17.0, TERMS)
RELEASE = Release(
    run="run-1",
    round=1,
    first_step=0,
    event=Event(noise=0.5, clip=0.5, rate=0.0512, steps=40),
    clipping_norm=0.5,
    sensitivity="C",
    unit="patient",
    adjacency="add/remove",
    trust_model="local",
    config="c0ffee",
)
REPLY = "ab" * 32


class Clock:
    now = 1_700_000_000.0

    def __call__(self) -> float:
        return self.now


def ledger_in(folder: Path, clock: Any = time.time) -> Ledger:
    return Ledger(folder / "state", folder / "second", "ward", "patients", clock)


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    found = ledger_in(tmp_path)
    found.create(BUDGET)
    return found


def round_(number: int, **changes: Any) -> Release:
    return replace(RELEASE, round=number, first_step=40 * (number - 1), **changes)


def test_nothing_is_spent_at_first(ledger: Ledger) -> None:
    assert ledger.spent().value == 0.0
    assert ledger.spent().terms == TERMS


def test_what_is_reserved_is_spent_whether_or_not_it_is_committed(ledger: Ledger) -> None:
    first = ledger.reserve(round_(1))
    one = ledger.spent()
    assert one == epsilon(RELEASE.event, TERMS)
    ledger.commit(first, REPLY)
    assert ledger.spent() == one
    ledger.reserve(round_(2))
    assert ledger.spent() == epsilon([RELEASE.event] * 2, TERMS)


def test_all_of_a_release_is_written_down(ledger: Ledger) -> None:
    number = ledger.reserve(round_(3)).number
    record = json.loads(ledger.path.read_text().splitlines()[-1])
    assert ledger.head() == (2, record["sha256"])
    for key in ("sha256", "previous", "time"):
        assert record.pop(key)
    assert record == {
        "number": number,
        "kind": "reserve",
        "run": "run-1",
        "round": 3,
        "steps": [80, 120],
        "q": 0.0512,
        "sigma": 1.0,
        "noise": 0.5,
        "D_add": 0.5,
        "C": 0.5,
        "D_rule": "C",
        "sampler": "poisson",
        "unit": "patient",
        "adjacency": "add/remove",
        "trust_model": "local",
        "config": "c0ffee",
    }


def test_fifty_rounds_are_composed(ledger: Ledger) -> None:
    for number in range(1, 51):
        ledger.commit(ledger.reserve(round_(number)), REPLY)
    assert f"{ledger.spent().value:.2f}" == "16.97"
    before = ledger.path.read_bytes()
    with pytest.raises(BudgetError, match=r"domain patients, is used up: round 51 of run-1"):
        ledger.reserve(round_(51))
    assert ledger.path.read_bytes() == before
    found, _ = account(ledger.path, ledger.path.parent.parent / "second")
    assert (found.reserved, found.open, found.further, found.records) == (50, 0, 0, 101)
    assert found.left.value == pytest.approx(17.0 - 16.9733, abs=1e-3)


def test_a_round_done_again_is_spent_again_and_a_stored_reply_is_free(ledger: Ledger) -> None:
    assert ledger.reply("run-1", 1) is None
    lost = ledger.reserve(round_(1))
    assert ledger.reply("run-1", 1) is None
    again = ledger.reserve(round_(1))
    assert again != lost
    assert ledger.spent() == epsilon([RELEASE.event] * 2, TERMS)
    ledger.commit(again, REPLY)
    before = ledger.path.read_bytes()
    assert ledger.reply("run-1", 1) == REPLY
    assert ledger.reply("run-1", 2) is None
    assert ledger.reply("run-2", 1) is None
    assert ledger.path.read_bytes() == before


@pytest.mark.parametrize("number", [0, 1, 99])
def test_only_an_open_reservation_is_committed(ledger: Ledger, number: int) -> None:
    with pytest.raises(LedgerError, match=f"reservation {number} is not open"):
        ledger.commit(Reservation(number, round_(1)), REPLY)
    ledger.commit(ledger.reserve(round_(1)), REPLY)
    with pytest.raises(LedgerError, match="reservation 2 is not open"):
        ledger.commit(Reservation(2, round_(2)), REPLY)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"unit": "recording"}, "hides a recording, which is weaker than the patient"),
        ({"unit": "client"}, "unit is client, the ledger accounts for patient"),
        ({"adjacency": "replace-one"}, "adjacency is replace-one, the ledger accounts for add"),
        ({"trust_model": "central"}, "trust model is central, the ledger accounts for local"),
    ],
)
def test_what_the_policy_does_not_ask_for_is_refused(
    ledger: Ledger, changes: dict[str, Any], said: str
) -> None:
    with pytest.raises(PrivacyError, match=said):
        ledger.reserve(round_(1, **changes))
    assert ledger.spent().value == 0.0


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"sensitivity": "2 C"}, "D_add 0.5 is not 2 C with C = 0.5"),
        ({"clipping_norm": 0.4}, "D_add 0.5 is not C with C = 0.4"),
        ({"clipping_norm": 0.0}, "clipping norm C must be > 0"),
        ({"sensitivity": "3 C"}, "must be C or 2 C"),
        ({"unit": "cough"}, "unit must be one of"),
        ({"round": -1}, "round must be a whole number >= 0"),
        ({"first_step": -1}, "first step must be a whole number"),
    ],
)
def test_a_release_that_contradicts_itself_is_refused(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(PrivacyError, match=said):
        replace(RELEASE, **changes)


def test_a_policy_may_change_and_what_was_spent_stays(ledger: Ledger) -> None:
    ledger.reserve(round_(1))
    ledger.set_budget(Budget(1.0, TERMS))
    with pytest.raises(BudgetError, match="above 1"):
        ledger.reserve(round_(2))
    stricter = replace(TERMS, delta=1e-6)
    ledger.set_budget(Budget(20.0, stricter))
    ledger.reserve(round_(2))
    assert ledger.spent() == epsilon([RELEASE.event] * 2, stricter)
    with pytest.raises(PrivacyError, match="accounts for unit patient, not recording"):
        ledger.set_budget(Budget(20.0, replace(TERMS, unit="recording")))


def test_a_clock_that_went_back_is_refused(tmp_path: Path) -> None:
    clock = Clock()
    ledger = ledger_in(tmp_path, clock)
    ledger.create(BUDGET)
    clock.now -= 60
    with pytest.raises(LedgerError, match="the clock went back"):
        ledger.reserve(RELEASE)
    clock.now += 60
    ledger.reserve(RELEASE)


def test_a_ledger_is_begun_once_and_by_name(ledger: Ledger, tmp_path: Path) -> None:
    with pytest.raises(LedgerError, match="never begun anew"):
        ledger.create(BUDGET)
    with pytest.raises(LedgerError, match="does not exist: a ledger is begun by its site"):
        ledger_in(tmp_path / "elsewhere").reserve(RELEASE)
    with pytest.raises(LedgerError, match="letters, digits"):
        Ledger(tmp_path, tmp_path / "b", "../ward", "patients")
    with pytest.raises(LedgerError, match="must be another one"):
        Ledger(tmp_path, tmp_path, "ward", "patients")
    with pytest.raises(PrivacyError, match="budget's epsilon must be > 0, got 0"):
        Budget(0, TERMS)


def test_another_sites_ledger_is_not_taken_for_ones_own(ledger: Ledger, tmp_path: Path) -> None:
    other = Ledger(tmp_path / "state", tmp_path / "second", "clinic", "patients")
    for folder in ("state", "second"):
        for path in (tmp_path / folder).glob("ward.*"):
            path.rename(path.with_name(path.name.replace("ward", "clinic")))
    with pytest.raises(LedgerError, match="is the ledger of site ward"):
        other.reserve(RELEASE)


KILLED = """
import os, sys, time
from pathlib import Path
from tests.site.test_ledger import ledger_in, round_
ledger = ledger_in(Path(sys.argv[1]))
print(ledger.reserve(round_(2)).number, flush=True)
time.sleep(60)  # drawing, computing
"""


def test_killed_between_reserve_and_commit_it_is_spent(ledger: Ledger, tmp_path: Path) -> None:
    ledger.commit(ledger.reserve(round_(1)), REPLY)
    before = ledger.spent().value
    with subprocess.Popen(
        [sys.executable, "-c", KILLED, str(tmp_path)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        number = int(process.stdout.readline())
        process.send_signal(signal.SIGKILL)
        process.wait()
    after = ledger_in(tmp_path).spent()
    assert after == epsilon([RELEASE.event] * 2, TERMS)
    assert after.value > before
    assert ledger.reserve(round_(2)).number == number + 1


TOGETHER = """
import sys
from pathlib import Path
from tests.site.test_ledger import ledger_in, round_
ledger = ledger_in(Path(sys.argv[1]))
for number in range(3):
    ledger.reserve(round_(number + 1, run=sys.argv[2]))
"""


@pytest.mark.slow
def test_two_processes_at_once_lose_nothing(ledger: Ledger, tmp_path: Path) -> None:
    started = [
        subprocess.Popen([sys.executable, "-c", TOGETHER, str(tmp_path), name], cwd=ROOT)
        for name in ("a", "b")
    ]
    assert [process.wait() for process in started] == [0, 0]
    assert ledger.spent() == epsilon([RELEASE.event] * 6, TERMS)
    runs = [json.loads(line).get("run") for line in ledger.path.read_text().splitlines()]
    assert sorted(filter(None, runs)) == ["a"] * 3 + ["b"] * 3


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, bytes]:
    folder = tmp_path_factory.mktemp("written")
    ledger = ledger_in(folder)
    ledger.create(BUDGET)
    ledger.commit(ledger.reserve(round_(1)), REPLY)
    ledger.reserve(round_(2))
    return folder, ledger.path.read_bytes()


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_any_byte_that_was_changed_is_found(written: tuple[Path, bytes], data: Any) -> None:
    folder, content = written
    ledger = ledger_in(folder)
    at = data.draw(st.integers(0, len(content) - 1))
    byte = data.draw(st.integers(0, 255).filter(lambda b: b != content[at]))
    ledger.path.write_bytes(content[:at] + bytes([byte]) + content[at + 1 :])
    try:
        with pytest.raises(LedgerError):
            ledger.reply("run-1", 1)
        with pytest.raises(LedgerError):
            account(ledger.path)
    finally:
        ledger.path.write_bytes(content)
    assert ledger.reply("run-1", 1) == REPLY


def test_any_length_that_was_cut_is_found(written: tuple[Path, bytes]) -> None:
    folder, content = written
    ledger = ledger_in(folder)
    for length in range(0, len(content), 7):
        ledger.path.write_bytes(content[:length])
        with pytest.raises(LedgerError, match="taken back to an older state, cut or lost"):
            ledger.reply("run-1", 1)
    ledger.path.write_bytes(content)


def test_an_older_ledger_is_refused_by_either_copy_of_its_head(
    ledger: Ledger, tmp_path: Path
) -> None:
    ledger.reserve(round_(1))
    beside = tmp_path / "state" / "ward.patients.head.json"
    second = tmp_path / "second" / "ward.patients.head.json"
    old = {path: path.read_bytes() for path in (ledger.path, beside, second)}
    ledger.reserve(round_(2))
    ledger.reserve(round_(3))
    new = {path: path.read_bytes() for path in old}
    for kept in (beside, second):
        for path in (ledger.path, beside, second):
            path.write_bytes((new if path == kept else old)[path])
        with pytest.raises(LedgerError, match=f"has 2 records, {kept} knows of 4"):
            ledger.reserve(round_(4))
    for path in old:
        path.write_bytes(new[path])
    ledger.reserve(round_(4))


def test_a_lost_ledger_is_refused_and_not_begun_anew(ledger: Ledger) -> None:
    ledger.path.unlink()
    with pytest.raises(LedgerError, match="has 0 records"):
        ledger.reserve(RELEASE)
    with pytest.raises(LedgerError, match="has 0 records"):
        ledger.create(BUDGET)


@pytest.mark.parametrize("folder", ["state", "second"])
@pytest.mark.parametrize("content", [None, b"", b"{}", b'{"count": -1, "sha256": ""}', b"[1]"])
def test_a_lost_or_broken_copy_of_the_head_is_refused(
    ledger: Ledger, tmp_path: Path, folder: str, content: bytes | None
) -> None:
    ledger.reserve(RELEASE)
    copy = tmp_path / folder / "ward.patients.head.json"
    copy.unlink() if content is None else copy.write_bytes(content)
    with pytest.raises(LedgerError, match=f"{copy}"):
        ledger.reserve(RELEASE)


def test_a_fork_that_shares_the_second_folder_is_found(ledger: Ledger, tmp_path: Path) -> None:
    (tmp_path / "fork").mkdir()
    for path in (tmp_path / "state").glob("ward.*"):
        (tmp_path / "fork" / path.name).write_bytes(path.read_bytes())
    fork = Ledger(tmp_path / "fork", tmp_path / "second", "ward", "patients")
    ledger.reserve(round_(1))
    with pytest.raises(LedgerError, match="taken back"):
        fork.reserve(round_(1))
    # As far as the other, but with a record of its own.
    lone = Ledger(tmp_path / "fork", tmp_path / "third", "ward", "patients")
    lone.reserve(round_(1, run="another"))
    with pytest.raises(LedgerError, match="disagree about record 2"):
        fork.reserve(round_(2))


@pytest.mark.parametrize("torn", [b"{", b'{"C":0.5,"D_add":0.5', b"\0" * 300])
def test_a_line_torn_by_a_power_cut_was_never_acted_upon(ledger: Ledger, torn: bytes) -> None:
    ledger.reserve(round_(1))
    spent, content = ledger.spent(), ledger.path.read_bytes()
    ledger.path.write_bytes(content + torn)
    assert ledger.spent() == spent
    ledger.reserve(round_(2))
    assert ledger.path.read_bytes().startswith(content)
    assert ledger.spent() == epsilon([RELEASE.event] * 2, TERMS)


@pytest.mark.parametrize("copies", [("second",), ("state", "second")])
def test_cut_off_before_the_head_was_copied_the_record_counts(
    ledger: Ledger, tmp_path: Path, copies: tuple[str, ...]
) -> None:
    ledger.reserve(round_(1))
    heads = [tmp_path / folder / "ward.patients.head.json" for folder in copies]
    old = [head.read_bytes() for head in heads]
    ledger.reserve(round_(2))
    for head, content in zip(heads, old, strict=True):
        head.write_bytes(content)
    assert ledger.spent() == epsilon([RELEASE.event] * 2, TERMS)
    assert heads[0].read_bytes() != old[0]


def test_a_second_folder_that_cannot_be_written_stops_everything(
    ledger: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, value: object) -> None:
        if "second" in str(path):
            raise OSError(28, "No space left on device")

    monkeypatch.setattr("fedbreath.site.chain.write_json", full)
    with pytest.raises(LedgerError, match=r"head\.json cannot be written: No space left"):
        ledger.reserve(round_(1))
    before = ledger.path.read_bytes()
    with pytest.raises(LedgerError):
        ledger.reserve(round_(1))
    assert ledger.path.read_bytes() == before


def test_the_record_is_on_disk_before_the_release(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    import os

    flushed: list[int] = []
    fsync = os.fsync

    def note(descriptor: int) -> None:
        flushed.append(os.fstat(descriptor).st_ino)
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", note)
    ledger.reserve(RELEASE)
    assert flushed[0] == ledger.path.stat().st_ino
    assert len(flushed) == 6  # the file, its folder; each copy, its folder
