import json
import logging
import time
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from flwr.app import ArrayRecord, Error, Message
from torch import Tensor

from fedbreath.config import Config, load
from fedbreath.errors import UserError
from fedbreath.monitor import Monitor
from fedbreath.pretraining import Learner
from server import checkpoints
from server.app import PACKAGES
from server.checkpoints import Checkpoint
from server.rounds import federate
from tests.flower import FakeGrid, Node, content, number_of

SMALL = (
    "encoder.widths=[8]", "objective=cola", "objective.projection=8", "rounds=3",
    "patience.connect=0.05", "patience.reply=7",
)  # fmt: skip


def config(*words: str) -> Config:
    return load((*SMALL, *words), PACKAGES)


def adds(amount: float, count: int = 1, site: str = "") -> Node:
    """A node that adds a number to every weight."""

    def node(message: Message) -> Message:
        sent = message.content.array_records["arrays"].to_torch_state_dict()
        weights = ArrayRecord(
            {n: t + amount if t.is_floating_point() else t + 1 for n, t in sent.items()}
        )
        name = site or f"site-{message.metadata.dst_node_id}"
        metrics = {"num-examples": count, "steps": 2, "loss": 1.5, "norm": 0.5, "seconds": 0.1}
        return Message(content(weights, metrics, name, number_of(message)), reply_to=message)

    return node


def refuses(message: Message) -> Message:
    return Message(Error(1000, "SiteError"), reply_to=message)


def never(message: Message) -> None:
    return None


def run(
    folder: Path, nodes: Mapping[int, Node] | FakeGrid, run: Config | None = None
) -> tuple[Checkpoint, list[int], FakeGrid]:
    chosen = run or config()
    assert chosen.strategy is not None
    grid = nodes if isinstance(nodes, FakeGrid) else FakeGrid(nodes)
    seen: list[int] = []

    def observe(number: int, weights: Mapping[str, Tensor]) -> None:
        seen.append(number)

    state = federate(grid, chosen.strategy.build(chosen.seed), chosen, folder, observe)
    return state, seen, grid


def lines(folder: Path) -> list[dict[str, Any]]:
    text = (folder / "rounds.jsonl").read_text(encoding="utf-8")
    return [json.loads(line) for line in text.split("\n") if line]


def test_rounds_move_the_weights(tmp_path: Path) -> None:
    start = Learner(config()).shared_state()
    # The mean of +1 (three recordings) and -3 (one) is 0; of +1 and +2, equal, is 1.5.
    state, seen, grid = run(tmp_path, {1: adds(1), 2: adds(2)})
    assert seen == [0, 1, 2, 3]
    assert grid.timeouts == [7, 7, 7]
    for name, tensor in state.weights.items():
        torch.testing.assert_close(tensor, start[name] + 4.5)
    found = checkpoints.read(tmp_path, config().digest)
    assert found is not None
    assert found.number == 3
    written = lines(tmp_path)
    assert [line["number"] for line in written] == [1, 2, 3]
    size = sum(t.numel() for t in start.values())
    assert written[0]["norm"] == pytest.approx(1.5 * size**0.5, rel=1e-5)
    assert written[0]["participants"][1] == {
        "name": "site-2", "recordings": 1, "steps": 2, "loss": 1.5, "update_norm": 0.5,
        "seconds": 0.1,
    }  # fmt: skip
    assert written[0]["bytes_down"] == written[0]["bytes_up"] > 2 * 4 * size


def test_weights_count(tmp_path: Path) -> None:
    start = Learner(config()).shared_state()
    state, _, _ = run(tmp_path, {1: adds(1, count=3), 2: adds(-3)})
    for name, tensor in state.weights.items():
        torch.testing.assert_close(tensor, start[name])


def test_a_finished_run_is_not_run_again(tmp_path: Path) -> None:
    first, _, _ = run(tmp_path, {1: adds(1)})
    again, seen, grid = run(tmp_path, {1: adds(1)})
    assert (seen, grid.timeouts) == ([3], [])
    assert same(first, again)


def same(first: Checkpoint, second: Checkpoint) -> bool:
    return first.weights.keys() == second.weights.keys() and all(
        torch.equal(tensor, second.weights[name]) for name, tensor in first.weights.items()
    )


class KilledError(Exception):
    """Stands for SIGKILL: nothing after it is run."""


def dies_at(number: int, amount: float) -> Node:
    node, calls = adds(amount), [0]

    def dying(message: Message) -> Message | None:
        calls[0] += 1
        if calls[0] == number:
            raise KilledError
        return node(message)

    return dying


