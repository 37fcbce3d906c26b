import itertools
from typing import Any

import numpy as np
import pytest
from flwr.app import ConfigRecord, Message
from numpy.typing import NDArray

from fedbreath.errors import UserError
from strategies.fedavg import Config, FedAvg
from strategies.replies import read
from tests.flower import FakeGrid, arrays, content, instruction, numbers, refusal, reply

Weights = dict[str, NDArray[Any]]


def weights(value: float, count: int = 0) -> Weights:
    return {
        "w": np.full((2,), value, np.float32),
        "bias": np.asarray(-value, np.float32),
        "batches": np.asarray(count, np.int64),
    }


def aggregate(*replies: Message) -> Weights:
    record, _ = FedAvg(Config(), seed=0).aggregate_train(1, replies)
    return numbers(record)


def called(config: Config, number: int, nodes: int = 10, seed: int = 0) -> list[int]:
    grid = FakeGrid(dict.fromkeys(range(1, nodes + 1), lambda _: None))
    made = FedAvg(config, seed).configure_train(number, arrays(weights(0)), ConfigRecord(), grid)
    return [message.metadata.dst_node_id for message in made]


def test_two_clients() -> None:
    # (3 * 1 + 1 * 5) / 4 = 2; counters take the greatest.
    mean = aggregate(reply(1, weights(1, 7), 3), reply(2, weights(5, 2), 1))
    assert mean["w"].tolist() == [2, 2]
    assert mean["bias"] == -2
    assert mean["batches"] == 7
    assert [mean[n].dtype.name for n in ("w", "bias", "batches")] == ["float32", "float32", "int64"]
    assert mean["bias"].shape == ()


def test_three_clients_and_what_is_told() -> None:
    # (1 * 8 + 2 * 2 + 5 * 4) / 8 = 4
    replies = [reply(1, weights(8), 1), reply(2, weights(2), 2), reply(3, weights(4), 5)]
    record, metrics = FedAvg(Config(), seed=0).aggregate_train(4, replies)
    assert numbers(record)["w"].tolist() == [4, 4]
    assert metrics is not None
    assert metrics["clients"] == 3


def test_both_interfaces_are_one_rule() -> None:
    replies = [reply(2, weights(8, 1), 1), reply(1, weights(2, 9), 2)]
    usable, _ = read(replies, arrays(weights(0)))
    strategy = FedAvg(Config(), seed=0)
    ours = strategy.advance(1, weights(0), strategy.combine(1, weights(0), usable))
    flowers = aggregate(*replies)
    assert ours.keys() == flowers.keys()
    for name, array in ours.items():
        np.testing.assert_array_equal(array, flowers[name])


def test_one_client_gives_back_what_it_sent() -> None:
    values = np.random.default_rng(0).normal(size=1000).astype(np.float32)
    assert aggregate(reply(5, {"w": values}, 17))["w"].tobytes() == values.tobytes()


def test_the_order_of_replies_changes_no_bit() -> None:
    rng = np.random.default_rng(1)
    # Values of very different size: a sum in another order would show.
    sent = {
        node: (rng.normal(size=500) * 10.0 ** rng.integers(-8, 8, 500)).astype(np.float32)
        for node in (3, 11, 2**63 + 1)
    }
    results = {
        aggregate(*(reply(n, {"w": sent[n]}, n % 100) for n in order))["w"].tobytes()
        for order in itertools.permutations(sent)
    }
    assert len(results) == 1


def silent(node: int, value: float) -> Message:
    """A reply that tells no number, as clients do under privacy."""
    sent = content(arrays(weights(value)), {}, f"site-{node}")
    return Message(sent, reply_to=instruction(node))


def test_uniform_asks_nobody_for_a_number() -> None:
    replies = [reply(1, weights(1), 99), silent(2, 5)]
    uniform = FedAvg(Config(weighting="uniform"), seed=0)
    record, _ = uniform.aggregate_train(1, replies)
    assert numbers(record)["w"].tolist() == [3, 3]
    with pytest.raises(UserError, match=r"site-2 does not tell .* strategy\.weighting=uniform"):
        aggregate(*replies)


def test_errors_and_malformed_replies_are_left_out() -> None:
    broken = reply(4, weights(100), 9)
    del broken.content["metrics"]
    mean = aggregate(refusal(2), reply(1, weights(1), 3), broken, reply(3, weights(5), 1))
    assert mean["w"].tolist() == [2, 2]


def test_nothing_usable_is_nothing() -> None:
    strategy = FedAvg(Config(), seed=0)
    assert strategy.aggregate_train(1, [refusal(1), refusal(2)]) == (None, None)
    assert strategy.aggregate_train(1, []) == (None, None)


def test_the_message_carries_weights_and_round() -> None:
    grid = FakeGrid(dict.fromkeys((8, 5), lambda _: None))
    sent = arrays(weights(3))
    made = list(FedAvg(Config(), seed=0).configure_train(6, sent, ConfigRecord(), grid))
    assert [m.metadata.dst_node_id for m in made] == [5, 8]
    for message in made:
        assert message.content.config_records["config"]["server-round"] == 6
        assert message.content.array_records["arrays"].object_id == sent.object_id


@pytest.mark.parametrize(
    ("fraction", "nodes", "count"), [(1, 10, 10), (0.3, 10, 3), (0.01, 10, 1), (0.5, 1, 1)]
)
def test_fraction(fraction: float, nodes: int, count: int) -> None:
    drawn = called(Config(fraction=fraction), 1, nodes)
    assert len(set(drawn)) == len(drawn) == count
    assert drawn == sorted(drawn)


@pytest.mark.parametrize(("cohort", "nodes", "count"), [(3, 10, 3), (10, 10, 10), (20, 10, 10)])
def test_a_cohort_is_a_number_of_clients(cohort: int, nodes: int, count: int) -> None:
    drawn = called(Config(cohort=cohort), 1, nodes)
    assert len(set(drawn)) == len(drawn) == count
    assert drawn == called(Config(fraction=count / nodes), 1, nodes)


def test_a_cohort_is_at_least_one_and_goes_with_no_fraction() -> None:
    with pytest.raises(ValueError, match="cohort must be >= 1 or null, got 0"):
        Config(cohort=0)
    with pytest.raises(ValueError, match=r"cohort=3 and fraction=0.5 both say"):
        Config(cohort=3, fraction=0.5)


def test_the_draw_depends_on_seed_and_round_alone() -> None:
    config = Config(fraction=0.3)
    draws = [called(config, n) for n in range(1, 30)]
    np.random.default_rng().random()
    assert draws == [called(config, n) for n in range(1, 30)]
    assert len({tuple(d) for d in draws}) > 10
    assert draws != [called(config, n, seed=1) for n in range(1, 30)]
    assert {node for d in draws for node in d} == set(range(1, 11))


def test_nobody_connected_is_nobody_called() -> None:
    assert called(Config(), 1, nodes=0) == []


@pytest.mark.parametrize("fraction", [0, -1, 1.01, float("nan")])
def test_fraction_out_of_range(fraction: float) -> None:
    with pytest.raises(ValueError, match="fraction must lie in"):
        Config(fraction=fraction)


def test_minimum_out_of_range() -> None:
    with pytest.raises(ValueError, match="minimum must be >= 1, got 0"):
        Config(minimum=0)
