"""What leaves a client in a whole private run: every message is read, and every record of it."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from flwr.app import Message

from fedbreath import errors
from fedbreath.pretraining import Learner
from simulation.grid import InProcessGrid
from tests.simulation.tiny import Tiny

PUBLIC = "privacy.population=40 privacy.delta=1e-3 strategy.weighting=uniform"
SITE = f"{PUBLIC} privacy.rate=0.5"
MECHANISMS = {
    "recording": f"privacy=recording {SITE} objective=within_recording objective.hidden=8",
    "patient": f"privacy=patient {SITE} objective=within_recording objective.hidden=8",
    "buckets": f"privacy=buckets {SITE}",
    "client_central": f"privacy=client_central {PUBLIC} privacy.cohort=20 privacy.simulated=2",
    "with a strategy that sends more": (
        f"privacy=patient {SITE.replace(' strategy.weighting=uniform', '')} strategy=scaffold "
        "objective=within_recording objective.hidden=8"
    ),
}


@pytest.fixture
def heard(monkeypatch: pytest.MonkeyPatch) -> list[Message]:
    """Every reply that a server is given."""
    found: list[Message] = []
    plain = InProcessGrid.pull_messages

    def pull(self: InProcessGrid, message_ids: Iterable[str]) -> Iterable[Message]:
        replies = list(plain(self, message_ids))
        found.extend(replies)
        return replies

    monkeypatch.setattr(InProcessGrid, "pull_messages", pull)
    return found


@pytest.mark.parametrize("mechanism", MECHANISMS)
def test_nothing_of_the_data_is_told(
    tiny: Tiny, tmp_path: Path, heard: list[Message], mechanism: str
) -> None:
    given = MECHANISMS[mechanism].split()
    assert tiny.run(tmp_path / "run", *given, "evaluation.baselines=false") == 0
    shapes = {n: tuple(t.shape) for n, t in Learner(tiny.config(*given)).shared_state().items()}
    assert heard, "nobody answered"
    for reply in heard:
        if reply.has_error():
            assert hasattr(errors, str(reply.error.reason)), "an error's text left the site"
            continue
        records = dict(reply.content)
        beside = {"control"} if "scaffold" in MECHANISMS[mechanism] else set()
        assert set(records) == {"arrays", "metrics", "site"} | beside
        assert dict(reply.content.metric_records["metrics"]) == {"steps": 1}
        assert set(reply.content.config_records["site"]) == {"name", "round"}
        sent = reply.content.array_records["arrays"]
        assert {name: tuple(array.shape) for name, array in sent.items()} == shapes


@pytest.mark.parametrize("mechanism", ["patient", "client_central"])
def test_the_runs_own_record_tells_no_more(tiny: Tiny, tmp_path: Path, mechanism: str) -> None:
    out = tmp_path / "run"
    assert tiny.run(out, *MECHANISMS[mechanism].split(), "evaluation.baselines=false") == 0
    for line in (out / "rounds.jsonl").read_text().splitlines():
        for participant in json.loads(line)["participants"]:
            told: dict[str, Any] = {k: v for k, v in participant.items() if v is not None}
            assert told.keys() <= {"name", "steps"}
