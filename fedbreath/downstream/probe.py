"""The linear probe: standardise, then L2-regularised logistic regression.

C is chosen inside the training groups, by AUROC over folds that keep a group (person)
together; the test groups are never looked at. Features are rotated onto the span of the
training set first: the solution is the same (the penalty is rotation-invariant and the
weights lie in that span) and the fit is faster where there are fewer recordings than
features.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from fedbreath.downstream.score import auroc

if TYPE_CHECKING:
    from sklearn.linear_model import LogisticRegression

# scikit-learn is imported where it is used: it takes 1.2 s, and a node that trains never
# probes.

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

#: Inverse regularisation strengths that are tried, weakest penalty last.
STRENGTHS = (1e-4, 1e-3, 1e-2, 1e-1, 1.0)

#: Folds over training groups in which C is chosen.
FOLDS = 4


def predict(
    train: NDArray[np.float32],
    labels: Ints,
    groups: Sequence[str],
    test: NDArray[np.float32],
    strengths: Sequence[float] = STRENGTHS,
) -> Floats:
    """Fit on the training recordings and score the test recordings.

    Args:
        train: Embeddings, shape (N, D).
        labels: Classes 0..K-1 that all occur, shape (N,).
        groups: The group of each training recording.
        test: Embeddings, shape (M, D).
        strengths: Values of C to choose from; a single one is taken as it is.

    Returns:
        Class scores, shape (M, K).
    """
    centre, scale = train.mean(axis=0, dtype=np.float64), train.std(axis=0, dtype=np.float64)
    # A constant feature says nothing; its rounding in float32 must not be blown up.
    scale[scale < np.maximum(1e-8, 1e-6 * np.abs(centre))] = 1.0
    inputs, outputs = (train - centre) / scale, (test - centre) / scale
    if inputs.shape[1] > inputs.shape[0]:
        _, _, rotation = np.linalg.svd(inputs, full_matrices=False)
        inputs, outputs = inputs @ rotation.T, outputs @ rotation.T
    best = strengths[0]
    if len(strengths) > 1:
        best = _choose(inputs, labels, groups, strengths)
    return _scores(_fit(inputs, labels, best), outputs)


def _choose(
    inputs: Floats, labels: Ints, groups: Sequence[str], strengths: Sequence[float]
) -> float:
    """The C with the best mean AUROC over folds; the strongest penalty among equals."""
    names = np.asarray(groups)
    smallest = min(len(set(names[labels == k])) for k in np.unique(labels))
    folds = min(FOLDS, smallest)
    if folds < 2:
        return strengths[len(strengths) // 2]
    from sklearn.model_selection import StratifiedGroupKFold  # noqa: PLC0415

    splitter = StratifiedGroupKFold(folds, shuffle=True, random_state=0)
    totals = np.zeros(len(strengths))
    for fit, held in splitter.split(inputs, labels, names):
        if len(np.unique(labels[fit])) < len(np.unique(labels)):
            continue
        if len(np.unique(labels[held])) < len(np.unique(labels)):
            continue
        for i, strength in enumerate(strengths):
            model = _fit(inputs[fit], labels[fit], strength)
            totals[i] += auroc(_scores(model, inputs[held]), labels[held])
    return strengths[int(totals.argmax())]


def _fit(inputs: Floats, labels: Ints, strength: float) -> LogisticRegression:
    from sklearn.exceptions import ConvergenceWarning  # noqa: PLC0415
    from sklearn.linear_model import LogisticRegression  # noqa: PLC0415

    with warnings.catch_warnings():
        # Weak penalties on separable data have no finite optimum near; AUROC has settled.
        warnings.simplefilter("ignore", ConvergenceWarning)
        return LogisticRegression(C=strength, max_iter=200, tol=1e-3).fit(inputs, labels)


def _scores(model: LogisticRegression, inputs: Floats) -> Floats:
    """Decision values, shape (M, K); for two classes the first is minus the second."""
    values = model.decision_function(inputs)
    return np.column_stack([-values, values]) if values.ndim == 1 else np.asarray(values)
