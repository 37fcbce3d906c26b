"""Shared memory of one run: named after its folder, and taken away whatever happens.

Whoever holds the run's lock may take away what an earlier process left: a process that ends
in any way but ``kill -9`` unlinks its segments itself, one that was killed has Python's
resource tracker do it, and where that was killed too, the run's next process does.
"""

import contextlib
import hashlib
import itertools
import secrets
import shutil
from multiprocessing.shared_memory import SharedMemory
from pathlib import Path
from types import TracebackType
from typing import Self

from fedbreath.errors import UserError

#: Where Linux keeps shared memory, as files.
_SHM = Path("/dev/shm")

MB = 1e6


class Segments:
    """Allocates, and unlinks at the end.

    Args:
        folder: The run's.
    """

    def __init__(self, folder: Path) -> None:
        # macOS allows 31 characters.
        self.prefix = f"fb{hashlib.sha256(str(folder.resolve()).encode()).hexdigest()[:12]}-"
        # A worker that has a segment of the folder's last federation open must not take it for one
        # of this.
        self._token = secrets.token_hex(3)
        self._numbers = itertools.count()
        self._held: dict[str, SharedMemory] = {}

    def __enter__(self) -> Self:
        for left in _SHM.glob(f"{self.prefix}*") if _SHM.is_dir() else ():
            with contextlib.suppress(OSError):
                _unlink(SharedMemory(left.name))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        for segment in self._held.values():
            _unlink(segment)
        self._held.clear()

    def allocate(self, size: int) -> SharedMemory:
        """A new segment.

        Raises:
            UserError: There is not so much shared memory; to write to it would be a crash.
        """
        if _SHM.is_dir() and (free := shutil.disk_usage(_SHM).free) < size:
            raise UserError(
                f"{_SHM} has {free / MB:.0f} MB free and {size / MB:.0f} MB are needed: make it "
                "larger (docker run --shm-size), or run with engine=in_process"
            )
        name = f"{self.prefix}{self._token}-{next(self._numbers)}"
        self._held[name] = SharedMemory(name, create=True, size=max(size, 1))
        return self._held[name]

    def free(self, segment: SharedMemory) -> None:
        """Give one back before the end."""
        _unlink(self._held.pop(segment.name))


def memory_of(segment: SharedMemory) -> memoryview:
    """The bytes of a segment that is open."""
    assert segment.buf is not None
    return segment.buf


def _unlink(segment: SharedMemory) -> None:
    segment.close()
    with contextlib.suppress(FileNotFoundError):
        segment.unlink()
