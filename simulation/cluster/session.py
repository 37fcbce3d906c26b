"""What the engine holds while Ray is up: the actors, and what a federation on them needs."""

import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import ray

from fedbreath.features import Selection
from simulation.cluster import connection
from simulation.cluster.delivery import Delivery, actors
from simulation.cluster.desk import MARK, Federation
from simulation.engines import OnFit
from simulation.pool import deal


class Session:
    """Ray, and Flower's actors on it, which come up while this process goes on.

    Args:
        address: The cluster's; None begins one on this machine.
        workers: Clients at once, of one that is begun.
        threads: Of one client.

    Raises:
        UserError: The cluster cannot be reached, or has no room for a client.
    """

    def __init__(self, address: str | None, workers: int, threads: int) -> None:
        self._threads = threads
        connection.connect(address, workers, threads)
        try:
            self._pool = actors(threads)
        except BaseException:
            connection.disconnect()
            raise

    def close(self) -> None:
        """End the actors and the Ray that was begun; a cluster stays."""
        self._pool.terminate_all_actors()
        connection.disconnect()

    @contextmanager
    def serving(
        self, told: dict[str, Any], folder: Path, clients: Mapping[str, Selection], on_fit: OnFit
    ) -> Iterator[Delivery]:
        """What brings messages to the clients of a federation.

        Args:
            told: The run config of both apps.
            folder: The run's.
            clients: Who takes part.
            on_fit: Told a client's name after its fit.
        """
        dealt = ray.put(np.frombuffer(b"".join(deal.pack(clients)), np.uint8))
        sizes = {name: len(selection) for name, selection in clients.items()}
        with _marked(folder) as token:
            federation = Federation(
                told, folder.resolve(), token, dealt, len(clients), self._threads
            )
            yield Delivery(self._pool, federation, sizes, on_fit)


@contextmanager
def _marked(folder: Path) -> Iterator[str]:
    """A mark in the folder, by which a worker tells that it sees the same one; its text."""
    folder.mkdir(parents=True, exist_ok=True)
    token = secrets.token_hex(16)
    (folder / MARK).write_text(token)
    try:
        yield token
    finally:
        (folder / MARK).unlink(missing_ok=True)
