"""What a study of ``benchmarks.federation`` keeps of each run."""

from dataclasses import dataclass, field

from benchmarks.federation_grid import Run


@dataclass(frozen=True)
class Result:
    """What a run gave.

    Attributes:
        run: The run; others that are composed alike have the same result.
        overrides: What it was composed from.
        failed: Why it gave nothing; "" when it did.
        train_seconds: Processor time of training, of the session that finished it.
        score_seconds: Processor time of embedding and scoring.
        change: Root mean square change of a weight in a round, of the median client: the median
            over the rounds; 0 where nothing was told.
        notes: What a reader must know: collapse, fits that failed.
        draws: Task to the plain AUROC and then its bootstrap samples.
    """

    run: Run
    overrides: tuple[str, ...]
    failed: str = ""
    train_seconds: float = 0.0
    score_seconds: float = 0.0
    change: float = 0.0
    notes: tuple[str, ...] = ()
    draws: dict[str, tuple[float, ...]] = field(default_factory=dict)


def name_of(run: Run, config_digest: str, data_digest: str) -> str:
    """What a run's folder is called.

    >>> name_of(Run("test", "iid5", "local", site="client-01"), "ab", "cd")
    'local-client-01-ab-cd'
    """
    parts = (run.arm, run.site, config_digest, data_digest)
    return "-".join(part for part in parts if part)
