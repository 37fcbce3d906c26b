"""Weighted means of arrays: hand-sized numbers, exactness, and what is refused."""

import itertools

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from fedbreath.aggregation import weighted_mean


def client(*values: float) -> dict[str, NDArray[np.float32]]:
    return {"w": np.array(values, np.float32)}


def test_two_clients_by_hand() -> None:
    mean = weighted_mean([client(1, -2), client(4, 4)], [2, 1])
    np.testing.assert_array_equal(mean["w"], np.array([2, 0], np.float32))
    assert mean["w"].dtype == np.float32


def test_three_clients_by_hand() -> None:
    """(10 * 1 + 30 * 2 + 60 * 6) / 100 = 4.3"""
    mean = weighted_mean([client(1), client(2), client(6)], [10, 30, 60])
    np.testing.assert_array_equal(mean["w"], np.array([4.3], np.float32))


def test_batch_norm_statistics_are_averaged_and_its_counter_takes_the_greatest() -> None:
    first, second = torch.nn.BatchNorm1d(2), torch.nn.BatchNorm1d(2)
    second(torch.tensor([[1.0, 2.0], [3.0, 6.0]]))
    states = [{k: v.numpy() for k, v in m.state_dict().items()} for m in (first, second)]
    mean = weighted_mean(states, [1, 3])
    # Momentum 0.1: the second module's means are (0.2, 0.4), the first one's (0, 0).
    np.testing.assert_allclose(mean["running_mean"], [0.15, 0.3], rtol=1e-6)
    np.testing.assert_allclose(
        mean["running_var"], 0.25 + 0.75 * states[1]["running_var"], rtol=1e-6
    )
    assert mean["num_batches_tracked"] == 1
    first.load_state_dict({k: torch.from_numpy(v) for k, v in mean.items()})  # arrays all


@pytest.mark.parametrize("dtype", [np.float16, np.float32])
def test_equal_clients_give_back_exactly_what_they_sent(dtype: type[np.floating]) -> None:
    rng = np.random.default_rng(0)
    sent = {"w": (rng.normal(0, 1, 1000) * 10.0 ** rng.integers(-4, 4, 1000)).astype(dtype)}
    mean = weighted_mean([sent] * 7, rng.integers(1, 1000, 7).tolist())
    assert mean["w"].tobytes() == sent["w"].tobytes()


def test_float64_is_exact_to_rounding_only() -> None:
    sent = {"w": np.random.default_rng(0).normal(0, 1, 1000)}
    np.testing.assert_allclose(weighted_mean([sent] * 7, range(1, 8))["w"], sent["w"], rtol=1e-15)


def test_the_order_of_clients_changes_float32_by_no_more_than_the_last_digit() -> None:
    rng = np.random.default_rng(1)
    clients = [client(*rng.normal(0, 1, 500)) for _ in range(4)]
    weights = [3.0, 1.0, 7.0, 2.0]
    expected = weighted_mean(clients, weights)["w"]
    for order in itertools.permutations(range(4)):
        found = weighted_mean([clients[i] for i in order], [weights[i] for i in order])["w"]
        np.testing.assert_array_max_ulp(found, expected, 1)


@pytest.mark.parametrize("factor", [0.5, 3.0, 1e6])
def test_weights_are_relative(factor: float) -> None:
    clients = [client(1, 5), client(2, -3)]
    expected = weighted_mean(clients, [1, 2])["w"]
    np.testing.assert_array_max_ulp(weighted_mean(clients, [factor, 2 * factor])["w"], expected, 1)


def test_one_client_and_a_client_without_weight() -> None:
    np.testing.assert_array_equal(weighted_mean([client(1, 2)], [5])["w"], client(1, 2)["w"])
    np.testing.assert_array_equal(
        weighted_mean([client(1, 2), client(9, 9)], [5, 0])["w"], client(1, 2)["w"]
    )


def test_what_was_sent_is_left_alone() -> None:
    sent = client(1, 2)
    weighted_mean([sent, client(3, 4)], [1, 1])["w"][:] = 0
    np.testing.assert_array_equal(sent["w"], client(1, 2)["w"])


@pytest.mark.parametrize(
    ("clients", "weights", "sentence"),
    [
        ([], [], "no clients"),
        ([client(1)], [], "as many weights"),
        ([client(1)], [1, 1], "as many weights"),
        ([client(1), client(2)], [1, -1], "weights >= 0"),
        ([client(1), client(2)], [0, 0], "weights >= 0"),
        ([client(1), client(2)], [1, float("nan")], "weights >= 0"),
        ([client(1), client(2)], [1, float("inf")], "weights >= 0"),
        ([client(1), client(1, 2)], [1, 1], "client 1 names other arrays or shapes"),
        ([client(1), {"v": np.zeros(1)}], [1, 1], "client 1 names other arrays"),
        ([client(1), client(1), {}], [1, 1, 1], "client 2 names other arrays"),
    ],
)
def test_what_does_not_fit_is_refused(
    clients: list[dict[str, NDArray[np.float32]]], weights: list[float], sentence: str
) -> None:
    with pytest.raises(ValueError, match=sentence):
        weighted_mean(clients, weights)
