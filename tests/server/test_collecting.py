"""Rounds that go on with the rest, are asked again by rule, or end with a sentence."""

import time
from pathlib import Path

import pytest
import torch
from flwr.app import Message

from fedbreath.errors import UserError
from fedbreath.pretraining import Learner
from server import checkpoints
from tests.flower import FakeGrid, Node, content, number_of
from tests.server.test_rounds import adds, config, lines, never, refuses, run, same


def fails(times: int, node: Node, how: Node = refuses) -> Node:
    """A node that fails so many times before it answers; `asked` counts."""
    calls = [0]

    def failing(message: Message) -> Message | None:
        calls[0] += 1
        return how(message) if calls[0] <= times else node(message)

    failing.asked = calls  # type: ignore[attr-defined]
    return failing


def counted(node: Node) -> Node:
    return fails(0, node)


def asked(node: Node) -> int:
    times: list[int] = node.asked  # type: ignore[attr-defined]
    return times[0]


def late(message: Message) -> Message | None:
    """Answers the round before."""
    weights = message.content.array_records["arrays"]
    told = content(weights, {"num-examples": 1, "steps": 1}, "late", number_of(message) - 1)
    return Message(told, reply_to=message)


def test_who_failed_is_asked_again_and_who_did_not_is_not(tmp_path: Path) -> None:
    chosen = config("strategy.minimum=3", "rounds=1")
    nodes = {1: counted(adds(1)), 2: fails(1, adds(2)), 3: fails(1, adds(3), never)}
    state, _, grid = run(tmp_path / "a", nodes, chosen)
    assert [asked(nodes[n]) for n in (1, 2, 3)] == [1, 2, 2]
    assert grid.timeouts == [7, 7]
    clean, _, _ = run(tmp_path / "b", {n: adds(n) for n in (1, 2, 3)}, chosen)
    assert same(state, clean)
    (line,), (other,) = lines(tmp_path / "a"), lines(tmp_path / "b")
    assert [p["name"] for p in line["participants"]] == ["site-1", "site-2", "site-3"]
    assert (line["repeats"], other["repeats"]) == (1, 0)
    assert line["failures"] == [
        {"name": "node 2", "code": "1000: SiteError"},
        {"name": "node 3", "code": "no reply in time"},
    ]
    assert line["bytes_down"] * 3 == other["bytes_down"] * 5


def test_enough_is_not_asked_again(tmp_path: Path) -> None:
    nodes = {1: adds(1), 2: fails(9, adds(1)), 3: adds(1)}
    run(tmp_path, nodes, config("strategy.minimum=2", "rounds=2"))
    assert asked(nodes[2]) == 2
    assert [line["repeats"] for line in lines(tmp_path)] == [0, 0]


def test_a_round_that_calls_fewer_than_the_minimum_wants_them_all(tmp_path: Path) -> None:
    nodes = {n: fails(1, adds(1)) for n in (1, 2, 3, 4)}
    run(tmp_path, nodes, config("strategy.minimum=4", "strategy.fraction=0.5", "rounds=1"))
    assert sum(asked(node) for node in nodes.values()) == 4
    assert len(lines(tmp_path)[0]["participants"]) == 2


@pytest.mark.parametrize("repeat", [0, 1, 3])
def test_never_without_bound_and_the_rounds_before_are_kept(tmp_path: Path, repeat: int) -> None:
    chosen = config("strategy.minimum=2", f"patience.repeat={repeat}")

    def broken(message: Message) -> Message | None:
        return adds(1)(message) if number_of(message) == 1 else late(message)

    nodes: dict[int, Node] = {1: adds(1), 2: counted(broken), 3: refuses}
    with pytest.raises(UserError, match=r"round 2: 1 usable reply\(ies\), at least 2") as caught:
        run(tmp_path, nodes, chosen)
    assert "site-2: reply to another round" in str(caught.value)
    assert "node 3: 1000: SiteError" in str(caught.value)
    assert "strategy.minimum" in str(caught.value)
    assert asked(nodes[2]) == 1 + 1 + repeat
    found = checkpoints.read(tmp_path, chosen.digest)
    assert found is not None
    assert found.number == 1
    # Put right, it goes on from there.
    state, seen, _ = run(tmp_path, {n: adds(1) for n in (1, 2)}, chosen)
    assert seen == [1, 2, 3]
    assert state.number == 3