def test_killed_within_a_round(tmp_path: Path) -> None:
    with pytest.raises(KilledError):
        run(tmp_path / "a", {1: adds(0.1), 2: dies_at(2, 0.7)})
    assert [line["number"] for line in lines(tmp_path / "a")] == [1]
    nodes = {1: adds(0.1), 2: adds(0.7)}
    state, seen, _ = run(tmp_path / "a", nodes)
    assert seen == [1, 2, 3]
    assert same(state, run(tmp_path / "b", nodes)[0])


def controls(amount: float) -> Node:
    """A node as `adds`, which also answers to SCAFFOLD's control variate."""
    plain = adds(amount)

    def node(message: Message) -> Message | None:
        reply = plain(message)
        assert reply is not None
        control = message.content.array_records.get("control", ArrayRecord())
        moved = {n: t / 2 + amount for n, t in control.to_torch_state_dict().items()}
        reply.content["control"] = ArrayRecord(moved)
        return reply

    return node


def dies_in(number: int, node: Node) -> Node:
    def dying(message: Message) -> Message | None:
        if message.content.config_records["config"]["server-round"] == number:
            raise KilledError
        return node(message)

    return dying


@pytest.mark.parametrize("strategy", ["fedadam", "scaffold"])
def test_a_server_with_a_memory_goes_on_as_if_never_killed(tmp_path: Path, strategy: str) -> None:
    chosen = config(f"strategy={strategy}", "rounds=5", "encoder.norm=batch")
    nodes = {1: controls(0.1), 2: controls(-0.3)}
    dying = {1: nodes[1], 2: dies_in(3, nodes[2])}
    whole, _, _ = run(tmp_path / "whole", nodes, chosen)
    for folder in ("killed", "forgot"):
        with pytest.raises(KilledError):
            run(tmp_path / folder, dying, chosen)
    state, seen, _ = run(tmp_path / "killed", nodes, chosen)
    assert seen == [2, 3, 4, 5]
    assert same(whole, state)
    assert state.strategy.keys() == whole.strategy.keys()
    assert all(torch.equal(t, whole.strategy[n]) for n, t in state.strategy.items())
    # A memory of parameters alone; without it the run would have gone another way.
    buffers = ("running_mean", "running_var", "num_batches_tracked")
    assert state.strategy
    assert not any(name.endswith(buffers) for name in state.strategy)
    found = checkpoints.read(tmp_path / "forgot", chosen.digest)
    assert found is not None
    checkpoints.write(tmp_path / "forgot", replace(found, strategy={}))
    forgot, _, _ = run(tmp_path / "forgot", nodes, chosen)
    assert not same(
        replace(forgot, weights=forgot.strategy), replace(whole, weights=whole.strategy)
    )


def test_arrays_beside_the_weights_are_counted(tmp_path: Path) -> None:
    run(tmp_path / "a", {1: controls(0.1)}, config("strategy=scaffold", "rounds=1"))
    run(tmp_path / "b", {1: adds(0.1)}, config("rounds=1"))
    (with_it,), (without,) = lines(tmp_path / "a"), lines(tmp_path / "b")
    # The default encoder has no buffers: there is a variate for all that travels.
    assert with_it["bytes_down"] == with_it["bytes_up"] == 2 * without["bytes_down"]


def test_what_a_client_does_not_tell_is_absent(tmp_path: Path) -> None:
    def silent(message: Message) -> Message | None:
        return Message(
            content(message.content.array_records["arrays"], {}, number=number_of(message)),
            reply_to=message,
        )

    run(tmp_path, {1: silent}, config("strategy.weighting=uniform"))
    (participant,) = lines(tmp_path)[0]["participants"]
    assert participant == {
        "name": "a site", "recordings": None, "steps": None, "loss": None,
        "update_norm": None, "seconds": None,
    }  # fmt: skip
    with pytest.raises(UserError, match=r"a site does not tell .* strategy\.weighting=uniform"):
        run(tmp_path / "b", {1: silent})


def test_too_few_replies_for_the_rule(tmp_path: Path) -> None:
    chosen = config("strategy=trimmed_mean")
    nodes: dict[int, Node] = {1: adds(1), 2: adds(2), 3: refuses}
    with pytest.raises(UserError, match=r"round 1: 2 usable reply\(ies\), but TrimmedMean"):
        run(tmp_path, nodes, chosen)
    assert checkpoints.read(tmp_path, chosen.digest) is None


