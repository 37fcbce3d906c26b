"""In a Ray worker: the ClientApp of whichever client it is given.

A worker keeps what serves the next client too (the network, the round's weights, the opened
stores) and nothing that belongs to a client, whose state lies in the run's folder.
"""

import functools
import logging
import socket
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ray
import torch
from flwr.app import Context, Message, RecordDict

import client.app
from client.local import LocalSite
from fedbreath.config import Config
from fedbreath.errors import UserError
from simulation import sites
from simulation.grid import Head, received
from simulation.pool import parcels
from simulation.pool.deal import Deal

#: In the run's folder: the federation that is under way there.
MARK = ".cluster"


@dataclass(frozen=True)
class Federation:
    """What all jobs of a run have in common.

    Attributes:
        told: The run config of both apps.
        folder: The run's, on storage that all machines share.
        token: What the mark in the folder says.
        deal: Ray's reference to what each client has.
        clients: How many there are.
        threads: Of one client.
    """

    told: dict[str, Any]
    folder: Path
    token: str
    deal: Any
    clients: int
    threads: int


@dataclass(frozen=True)
class Job:
    """A message for a client.

    Attributes:
        head: The message without its content.
        content: Ray's reference to its content, which a machine fetches once a round.
    """

    head: Head
    content: Any


#: What an actor runs: given a job and a context, it replies.
Answer = Callable[[Job, Context], Message | UserError]

#: This process's one desk, under the token of its federation.
_desks: dict[str, "Desk"] = {}


def desk(federation: Federation) -> Answer:
    """The desk of a federation in this process; what a user can put right is its answer."""
    try:
        if federation.token not in _desks:
            _desks.clear()
            _desks[federation.token] = Desk(federation)
    except UserError as error:
        return functools.partial(_refuse, error)
    return _desks[federation.token]


def _refuse(error: UserError, message: Job, context: Context) -> UserError:  # noqa: ARG001
    return error


class Desk:
    """What a worker has at hand between jobs.

    Args:
        federation: The run's.

    Raises:
        UserError: This machine does not see the run's folder or a feature store.
    """

    def __init__(self, federation: Federation) -> None:
        _require_shared(federation)
        torch.set_num_threads(federation.threads)
        logging.getLogger("flwr").setLevel(logging.WARNING)
        self._federation = federation
        self._app = client.app.build(self._open_site)
        self._read: tuple[str, RecordDict] | None = None
        try:
            self._deal = Deal(memoryview(ray.get(federation.deal)))
        except FileNotFoundError as error:
            raise UserError(
                f"{error.filename} is not on {socket.gethostname()}: the feature stores "
                "(cache=DIR) must lie at the same path on every machine of the cluster"
            ) from None

    def __call__(self, message: Job, context: Context) -> Message:
        """Let the app answer a message."""
        return self._app(received(message.head, self._content(message.content)), context)

    def _content(self, reference: Any) -> RecordDict:
        """A message's content; its arrays' bytes are those of all clients."""
        if self._read is None or self._read[0] != reference.hex():
            self._read = reference.hex(), ray.get(reference)
        return parcels.own(self._read[1])

    def _open_site(self, context: Context, config: Config) -> LocalSite:
        name, selection = self._deal.client(int(context.node_config["partition-id"]))
        return sites.site(config, name, selection, self._federation.folder)


def _require_shared(federation: Federation) -> None:
    """Refuse a folder of another machine: its sites would begin again, with new ledgers."""
    mark = federation.folder / MARK
    try:
        shared = mark.read_text() == federation.token
    except OSError:
        shared = False
    if not shared:
        raise UserError(
            f"{federation.folder} is not the run's folder on {socket.gethostname()}: what sites "
            "keep lies there, so it must be on storage that all machines of the cluster share "
            "(out=DIR)"
        )
