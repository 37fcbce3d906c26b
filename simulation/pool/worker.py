"""A worker process: the ClientApp of whichever client it is given, with one network.

It keeps what serves the next client too (the network, the round's weights, the opened
stores) and nothing that belongs to a client.
"""

import logging
import os
import signal
import threading
import time
import traceback
from dataclasses import dataclass
from multiprocessing import parent_process
from multiprocessing.connection import Connection, wait
from multiprocessing.shared_memory import SharedMemory
from pathlib import Path
from typing import Any

import torch
from flwr.app import Context, Message, RecordDict

import client.app
from client.local import LocalSite
from fedbreath.config import Config
from simulation import sites
from simulation.grid import Head, received
from simulation.pool import parcels
from simulation.pool.deal import Deal, Dealt
from simulation.pool.parcels import Parcel
from simulation.pool.segments import memory_of
from simulation.population import Population

#: What a worker says once it has imported everything.
READY = "ready"


@dataclass(frozen=True)
class Federation:
    """What all jobs of a run have in common.

    Attributes:
        told: The run config of both apps.
        folder: The run's.
        deal: Says what each client has.
        clients: How many there are.
    """

    told: dict[str, Any]
    folder: Path
    deal: Dealt
    clients: int


@dataclass(frozen=True)
class Job:
    """A message for a client.

    Attributes:
        federation: The run's.
        head: The message without its content.
        parcel: Where its content lies.
        slot: The segment for the reply.
    """

    federation: Federation
    head: Head
    parcel: Parcel
    slot: str


@dataclass(frozen=True)
class Done:
    """What came of a job: a reply, an error reply, or a defect.

    Attributes:
        seconds: Wall time of the app.
        parcel: The reply's content, in the slot.
        error: Code and reason of an error reply.
        defect: Traceback of an exception that the app did not handle.
    """

    seconds: float
    parcel: Parcel | None = None
    error: tuple[int, str | None] | None = None
    defect: str = ""


def work(calls: Connection) -> None:
    """Take jobs until there are no more."""
    # Ctrl-C goes to all processes of a terminal; the parent alone decides what comes of it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # So that a file half written is taken away.
    signal.signal(signal.SIGTERM, _stop)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    torch.set_num_threads(1)
    logging.getLogger("flwr").setLevel(logging.WARNING)
    desk = Desk()
    try:
        calls.send(READY)
        while True:
            calls.send(desk.do(calls.recv()))
    except (EOFError, BrokenPipeError, ConnectionResetError):
        os._exit(0)  # nothing is to be cleaned up, and torch takes long over it
    except SystemExit:
        os._exit(1)


def _stop(*_: object) -> None:
    raise SystemExit(1)


def _end_with_parent() -> None:
    """Whoever resumes a run whose parent was killed must not meet an orphan at work."""
    parent = parent_process()
    assert parent is not None
    wait([parent.sentinel])
    os._exit(1)


class Desk:
    """What a worker has at hand between jobs."""

    def __init__(self) -> None:
        self._federation: Federation | None = None
        self._deal: Deal | Population | None = None
        self._app = client.app.build(self._open_site)
        self._segments: dict[str, SharedMemory] = {}
        self._read: tuple[tuple[str, int], RecordDict] | None = None

    def do(self, job: Job) -> Done:
        """Let the app answer a message."""
        if job.federation != self._federation:
            self._begin(job.federation)
        # A copy that the app may change; its arrays' bytes are those of all clients.
        message = received(job.head, self._content(job.parcel))
        told = job.federation.told
        context = sites.context(job.head.node, job.federation.clients, told)
        started = time.perf_counter()
        try:
            reply = self._app(message, context)
        except Exception:
            return Done(time.perf_counter() - started, defect=traceback.format_exc())
        return self._done(reply, time.perf_counter() - started, job.slot)

    def _done(self, reply: Message, seconds: float, slot: str) -> Done:
        if reply.has_error():
            return Done(seconds, error=(reply.error.code, reply.error.reason))
        try:
            memory = memory_of(self._segment(slot))
            return Done(seconds, parcels.write(reply.content, slot, memory, 0))
        except ValueError:
            return Done(seconds, defect=traceback.format_exc())

    def _begin(self, federation: Federation) -> None:
        for segment in self._segments.values():
            segment.close()
        self._segments.clear()
        dealt = federation.deal
        if isinstance(dealt, Population):
            self._deal = dealt
        else:
            self._deal = Deal(memory_of(self._segment(dealt)))
        self._read = None
        self._federation = federation

    def _open_site(self, context: Context, config: Config) -> LocalSite:
        assert self._deal is not None
        assert self._federation is not None
        name, selection = self._deal.client(int(context.node_config["partition-id"]))
        return sites.site(config, name, selection, self._federation.folder)

    def _content(self, parcel: Parcel) -> RecordDict:
        """A message's content, read from shared memory once a round."""
        key = parcel.segment, parcel.number
        if self._read is None or self._read[0] != key:
            self._read = key, parcels.read(parcel, memory_of(self._segment(parcel.segment)))
        return parcels.own(self._read[1])

    def _segment(self, name: str) -> SharedMemory:
        if name not in self._segments:
            self._segments[name] = SharedMemory(name)
        return self._segments[name]
