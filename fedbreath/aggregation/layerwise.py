"""L-DAWA: each client's layer counts by its angle to the global one (Rehman et al. 2023).

arXiv 2307.07393, "L-DAWA: Layer-wise Divergence Aware Weight Aggregation in Federated
Self-Supervised Visual Representation Learning". With K clients, for every layer l

    w_new[l] = 1/K * sum_k delta_k[l] * w_k[l],    delta_k[l] = cos(w[l], w_k[l])

where w is the global model that was sent. The sum is not normalised by the deltas, in the
paper's experiments as here: a layer that turns away from the global one also shrinks, and
clients that agree on new weights do not give back exactly these.

A layer is one array. Where the paper is silent: an array without axes counts fully, and so
does one whose global or own norm is zero (a bias at its start has no angle); a cosine that
rounding lifts above one is one; batch-norm statistics are averaged and not scaled, since a
variance that shrinks with an angle is no variance.
"""

from collections.abc import Collection, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fedbreath.aggregation import Arrays, Floats, by_array, check, weighted_sum


def divergence_weighted_mean(
    weights: Arrays, clients: Sequence[Arrays], buffers: Collection[str] = ()
) -> dict[str, NDArray[Any]]:
    """L-DAWA's mean of clients.

    Args:
        weights: The global weights that were sent.
        clients: At least one client's arrays.
        buffers: Names of statistics, which are averaged.

    Raises:
        ValueError: No clients, or names or shapes that differ.

    >>> sent = {"w": np.array([1.0, 0.0])}
    >>> turned, kept = {"w": np.array([0.0, 8.0])}, {"w": np.array([2.0, 0.0])}
    >>> divergence_weighted_mean(sent, [turned, kept])["w"].tolist()
    [1.0, 0.0]
    """
    check([weights, *clients])

    def rule(name: str, stack: list[NDArray[Any]]) -> Floats:
        plain = name in buffers or stack[0].ndim == 0
        cosines = [1.0 if plain else cosine(weights[name], array) for array in stack]
        # Divided last: equal clients that moved nowhere add up without rounding.
        return weighted_sum(stack, cosines) / len(stack)

    return by_array(clients, rule)


def cosine(first: NDArray[Any], second: NDArray[Any]) -> float:
    """Cosine of the angle between two arrays, at most one; one where an array is zero."""
    x, y = first.astype(np.float64).ravel(), second.astype(np.float64).ravel()
    norms = float(np.linalg.norm(x) * np.linalg.norm(y))
    return min(1.0, float(np.dot(x, y)) / norms) if norms else 1.0
