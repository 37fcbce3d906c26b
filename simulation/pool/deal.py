"""What each client has, written to memory that workers share, once a run.

A worker reads a client's recordings when it is given that client, and opens the stores'
features by path, so that neither the size of the population nor the number of workers
costs memory in them. The memory holds a table of offsets, the stores without their
recordings, and then for each client its name and its entries, pickled one by one.
"""

import dataclasses
import functools
import pickle
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fedbreath.features import Entry, Selection, Store
from simulation.pool.segments import Segments, memory_of
from simulation.population import Population

#: Selections that a worker keeps: sites come again every round, phones hardly ever.
_KEPT = 64

_PartOfClient = tuple[int, tuple[Entry, ...]]


#: What a worker is told of all clients: a segment's name, or a population, which is its own
#: description.
Dealt = str | Population

#: Number of a client -> its name and its recordings.
Client = Callable[[int], tuple[str, Selection]]


def write(clients: Mapping[str, Selection], segments: Segments) -> str:
    """Write all clients to a segment; return its name."""
    blocks = pack(clients)
    segment = segments.allocate(sum(map(len, blocks)))
    memory, end = memory_of(segment), 0
    for block in blocks:
        start, end = end, end + len(block)
        memory[start:end] = block
    return segment.name


def pack(clients: Mapping[str, Selection]) -> list[bytes]:
    """All clients, as blocks that are to lie one behind another."""
    stores: dict[int, tuple[int, Store]] = {}
    pieces: list[bytes] = []
    for name, selection in clients.items():
        parts: list[_PartOfClient] = []
        for store, chosen in selection.parts:
            number, _ = stores.setdefault(id(store), (len(stores), store))
            parts.append((number, tuple(store.entries[i] for i in chosen)))
        pieces.append(pickle.dumps((name, parts), pickle.HIGHEST_PROTOCOL))
    bare = [_bare(store) for _, store in stores.values()]
    pieces.insert(0, pickle.dumps(bare, pickle.HIGHEST_PROTOCOL))
    # The number of pieces, where each begins, and where the last one ends.
    head = 8 * (len(pieces) + 2)
    ends = np.cumsum([head, *map(len, pieces)], dtype=np.int64)
    table = np.concatenate([[len(pieces)], ends]).astype(np.int64)
    return [table.tobytes(), *pieces]


def _bare(store: Store) -> Store:
    """A store without its recordings, and without its features where they are a file."""
    site = dataclasses.replace(store.site, recordings=(), problems=())
    features = store.features if store.path is None else np.empty((0, 0), np.float16)
    path = None if store.path is None else store.path.absolute()
    return dataclasses.replace(store, site=site, entries=(), features=features, path=path)


class Deal:
    """The clients, as a worker sees them.

    Args:
        memory: Where they were written.
    """

    def __init__(self, memory: memoryview) -> None:
        self._memory = memory
        count = int(np.frombuffer(bytes(memory[:8]), np.int64)[0])
        table = bytes(memory[8 : 8 * (count + 2)])
        self._starts: list[int] = np.frombuffer(table, np.int64).tolist()
        self._stores: list[Store] = [_opened(store) for store in self._piece(0)]
        self.client: Client = functools.lru_cache(_KEPT)(self._client)

    def _piece(self, index: int) -> Any:
        start, end = self._starts[index], self._starts[index + 1]
        return pickle.loads(bytes(self._memory[start:end]))

    def _client(self, index: int) -> tuple[str, Selection]:
        """The name and the recordings of the client of an index."""
        name, parts = self._piece(index + 1)
        chosen = [
            (dataclasses.replace(self._stores[number], entries=entries), len(entries))
            for number, entries in parts
        ]
        return name, Selection(tuple((store, tuple(range(n))) for store, n in chosen))


def _opened(store: Store) -> Store:
    if store.path is None:
        return store
    return dataclasses.replace(store, features=_map(store.path, store.front_end.rows))


def _map(path: Path, rows: int) -> NDArray[np.float16]:
    flat = np.memmap(path, np.float16, "r")
    return np.asarray(flat.reshape(-1, rows))