@pytest.mark.parametrize("site", ["a ward", "separated\u2028by\u0085lines\x1d"])
def test_killed_between_the_line_and_the_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, site: str
) -> None:
    nodes = {1: adds(0.1, site=site), 2: adds(0.7)}
    write, calls = checkpoints.write, [0]

    def dying(folder: Path, checkpoint: Checkpoint) -> None:
        calls[0] += 1
        if calls[0] == 2:
            raise KilledError
        write(folder, checkpoint)

    with monkeypatch.context() as patched:
        patched.setattr(checkpoints, "write", dying)
        with pytest.raises(KilledError):
            run(tmp_path / "a", nodes)
    assert [line["number"] for line in lines(tmp_path / "a")] == [1, 2]
    state, seen, _ = run(tmp_path / "a", nodes)
    assert seen == [1, 2, 3]
    written = lines(tmp_path / "a")
    assert [line["number"] for line in written] == [1, 2, 3]
    assert {line["participants"][0]["name"] for line in written} == {site}
    assert same(state, run(tmp_path / "b", nodes)[0])


def test_a_torn_line_goes(tmp_path: Path) -> None:
    run(tmp_path, {1: adds(1)}, config("rounds=3"))
    path = tmp_path / "rounds.jsonl"
    whole = path.read_text()
    path.write_text(whole + '{"number": 4, "parti')
    run(tmp_path, {1: adds(1)})
    assert path.read_text() == whole


def test_lines_without_a_checkpoint_go(tmp_path: Path) -> None:
    (tmp_path / "rounds.jsonl").write_text("of some other run\n")
    run(tmp_path, {1: adds(1)})
    assert [line["number"] for line in lines(tmp_path)] == [1, 2, 3]


def test_all_fail(tmp_path: Path) -> None:
    def sends_nan(message: Message) -> Message | None:
        return adds(float("nan"))(message)

    nodes: dict[int, Node] = {1: refuses, 2: never, 3: sends_nan}
    with pytest.raises(UserError, match="round 1: no client's update can be used") as caught:
        run(tmp_path, nodes)
    for said in (
        "node 1: 1000: SiteError",
        "node 2: no reply in time",
        "node 3: values that are not finite",
    ):
        assert said in str(caught.value)
    assert checkpoints.read(tmp_path, config().digest) is None


def test_one_that_never_answers_and_one_that_refuses(tmp_path: Path) -> None:
    start = Learner(config()).shared_state()
    nodes: dict[int, Node] = {1: never, 2: adds(1), 3: refuses}
    state, _, _ = run(tmp_path, nodes)
    torch.testing.assert_close(state.weights, {name: tensor + 3 for name, tensor in start.items()})
    for line in lines(tmp_path):
        assert [p["name"] for p in line["participants"]] == ["site-2"]
        assert line["failures"] == [
            {"name": "node 1", "code": "no reply in time"},
            {"name": "node 3", "code": "1000: SiteError"},
        ]


def test_a_failing_node_is_called_by_its_name_once_it_is_known(tmp_path: Path) -> None:
    first, calls = adds(1, site="clinic"), [0]

    def falls_silent(message: Message) -> Message | None:
        calls[0] += 1
        return first(message) if calls[0] == 1 else None

    run(tmp_path, {1: falls_silent, 2: adds(1)})
    assert [line["failures"] for line in lines(tmp_path)] == [
        [],
        [{"name": "clinic", "code": "no reply in time"}],
        [{"name": "clinic", "code": "no reply in time"}],
    ]


def test_a_loss_that_is_not_finite_is_absent(tmp_path: Path) -> None:
    def diverged(message: Message) -> Message | None:
        weights = message.content.array_records["arrays"]
        metrics = {"num-examples": 1, "steps": 1, "loss": np.nan, "norm": np.inf, "seconds": 1.0}
        return Message(content(weights, metrics, number=number_of(message)), reply_to=message)

    run(tmp_path, {1: diverged})
    (participant,) = lines(tmp_path)[0]["participants"]
    assert participant["loss"] is participant["update_norm"] is None


def test_a_time_that_is_not_finite_is_no_crash(tmp_path: Path) -> None:
    def odd(message: Message) -> Message | None:
        weights = message.content.array_records["arrays"]
        metrics = {"num-examples": 1, "steps": 1, "seconds": np.nan}
        return Message(content(weights, metrics, number=number_of(message)), reply_to=message)

    nodes: dict[int, Node] = {1: odd, 2: adds(1)}
    run(tmp_path, nodes)
    assert len(lines(tmp_path)) == 3


