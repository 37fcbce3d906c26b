"""Hostile clients: who they are, what they send, and what the report says of them."""

import html
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from flwr.app import Message
from numpy.typing import NDArray

from fedbreath.errors import ConfigError
from fedbreath.report import folder as records
from fedbreath.sections import Adversary
from fedbreath.site.account import account
from server.app import refuse_simulated
from simulation.adversary import Attacked, among, attacked, hostile
from simulation.grid import InProcessGrid
from simulation.planning import plan
from tests.flower import FakeGrid, arrays, instruction, numbers, refusal, reply
from tests.simulation.tiny import Tiny, result


def weights(w: list[float], v: float, count: int) -> dict[str, NDArray[Any]]:
    """Weights, one of them without dimensions, and a counter."""
    return {"w": np.array(w, np.float32), "v": np.array(v, np.float32), "count": np.array(count)}


SENT, HONEST = weights([1, 2], 3, 4), weights([1.5, 2], 1, 9)


def made(attack: str, factor: float = 10.0, seed: int = 0) -> dict[str, NDArray[Any]]:
    adversary = Adversary(0.5, attack, factor)  # type: ignore[arg-type]
    return attacked(adversary, HONEST, SENT, np.random.default_rng(seed))


@pytest.mark.parametrize(
    ("attack", "factor", "w", "v"),
    [
        ("sign_flip", 10, [0.5, 2], 5),
        ("scale", 10, [6, 2], -17),
        ("scale", -10, [-4, 2], 23),
        ("scale", 1, [1.5, 2], 1),
    ],
)
def test_what_is_sent_by_hand(attack: str, factor: float, w: list[float], v: float) -> None:
    found = made(attack, factor)
    np.testing.assert_allclose(found["w"], w)
    np.testing.assert_allclose(found["v"], v)
    assert found["count"] == 9
    assert {n: (a.dtype, a.shape) for n, a in found.items()} == {
        n: (a.dtype, a.shape) for n, a in HONEST.items()
    }


def test_noise_has_the_length_that_was_asked_for() -> None:
    found = made("random", 3)
    change = np.append(found["w"] - SENT["w"], found["v"] - SENT["v"])
    assert np.linalg.norm(change) == pytest.approx(3 * np.linalg.norm([0.5, 0, -2]), rel=1e-6)
    assert abs(change @ [0.5, 0, -2]) < 0.99 * np.linalg.norm(change) * np.linalg.norm([0.5, 0, -2])
    assert made("random", 3)["w"].tolist() == found["w"].tolist()
    assert made("random", 3, seed=1)["w"].tolist() != found["w"].tolist()


def test_a_client_that_did_not_move_sends_nothing_else() -> None:
    for attack in ("sign_flip", "scale", "random"):
        adversary = Adversary(0.5, attack)
        found = attacked(adversary, SENT, SENT, np.random.default_rng(0))
        np.testing.assert_array_equal(found["w"], SENT["w"])


def test_who_is_hostile_is_a_share_and_hangs_on_the_seed(tiny: Tiny) -> None:
    names = [f"phone-{n}" for n in range(10)]
    words = ("adversary.share=0.2",)
    chosen = hostile(tiny.config(*words), names)
    assert len(chosen) == 2
    assert chosen == hostile(tiny.config(*words), names)
    assert set(chosen) == set(hostile(tiny.config(*words), names[::-1]))
    # Another strategy meets the same ones; another seed need not.
    assert chosen == hostile(tiny.config(*words, "strategy=median"), names)
    others = {hostile(tiny.config(*words, f"seed={seed}"), names) for seed in range(8)}
    assert len(others) > 3
    assert hostile(tiny.config(), names) == ()
    assert hostile(tiny.config("adversary.share=1"), names) == tuple(names)


def test_only_hostile_replies_are_changed(tiny: Tiny) -> None:
    config = tiny.config("adversary.share=0.5")

    def honest(message: Message) -> Message:
        return reply(message.metadata.dst_node_id, HONEST)

    grid = FakeGrid({1: honest, 2: honest, 3: lambda _: refusal(3), 4: lambda _: None})
    ahead = Attacked(grid, config, {2: "b", 3: "c", 4: "d"})
    assert list(ahead.get_node_ids()) == [1, 2, 3, 4]
    asked = [instruction(n) for n in (1, 2, 3, 4)]
    for message in asked:
        message.content["arrays"] = arrays(SENT)
    found = {m.metadata.src_node_id: m for m in ahead.send_and_receive(asked, timeout=3)}
    assert grid.timeouts == [3]
    assert found.keys() == {1, 2, 3}
    assert numbers(found[1].content.array_records["arrays"])["w"].tolist() == [1.5, 2]
    assert numbers(found[2].content.array_records["arrays"])["w"].tolist() == [0.5, 2]
    assert found[3].has_error()
    assert among(grid, tiny.config(), ["a", "b", "c", "d"]) is grid


