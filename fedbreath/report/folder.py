"""A run's folder: the only code that reads and writes its records.

Reading is strict. The logs and the scores may be absent only while ``finished`` in
run.json is null: of a run that is under way, or was interrupted, one sees what there is.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import TypeVar

from fedbreath.atomic import write_text
from fedbreath.errors import UserError
from fedbreath.report.decoding import RecordError, dumps, loads
from fedbreath.report.privacy_records import PrivacyRecord
from fedbreath.report.records import DataRecord, ProbeRecord, Records, RoundRecord, RunRecord
from fedbreath.report.score_records import ScoresRecord

R = TypeVar("R")

_FILES: dict[type, str] = {
    RunRecord: "run.json",
    DataRecord: "data.json",
    RoundRecord: "rounds.jsonl",
    ProbeRecord: "probes.jsonl",
    ScoresRecord: "scores.json",
    PrivacyRecord: "privacy.json",
}


def start(folder: Path, run: RunRecord) -> None:
    """Open a run's folder: write run.json and empty logs of rounds and probes.

    A resumed run calls `save` with its `RunRecord` instead, which leaves the logs alone.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for kind in (RoundRecord, ProbeRecord):
        (folder / _FILES[kind]).write_text("", encoding="utf-8")
    save(folder, run)


def save(folder: Path, record: RunRecord | DataRecord | ScoresRecord | PrivacyRecord) -> Path:
    """Write a record to its file in the folder, whole or not at all."""
    path = folder / _FILES[type(record)]
    write_text(path, dumps(record, indent=1) + "\n")
    return path


def append(folder: Path, record: RoundRecord | ProbeRecord) -> Path:
    """Add a line to the log of rounds or of probes."""
    path = folder / _FILES[type(record)]
    with path.open("a", encoding="utf-8") as log:
        log.write(dumps(record) + "\n")
    return path


def read(folder: Path) -> Records:
    """Read a run's folder.

    Raises:
        UserError: A file is missing or malformed; the text names it and what to do.
    """
    run = _read_one(folder, RunRecord)
    absent_is_fine = run.finished is None
    has_scores = (folder / _FILES[ScoresRecord]).exists() or not absent_is_fine
    return Records(
        run=run,
        data=_read_one(folder, DataRecord),
        rounds=tuple(_read_lines(folder, RoundRecord, absent_is_fine)),
        probes=tuple(_read_lines(folder, ProbeRecord, absent_is_fine)),
        scores=_read_one(folder, ScoresRecord) if has_scores else None,
        privacy=_read_one(folder, PrivacyRecord)
        if (folder / _FILES[PrivacyRecord]).exists()
        else None,
    )


def first_round(folder: Path) -> RoundRecord | None:
    """The record of a run's first round, None before there is one.

    Raises:
        UserError: It is malformed.
    """
    return next(_read_lines(folder, RoundRecord, absent_is_fine=True), None)


def last_round(folder: Path) -> RoundRecord | None:
    """The record of a run's last round, None before there is one.

    Raises:
        UserError: One is malformed.
    """
    last = None
    for last in _read_lines(folder, RoundRecord, absent_is_fine=True):  # noqa: B007 - the last
        pass
    return last


def _read_one(folder: Path, kind: type[R]) -> R:
    path = folder / _FILES[kind]
    return _parse(kind, _text(path), str(path))


def _read_lines(folder: Path, kind: type[R], absent_is_fine: bool) -> Iterator[R]:
    path = folder / _FILES[kind]
    if absent_is_fine and not path.exists():
        return
    # Not splitlines: a site's name may hold U+2028, which JSON need not escape.
    for number, line in enumerate(_text(path).split("\n"), start=1):
        if line.strip():
            yield _parse(kind, line, f"{path}, line {number}")


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise UserError(
            f"{path} is missing: name the folder of a run (the one that holds run.json), "
            "or run the simulation again"
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path} cannot be read ({error}): restore it, or run again") from error


def _parse(kind: type[R], text: str, where: str) -> R:
    try:
        return loads(kind, text)
    except RecordError as error:
        raise UserError(
            f"{where}: {error}; restore the file, or run the simulation again with this "
            "version of fedbreath"
        ) from error
