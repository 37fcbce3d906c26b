import copy

import numpy as np
import pytest
from flwr.app import ArrayRecord, ConfigRecord, Context, Error, Message, RecordDict
from flwr.clientapp import ClientApp

from simulation.grid import SERVER, InProcessGrid
from tests.flower import arrays, numbers


def contexts(*nodes: int) -> dict[int, Context]:
    return {n: Context(1, n, {"partition-id": n}, RecordDict(), {}) for n in nodes}


def content() -> RecordDict:
    weights = arrays({"w": np.zeros(3, np.float32)})
    return RecordDict({"arrays": weights, "config": ConfigRecord({"server-round": 1})})


def messages(grid: InProcessGrid, *nodes: int) -> list[Message]:
    """One record for all, as a strategy sends it."""
    shared = content()
    return [grid.create_message(shared, "train", node, group_id="1") for node in nodes]


def echo() -> ClientApp:
    app = ClientApp()

    @app.train()
    def train(message: Message, context: Context) -> Message:
        return Message(message.content, reply_to=message)

    return app


def test_replies_come_in_the_order_of_sending() -> None:
    told: list[int] = []
    grid = InProcessGrid(echo(), contexts(1, 2, 3), told.append)
    sent = messages(grid, 3, 1, 2)
    replies = list(grid.send_and_receive(sent, timeout=0.0))
    assert told == [3, 1, 2]
    assert [r.metadata.src_node_id for r in replies] == [3, 1, 2]
    assert {r.metadata.dst_node_id for r in replies} == {SERVER}
    for asked, answer in zip(sent, replies, strict=True):
        assert answer.metadata.reply_to_message_id == asked.metadata.message_id
    assert len({m.metadata.message_id for m in (*sent, *replies)}) == 6


def test_all_nodes_are_connected() -> None:
    grid = InProcessGrid(echo(), contexts(4, 2))
    assert list(grid.get_node_ids()) == [4, 2]
    assert grid.run.run_id == 1


def test_a_client_cannot_change_what_the_next_one_gets() -> None:
    seen: list[tuple[list[float], int, list[str]]] = []
    app = ClientApp()

    @app.train()
    def train(message: Message, context: Context) -> Message:
        content = message.content
        weights = content.array_records["arrays"]
        number = content.config_records["config"]["server-round"]
        assert isinstance(number, int)
        seen.append((weights["w"].numpy().tolist(), number, sorted(content)))
        weights["w"] = arrays({"w": np.full(3, 9, np.float32)})["w"]
        weights["mine"] = weights["w"]
        content.config_records["config"]["server-round"] = 99
        content["note"] = ConfigRecord({"for": "the next one"})
        return Message(content, reply_to=message)

    grid = InProcessGrid(app, contexts(1, 2, 3))
    sent = messages(grid, 1, 2, 3)
    replies = list(grid.send_and_receive(sent))
    assert seen == [([0, 0, 0], 1, ["arrays", "config"])] * 3
    # What each sent back is its own, and what the server holds is as it was.
    assert [numbers(r.content.array_records["arrays"])["w"][0] for r in replies] == [9, 9, 9]
    assert sent[0].content.object_id == content().object_id


def test_changing_a_reply_changes_no_message() -> None:
    grid = InProcessGrid(echo(), contexts(1))
    (sent,) = messages(grid, 1)
    before = copy.deepcopy(sent.content)
    (answer,) = grid.send_and_receive([sent])
    answer.content["arrays"] = ArrayRecord()
    assert sent.content == before


def test_each_node_has_its_own_context() -> None:
    app = ClientApp()

    @app.train()
    def train(message: Message, context: Context) -> Message:
        context.state["rounds"] = ConfigRecord({"id": context.node_id})
        return Message(RecordDict(), reply_to=message)

    own = contexts(1, 2)
    grid = InProcessGrid(app, own)
    list(grid.send_and_receive(messages(grid, 1, 2)))
    assert [own[n].state.config_records["rounds"]["id"] for n in (1, 2)] == [1, 2]


def test_errors_come_back_as_errors() -> None:
    app = ClientApp()

    @app.train()
    def train(message: Message, context: Context) -> Message:
        return Message(Error(1000, "SiteError"), reply_to=message)

    grid = InProcessGrid(app, contexts(1))
    (answer,) = grid.send_and_receive(messages(grid, 1))
    assert answer.has_error()
    assert answer.metadata.src_node_id == 1


def test_a_defect_keeps_its_traceback() -> None:
    app = ClientApp()

    @app.train()
    def train(message: Message, context: Context) -> Message:
        raise ZeroDivisionError("a defect")

    grid = InProcessGrid(app, contexts(1))
    with pytest.raises(ZeroDivisionError, match="a defect"):
        list(grid.send_and_receive(messages(grid, 1)))


def test_a_reply_can_be_had_once() -> None:
    grid = InProcessGrid(echo(), contexts(1, 2))
    ids = list(grid.push_messages(messages(grid, 1, 2)))
    assert len(set(ids)) == 2
    assert len(list(grid.pull_messages(ids[:1]))) == 1
    assert list(grid.pull_messages(ids[:1])) == []
    assert len(list(grid.pull_messages([*ids, "message-77"]))) == 1
