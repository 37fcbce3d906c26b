"""What a study of ``benchmarks.objectives`` keeps in its folder: data, and a file a run."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypeVar

from benchmarks.objectives_grid import Run
from fedbreath.errors import UserError
from fedbreath.report.decoding import RecordError, loads
from fedbreath.report.score_records import SkippedTask, TaskFacts

R = TypeVar("R")


@dataclass(frozen=True)
class Dealt:
    """The data of a stage.

    Attributes:
        digest: Of every site's recordings, persons, labels and samples.
        persons: Who is scored on.
        clients: Sites that are trained on, and their training recordings.
        tasks: What is scored.
        skipped: What cannot be.
    """

    digest: str
    persons: Literal["test", "validation"]
    clients: dict[str, int]
    tasks: tuple[TaskFacts, ...]
    skipped: tuple[SkippedTask, ...]


@dataclass(frozen=True)
class Result:
    """What a run gave.

    Attributes:
        run: The run.
        overrides: What it was composed from.
        failed: Why it gave nothing; "" when it did.
        parameters: Weights of the encoder.
        dim: Length of an embedding.
        clients: Who trained.
        train_seconds: Processor time of training, of the session that finished it.
        score_seconds: Processor time of embedding and scoring.
        notes: What a reader must know: collapse, fits that failed.
        draws: Task to the plain AUROC and then its bootstrap samples.
    """

    run: Run
    overrides: tuple[str, ...]
    failed: str = ""
    parameters: int = 0
    dim: int = 0
    clients: tuple[str, ...] = ()
    train_seconds: float = 0.0
    score_seconds: float = 0.0
    notes: tuple[str, ...] = ()
    draws: dict[str, tuple[float, ...]] = field(default_factory=dict)


def name_of(run: Run, config_digest: str, data_digest: str) -> str:
    """What a run's result is called, and its folder while it is at work.

    >>> name_of(Run("screening", "untrained", "real", encoder="cnn"), "ab", "cd")
    'untrained-ab-cd'
    """
    what = run.objective if run.kind == "features" else run.kind
    return f"{what}-{config_digest}-{data_digest}"


def read(path: Path, kind: type[R]) -> R | None:
    """A record of the study, None where there is none yet.

    Raises:
        UserError: It cannot be read.
    """
    try:
        return loads(kind, path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, RecordError) as error:
        raise UserError(f"{path}: {error}; remove it, and it is made again") from None
