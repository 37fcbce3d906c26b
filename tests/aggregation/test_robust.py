"""Rules against hostile clients: hand-sized numbers, other libraries, what is refused."""

from typing import Any

import numpy as np
import pytest
from flwr.app import Array, ArrayRecord, MetricRecord, RecordDict
from flwr.serverapp.strategy.multikrum import select_multikrum
from numpy.typing import NDArray
from scipy.stats import trim_mean

from fedbreath.aggregation import robust, weighted_mean

Client = dict[str, NDArray[Any]]


def client(*values: float, count: int = 0) -> Client:
    return {"w": np.array(values, np.float32), "count": np.asarray(count, np.int64)}


def drawn(count: int, seed: int = 0) -> list[Client]:
    rng = np.random.default_rng(seed)
    return [
        {"w": rng.normal(size=(3, 5)).astype(np.float32), "b": rng.normal(size=2)}
        for _ in range(count)
    ]


#: In one dimension; with f = 1 a score counts the two nearest of five.
LINE = [client(value, count=k) for k, value in enumerate([0, 1, 2.5, 4, 1000])]


def test_median_of_three_and_of_two() -> None:
    found = robust.median([client(1, 5, count=2), client(2, -900, count=9), client(900, 7)])
    assert found["w"].tolist() == [2, 5]
    assert found["count"] == 9
    assert robust.median([client(1), client(4)])["w"].tolist() == [2.5]


def test_trimmed_mean_by_hand_and_by_scipy() -> None:
    # Without the least and the greatest: (1 + 2.5 + 4) / 3.
    found = robust.trimmed_mean(LINE, 1)
    assert found["w"].tolist() == [2.5]
    assert found["count"] == 4
    clients = drawn(10)
    found = robust.trimmed_mean(clients, 2)
    for name in ("w", "b"):
        expected = trim_mean(np.stack([c[name].astype(np.float64) for c in clients]), 0.2)
        np.testing.assert_allclose(found[name], expected, rtol=1e-6)


def test_trimming_nobody_is_the_mean() -> None:
    clients = drawn(4)
    expected = weighted_mean(clients, [1] * 4)
    for name, array in robust.trimmed_mean(clients, 0).items():
        np.testing.assert_allclose(array, expected[name], rtol=1e-6)


def test_krum_by_hand() -> None:
    # To the two nearest: 1 + 6.25; 1 + 2.25; 2.25 + 2.25; 2.25 + 9; 996^2 + 997.5^2.
    scores = robust.krum_scores(LINE, 1)
    np.testing.assert_array_equal(scores, [7.25, 3.25, 4.5, 11.25, 996**2 + 997.5**2])
    assert robust.krum(LINE, 1)["w"].tolist() == [1]
    assert robust.krum(LINE, 1)["count"] == 1  # of whom was chosen
    # The two best of n - f - 2 = 2: (1 + 2.5) / 2.
    assert robust.multi_krum(LINE, 1)["w"].tolist() == [1.75]
    assert robust.multi_krum(LINE, 1)["count"] == 2
    assert robust.multi_krum(LINE, 1, keep=1)["w"].tolist() == [1]


def test_krum_gives_back_bit_for_bit_and_takes_the_first_of_equals() -> None:
    clients = drawn(7)
    chosen = int(np.argmin(robust.krum_scores(clients, 2)))
    for name, array in robust.krum(clients, 2).items():
        assert array.tobytes() == clients[chosen][name].tobytes()
    twins = [client(0, count=1), client(0, count=2), client(5)]
    assert robust.krum(twins, 0)["count"] == 1


@pytest.mark.parametrize(("byzantine", "keep"), [(1, 1), (2, 1), (2, 3), (0, 5)])
def test_krum_chooses_whom_flower_chooses(byzantine: int, keep: int) -> None:
    clients = drawn(9, seed=byzantine + keep)
    contents = [
        RecordDict(
            {
                "arrays": ArrayRecord({n: Array(a.astype(np.float64)) for n, a in c.items()}),
                "metrics": MetricRecord({"place": k}),
            }
        )
        for k, c in enumerate(clients)
    ]
    theirs = select_multikrum(contents, byzantine, keep)
    places = sorted(int(c["metrics"]["place"]) for c in theirs)  # type: ignore[arg-type]
    expected = weighted_mean([clients[p] for p in places], [1] * keep)
    for name, array in robust.multi_krum(clients, byzantine, keep).items():
        np.testing.assert_array_equal(array, expected[name])


