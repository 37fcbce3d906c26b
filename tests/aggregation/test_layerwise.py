"""L-DAWA by hand, and where it must not act."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from fedbreath.aggregation import weighted_mean
from fedbreath.aggregation.layerwise import cosine, divergence_weighted_mean


def model(*w: float, b: float = 0.0, mean: float = 0.0, count: int = 0) -> dict[str, NDArray[Any]]:
    return {
        "w": np.array(w, np.float32),
        "b": np.asarray(b, np.float32),
        "mean": np.array([mean, 1], np.float32),
        "count": np.asarray(count, np.int64),
    }


def test_two_clients_by_hand() -> None:
    # cos((3, 4), (4, 3)) = 24 / 25; the other turned by 90 degrees, and counts nothing.
    found = divergence_weighted_mean(model(3, 4), [model(4, 3, count=2), model(-8, 6, count=5)])
    np.testing.assert_allclose(found["w"], [0.96 * 4 / 2, 0.96 * 3 / 2], rtol=1e-6)
    assert found["count"] == 5


def test_layers_are_weighed_apart() -> None:
    sent = {"a": np.array([1.0, 0.0]), "b": np.array([0.0, 2.0])}
    turned = {"a": np.array([0.0, 1.0]), "b": np.array([0.0, 3.0])}
    found = divergence_weighted_mean(sent, [turned])
    assert found["a"].tolist() == [0, 0]
    assert found["b"].tolist() == [0, 3]


def test_an_opposite_layer_counts_negatively() -> None:
    found = divergence_weighted_mean(model(1, 0), [model(-2, 0), model(2, 0)])
    assert found["w"].tolist() == [2, 0]


def test_length_does_not_count_and_nothing_is_normalised() -> None:
    found = divergence_weighted_mean(model(1, 1), [model(10, 10), model(2, 2)])
    np.testing.assert_allclose(found["w"], [6, 6], rtol=1e-6)
    # Two who agree on a turn of 60 degrees halve the layer.
    turned = model(float(np.cos(np.pi / 3)), float(np.sin(np.pi / 3)))
    found = divergence_weighted_mean(model(1, 0), [turned, turned])
    np.testing.assert_allclose(found["w"], turned["w"] / 2, rtol=1e-6)


def test_what_was_sent_comes_back_bit_for_bit() -> None:
    rng = np.random.default_rng(0)
    sent = {"w": (rng.normal(size=1000) * 10.0 ** rng.integers(-4, 4, 1000)).astype(np.float32)}
    found = divergence_weighted_mean(sent, [sent] * 7)
    assert found["w"].tobytes() == sent["w"].tobytes()


def test_scalars_zeros_and_statistics_are_averaged() -> None:
    clients = [model(1, 0, b=-3, mean=5), model(0, 0, b=1, mean=-5)]
    sent = model(0, 0, b=1, mean=5)
    found = divergence_weighted_mean(sent, clients, buffers={"mean"})
    plain = weighted_mean(clients, [1, 1])
    for name in sent:
        np.testing.assert_array_equal(found[name], plain[name])


def test_a_cosine_is_at_most_one() -> None:
    rng = np.random.default_rng(1)
    arrays = [rng.normal(size=rng.integers(1, 50)) for _ in range(200)]
    assert all(cosine(a, a * 3) <= 1 for a in arrays)
    assert min(cosine(a, a * 3) for a in arrays) > 1 - 1e-12


def test_other_names_are_refused() -> None:
    with pytest.raises(ValueError, match="other arrays or shapes"):
        divergence_weighted_mean(model(1, 2), [model(1)])
    with pytest.raises(ValueError, match="names other arrays"):
        divergence_weighted_mean({}, [model(1)])
