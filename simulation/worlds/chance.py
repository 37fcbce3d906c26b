"""Draws that are pure functions: of a seed, what is drawn, a client's number and a time.

Nothing is kept about a client, so a population of any size costs nothing while it is away, and
whoever asks, in whatever order and after whatever restart, is told the same.
"""

import hashlib
from statistics import NormalDist

import numpy as np
from numpy.typing import ArrayLike, NDArray

_NORMAL = NormalDist()


def uniform(seed: int, what: str, client: ArrayLike, moment: ArrayLike = 0) -> NDArray[np.float64]:
    """Numbers in (0, 1), one for each client and moment.

    The finaliser of SplitMix64 (Steele, Lea and Flood, OOPSLA 2014) over each part in turn.

    Args:
        seed: The run's.
        what: What is drawn.
        client: Numbers of clients.
        moment: Numbers of rounds, nights or the like; broadcast against the clients.

    >>> bool(uniform(0, "speed", 7) == uniform(0, "speed", [3, 7])[1])
    True
    """
    key = hashlib.sha256(f"{seed}\x1f{what}".encode()).digest()
    state: NDArray[np.uint64] = np.array(int.from_bytes(key[:8], "little"), dtype=np.uint64)
    with np.errstate(over="ignore"):
        for part in (client, moment):
            state = _mixed(state ^ _mixed(np.asarray(part).astype(np.int64).astype(np.uint64)))
    # 53 bits, and half a step, so that neither 0 nor 1 occurs.
    return np.asarray(((state >> np.uint64(11)).astype(np.float64) + 0.5) * 2.0**-53)


def log_normal(seed: int, what: str, client: int, spread: float) -> float:
    """A factor with median 1; `spread` is the standard deviation of its logarithm."""
    drawn = float(uniform(seed, what, client))
    return float(np.exp(spread * _NORMAL.inv_cdf(drawn)))


def _mixed(value: NDArray[np.uint64]) -> NDArray[np.uint64]:
    mixed = value + np.uint64(0x9E3779B97F4A7C15)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    found: NDArray[np.uint64] = mixed ^ (mixed >> np.uint64(31))
    return found
