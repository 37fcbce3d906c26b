"""Signs of collapse: what a batch of embeddings says about itself, without labels.

A self-supervised loss can be low while every recording has nearly the same embedding, or
embeddings that use a few directions only. Four numbers show it; none needs a label. Each
is a statistic of many recordings: under privacy they belong on public sound, or on
released weights.

All take embeddings of shape (N, D) and compute in double precision. `warning` judges two of
them, spread and effective rank, beside those of the network before training.
"""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

#: Below these an encoder has collapsed, whatever it started from: directions that lie within
#: half a degree of each other, and fewer directions than two.
LEAST_SPREAD, LEAST_RANK = 0.01, 2.0

#: And below this share of what it started with. Half would be too strict: early in contrastive
#: training spread falls to an eighth of the untrained network's and comes back, and an encoder
#: that has learnt may use a third of the directions of one that has not.
LEAST_SHARE = 0.1


@dataclass(frozen=True)
class Signs:
    """The four numbers of one encoder; null where they are not finite.

    Attributes:
        spread: `spread` of the embeddings.
        effective_rank: `effective_rank` of the embeddings.
        alignment: `alignment` of two views of each sound.
        uniformity: `uniformity` of the embeddings.
    """

    spread: float | None
    effective_rank: float | None
    alignment: float | None
    uniformity: float | None


def signs(first: Tensor, second: Tensor) -> Signs:
    """All four numbers of the embeddings of two views.

    Args:
        first: Embeddings of one view of each sound, shape (N, D), N at least 2.
        second: Those of another view, in the same order.

    Raises:
        ValueError: No batches of embeddings, of different shape, or of one sound.
    """
    # Infinity would become a direction of its own, and NaN stops the decomposition.
    if not (torch.isfinite(first).all() and torch.isfinite(second).all()):
        return Signs(None, None, None, None)
    return Signs(spread(first), effective_rank(first), alignment(first, second), uniformity(first))


def warning(now: Signs, start: Signs | None = None) -> str:
    """Why an encoder's representations count as collapsed; "" where they do not.

    Spread and effective rank are judged, against `LEAST_SPREAD` and `LEAST_RANK` and against
    `LEAST_SHARE` of the start's. Alignment and uniformity are not: which values are good
    hangs on the sounds and on the views.

    Args:
        now: The encoder in question.
        start: The same network before training; None judges by the fixed bounds alone.

    >>> warning(Signs(0.3, 20.0, 0.1, -2.0), Signs(0.25, 50.0, 0.02, -0.4))
    ''
    >>> warning(Signs(0.004, 20.0, 0.0, 0.0))
    'spread 0.004, below 0.01'
    """
    before = start or Signs(None, None, None, None)
    judged = (
        ("spread", LEAST_SPREAD, now.spread, before.spread),
        ("effective rank", LEAST_RANK, now.effective_rank, before.effective_rank),
    )
    found = []
    for name, least, value, was in judged:
        if value is None:
            return "embeddings that are not finite"
        if value < least:
            found.append(f"{name} {value:.2g}, below {least:g}")
        elif was is not None and value < LEAST_SHARE * was:
            found.append(f"{name} {value:.2g}, below a tenth of the {was:.2g} at the start")
    return "; ".join(found)


def spread(embeddings: Tensor) -> float:
    """Standard deviation of the embeddings on the unit sphere, times the root of D.

    Each embedding is divided by its length; the standard deviation over recordings is
    meaned over dimensions (Chen and He, CVPR 2021, figure 2, who do not scale it). About 1
    where directions are spread evenly, 0 where all are the same.

    Raises:
        ValueError: No batch of embeddings.

    >>> round(spread(torch.tensor([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [0.0, -1.0]])), 6)
    1.0
    """
    unit = F.normalize(_batch(embeddings), dim=1)
    return float(unit.std(dim=0, correction=0).mean() * unit.shape[1] ** 0.5)


def effective_rank(embeddings: Tensor) -> float:
    """Number of directions in use: exp of the entropy of the singular values' shares.

    Roy and Vetterli, EUSIPCO 2007: with singular values s_k of the embeddings, here less
    their mean, and p_k = s_k / sum s, exp(-sum p_k ln p_k). From 1, all on a line, to
    min(N - 1, D). 0 where all are alike: there is no direction.

    Raises:
        ValueError: No batch of embeddings.

    >>> round(effective_rank(torch.eye(5)), 6)  # five corners span four dimensions
    4.0
    """
    given = _batch(embeddings)
    values = torch.linalg.svdvals(given - given.mean(dim=0))
    # What rounding leaves of equal rows is no direction. They came in as single precision.
    least = torch.finfo(torch.float32).eps * given.abs().max() * max(given.shape) ** 0.5
    values = values[values > least]
    if not len(values):
        return 0.0
    shares = values / values.sum()
    return float(torch.exp(-(shares * shares.log()).sum()))


def alignment(first: Tensor, second: Tensor) -> float:
    """Mean squared distance on the unit sphere of two views of each recording; 0 to 4.

    Wang and Isola, ICML 2020 (arXiv 2005.10242), equation 9 with alpha 2. Small is good
    only beside a low `uniformity`: a collapsed encoder has 0.

    Raises:
        ValueError: No batches of embeddings, or of different shape.

    >>> alignment(torch.tensor([[2.0, 0.0]]), torch.tensor([[0.0, 3.0]]))
    2.0
    """
    if first.shape != second.shape:
        raise ValueError(
            f"two views must have one shape, got {tuple(first.shape)} and {tuple(second.shape)}"
        )
    left, right = (F.normalize(_batch(view), dim=1) for view in (first, second))
    return float((left - right).square().sum(dim=1).mean())


def uniformity(embeddings: Tensor) -> float:
    """Log of the mean Gaussian potential of all pairs on the unit sphere; -8 to 0.

    Wang and Isola, equation 10 with t 2: ln mean_{i < j} exp(-2 |x_i - x_j|^2). 0 where all
    are the same, about -4 where high-dimensional directions are spread evenly.

    Raises:
        ValueError: Fewer than two embeddings.

    >>> round(uniformity(torch.tensor([[1.0, 0.0], [0.0, 1.0]])), 6)  # squared distance 2
    -4.0
    """
    given = _batch(embeddings)
    if len(given) < 2:
        raise ValueError(f"uniformity needs two embeddings or more, got {len(given)}")
    squares = torch.pdist(F.normalize(given, dim=1)).square()
    return float(torch.logsumexp(-2 * squares, dim=0) - torch.tensor(len(squares)).double().log())


def _batch(embeddings: Tensor) -> Tensor:
    if embeddings.ndim != 2 or 0 in embeddings.shape:
        raise ValueError(f"embeddings must have the shape (N, D), got {tuple(embeddings.shape)}")
    return embeddings.detach().double()
