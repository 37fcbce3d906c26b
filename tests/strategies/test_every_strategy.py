"""What holds for every strategy there is a YAML of, whatever its rule."""

import itertools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from flwr.app import ConfigRecord, Message
from numpy.typing import NDArray

from fedbreath.config import choices, load
from fedbreath.errors import UserError
from fedbreath.guidance import Guidance
from server.app import PACKAGES
from strategies import Strategy
from strategies.replies import Reply, read
from tests.flower import FakeGrid, arrays, content, numbers

Weights = dict[str, NDArray[Any]]

NAMES = choices("strategy")

#: Their `combine` may be replaced by a noised uniform mean.
MEANS = {"fedavg", "fedavgm", "fedadam", "fedyogi", "fedprox", "fedema"}

#: Clients that agree on new weights do not give these back.
NOT_IDEMPOTENT = {"ldawa"}

#: What the server must remember, by the parts of its state.
REMEMBER = {
    "fedavgm": {"momentum"},
    "fedadam": {"first", "second"},
    "fedyogi": {"first", "second"},
    "scaffold": {"control"},
}

#: Replies that a rule needs by its YAML; the others need one.
NEED = {"trimmed_mean": 3, "krum": 5, "multi_krum": 5}

BUFFERS = frozenset({"norm.mean", "norm.var"})


def weights(seed: int) -> Weights:
    """A network's weights: all shapes and types that there are."""
    rng = np.random.default_rng(seed)
    return {
        "layer.weight": rng.normal(size=(3, 4)).astype(np.float32),
        "layer.bias": rng.normal(size=3).astype(np.float32),
        "scale": np.asarray(rng.normal(), np.float32),
        "half": rng.normal(size=5).astype(np.float16),
        "none": np.zeros((0, 2), np.float32),
        "norm.mean": rng.normal(size=3).astype(np.float32),
        "norm.var": rng.uniform(0.1, 2, size=3).astype(np.float32),
        "norm.count": np.asarray(rng.integers(0, 1000), np.int64),
    }


def make(name: str, *words: str, seed: int = 0) -> Strategy:
    component = load([f"strategy={name}", *words], PACKAGES).strategy
    assert component is not None
    strategy: Strategy = component.build(seed)
    strategy.buffers = BUFFERS
    return strategy


def answers(message: Message, sent: Weights, count: int) -> Message:
    """A client's reply: its weights, and what else was asked for, moved by a number."""
    node = message.metadata.dst_node_id
    records = content(arrays(sent), {"num-examples": count, "steps": 1}, f"site-{node}")
    for name, record in message.content.array_records.items():
        if name != "arrays":
            moved = {n: a + np.float32(0.1 * node) for n, a in numbers(record).items()}
            records[name] = arrays(moved)
    return Message(records, reply_to=message)


def replies(
    strategy: Strategy,
    number: int,
    old: Weights,
    sent: Sequence[Weights],
    order: Callable[[list[Message]], list[Message]] = list,
) -> list[Reply]:
    """A round's usable replies, as the server reads them."""
    grid = FakeGrid(dict.fromkeys(range(1, len(sent) + 1), lambda _: None))
    messages = list(strategy.configure_train(number, arrays(old), ConfigRecord(), grid))
    back = [answers(m, w, 3 + k) for k, (m, w) in enumerate(zip(messages, sent, strict=True))]
    beside = {n: r for n, r in messages[0].content.array_records.items() if n != "arrays"}
    usable, refused = read(order(back), arrays(old), beside)
    assert refused == {}
    return usable


def round_of(strategy: Strategy, number: int, old: Weights, sent: Sequence[Weights]) -> Weights:
    combined = strategy.combine(number, old, replies(strategy, number, old, sent))
    return strategy.advance(number, old, combined)


def same(first: Weights, second: Weights) -> bool:
    return first.keys() == second.keys() and all(
        (array.tobytes(), array.dtype, array.shape)
        == (second[name].tobytes(), second[name].dtype, second[name].shape)
        for name, array in first.items()
    )


CLIENTS = [weights(seed) for seed in range(1, 8)]
OLD = weights(0)


@pytest.mark.parametrize("name", NAMES)
def test_clients_that_moved_nowhere_move_nothing(name: str) -> None:
    strategy = make(name)
    combined = strategy.combine(1, OLD, replies(strategy, 1, OLD, [OLD] * 7))
    assert same(combined, OLD)
    assert same(strategy.advance(1, OLD, combined), OLD)


@pytest.mark.parametrize("name", NAMES)
def test_clients_that_agree_are_combined_to_what_they_sent(name: str) -> None:
    strategy, new = make(name), CLIENTS[0]
    combined = strategy.combine(1, OLD, replies(strategy, 1, OLD, [new] * 7))
    assert same(combined, new) == (name not in NOT_IDEMPOTENT)


@pytest.mark.parametrize("name", NAMES)
def test_the_order_of_arrival_changes_no_bit(name: str) -> None:
    found = []
    for seed in range(4):
        strategy, rng = make(name), np.random.default_rng(seed)

        def shuffled(messages: list[Message], rng: np.random.Generator = rng) -> list[Message]:
            return [messages[i] for i in rng.permutation(len(messages))]

        usable = replies(strategy, 1, OLD, CLIENTS, shuffled)
        found.append(strategy.advance(1, OLD, strategy.combine(1, OLD, usable)))
    assert all(same(found[0], other) for other in found[1:])


@pytest.mark.parametrize("name", NAMES)
def test_whoever_has_which_node_id_counts_alike(name: str) -> None:
    strategy = make(name)
    usable = replies(strategy, 1, OLD, CLIENTS)
    expected = strategy.combine(1, OLD, usable)
    for order in itertools.islice(itertools.permutations(usable), 0, 5040, 1000):
        for array, other in zip(
            expected.values(), strategy.combine(1, OLD, order).values(), strict=True
        ):
            np.testing.assert_allclose(array, other, rtol=1e-3 if array.dtype == "f2" else 1e-6)


