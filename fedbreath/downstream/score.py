"""AUROC, and its uncertainty by a bootstrap over persons.

The area under the ROC curve is the probability that a random positive scores above a
random negative, ties counting half (Hanley and McNeil 1982). With several classes it is
the mean of one class against the rest. Recordings of one person are not independent, so
intervals resample persons (groups) with replacement, and all arms of a task share the
resamples, which makes their differences paired.
"""

from collections.abc import Collection, Sequence

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


def auroc(scores: Floats, labels: Ints) -> float:
    """AUROC of class scores of shape (M, K) against classes 0..K-1 of shape (M,).

    >>> auroc(np.array([[1.0, 0.0], [0.0, 1.0]]), np.array([0, 1]))
    1.0
    """
    return float(weighted_auroc(scores, labels, np.ones((1, len(labels))))[0])


def weighted_auroc(scores: Floats, labels: Ints, weights: Floats) -> Floats:
    """AUROC under each row of recording weights.

    Args:
        scores: Shape (M, K).
        labels: Shape (M,); every class 0..K-1 occurs.
        weights: Shape (R, M).

    Returns:
        Shape (R,); NaN where a class has no weight.
    """
    classes = range(1, 2) if scores.shape[1] == 2 else range(scores.shape[1])
    areas = []
    for k in classes:
        positive = labels == k
        column = scores[:, k]
        above = np.sign(column[positive][:, None] - column[~positive][None, :]) / 2 + 0.5
        won = np.einsum(
            "rp,pn,rn->r", weights[:, positive], above, weights[:, ~positive], optimize=True
        )
        pairs = weights[:, positive].sum(axis=1) * weights[:, ~positive].sum(axis=1)
        with np.errstate(invalid="ignore", divide="ignore"):
            areas.append(won / pairs)
    mean: Floats = np.mean(areas, axis=0)
    return mean


def resamples(
    groups: Sequence[str],
    labels: Ints,
    count: int,
    seed: int | Sequence[int],
    everyone: Collection[str] = (),
) -> Floats:
    """Recording weights of `count` bootstrap samples over groups; (count, M).

    Samples in which a class is missing are drawn again: the AUROC is undefined there.

    Args:
        groups: Of each recording, shape (M,).
        labels: Classes, shape (M,).
        count: Samples.
        seed: Of the draws.
        everyone: The groups that are drawn from, by default those of the recordings. Tasks
            that name the same ones meet the same samples, but for those drawn again.

    Raises:
        ValueError: Fewer than two classes, or a class that hardly any sample contains.
    """
    names = np.unique([*groups, *everyone])
    position = np.searchsorted(names, np.asarray(groups))
    classes = np.unique(labels)
    if len(classes) < 2:
        raise ValueError(f"AUROC needs two classes, got {len(classes)}")
    shared, again = (np.random.default_rng([*np.atleast_1d(seed), len(names), k]) for k in (0, 1))
    kept: list[Floats] = []
    left = 20 * count
    for _ in range(count):
        weights = _drawn(shared, len(names))[position]
        while any(not weights[labels == k].any() for k in classes):
            if left == 0:
                raise ValueError("a class is missing from nearly every bootstrap sample")
            left -= 1
            weights = _drawn(again, len(names))[position]
        kept.append(weights)
    return np.stack(kept)


def _drawn(rng: np.random.Generator, count: int) -> Floats:
    """How often each of `count` groups is in one sample of as many."""
    return np.bincount(rng.integers(0, count, count), minlength=count).astype(np.float64)


def interval(draws: Floats) -> tuple[float, float]:
    """The central 95 % of bootstrap draws."""
    low, high = np.quantile(draws, [0.025, 0.975])
    return float(low), float(high)
