"""A grid in front of another, which passes everything on: for those that change one thing."""

from collections.abc import Iterable
from typing import Any

from flwr.app import Message
from flwr.serverapp import Grid
from flwr.supercore.run import Run


class Forwarding(Grid):
    """As the grid behind it.

    Args:
        grid: The one behind.
    """

    def __init__(self, grid: Grid) -> None:
        self._grid = grid

    def get_node_ids(self) -> Iterable[int]:
        """As the grid behind it."""
        return self._grid.get_node_ids()

    def set_run(self, run: Run) -> None:
        """As the grid behind it."""
        self._grid.set_run(run)

    @property
    def run(self) -> Run:
        """As the grid behind it."""
        return self._grid.run

    def create_message(self, *args: Any, **kwargs: Any) -> Message:
        """As the grid behind it."""
        return self._grid.create_message(*args, **kwargs)

    def push_messages(self, messages: Iterable[Message]) -> Iterable[str]:
        """As the grid behind it."""
        return self._grid.push_messages(messages)

    def pull_messages(self, message_ids: Iterable[str]) -> Iterable[Message]:
        """As the grid behind it."""
        return self._grid.pull_messages(message_ids)

    def send_and_receive(
        self, messages: Iterable[Message], *, timeout: float | None = None
    ) -> Iterable[Message]:
        """As the grid behind it."""
        return self._grid.send_and_receive(messages, timeout=timeout)
