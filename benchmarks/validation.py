"""Scores for choosing: cross-validated over training persons, test persons left alone."""

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import StratifiedGroupKFold

from fedbreath.downstream import probe
from fedbreath.downstream.benchmark import TaskData
from fedbreath.downstream.score import auroc

#: Tasks on which choices are made.
TASKS = ("sprsound_adventitious", "coswara_cough_vs_breath", "covid19_cough_status")

FOLDS = 4


def cross_validated(data: TaskData, vectors: NDArray[np.float32]) -> float:
    """Mean AUROC of the probe over folds of the task's training persons."""
    inside = ~data.test
    rows, labels = data.rows[inside], data.labels[inside]
    groups = np.asarray(data.groups_of(inside))
    splitter = StratifiedGroupKFold(FOLDS, shuffle=True, random_state=1)
    values = []
    for fit, held in splitter.split(rows, labels, groups):
        scores = probe.predict(
            vectors[rows[fit]], labels[fit], list(groups[fit]), vectors[rows[held]]
        )
        values.append(auroc(scores, labels[held]))
    return float(np.mean(values))
