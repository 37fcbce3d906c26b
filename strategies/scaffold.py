"""SCAFFOLD: control variates against the drift of clients (Karimireddy et al. 2020).

arXiv 1910.06378, algorithm 1. A message carries the server's variate c beside the weights x;
a client steps along ``g - c_i + c`` and sends ``c_i_new - c_i`` beside its weights
(`fedbreath.guidance`). With S the clients that took part and N all that are connected,

    x <- x + eta_g * mean_S (y_i - x),    c <- c + |S| / N * mean_S (c_i_new - c_i).

Both means are uniform, as in the paper. c starts at zero; buffers have no variate. Flower
has none.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from flwr.app import Array, ArrayRecord, ConfigRecord, Message
from flwr.serverapp import Grid
from numpy.typing import NDArray

from fedbreath.aggregation import weighted_mean
from fedbreath.aggregation.optimizers import control_step, parameters, scaled_step
from fedbreath.guidance import CONTROL
from strategies import Weights
from strategies.federated import Cohort, Federated, connected, kept, mean, part
from strategies.replies import Reply, values


@dataclass(frozen=True)
class Config(Cohort):
    """Whom to call, and the server's step.

    Attributes:
        learning_rate: eta_g, the server's step size.
    """

    learning_rate: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.learning_rate <= 0:
            raise ValueError(f"learning_rate must be > 0, got {self.learning_rate}")


class Scaffold(Federated[Config]):
    """Uniform means of weights and of control variates."""

    central_privacy: ClassVar[str] = (
        "SCAFFOLD's clients send a change of weights and one of their control variate, which "
        "would have to be clipped and noised as one vector"
    )

    def __init__(self, config: Config, seed: int) -> None:
        super().__init__(config, seed)
        self._control: Weights = {}
        self._moved: Weights = {}
        self._took_part = 0
        self._population = 0

    def configure_train(
        self, server_round: int, arrays: ArrayRecord, config: ConfigRecord, grid: Grid
    ) -> Iterable[Message]:
        """As for all strategies; who is connected is the population N."""
        messages = super().configure_train(server_round, arrays, config, grid)
        self._population = len(connected(grid))
        return messages

    def extras(self, arrays: ArrayRecord) -> Mapping[str, ArrayRecord]:
        """The server's variate, a zero for each parameter at the start."""
        if not self._control:
            weights = values(arrays)
            self._control = {
                name: np.zeros(weights[name].shape, np.result_type(weights[name], np.float32))
                for name in parameters(weights, self.buffers)
            }
        return {CONTROL: ArrayRecord({n: Array(c) for n, c in self._control.items()})}

    def combine(self, number: int, weights: Weights, replies: Sequence[Reply]) -> Weights:  # noqa: ARG002
        """The mean of the clients' weights, beside that of their variates' changes."""
        changes = [reply.beside[CONTROL] for reply in replies]
        self._moved = weighted_mean(changes, [1.0] * len(replies))
        self._took_part = len(replies)
        return mean(replies, "uniform")

    def advance(self, number: int, weights: Weights, combined: Weights) -> Weights:  # noqa: ARG002
        """The step of both."""
        # A node that answers and is gone before it is counted must not lift the share above 1.
        share = self._took_part / max(self._population, self._took_part)
        self._control = control_step(self._control, self._moved, share)
        return scaled_step(weights, combined, self.config.learning_rate, self.buffers)

    def state(self) -> Weights:
        """The server's control variate."""
        return kept(control=self._control)

    def restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Go on from a `state`."""
        self._control = part(state, "control")
