"""Pure rules over the weights of several clients. NumPy in, NumPy out, no framework.

A client's weights are a mapping from name to array; all clients name the same arrays in
the same shapes. Rules take clients in a fixed order (the caller sorts them), sum in
float64 and return each array in its own type, so that the order in which replies arrive
changes nothing and equal clients give back exactly what they sent.

One rule holds for what is no parameter, in this package as a whole: counters and other
integers (``num_batches_tracked``) take the greatest value; floating-point buffers
(batch-norm statistics) are averaged, or, where a rule defends against hostile clients,
treated as weights are; no server optimiser steps them.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Arrays = Mapping[str, NDArray[Any]]
Floats = NDArray[np.float64]


def weighted_mean(clients: Sequence[Arrays], weights: Sequence[float]) -> dict[str, NDArray[Any]]:
    """Federated averaging: ``sum_k w_k x_k / sum_k w_k`` (McMahan et al. 2017, algorithm 1).

    Args:
        clients: At least one client's arrays.
        weights: A non-negative weight for each, not all zero.

    Raises:
        ValueError: No clients, weights that do not fit, or names or shapes that differ.

    >>> weighted_mean([{"w": np.array([1.0])}, {"w": np.array([4.0])}], [2, 1])["w"].tolist()
    [2.0]
    """
    check(clients)
    usable = all(weight >= 0 for weight in weights) and 0 < sum(weights) < np.inf
    if len(clients) != len(weights) or not usable:
        raise ValueError(f"{len(clients)} clients need as many weights >= 0, got {list(weights)}")
    shares = np.asarray(weights, np.float64) / np.sum(weights, dtype=np.float64)
    return by_array(clients, lambda _, stack: weighted_sum(stack, shares))


def weighted_sum(stack: Sequence[NDArray[Any]], shares: Sequence[float] | Floats) -> Floats:
    """``sum_k s_k x_k`` in float64, one client after another: no copy of all clients."""
    total, scaled = np.zeros(stack[0].shape, np.float64), np.empty(stack[0].shape, np.float64)
    for array, share in zip(stack, shares, strict=True):
        total += np.multiply(array, share, out=scaled)
    return total


def by_array(
    clients: Sequence[Arrays], rule: Callable[[str, list[NDArray[Any]]], Floats]
) -> dict[str, NDArray[Any]]:
    """Apply a rule to each floating-point array; integers take the greatest value.

    Args:
        clients: At least one client's arrays, which fit one another.
        rule: Name of an array and the clients' values of it to one value.
    """
    result: dict[str, NDArray[Any]] = {}
    for name, first in clients[0].items():
        stack = [client[name] for client in clients]
        if is_float(first):
            result[name] = np.asarray(rule(name, stack)).astype(first.dtype)
        else:
            result[name] = np.asarray(np.maximum.reduce(stack))  # a counter has no axes
    return result


def is_float(array: NDArray[Any]) -> bool:
    """Whether an array holds floating-point numbers: weights, or statistics."""
    return np.issubdtype(array.dtype, np.floating)


def check(clients: Sequence[Arrays]) -> None:
    """Refuse clients that do not name the same arrays in the same shapes.

    Raises:
        ValueError: They do not, or there are none.
    """
    if not clients:
        raise ValueError("no clients to average")
    shapes = {name: array.shape for name, array in clients[0].items()}
    for k, client in enumerate(clients[1:], 1):
        if {name: array.shape for name, array in client.items()} != shapes:
            raise ValueError(f"client {k} names other arrays or shapes than client 0")
