"""Live progress: bars in a terminal, plain lines in a file or pipe."""

import time
from typing import Self

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

#: Seconds between two plain lines of one task.
_EVERY = 10.0


class Display:
    """Named tasks with a total and a detail.

    Args:
        console: Where to show them.
    """

    def __init__(self, console: Console) -> None:
        self.console = console
        self._bars = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=30),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            TextColumn("[dim]{task.fields[detail]}"),
            console=console,
            disable=not console.is_terminal,
        )
        self._ids: dict[str, TaskID] = {}
        self._counts: dict[str, int] = {}
        self._totals: dict[str, int] = {}
        self._told: dict[str, float] = {}

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bars.stop()

    def add(self, name: str, total: int) -> None:
        """Show a task; a second call sets its total."""
        self._totals[name] = total
        if name in self._ids:
            self._bars.update(self._ids[name], total=total)
            return
        self._ids[name] = self._bars.add_task(name, total=total, detail="")
        self._counts[name] = 0

    def advance(self, name: str, by: int = 1, detail: str | None = None) -> None:
        """Move a task on."""
        self._counts[name] += by
        self._bars.update(self._ids[name], advance=by)
        if detail is not None:
            self._bars.update(self._ids[name], detail=detail)
        self._plainly(name, detail)

    def finish(self, name: str) -> None:
        """Fill a task's bar: it may have been done before."""
        missing = self._totals[name] - self._counts[name]
        if missing > 0:
            self.advance(name, missing)

    def _plainly(self, name: str, detail: str | None) -> None:
        if self.console.is_terminal:
            return
        now, done = time.monotonic(), self._counts[name] >= self._totals[name]
        if done or now - self._told.get(name, 0.0) >= _EVERY:
            self._told[name] = now
            line = f"{name}: {self._counts[name]}/{self._totals[name]}"
            self.console.print(f"{line} {detail or ''}".rstrip(), highlight=False)
