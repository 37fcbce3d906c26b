"""AUROC, and its uncertainty by a bootstrap over persons.

The area under the ROC curve is the probability that a random positive scores above a
random negative, ties counting half (Hanley and McNeil 1982). With several classes it is
the mean of one class against the rest. Recordings of one person are not independent, so
intervals resample persons (groups) with replacement, and all arms of a task share the
resamples, which makes their differences paired.
"""

from collections.abc import Sequence

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


def resamples(groups: Sequence[str], labels: Ints, count: int, seed: int) -> Floats:
    """Recording weights of `count` bootstrap samples over groups; (count, M).

    Samples in which a class is missing are drawn again: the AUROC is undefined there.

    Raises:
        ValueError: Fewer than two classes, or a class that hardly any sample contains.
    """
    names, position = np.unique(np.asarray(groups), return_inverse=True)
    rng = np.random.default_rng([seed, len(names)])
    classes = np.unique(labels)
    if len(classes) < 2:
        raise ValueError(f"AUROC needs two classes, got {len(classes)}")
    kept: list[Floats] = []
    for _ in range(20 * count):
        drawn = np.bincount(rng.integers(0, len(names), len(names)), minlength=len(names))
        weights = drawn[position].astype(np.float64)
        if all(weights[labels == k].any() for k in classes):
            kept.append(weights)
            if len(kept) == count:
                return np.stack(kept)
    raise ValueError("a class is missing from nearly every bootstrap sample")


def interval(draws: Floats) -> tuple[float, float]:
    """The central 95 % of bootstrap draws."""
    low, high = np.quantile(draws, [0.025, 0.975])
    return float(low), float(high)
