"""kill -9 in a private run: no spent budget is lost, and the run goes on within it."""

import signal
import time
from pathlib import Path

import pytest

from fedbreath.site.account import account
from tests.simulation.tiny import Tiny, finished, start

PRIVATE = (
    "privacy=patient", "privacy.population=40", "privacy.delta=1e-3", "privacy.rate=0.5",
    "strategy.weighting=uniform", "evaluation.baselines=false", "objective=within_recording",
    "objective.hidden=8", "rounds=6",
)  # fmt: skip
CENTRAL = (
    "privacy=client_central", "privacy.population=1000", "privacy.delta=1e-4", "privacy.cohort=200",
    "privacy.simulated=2", "strategy.weighting=uniform", "evaluation.baselines=false", "rounds=6",
)  # fmt: skip


def reserved(ledger: Path) -> int:
    return ledger.read_text().count('"kind":"reserve"') if ledger.exists() else 0


@pytest.mark.slow
@pytest.mark.parametrize("words", [PRIVATE, CENTRAL], ids=["at the sites", "at the server"])
@pytest.mark.parametrize("after", [1, 4])
def test_a_killed_private_run_goes_on_and_forgets_nothing(
    tiny: Tiny, tmp_path: Path, words: tuple[str, ...], after: int
) -> None:
    out = tmp_path / "run"
    given = [*tiny.words(*words), f"out='{out}'"]
    process = start(given)
    deadline = time.monotonic() + 200
    while time.monotonic() < deadline and process.poll() is None:
        if any(reserved(found) >= after for found in out.rglob("privacy/*.jsonl")):
            break
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    before = {found: reserved(found) for found in out.rglob("privacy/*.jsonl")}
    spent = {found: account(found)[0].spent.value for found in before}
    assert before, "it was killed before it began"
    done = finished([*tiny.words(*words), f"resume='{out}'"])
    assert done.returncode == 0, done.stderr
    for found, count in before.items():
        known = account(found, found.parent.with_name("privacy-heads"))[0]
        assert known.reserved >= max(count, 6)
        assert known.reserved <= 7, "at most the round under way is spent twice"
        assert spent[found] <= known.spent.value <= known.budget.epsilon