def test_a_rule_without_an_answer_names_the_codes_too(tmp_path: Path) -> None:
    nodes: dict[int, Node] = {1: adds(1), 2: adds(2), 3: refuses}
    with pytest.raises(UserError, match=r"TrimmedMean .* \(node 3: 1000: SiteError\)$"):
        run(tmp_path, nodes, config("strategy=trimmed_mean"))


def test_who_left_before_the_repeat_is_not_waited_for_without_bound(tmp_path: Path) -> None:
    # Questions: connected? called? then before and in the repeat.
    nodes = {n: fails(9, adds(1)) for n in range(1, 6)}
    grid = FakeGrid(nodes, connected=[5, 5, 1])
    started = time.monotonic()
    with pytest.raises(UserError, match="round 1: no client's update can be used") as caught:
        run(tmp_path, grid, config("strategy=krum"))
    assert str(caught.value).count("1000: SiteError") == 5
    assert time.monotonic() - started < 30


def test_one_that_shouts_is_refused_and_shown(tmp_path: Path) -> None:
    start = Learner(config()).shared_state()
    nodes = {**{n: adds(0.1) for n in (1, 2, 3, 4)}, 5: adds(50)}
    state, _, _ = run(tmp_path, nodes, config("rounds=1"))
    for name, tensor in state.weights.items():
        torch.testing.assert_close(tensor, start[name] + 0.1)
    assert lines(tmp_path)[0]["failures"] == [{"name": "node 5", "code": "absurd norm"}]


class Twice(FakeGrid):
    """Delivers every reply twice."""

    def send_and_receive(self, messages, *, timeout=None):  # type: ignore[no-untyped-def]
        return [r for r in super().send_and_receive(messages, timeout=timeout) for _ in range(2)]


def test_an_update_that_is_delivered_twice_counts_once(tmp_path: Path) -> None:
    nodes = {1: adds(1), 2: adds(2)}
    state, _, _ = run(tmp_path / "a", Twice(nodes))
    assert same(state, run(tmp_path / "b", nodes)[0])
    for line in lines(tmp_path / "a"):
        assert [f["code"] for f in line["failures"]] == ["repeated reply"] * 2
        assert len(line["participants"]) == 2


def test_nobody_at_all(tmp_path: Path) -> None:
    started = time.monotonic()
    with pytest.raises(UserError, match=r"^0 client\(s\) connected after 0.05 s, at least 1"):
        run(tmp_path, {})
    assert time.monotonic() - started < 10


def test_all_silent_is_a_sentence_after_two_waits(tmp_path: Path) -> None:
    grid = FakeGrid({1: never, 2: never})
    with pytest.raises(UserError, match="node 1: no reply in time, node 2: no reply in time"):
        run(tmp_path, grid)
    assert grid.timeouts == [7, 7]


def test_central_privacy_is_never_asked_again(tmp_path: Path) -> None:
    chosen = config(
        "privacy=client_central", "privacy.population=1000", "privacy.cohort=200",
        "privacy.simulated=3", "privacy.delta=1e-4", "strategy.weighting=uniform",
        "privacy.sigma=1", "rounds=1", "strategy.minimum=3", "patience.repeat=5",
    )  # fmt: skip
    nodes = {n: fails(9, adds(1)) for n in (1, 2, 3)}
    run(tmp_path, nodes, chosen)
    assert sum(asked(node) for node in nodes.values()) <= 3
    assert lines(tmp_path)[0]["repeats"] == 0