def test_a_run_says_who_was_hostile_and_its_baselines_are_honest(
    tiny: Tiny, tmp_path: Path
) -> None:
    words = ("data.cohorts=4", "rounds=2", "adversary.share=0.25", "adversary.attack=scale",
             "adversary.factor=-50", "evaluation.every=2")  # fmt: skip
    out = tmp_path / "run"
    assert tiny.run(out, *words) == 0
    found = records.read(out)
    (who,) = found.data.hostile
    assert [[f.code for f in r.failures] for r in found.rounds] == [["absurd norm"]] * 2
    assert all(len(r.participants) == 3 for r in found.rounds)
    assert who not in {p.name for r in found.rounds for p in r.participants}
    page = html.unescape((out / "report.html").read_text(encoding="utf-8"))
    assert (
        "1 of 4 clients of this simulation were made hostile and sent updates multiplied by -50 "
        f"in every round that called them: {who}."
    ) in page
    config = tiny.config(*words)
    planned = plan(config, tuple(tiny.words(*words)), dict.fromkeys("abcd"))  # type: ignore[arg-type]
    honest = {arm.kind for arm in planned if "adversary.share=0" in arm.overrides}
    assert honest == {"centralised", "local"}
    again = tmp_path / "again"
    assert tiny.run(again, *words) == 0
    assert result(again) == result(out)


def test_a_deployment_refuses(tiny: Tiny) -> None:
    with pytest.raises(ConfigError, match=r"adversary\.share=0\.2: hostile clients"):
        refuse_simulated(tiny.config("adversary.share=0.2"))


# -- bad input ---------------------------------------------------------------------------

#: What is asked of a run with four clients, and what its one sentence says.
WRONG = [
    (["strategy.minimum=9"], "4 client(s) connected after 0.01 s, at least 9 are needed"),
    (["strategy=trimmed_mean", "strategy.byzantine=2"], "4 client(s) called, but TrimmedMean"),
    (["strategy=krum"], "5 are needed"),
    (["strategy=krum", "strategy.minimum=1"], "4 client(s) called, but Krum with strategy."),
    (["strategy=multi_krum", "strategy.minimum=1", "strategy.byzantine=9"], "at most 0"),
    (["privacy=client_central", "privacy.population=40", "privacy.cohort=50",
      "privacy.delta=1e-3", "strategy.weighting=uniform"],
     "cohort must lie in 1 to population = 40, got 50"),
    (["partition=cohorts", "partition.clients=0"], "clients must be >= 1"),
    (["partition=cohorts", "partition.clients=1000"], "1000"),
    (["adversary.share=1.5"], "share must lie in [0, 1], got 1.5"),
    (["adversary.attack=bribe"], "attack must be one of sign_flip, scale, random"),
    (["guard.norm=0"], "norm must be >= 1, got 0"),
    (["patience.repeat=-1"], "repeat must be >= 0, got -1"),
    (["adversary.share=1", "adversary.attack=scale", "adversary.factor=1e12"],
     "round 1: no client's update can be used"),
]  # fmt: skip


@pytest.mark.parametrize(("words", "said"), WRONG)
def test_what_cannot_be_is_one_sentence(
    tiny: Tiny, tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], said: str
) -> None:
    given = ("data.cohorts=4", "evaluation.baselines=false", "rounds=1")
    assert tiny.run(tmp_path / "run", *given, *words) == 2
    told = capsys.readouterr().err
    assert said in told
    assert told.count("error: ") == 1
    assert "Traceback" not in told


def test_a_reply_that_is_lost_under_privacy_is_asked_for_again_and_costs_nothing(
    tiny: Tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain, calls = InProcessGrid.send_and_receive, [0]

    def loses(
        self: InProcessGrid, messages: Iterable[Message], *, timeout: float | None = None
    ) -> Iterable[Message]:
        calls[0] += 1
        found = list(plain(self, messages, timeout=timeout))
        return found[1:] if calls[0] == 1 else found

    words = ("privacy=patient", "privacy.population=40", "privacy.delta=1e-3", "privacy.rate=0.5",
             "strategy.weighting=uniform", "objective=within_recording", "objective.hidden=8",
             "evaluation.baselines=false", "rounds=2", "strategy.minimum=2")  # fmt: skip
    monkeypatch.setattr(InProcessGrid, "send_and_receive", loses)
    assert tiny.run(tmp_path, *words) == 0
    found = records.read(tmp_path)
    assert [r.repeats for r in found.rounds] == [1, 0]
    assert [len(r.participants) for r in found.rounds] == [2, 2]
    assert [[f.code for f in r.failures] for r in found.rounds] == [["no reply in time"], []]
    ledgers = list(tmp_path.rglob("privacy/*.jsonl"))
    assert [account(ledger)[0].reserved for ledger in ledgers] == [2, 2]


def test_all_clients_of_a_run_can_be_hostile(tiny: Tiny, tmp_path: Path) -> None:
    words = ("evaluation.baselines=false", "rounds=1", "adversary.share=1")
    assert tiny.run(tmp_path / "run", *words) == 0
    assert len(records.read(tmp_path / "run").data.hostile) == 2
