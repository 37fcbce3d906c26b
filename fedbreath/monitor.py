"""Watching a pretraining: signs of collapse of the global encoder on public sound.

What is watched is the encoder as it is released, on two views of each take of the public
bank (`fedbreath.objectives.bank`): simulated sound, nobody's recording. So it says nothing
of any site that the released weights do not, and is sound under every privacy mechanism.
The same weights give the same numbers, on one type of processor and with one number of
threads.
"""

from collections.abc import Mapping

import torch
from torch import Tensor

from fedbreath import collapse, encoders
from fedbreath.collapse import Signs
from fedbreath.config import Config
from fedbreath.encoders import Encoder
from fedbreath.objectives import bank

#: Takes that an encoder is watched on.
TAKES = 64

#: Windows that go through the encoder at once.
_BATCH = 16


class Monitor:
    """Looks at a run's encoder when it is time to.

    Args:
        config: The run: its encoder, front end and length of a crop.
    """

    def __init__(self, config: Config) -> None:
        self.config = config
        self._encoder: Encoder = encoders.build(
            config.encoder, config.front_end.mels, config.seed, warm=False
        )

    def due(self, number: int) -> bool:
        """Whether a round is looked at: the start, every so many, and the last."""
        return number % self.config.evaluation.every == 0 or number == self.config.rounds

    def look(self, weights: Mapping[str, Tensor]) -> Signs:
        """The signs of an encoder with these weights, which are called ``encoder.*``."""
        encoders.restore(self._encoder, weights)
        front_end = self.config.front_end
        frames = front_end.frames(self.config.views.seconds)
        return watch(self._encoder, bank.views_of(TAKES, front_end, frames))


@torch.no_grad()
def watch(encoder: Encoder, views: tuple[Tensor, Tensor]) -> Signs:
    """Signs of collapse on two views of each sound, (N, mels, frames) each.

    The encoder is put into evaluation mode.
    """
    encoder.eval()
    first, second = (
        torch.cat([encoder(part) for part in torch.split(view, _BATCH)]) for view in views
    )
    return collapse.signs(first, second)
