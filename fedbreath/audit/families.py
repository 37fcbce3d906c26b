"""Batches and canaries that the search for a broken bound begins with.

A batch decides what a further unit can do: where all are alike, all pull in one direction
and one that differs may turn them all; where they cancel, it may tip the balance.
"""

from collections.abc import Callable, Mapping

import numpy as np

from fedbreath.audit import Floats, Summed

Units = list[Floats]


def drawn(summed: Summed, pieces: int, rng: np.random.Generator) -> Floats:
    """A unit: each piece has a spectrum of its own, which drifts."""
    shape = (pieces, *summed.shape)
    flat = rng.normal(0, 1, (pieces, 1, *summed.shape[1:]))
    drift = rng.normal(0, 0.3, shape).cumsum(axis=1) / 4
    return (flat + drift).astype(np.float32)


def _sizes(summed: Summed, count: int) -> list[int]:
    return [summed.pieces[i % len(summed.pieces)] for i in range(count)]


def _random(summed: Summed, count: int, rng: np.random.Generator) -> Units:
    return [drawn(summed, pieces, rng) for pieces in _sizes(summed, count)]


def _identical(summed: Summed, count: int, rng: np.random.Generator) -> Units:
    one = drawn(summed, 1, rng)
    return [np.repeat(one, pieces, axis=0) for pieces in _sizes(summed, count)]


def _antipodal(summed: Summed, count: int, rng: np.random.Generator) -> Units:
    return [unit * (-1) ** i for i, unit in enumerate(_identical(summed, count, rng))]


def _duplicates(summed: Summed, count: int, rng: np.random.Generator) -> Units:
    some = _random(summed, -(-count // 2), rng)
    return (some + some)[:count]


def _silence(summed: Summed, count: int, rng: np.random.Generator) -> Units:
    return [np.full_like(unit, summed.silent) for unit in _random(summed, count, rng)]


def _loud(summed: Summed, count: int, rng: np.random.Generator) -> Units:
    return [400 * unit for unit in _random(summed, count, rng)]


def _faint(summed: Summed, count: int, rng: np.random.Generator) -> Units:
    return [np.float32(1e-3) * unit for unit in _random(summed, count, rng)]


#: What the others are.
FAMILIES: Mapping[str, Callable[[Summed, int, np.random.Generator], Units]] = {
    "random": _random,
    "identical": _identical,
    "antipodal": _antipodal,
    "duplicates": _duplicates,
    "silence": _silence,
    "norms x 400": _loud,
    "norms x 0.001": _faint,
}

#: What the unit more or less is.
CANARIES = ("another", "opposite", "huge", "silent", "duplicate")


def canary(kind: str, summed: Summed, others: Units, new: Floats) -> Floats:
    """One of `CANARIES`, with as many pieces as `new`, a unit that nothing is known of."""
    if kind == "opposite":
        return -_as_many(others[0], len(new))
    if kind == "huge":
        return 400 * new
    if kind == "silent":
        return np.full_like(new, summed.silent)
    if kind == "duplicate":
        return _as_many(others[0], len(new)).copy()
    return new


def _as_many(unit: Floats, pieces: int) -> Floats:
    return unit[np.arange(pieces) % len(unit)]


def climbed(start: Floats, others: Units, width: float, rng: np.random.Generator) -> Floats:
    """A step of the ascent: most often noise on everything, else a leap.

    Args:
        start: The canary that it starts from.
        others: Of the batch; some leaps are towards them and away from them.
        width: Of the noise, relative to the start's own size.
        rng: Draws the step.
    """
    size = float(np.sqrt(np.mean(np.square(start, dtype=np.float64)))) or 1.0
    kind = rng.integers(8)
    if kind == 0:
        return start * np.float32(rng.choice([-1, 0.25, 0.5, 2, 4]))
    if kind == 1:
        other = _as_many(others[int(rng.integers(len(others)))], len(start))
        return start + np.float32(rng.choice([-1, -width, width, 1])) * other
    # Noise of one frame's shape moves the spectrum, noise of all cells its course.
    shape = (len(start), 1, *start.shape[2:]) if kind < 5 else start.shape
    noise = rng.standard_normal(shape).astype(np.float32)
    return (start + np.float32(width * size) * noise).astype(np.float32)
