"""No network: the descriptors of a window as its embedding.

Functionals of mel bands, cepstra and frame tracks (`fedbreath.descriptors`, which has the
table). Nothing is learnt and nothing of another recording enters, so the same numbers come
out at every site: a baseline beside every encoder, and what the objective `descriptors`
predicts. A window shorter than 33 frames is repeated from its start.
"""

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from fedbreath import descriptors, tracks
from fedbreath.encoders import Encoder, lengths


@dataclass(frozen=True)
class Config:
    """Nothing is chosen: the front end decides the rows."""


class Descriptors(Encoder):
    """Descriptors, (B, mels + tracks, frames) -> (B, D); D is 1984 with 64 mels.

    >>> import torch
    >>> Descriptors(Config(), mels=64)(torch.zeros(2, 104, 62)).shape
    torch.Size([2, 1984])
    """

    tracks: ClassVar[bool] = True

    def __init__(self, config: Config, mels: int) -> None:  # noqa: ARG002 - the contract
        super().__init__()
        self.mels = mels
        self.dim = descriptors.count(mels)

    def features(self, log_mel: Tensor) -> Tensor:
        """(B, mels + tracks, frames) -> (B, 1, mels + tracks, frames), as it is."""
        lengths.check(log_mel, self.mels + len(tracks.NAMES))
        return log_mel.unsqueeze(1)

    def pool(self, features: Tensor) -> Tensor:
        """(B, 1, mels + tracks, T) -> (B, D)."""
        return descriptors.describe(features[:, 0], self.mels)
