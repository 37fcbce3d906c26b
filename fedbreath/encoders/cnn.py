"""A small 3x3 convolutional encoder with GroupNorm.

Five blocks of 3x3 convolution, GroupNorm (Wu and He 2018) and ReLU; all but the last
halve time and mel. What is left of the mel axis is averaged, and the mean, standard
deviation and maximum over time are the embedding. GroupNorm keeps no statistics of other
recordings, so the encoder can be averaged over sites and trained under privacy as it is.

With five blocks the last one sees 63 frames and 63 mels (1 s at a hop of 16 ms); the
pooled statistics see the whole window.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from fedbreath.encoders import Encoder


@dataclass(frozen=True)
class Config:
    """Shape of the network.

    Attributes:
        widths: Channels of each block, multiples of `groups`.
        groups: Groups of each GroupNorm.
    """

    widths: tuple[int, ...] = (32, 64, 128, 256, 256)
    groups: int = 8

    def __post_init__(self) -> None:
        if self.groups < 1:
            raise ValueError(f"groups must be >= 1, got {self.groups}")
        if not self.widths:
            raise ValueError("widths must name at least one block")
        for width in self.widths:
            if width <= 0 or width % self.groups:
                raise ValueError(f"widths must be multiples of groups={self.groups}, got {width}")


class Cnn(Encoder):
    """3x3 CNN, (B, mels, frames) -> (B, 3 * widths[-1]).

    >>> Cnn(Config(), mels=64)(torch.zeros(2, 64, 62)).shape
    torch.Size([2, 768])
    """

    def __init__(self, config: Config, mels: int) -> None:  # noqa: ARG002 - any number
        super().__init__()
        self.dim = 3 * config.widths[-1]
        blocks: list[nn.Module] = []
        channels = 1
        for i, width in enumerate(config.widths):
            stride = 1 if i == len(config.widths) - 1 else 2
            blocks += [
                nn.Conv2d(channels, width, 3, stride=stride, padding=1, bias=False),
                nn.GroupNorm(config.groups, width),
                nn.ReLU(inplace=True),
            ]
            channels = width
        self.blocks = nn.Sequential(*blocks)

    def forward(self, log_mel: Tensor) -> Tensor:
        """(B, mels, frames) -> (B, D): mean, standard deviation and maximum over time."""
        track = self.blocks(log_mel.unsqueeze(1)).mean(dim=2)
        # The small constant keeps the root's gradient finite when nothing varies.
        spread = (track.var(dim=2, correction=0) + 1e-6).sqrt()
        return torch.cat([track.mean(dim=2), spread, track.amax(dim=2)], dim=1)
