"""A small 3x3 convolutional encoder with GroupNorm.

Five blocks of 3x3 convolution, GroupNorm (Wu and He 2018) and ReLU; all but the last
halve time and mel. What is left of the mel axis is averaged, and the mean, standard
deviation and maximum over time are the embedding. GroupNorm keeps no statistics of other
recordings, so the encoder can be averaged over sites and trained under privacy as it is;
BatchNorm (``norm=batch``) can not, and is there to be compared with.

An objective trains the last block's embedding. What is read from a trained network are the
same statistics of its last `read` blocks, side by side: what the last block has given up for
its objective, the ones before it still have (docs/quality.md has what that is worth).

With five blocks the last one sees 63 frames and 63 mels (1 s at a hop of 16 ms); the
pooled statistics see the whole window. Any number of frames and mels is taken as it is:
the edges are padded with zeros.
"""

from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor, nn

from fedbreath.encoders import Encoder, adapters, lengths, warm_start
from fedbreath.encoders.pooling import statistics


@dataclass(frozen=True)
class Config:
    """Shape of the network.

    Attributes:
        widths: Channels of each block, multiples of `groups`.
        groups: Groups of each GroupNorm.
        read: Last blocks whose statistics are read; all of them, where there are fewer.
        norm: ``group``; ``layer``, which is one group; or ``batch``.
        init: Weights to start from, ``fedbreath:PATH``; None means those of the seed.
        adapter: Width of the bottleneck after each block (`adapters`); 0 is none.
    """

    widths: tuple[int, ...] = (32, 64, 128, 256, 256)
    groups: int = 8
    read: int = 3
    norm: Literal["group", "layer", "batch"] = "group"
    init: str | None = None
    adapter: int = 0

    def __post_init__(self) -> None:
        if self.groups < 1:
            raise ValueError(f"groups must be >= 1, got {self.groups}")
        if not self.widths:
            raise ValueError("widths must name at least one block")
        for width in self.widths:
            if width <= 0 or width % self.groups:
                raise ValueError(f"widths must be multiples of groups={self.groups}, got {width}")
        if self.read < 1:
            raise ValueError(f"read must be >= 1, got {self.read}")
        warm_start.check(self.init, "fedbreath")
        adapters.check(self.adapter)

    def normalisation(self, width: int) -> nn.Module:
        """The layer that follows a convolution."""
        if self.norm == "batch":
            return nn.BatchNorm2d(width)
        return nn.GroupNorm(1 if self.norm == "layer" else self.groups, width)


class Cnn(Encoder):
    """3x3 CNN, (B, mels, frames) -> (B, 3 * widths[-1]).

    >>> import torch
    >>> Cnn(Config(), mels=64)(torch.zeros(2, 64, 62)).shape
    torch.Size([2, 768])
    """

    STEM: ClassVar[tuple[str, ...]] = ("blocks.0.",)

    def __init__(self, config: Config, mels: int) -> None:  # noqa: ARG002 - any number
        super().__init__()
        self.config = config
        self.dim = 3 * config.widths[-1]
        self.receptive_frames = 1
        blocks: list[nn.Module] = []
        channels, step = 1, 1
        for i, width in enumerate(config.widths):
            stride = 1 if i == len(config.widths) - 1 else 2
            blocks += [
                nn.Conv2d(channels, width, 3, stride=stride, padding=1, bias=False),
                config.normalisation(width),
                nn.ReLU(inplace=True),
            ]
            self.receptive_frames += 2 * step
            channels, step = width, step * stride
        self.blocks = nn.Sequential(*blocks)
        self.adapters = adapters.for_maps(config.widths, config.adapter)

    def features(self, log_mel: Tensor) -> Tensor:
        """(B, mels, frames) -> (B, widths[-1], F', T')."""
        lengths.check(log_mel)
        return adapters.run(self.blocks, self.adapters, log_mel.unsqueeze(1))

    @property
    def read_dim(self) -> int:
        """Length of the statistics of the last blocks."""
        return 3 * sum(self.config.widths[-self.config.read :])

    def read(self, log_mel: Tensor) -> Tensor:
        """(B, mels, frames) -> (B, R): statistics of the last blocks, in their order."""
        lengths.check(log_mel)
        count = len(self.config.widths)
        maps = adapters.outputs(self.blocks, self.adapters, log_mel.unsqueeze(1), count)
        first = max(0, count - self.config.read)
        return torch.cat([statistics(m) for i, m in enumerate(maps) if i >= first], dim=1)

    def pool(self, features: Tensor) -> Tensor:
        """(B, C, F', T') -> (B, 3 C): mean, standard deviation and maximum over time."""
        return statistics(features)