def test_krum_sees_small_distances_between_large_weights() -> None:
    """Norms and products of float32 would give noise: 10^8 + 10^8 - 2 * 10^8 to 8 each."""
    clients = [client(10_000 + 0.01 * v) for v in (0, 1, 2.5, 4, 60)]
    assert robust.krum(clients, 1)["w"][0] == np.float32(10_000.01)


def test_norm_bounding_by_hand() -> None:
    sent = client(1, 1)
    # Changes (3, 4) of norm 5, and (0, 1): bounded by 2 they are (1.2, 1.6) and (0, 1).
    replies = [client(4, 5, count=3), client(1, 2, count=1)]
    found = robust.norm_bounded_mean(sent, replies, 2.0)
    np.testing.assert_allclose(found["w"], [1.6, 2.3], rtol=1e-6)
    assert found["count"] == 3
    # The median of the norms 5 and 1 is 3: (1.8, 2.4) and (0, 1).
    found = robust.norm_bounded_mean(sent, replies)
    np.testing.assert_allclose(found["w"], [1.9, 2.7], rtol=1e-6)


def test_short_updates_are_the_mean_bit_for_bit() -> None:
    clients = drawn(5)
    expected = weighted_mean(clients, [1] * 5)
    for name, array in robust.norm_bounded_mean(drawn(1, 9)[0], clients, 1e6).items():
        assert array.tobytes() == expected[name].tobytes()


def test_nobody_moves_the_mean_farther_than_its_share() -> None:
    sent = client(0, 0)
    honest = [client(0, 1), client(1, 0)]
    without = robust.norm_bounded_mean(sent, [*honest, sent], 1.5)["w"]
    with_it = robust.norm_bounded_mean(sent, [*honest, client(-9e9, 9e9)], 1.5)["w"]
    assert np.linalg.norm(with_it - without) == pytest.approx(1.5 / 3)


def test_nobody_moved() -> None:
    sent = drawn(1)[0]
    for name, array in robust.norm_bounded_mean(sent, [sent, sent]).items():
        np.testing.assert_array_equal(array, sent[name])


@pytest.mark.parametrize("seed", range(5))
def test_two_hostile_of_seven_do_no_harm(seed: int) -> None:
    """The mean goes where the two want; these stay among the honest."""
    rng = np.random.default_rng(seed)
    sent = client(*np.zeros(50))
    honest = [client(*rng.normal(1, 0.1, 50)) for _ in range(5)]
    all_of_them = [*honest, client(*np.full(50, -100.0)), client(*rng.normal(0, 100, 50))]
    rng.shuffle(all_of_them)
    assert np.linalg.norm(weighted_mean(all_of_them, [1] * 7)["w"] - 1) > 100
    for found in (
        robust.median(all_of_them),
        robust.trimmed_mean(all_of_them, 2),
        robust.krum(all_of_them, 2),
        robust.multi_krum(all_of_them, 2),
        robust.norm_bounded_mean(sent, all_of_them),
    ):
        assert np.linalg.norm(found["w"] - 1) < np.linalg.norm(sent["w"] - 1)


@pytest.mark.parametrize(
    ("rule", "sentence"),
    [
        (lambda: robust.trimmed_mean(LINE[:2], 1), "byzantine=1 needs at least 3 clients, got 2"),
        (lambda: robust.krum(LINE[:4], 1), "byzantine=1 needs at least 5 clients, got 4"),
        (lambda: robust.krum(LINE[:2], 0), "byzantine=0 needs at least 3 clients, got 2"),
        (lambda: robust.krum(LINE, -1), "byzantine must be >= 0, got -1"),
        (lambda: robust.multi_krum(LINE, 1, 3), "keep must lie in 1 to 2, got 3"),
        (lambda: robust.median([]), "no clients"),
        (lambda: robust.median([client(1), client(1, 2)]), "other arrays or shapes"),
        (lambda: robust.norm_bounded_mean(client(1), [client(1, 2)]), "other arrays or shapes"),
    ],
)
def test_what_does_not_fit_is_refused(rule: Any, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        rule()