def test_too_few_clients(tmp_path: Path) -> None:
    started = time.monotonic()
    with pytest.raises(UserError, match=r"1 client\(s\) connected after 0.05 s, at least 2") as e:
        run(tmp_path, {1: adds(1)}, config("strategy.minimum=2"))
    assert "strategy.minimum" in str(e.value)
    assert time.monotonic() - started < 5


def test_waits_for_those_who_come(tmp_path: Path) -> None:
    nodes = {1: adds(1), 2: adds(1)}
    grid = FakeGrid(nodes, connected=[0, 2])
    run(tmp_path, grid, config("strategy.minimum=2", "patience.connect=5"))
    assert [p["name"] for p in lines(tmp_path)[0]["participants"]] == ["site-1", "site-2"]


def test_all_leave_while_a_round_begins(tmp_path: Path) -> None:
    grid = FakeGrid({1: adds(1)}, connected=[1, 0])
    with pytest.raises(UserError, match="round 1: no client's update can be used"):
        run(tmp_path, grid)


def test_a_checkpoint_of_other_settings_is_refused(tmp_path: Path) -> None:
    run(tmp_path, {1: adds(1)})
    before = (tmp_path / checkpoints.NAME).read_bytes()
    with pytest.raises(UserError, match="resume with the settings"):
        run(tmp_path, {1: adds(1)}, config("rounds=4"))
    assert (tmp_path / checkpoints.NAME).read_bytes() == before


# -- signs of collapse -------------------------------------------------------------------


def lets_collapse(message: Message) -> Message:
    """A node whose weights say the same of every recording."""
    sent = message.content.array_records["arrays"].to_torch_state_dict()
    weights = ArrayRecord({name: 0 * tensor for name, tensor in sent.items()})
    metrics = {"num-examples": 1, "steps": 1}
    return Message(content(weights, metrics, number=number_of(message)), reply_to=message)


def looked_at(folder: Path) -> dict[int, bool]:
    """Rounds to whether the encoder was looked at after them; 0 is the start."""
    written = lines(folder)
    assert all(line["signs_before"] is None for line in written[1:])
    found = {line["number"]: line["signs"] is not None for line in written}
    return {0: written[0]["signs_before"] is not None, **found}


def test_the_encoder_is_looked_at_when_it_is_time_to(tmp_path: Path) -> None:
    run(tmp_path, {1: adds(0.01)}, config("evaluation.every=2", "rounds=5"))
    assert looked_at(tmp_path) == {0: True, 1: False, 2: True, 3: False, 4: True, 5: True}
    signs = lines(tmp_path)[4]["signs"]
    assert set(signs) == {"spread", "effective_rank", "alignment", "uniformity"}
    assert signs == asdict(Monitor(config()).look(checkpoint_of(tmp_path).weights))
    before = lines(tmp_path)[0]["signs_before"]
    assert before == asdict(Monitor(config()).look(Learner(config()).shared_state()))


def checkpoint_of(folder: Path) -> Checkpoint:
    digest = config("evaluation.every=2", "rounds=5").digest
    found = checkpoints.read(folder, digest)
    assert found is not None
    return found


def test_a_collapse_is_logged_against_the_start_also_after_a_kill(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    chosen = config("evaluation.every=1")
    with caplog.at_level(logging.WARNING, "fedbreath.server"):
        run(tmp_path / "well", {1: adds(0.01)}, chosen)
        assert caplog.messages == []
        with pytest.raises(KilledError):
            run(tmp_path / "ill", {1: adds(0.01), 2: dies_at(2, 0.01)}, chosen)
        start = lines(tmp_path / "ill")[0]["signs_before"]
        run(tmp_path / "ill", {1: lets_collapse}, chosen)
    assert lines(tmp_path / "ill")[0]["signs_before"] == start
    assert [m.partition(", ")[2] for m in caplog.messages] == [
        f"after round {n}: the representations have COLLAPSED "
        "(spread 0, below 0.01; effective rank 0, below 2)"
        for n in (2, 3)
    ]


def test_a_run_that_was_begun_before_anybody_looked_goes_on(tmp_path: Path) -> None:
    with pytest.raises(KilledError):
        run(tmp_path, {1: dies_at(2, 0.01)})
    path = tmp_path / "rounds.jsonl"
    (old,) = lines(tmp_path)
    path.write_text(json.dumps({k: v for k, v in old.items() if "signs" not in k}) + "\n")
    run(tmp_path, {1: adds(0.01)})
    assert [line.get("signs") is None for line in lines(tmp_path)] == [True, True, False]
