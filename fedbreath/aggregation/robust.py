"""Rules that bear hostile clients: median, trimmed mean, Krum, multi-Krum, norm bounding.

They count every client once: a client that lies about its weights lies about its number of
recordings too. Floating-point buffers are treated as weights, since a hostile client may
send any of either; integer counters take the greatest value of the clients that are used.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fedbreath.aggregation import Arrays, Floats, by_array, check, is_float, weighted_mean


def median(clients: Sequence[Arrays]) -> dict[str, NDArray[Any]]:
    """The median of each coordinate (Yin et al. 2018, arXiv 1803.01498, definition 1).

    It bears fewer hostile clients than half. With an even number of clients it is the mean
    of the two in the middle.

    Raises:
        ValueError: No clients, or names or shapes that differ.

    >>> median([{"w": np.array([v])} for v in (1.0, 2.0, 900.0)])["w"].tolist()
    [2.0]
    """
    check(clients)
    return by_array(clients, lambda _, stack: np.median(_stacked(stack), axis=0))


def trimmed_mean(clients: Sequence[Arrays], byzantine: int) -> dict[str, NDArray[Any]]:
    """The mean of each coordinate without its extremes (Yin et al. 2018, definition 2).

    Of n clients' values the `byzantine` greatest and as many least are left out: their
    share beta of each end is byzantine / n.

    Args:
        clients: More than twice as many as may be hostile.
        byzantine: Clients that may be hostile.

    Raises:
        ValueError: Too few clients, or names or shapes that differ.

    >>> values = (-900.0, 1.0, 2.0, 3.0, 900.0)
    >>> trimmed_mean([{"w": np.array([v])} for v in values], 1)["w"].tolist()
    [2.0]
    """
    check(clients)
    _enough(len(clients), 2 * byzantine + 1, byzantine)

    def rule(_: str, stack: list[NDArray[Any]]) -> Floats:
        kept = np.sort(_stacked(stack), axis=0)[byzantine : len(stack) - byzantine]
        return np.asarray(np.add.reduce(kept, axis=0) / len(kept))

    return by_array(clients, rule)


def krum_scores(clients: Sequence[Arrays], byzantine: int) -> Floats:
    """Krum's score of each client (Blanchard et al. 2017, arXiv 1703.02757, section 4).

    With n clients of which f may be hostile, ``s(i) = sum_j ||x_i - x_j||^2`` over the
    n - f - 2 clients j that are closest to i. The distance is over all floating-point
    arrays together, in float64 and from differences: from norms and inner products of
    float32 weights little of a small distance would be left.

    Raises:
        ValueError: Fewer than 2 f + 3 clients, or names or shapes that differ.
    """
    check(clients)
    _enough(len(clients), 2 * byzantine + 3, byzantine)
    count = len(clients)
    distances = np.zeros((count, count))
    for name, first in clients[0].items():
        if not is_float(first):
            continue
        flat = [client[name].astype(np.float64).ravel() for client in clients]
        for i in range(count):
            for j in range(i + 1, count):
                difference = flat[i] - flat[j]
                distances[i, j] += np.dot(difference, difference)
    distances += distances.T
    np.fill_diagonal(distances, np.inf)
    return np.asarray(np.sort(distances, axis=1)[:, : count - byzantine - 2].sum(axis=1))


def krum(clients: Sequence[Arrays], byzantine: int) -> dict[str, NDArray[Any]]:
    """The client with the least score, as it is; of equals the first.

    Raises:
        ValueError: As for `krum_scores`.
    """
    return multi_krum(clients, byzantine, 1)


def multi_krum(
    clients: Sequence[Arrays], byzantine: int, keep: int | None = None
) -> dict[str, NDArray[Any]]:
    """The mean of the clients with the least scores (Blanchard et al. 2017, section 4).

    Args:
        clients: At least twice as many as may be hostile, and three.
        byzantine: Clients that may be hostile.
        keep: Clients to average; None is the most that keeps the guarantee,
            n - f - 2 (El Mhamdi et al. 2018, arXiv 1802.07927).

    Raises:
        ValueError: Too few clients, `keep` out of range, or names or shapes that differ.
    """
    scores = krum_scores(clients, byzantine)
    most = len(clients) - byzantine - 2
    keep = most if keep is None else keep
    if not 1 <= keep <= most:
        raise ValueError(f"keep must lie in 1 to {most}, got {keep}")
    chosen = sorted(np.argsort(scores, kind="stable")[:keep])
    return weighted_mean([clients[i] for i in chosen], [1.0] * keep)


def norm_bounded_mean(
    weights: Arrays, clients: Sequence[Arrays], bound: float | None = None
) -> dict[str, NDArray[Any]]:
    """The mean of updates of bounded norm (Sun et al. 2019, arXiv 1911.07963, section 4).

    ``w + 1/n * sum_k (x_k - w) * min(1, bound / ||x_k - w||)``: nobody moves the mean
    farther than bound / n.

    Args:
        weights: The global weights w that were sent.
        clients: At least one client's arrays.
        bound: Of the Euclidean norm over all floating-point arrays; None is the median of
            the clients' norms, as in FLAME (Nguyen et al. 2022, arXiv 2101.02281).

    Raises:
        ValueError: No clients, or names or shapes that differ.

    >>> sent, far, near = ({"w": np.array([v])} for v in (0.0, 8.0, 1.0))
    >>> norm_bounded_mean(sent, [far, near], bound=2.0)["w"].tolist()
    [1.5]
    """
    check([weights, *clients])
    norms = [update_norm(weights, client) for client in clients]
    bound = float(np.median(norms)) if bound is None else bound
    kept = [min(1.0, bound / norm) if norm else 1.0 for norm in norms]
    # The same as a weighted mean of the clients and the old weights; an update that is
    # short enough enters it without rounding.
    return weighted_mean([*clients, weights], [*kept, sum(1.0 - share for share in kept)])


def update_norm(weights: Arrays, client: Arrays) -> float:
    """Euclidean norm of a client's change over all floating-point arrays."""
    squares = (
        float(np.square(client[name].astype(np.float64) - array.astype(np.float64)).sum())
        for name, array in weights.items()
        if is_float(array)
    )
    return float(np.sqrt(sum(squares)))


def _stacked(stack: Sequence[NDArray[Any]]) -> Floats:
    return np.stack(stack).astype(np.float64)


def _enough(found: int, least: int, byzantine: int) -> None:
    if byzantine < 0:
        raise ValueError(f"byzantine must be >= 0, got {byzantine}")
    if found < least:
        raise ValueError(f"byzantine={byzantine} needs at least {least} clients, got {found}")