@pytest.mark.parametrize("name", NAMES)
def test_names_shapes_and_types_stay_and_all_is_finite(name: str) -> None:
    strategy, current = make(name), OLD
    given = [{n: a.copy() for n, a in w.items()} for w in (OLD, *CLIENTS)]
    for number in range(1, 4):
        current = round_of(strategy, number, current, CLIENTS)
        assert {n: (a.shape, a.dtype) for n, a in current.items()} == {
            n: (a.shape, a.dtype) for n, a in OLD.items()
        }
        assert all(np.isfinite(array).all() for array in current.values())
    assert all(same(a, b) for a, b in zip(given, (OLD, *CLIENTS), strict=True))


@pytest.mark.parametrize("name", NAMES)
def test_statistics_keep_to_what_clients_sent(name: str) -> None:
    """A variance stays between the clients' own and the old one: no step, no scaling."""
    strategy, current = make(name), OLD
    for number in range(1, 4):
        sent = [*CLIENTS, current]
        current = round_of(strategy, number, current, CLIENTS)
        for buffer in BUFFERS:
            stack = np.stack([w[buffer] for w in sent])
            assert (current[buffer] >= stack.min(0) - 1e-6).all()
            assert (current[buffer] <= stack.max(0) + 1e-6).all()
        assert int(current["norm.count"]) in {int(w["norm.count"]) for w in sent}


@pytest.mark.parametrize("name", NAMES)
def test_one_reply_is_enough_or_refused_with_a_sentence(name: str) -> None:
    strategy = make(name)
    if name not in NEED:
        new = round_of(strategy, 1, OLD, CLIENTS[:1])
        assert all(np.isfinite(array).all() for array in new.values())
        return
    with pytest.raises(UserError, match=r"round 1: 1 client\(s\) called, but \w+ with strategy\."):
        round_of(strategy, 1, OLD, CLIENTS[:1])
    usable = replies(strategy, 1, OLD, CLIENTS)
    for found in range(1, NEED[name]):
        with pytest.raises(UserError, match=rf"round 2: {found} usable .* least {NEED[name]} "):
            strategy.combine(2, OLD, usable[:found])
    assert strategy.combine(2, OLD, usable[: NEED[name]])


@pytest.mark.parametrize("name", NAMES)
def test_the_state_goes_out_and_comes_in(name: str) -> None:
    strategy, current = make(name), OLD
    assert strategy.state() == {}
    for number in (1, 2):
        current = round_of(strategy, number, current, CLIENTS)
    state = {n: a.copy() for n, a in strategy.state().items()}
    assert {n.partition(".")[0] for n in state} == REMEMBER.get(name, set())
    assert all(np.isfinite(array).all() for array in state.values())
    again = make(name)
    again.restore(state)
    assert same(again.state(), state)
    expected = round_of(strategy, 3, current, CLIENTS[::-1])
    assert same(round_of(again, 3, current, CLIENTS[::-1]), expected)
    if name in REMEMBER:  # it matters
        assert not same(strategy.state(), state)
    again.restore({})
    assert same(round_of(again, 1, OLD, CLIENTS), round_of(make(name), 1, OLD, CLIENTS))


@pytest.mark.parametrize("name", NAMES)
def test_which_privacy_it_goes_with_is_said(name: str) -> None:
    said = type(make(name)).central_privacy
    assert (said == "") == (name in MEANS)
    assert not said.endswith(".")  # it stands within a sentence


@pytest.mark.parametrize("name", sorted(MEANS))
def test_means_can_be_uniform_and_then_ask_for_no_number(name: str) -> None:
    strategy = make(name, "strategy.weighting=uniform")
    usable = replies(strategy, 1, OLD, CLIENTS)
    for reply in usable:
        reply.metrics.clear()
    combined = strategy.combine(1, OLD, usable)
    for key in ("layer.weight", "norm.mean"):
        expected = np.mean([w[key] for w in CLIENTS], axis=0, dtype=np.float64)
        np.testing.assert_allclose(combined[key], expected, rtol=1e-6)
    with pytest.raises(UserError, match=r"set strategy\.weighting=uniform"):
        make(name).combine(1, OLD, usable)


@pytest.mark.parametrize("name", NAMES)
def test_a_message_asks_for_nothing_that_a_client_does_not_know(name: str) -> None:
    grid = FakeGrid(dict.fromkeys(range(1, 8), lambda _: None))
    for message in make(name).configure_train(3, arrays(OLD), ConfigRecord(), grid):
        settings = message.content.config_records["config"]
        assert settings["server-round"] == 3
        asked = Guidance.read(dict(settings))
        assert (asked.proximal > 0, asked.ema > 0) == (name == "fedprox", name == "fedema")


@pytest.mark.parametrize("name", NAMES)
def test_flowers_interface_is_the_same_rule(name: str) -> None:
    strategy: Any = make(name)
    expected = round_of(make(name), 1, OLD, CLIENTS)
    grid = FakeGrid(dict.fromkeys(range(1, 8), lambda _: None))
    messages = strategy.configure_train(1, arrays(OLD), ConfigRecord(), grid)
    back = [answers(m, w, 3 + k) for k, (m, w) in enumerate(zip(messages, CLIENTS, strict=True))]
    record, metrics = strategy.aggregate_train(1, back[::-1])
    assert same(numbers(record), expected)
    assert metrics["clients"] == 7
    assert strategy.aggregate_train(2, []) == (None, None)
