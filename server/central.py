"""Central privacy in the rounds: the server's ledger, Poisson calls, the noised mean.

The ledger belongs to whoever adds the noise, here the server. A round is reserved before
anybody is called, and committed once its checkpoint is on the disk: a kill in between leaves
it spent, and the round is done again with a reservation of its own.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from flwr.serverapp import Grid
from numpy.typing import NDArray

from fedbreath.config import Config
from fedbreath.privacy import Plan
from fedbreath.privacy.client_central import ClientCentral
from fedbreath.site.ledger import Ledger
from fedbreath.site.records import Budget, Reservation, planned
from server.forwarding import Forwarding
from strategies import Weights
from strategies.replies import Reply

#: What the names of the arrays that a checkpoint keeps begin with.
CENTRAL = "central."
_CLIP = f"{CENTRAL}clip"


class Called(Forwarding):
    """A grid on which only the clients that were drawn can be seen."""

    def __init__(self, grid: Grid, nodes: Sequence[int]) -> None:
        super().__init__(grid)
        self._nodes = list(nodes)

    def get_node_ids(self) -> Iterable[int]:
        """Those that were drawn."""
        return list(self._nodes)


class Central:
    """What the server does in a round of central privacy.

    Args:
        mechanism: The run's.
        ledger: The server's, begun.
        digest: Of the run's configuration.
    """

    def __init__(self, mechanism: ClientCentral, ledger: Ledger, digest: str) -> None:
        self.mechanism, self.ledger, self.digest = mechanism, ledger, digest
        self._reserved: Reservation | None = None

    def call(self, number: int, grid: Grid) -> Grid:
        """Reserve the round, then draw who is called in it.

        Raises:
            PrivacyError: The budget does not allow the round, or the ledger is no good.
        """
        release = planned(self.mechanism, self.digest, number, self.digest)
        self._reserved = self.ledger.reserve(release)
        return Called(grid, self.mechanism.called(sorted(grid.get_node_ids())))

    def combine(self, weights: Weights, replies: Sequence[Reply]) -> Weights:
        """The global weights moved by the noised mean; no reply at all is an empty sum."""
        return self.mechanism.mean(weights, [reply.arrays for reply in replies])

    def commit(self, checkpoint: Path) -> None:
        """The round's checkpoint is on the disk."""
        assert self._reserved is not None
        self.ledger.commit(self._reserved, hashlib.sha256(checkpoint.read_bytes()).hexdigest())
        self._reserved = None

    def state(self) -> dict[str, NDArray[Any]]:
        """What a checkpoint keeps: C."""
        return {_CLIP: np.array(self.mechanism.clip)}

    def restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Go on from a `state`; an empty one is the start."""
        if _CLIP in state:
            self.mechanism.clip = float(state[_CLIP])


def central_of(config: Config, folder: Path) -> Central | None:
    """What a run needs at the server; None where no noise is added there.

    The ledger lies in the run's folder, a domain of its own.

    Raises:
        PrivacyError: The ledger there cannot be trusted.
    """
    mechanism = config.privacy.build(Plan(config.rounds, config.training.steps))
    if not isinstance(mechanism, ClientCentral):
        return None
    place, second = folder / "privacy", folder / "privacy-heads"
    for made in (place, second):
        made.mkdir(parents=True, exist_ok=True)
    ledger = Ledger(place, second, "server", f"run-{config.digest}")
    ledger.begin(Budget(*mechanism.budget()))
    return Central(mechanism, ledger, config.digest)
