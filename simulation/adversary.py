"""Hostile clients of a simulation, so that rules against them can be measured.

A client trains honestly; then, in the reply of a hostile one, its change d = x - w of the
weights w is replaced, and so is every array beside the weights (a change by itself):

=============  ===================================================================
``sign_flip``  -d: the mean loses what it would have won
``scale``      ``factor`` d: 10 shouts, -10 shouts in the other direction
``random``     normal noise, as long as ``factor`` times ||d||, over all arrays at once
=============  ===================================================================

Counters of whole numbers, and all that is told beside the arrays, stay as they are. Who is
hostile hangs on the run's seed and the clients' names, so that strategies can be compared on
the same hostile clients; noise hangs on (seed, client, round). The attack stands in front of
the grid, whichever that is: nobody's node runs any of this.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from flwr.app import Array, ArrayRecord, Message
from flwr.serverapp import Grid
from numpy.typing import NDArray

from fedbreath.aggregation import is_float
from fedbreath.config import Config
from fedbreath.pretraining import rng_of
from fedbreath.sections import Adversary
from server.forwarding import Forwarding
from simulation.partitions.dealing import uniform
from strategies.replies import round_of, values

Arrays = Mapping[str, NDArray[Any]]


def hostile(config: Config, names: Iterable[str]) -> tuple[str, ...]:
    """The hostile ones of the clients: the share of them, rounded, in the clients' order."""
    if config.adversary.share == 0:
        return ()  # nobody is counted, however many they are
    given = list(names)
    drawn = sorted(given, key=lambda name: uniform(config.seed, "hostile", name))
    chosen = set(drawn[: round(config.adversary.share * len(given))])
    return tuple(name for name in given if name in chosen)


def among(grid: Grid, config: Config, names: Sequence[str]) -> Grid:
    """The grid, its hostile nodes in the way; node i + 1 is the client ``names[i]``."""
    chosen = set(hostile(config, names))
    if not chosen:
        return grid
    return Attacked(grid, config, {i: name for i, name in enumerate(names, 1) if name in chosen})


class Attacked(Forwarding):
    """A grid some of whose nodes are hostile.

    Args:
        grid: The one behind.
        config: The run.
        nodes: Hostile nodes, and the clients' names.
    """

    def __init__(self, grid: Grid, config: Config, nodes: Mapping[int, str]) -> None:
        super().__init__(grid)
        self._config, self._nodes = config, nodes

    def send_and_receive(
        self, messages: Iterable[Message], *, timeout: float | None = None
    ) -> Iterable[Message]:
        """What the grid behind it brings, less what hostile clients really computed."""
        asked = list(messages)
        sent = {m.metadata.dst_node_id: m.content.array_records["arrays"] for m in asked}
        for reply in self._grid.send_and_receive(asked, timeout=timeout):
            node = reply.metadata.src_node_id
            if node in self._nodes and not reply.has_error():
                self._attack(reply, values(sent[node]))
            yield reply

    def _attack(self, reply: Message, sent: Arrays) -> None:
        name = self._nodes[reply.metadata.src_node_id]
        rng = rng_of(self._config.seed, "attack", name, round_of(reply))
        for name, record in list(reply.content.array_records.items()):
            before = sent if name == "arrays" else {}
            made = attacked(self._config.adversary, values(record), before, rng)
            reply.content[name] = ArrayRecord({n: Array(array) for n, array in made.items()})


def attacked(
    adversary: Adversary, arrays: Arrays, sent: Arrays, rng: np.random.Generator
) -> dict[str, NDArray[Any]]:
    """What a hostile client makes of its arrays.

    Args:
        adversary: The attack.
        arrays: What an honest one would send.
        sent: What it was sent; arrays that are not in it are changes from zero.
        rng: Of ``random``.

    >>> sent, honest = ({"w": np.array([v], np.float32)} for v in (1.0, 3.0))
    >>> attacked(Adversary(1.0), honest, sent, np.random.default_rng(0))["w"].tolist()
    [-1.0]
    """
    start = {n: sent.get(n, np.zeros_like(a)).astype(np.float64) for n, a in arrays.items()}
    change = {n: a.astype(np.float64) - start[n] for n, a in arrays.items() if is_float(a)}
    if adversary.attack == "random":
        noise = {n: rng.standard_normal(d.shape) for n, d in change.items()}
        ratio = _norm(change) / (_norm(noise) or 1.0)
        change = {n: adversary.factor * ratio * d for n, d in noise.items()}
    else:
        by = -1.0 if adversary.attack == "sign_flip" else adversary.factor
        change = {n: by * d for n, d in change.items()}
    # A sum of arrays without dimensions is no array any longer.
    return {
        n: np.asarray(start[n] + change[n], a.dtype) if n in change else np.asarray(a)
        for n, a in arrays.items()
    }


def _norm(change: Arrays) -> float:
    return float(np.sqrt(sum(float(np.vdot(d, d)) for d in change.values())))
