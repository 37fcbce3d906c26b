"""Simulated time in words, by hand."""

from dataclasses import replace

from fedbreath.report import page
from fedbreath.report.records import RoundRecord, SimulatedClient, SimulatedRound
from fedbreath.report.world import world
from tests.report.sample import records as sample

M = 1_000_000
FIRST = SimulatedRound(
    0.0, 600.0, 660.0, 40,
    (
        SimulatedClient("a", "took part", 60.0, 4 * M, 4 * M),
        SimulatedClient("b <i>", "late", 700.0, 4 * M, 4 * M),
        SimulatedClient("c", "away", None, 0, 0),
    ),
)  # fmt: skip
SECOND = SimulatedRound(660.0, 7860.0, 7860.0, 0, ())


def rounds() -> tuple[RoundRecord, ...]:
    return tuple(
        RoundRecord(n, (), (), 0.0, 1.0, 0, 0, simulated=one)
        for n, one in enumerate((FIRST, SECOND), 1)
    )


def test_what_a_real_federation_would_have_needed() -> None:
    found = world(rounds())
    assert found is not None
    assert found.sentences == (
        "A real federation would have needed 2 h 11 min, of which it would have waited "
        "2 h 10 min for clients to be there.",
        "A round took 1 min 0 s from the call (median; the longest 1 min 0 s).",
        "In 1 of 2 rounds nobody's answer was taken.",
        "Of 3 calls: 1 took part, 1 late, 1 away.",
        "8 MB went to the clients and 8 MB came from them.",
    )
    assert found.rounds[0] == ("1", "0 s", "10 min 0 s", "1 min 0 s", "40", "3", "1")
    assert [(c.name, c.called, c.took, c.down) for c in found.callers] == [
        ("a", 1, 1, "4 MB"), ("b <i>", 1, 0, "4 MB"), ("c", 1, 0, "0 kB"),
    ]  # fmt: skip


def test_a_run_in_no_simulated_time_says_nothing() -> None:
    records = sample()
    assert world(records.rounds) is None
    assert "In simulated time" not in page.html(records)
    text = page.html(replace(records, rounds=rounds()))
    assert "In simulated time" in text
    assert "b &lt;i&gt;" in text
