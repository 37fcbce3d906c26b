"""An append-only file of JSON lines in which nothing can be changed or taken back unseen.

Each line carries the SHA-256 of the line before it and its own. An older file is a valid
chain, too: that is why the head, how many lines there are and the last one's SHA-256, is
also kept in copies elsewhere. A line is on the disk, and its head in every copy, before
`append` returns. Hence the rules of a crash:

- a last line without its end was never acted upon: it is dropped, if no copy knows it;
- a file that is one line ahead of a copy was interrupted between the two: the line counts,
  and the copy is brought up to date;
- anything else is a file that was changed, taken back or forked, and is refused.

Losing the file and every copy at once cannot be seen.
"""

import hashlib
import json
import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from fedbreath.atomic import write_json
from fedbreath.errors import LedgerError
from fedbreath.lock import locked

Record = dict[str, Any]

#: How many lines, and the last one's SHA-256.
Head = tuple[int, str]
NOTHING: Head = (0, "0" * 64)


def _line(record: Record) -> bytes:
    """The one way in which a record is written."""
    text = json.dumps(
        record, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    )
    return text.encode() + b"\n"


def _sealed(record: Record) -> Record:
    """The record with its own SHA-256, which is over all the rest of it."""
    return {**record, "sha256": hashlib.sha256(_line(record)).hexdigest()}


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


class Chain:
    """One chained file and the copies of its head.

    Args:
        path: The file.
        copies: Where its head is kept, too; at least one should be on another disk.
        wait: How long to wait for another process, s.
    """

    def __init__(self, path: Path, copies: Sequence[Path], wait: float = 30.0) -> None:
        self.path = path
        self.copies = tuple(copies)
        self.wait = wait
        self._records: list[Record] = []
        self._length = 0

    @contextmanager
    def held(self, *, only_look: bool = False) -> Iterator[list[Record]]:
        """Hold the chain against every other process; gives its records, verified.

        The copies are locked, too: two copies of the file that share one take turns, and
        the second finds a head that is not its own.

        Args:
            only_look: Leave a copy that is one line behind as it is.

        Raises:
            LedgerError: The chain is broken, or behind or beside a copy of its head.
            UserError: Another process holds it.
        """
        with ExitStack() as stack:
            for path in (self.path, *self.copies):
                stack.enter_context(locked(path.with_name(f".{path.name}.lock"), self.wait))
            self._records, self._length = read(self.path)
            stale = [copy for copy in self.copies if self._lag(copy)]
            for copy in stale if not only_look else ():
                self._keep_head(copy)
            yield self._records

    def append(self, content: Record) -> Record:
        """Write one record through to the disk, then its head to every copy.

        Only inside `held`.

        Raises:
            LedgerError: It cannot be written. The record may count nevertheless.
        """
        count, sha256 = self._head()
        record = _sealed({**content, "number": count + 1, "previous": sha256})
        line = _line(record)
        try:
            descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.truncate(self._length)
                file.seek(self._length)
                file.write(line)
                file.flush()
                os.fsync(file.fileno())
            _sync_folder(self.path.parent)
        except OSError as error:
            raise LedgerError(f"{self.path} cannot be written: {error.strerror}") from None
        self._records.append(record)
        self._length += len(line)
        for copy in self.copies:
            self._keep_head(copy)
        return record

    def _head(self) -> Head:
        return head(self._records)

    def _lag(self, copy: Path) -> int:
        """How many lines a copy of the head has yet to hear of: 0 or 1."""
        count, sha256 = _kept(copy)
        if count > len(self._records):
            raise LedgerError(
                f"{self.path} has {len(self._records)} records, {copy} knows of {count}: the "
                "file was taken back to an older state, cut or lost. Put the newest one back; "
                "nothing is released until then"
            )
        if head(self._records[:count]) != (count, sha256):
            raise LedgerError(
                f"{self.path} and {copy} disagree about record {count}: one of them is of "
                "another copy of this ledger, or was changed"
            )
        if len(self._records) - count > 1:
            raise LedgerError(
                f"{copy} knows of {count} records, {self.path} has {len(self._records)}: the "
                "copy was taken back or lost. Put a copy of another head in its place, once "
                "it is known why"
            )
        return len(self._records) - count

    def _keep_head(self, copy: Path) -> None:
        count, sha256 = self._head()
        try:
            write_json(copy, {"count": count, "sha256": sha256})
            _sync_folder(copy.parent)
        except OSError as error:
            raise LedgerError(f"{copy} cannot be written: {error.strerror}") from None


def head(records: Sequence[Record]) -> Head:
    """How many records there are, and the last one's SHA-256."""
    return (len(records), records[-1]["sha256"]) if records else NOTHING


def beside(path: Path) -> Path:
    """Where the head of a file is kept beside it."""
    return path.with_suffix(".head.json")


def read(path: Path) -> tuple[list[Record], int]:
    """All records and the length of their lines, bytes; a torn last line is in neither.

    Raises:
        LedgerError: A line is not what was written, or not where it was written.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return [], 0
    except OSError as error:
        raise LedgerError(f"{path} cannot be read: {error.strerror}") from None
    length = content.rfind(b"\n") + 1
    records: list[Record] = []
    for line in content[:length].splitlines(keepends=True):
        count, sha256 = head(records)
        try:
            record = json.loads(line)
            rest = {key: value for key, value in record.items() if key != "sha256"}
            good = line == _line(record) and record == _sealed(rest)
            good = good and (record["number"], record["previous"]) == (count + 1, sha256)
        except (ValueError, KeyError, AttributeError, RecursionError):
            good = False
        if not good:
            raise LedgerError(f"{path}: record {count + 1} is broken: the file was changed")
        records.append(record)
    return records, length


def _kept(copy: Path) -> Head:
    """The head in a copy; a missing copy knows of nothing."""
    try:
        found = json.loads(copy.read_bytes())
        count, sha256 = found["count"], found["sha256"]
        if set(found) != {"count", "sha256"} or type(count) is not int or count < 0:
            raise ValueError
    except FileNotFoundError:
        return NOTHING
    except (OSError, ValueError, KeyError, TypeError):
        raise LedgerError(
            f"{copy} cannot be read as the head of a ledger: put a copy of another head in its "
            "place, once it is known why"
        ) from None
    return count, sha256
