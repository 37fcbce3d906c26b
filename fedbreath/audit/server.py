"""The sum of a mechanism at the server, as the audits need it: units are whole updates."""

import dataclasses
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from fedbreath.audit import Floats
from fedbreath.config import Component, Config
from fedbreath.privacy import Plan
from fedbreath.privacy.accounting import epsilon
from fedbreath.privacy.client_central import ClientCentral
from fedbreath.privacy.terms import Bound

#: Numbers of an update: two arrays of them, so that a clip for each array alone is found out.
_NUMBERS = 24


class ServerSum:
    """A `Summed` of `ClientCentral`: a unit is one client's change of the weights.

    Args:
        mechanism: Whose sum.
    """

    def __init__(self, mechanism: ClientCentral) -> None:
        self.mechanism = mechanism
        self.bound, self.rule = mechanism.clip, str(mechanism.rule)
        self.unit = str(mechanism.unit)
        self.shape: tuple[int, ...] = (_NUMBERS, 1)
        self.pieces: tuple[int, ...] = (1,)
        self.silent = 0.0
        self.epsilon = float(np.finfo(np.float64).eps)
        self._weights = self._arrays(np.zeros((1, *self.shape), np.float32))

    def total(self, units: Sequence[Floats], key: int, without: int | None = None) -> Tensor:  # noqa: ARG002 - nothing is drawn in a sum of updates
        """The mechanism's own sum over all of them, as if all had been called."""
        replies = [self._arrays(unit) for i, unit in enumerate(units) if i != without]
        sums, _ = self.mechanism.total(self._weights, replies)
        return torch.from_numpy(np.concatenate([total.ravel() for total in sums.values()]))

    def left_behind(
        self, units: Sequence[Floats], key: int, canary: int, first: set[int]
    ) -> Tensor:
        """The sum of the next round; what the mean of the first moves is noised, and its own."""
        self.total([unit for i, unit in enumerate(units) if i in first], key)
        return self.total(units, key, canary)

    def noise(self) -> Tensor:
        """As `ClientCentral.mean` draws it for a sum, of the assumed cohort."""
        generator = self.mechanism.chance.generator()
        deviation = self.mechanism.update_sigma * self.mechanism.clip
        return torch.from_numpy(deviation * generator.standard_normal(_NUMBERS))

    def claim(self) -> Bound:
        """By the project's own accounting, of a round that calls everybody."""
        mechanism = self.mechanism
        event = dataclasses.replace(mechanism.event(), rate=1.0, steps=1)
        return epsilon(event, mechanism.budget()[1])

    @staticmethod
    def _arrays(unit: Floats) -> dict[str, Floats]:
        """An update as arrays by name."""
        flat = unit.ravel()
        return {"one": flat[: _NUMBERS // 3], "two": flat[_NUMBERS // 3 :]}


def summed(config: Config, privacy: Component, clip: float) -> tuple[ServerSum, str]:
    """The sum of a run's mechanism, and a sentence on what it is taken of.

    Args:
        config: The run's.
        privacy: The mechanism to audit.
        clip: Multiplies the run's own C.
    """
    asked = dataclasses.replace(privacy.config, clip=privacy.config.clip * clip)
    mechanism: ClientCentral = privacy.target(asked, Plan(config.rounds, config.training.steps))
    return ServerSum(mechanism), f"updates of {_NUMBERS} numbers, whatever the network"
