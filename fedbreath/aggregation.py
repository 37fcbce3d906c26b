"""Pure rules over the weights of several clients. NumPy in, NumPy out, no framework.

A client's weights are a mapping from name to array; all clients name the same arrays in
the same shapes. Rules take clients in a fixed order (the caller sorts them), sum in
float64 and return each array in its own type, so that the order in which replies arrive
changes nothing and equal clients give back exactly what they sent.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Arrays = Mapping[str, NDArray[Any]]


def weighted_mean(clients: Sequence[Arrays], weights: Sequence[float]) -> dict[str, NDArray[Any]]:
    """Federated averaging: ``sum_k w_k x_k / sum_k w_k`` (McMahan et al. 2017, algorithm 1).

    Floating-point arrays, batch-norm statistics among them, are averaged; counters and
    other integers (``num_batches_tracked``) take the greatest value.

    Args:
        clients: At least one client's arrays.
        weights: A non-negative weight for each, not all zero.

    Raises:
        ValueError: No clients, weights that do not fit, or names or shapes that differ.

    >>> weighted_mean([{"w": np.array([1.0])}, {"w": np.array([4.0])}], [2, 1])["w"].tolist()
    [2.0]
    """
    _check(clients, weights)
    shares = np.asarray(weights, np.float64) / np.sum(weights, dtype=np.float64)
    result: dict[str, NDArray[Any]] = {}
    for name, first in clients[0].items():
        stack = [client[name] for client in clients]
        if not np.issubdtype(first.dtype, np.floating):
            result[name] = np.asarray(np.maximum.reduce(stack))  # a counter has no axes
            continue
        total, scaled = np.zeros(first.shape, np.float64), np.empty(first.shape, np.float64)
        for array, share in zip(stack, shares, strict=True):
            total += np.multiply(array, share, out=scaled)
        result[name] = total.astype(first.dtype)
    return result


def _check(clients: Sequence[Arrays], weights: Sequence[float]) -> None:
    if not clients:
        raise ValueError("no clients to average")
    usable = all(weight >= 0 for weight in weights) and 0 < sum(weights) < np.inf
    if len(clients) != len(weights) or not usable:
        raise ValueError(f"{len(clients)} clients need as many weights >= 0, got {list(weights)}")
    shapes = {name: array.shape for name, array in clients[0].items()}
    for k, client in enumerate(clients[1:], 1):
        if {name: array.shape for name, array in client.items()} != shapes:
            raise ValueError(f"client {k} names other arrays or shapes than client 0")
