"""Scores for choosing, test persons left alone.

On validation persons where the run has some (``split.validation``): neither the encoder nor
the probe was trained on them. Else cross-validated over training persons, whom the encoder
was trained on.
"""

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import StratifiedGroupKFold

from fedbreath.downstream import benchmark, probe
from fedbreath.downstream.benchmark import Pool, TaskData
from fedbreath.downstream.score import auroc

#: Tasks on which choices are made.
TASKS = ("sprsound_adventitious", "coswara_cough_vs_breath", "covid19_cough_status")

FOLDS = 4


def chosen_by(pool: Pool, vectors: NDArray[np.float32]) -> list[float]:
    """AUROC of each task that a choice may be made by."""
    if pool.persons == "validation":
        scores = benchmark.score(pool, vectors, controls=False).scores
        return list(benchmark.values(pool, scores).values())
    return [cross_validated(data, vectors) for data in pool.tasks]


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
