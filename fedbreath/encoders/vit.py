"""A small vision transformer for two cores and for training under privacy.

ViT (Dosovitskiy et al. 2021) with LayerNorm throughout, so no recording knows of another,
and no class token: non-overlapping patches of mels x frames, fixed sine and cosine
positions on the grid, pre-norm blocks, and, as for the CNN, the mean, standard deviation
and maximum over time of the tokens' mean over mels.

Every token attends to the whole window. Any number of frames is taken: the last patch is
filled by repeating the window from its start, which leaves a window that fills its
patches as it is. The positions are computed for the grid at hand, so none is learned and
none is missing. The mels must be a multiple of the patch's.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from fedbreath.encoders import Encoder, adapters, lengths, warm_start
from fedbreath.encoders.pooling import statistics
from fedbreath.encoders.transformer import Block, initialise, positions


@dataclass(frozen=True)
class Config:
    """Shape of the network.

    Attributes:
        width: Numbers of a token, a multiple of 4 and of `heads`.
        depth: Blocks.
        heads: Attention heads of each block.
        patch_mels: Mels of a patch.
        patch_frames: Frames of a patch.
        init: Weights to start from, ``fedbreath:PATH``; None means those of the seed.
        adapter: Width of the bottleneck after each block (`adapters`); 0 is none.
    """

    width: int = 192
    depth: int = 4
    heads: int = 6
    patch_mels: int = 16
    patch_frames: int = 8
    init: str | None = None
    adapter: int = 0

    def __post_init__(self) -> None:
        for name in ("width", "depth", "heads", "patch_mels", "patch_frames"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be >= 1, got {getattr(self, name)}")
        if self.width % 4 or self.width % self.heads:
            raise ValueError(
                f"width must be a multiple of 4 and of heads={self.heads}, got {self.width}"
            )
        warm_start.check(self.init, "fedbreath")
        adapters.check(self.adapter)


class Vit(Encoder):
    """Small ViT, (B, mels, frames) -> (B, 3 * width).

    >>> import torch
    >>> Vit(Config(), mels=64)(torch.zeros(2, 64, 62)).shape
    torch.Size([2, 576])
    """

    def __init__(self, config: Config, mels: int) -> None:
        super().__init__()
        if mels % config.patch_mels:
            raise ValueError(f"mels={mels} must be a multiple of patch_mels={config.patch_mels}")
        self.config, self.mels = config, mels
        self.dim = 3 * config.width
        self.stem = nn.Linear(config.patch_mels * config.patch_frames, config.width)
        self.blocks = nn.Sequential(
            *(Block(config.width, config.heads) for _ in range(config.depth))
        )
        self.norm = nn.LayerNorm(config.width, 1e-6)
        initialise(self)
        self.adapters = adapters.for_tokens([config.width] * config.depth, config.adapter)

    def grid(self, frames: int) -> tuple[int, int]:
        """Patches along mels and along time of a window of so many frames."""
        return self.mels // self.config.patch_mels, -(-frames // self.config.patch_frames)

    def patches(self, log_mel: Tensor) -> Tensor:
        """(B, mels, frames) -> (B, N, patch_mels * patch_frames), N the grid band by band."""
        rows, columns = self.grid(log_mel.shape[2])
        filled = lengths.at_least(log_mel, columns * self.config.patch_frames)
        cut = torch.unflatten(torch.unflatten(filled, 2, (columns, -1)), 1, (rows, -1))
        return cut.transpose(2, 3).reshape(len(log_mel), rows * columns, -1)

    def tokens(self, log_mel: Tensor) -> Tensor:
        """(B, mels, frames) -> (B, N, width): embedded patches at their places, unmixed."""
        lengths.check(log_mel, self.mels)
        places = positions(*self.grid(log_mel.shape[2]), self.config.width)
        embedded: Tensor = self.stem(self.patches(log_mel))
        return embedded + places.to(embedded)

    def mix(self, tokens: Tensor) -> Tensor:
        """(B, n, width) -> (B, n, width): the blocks over all tokens, or over some of them."""
        mixed: Tensor = self.norm(adapters.run(self.blocks, self.adapters, tokens))
        return mixed

    def features(self, log_mel: Tensor) -> Tensor:
        """(B, mels, frames) -> (B, width, F', T')."""
        mixed = self.mix(self.tokens(log_mel))
        return torch.unflatten(mixed.transpose(1, 2), 2, self.grid(log_mel.shape[2]))

    def pool(self, features: Tensor) -> Tensor:
        """(B, C, F', T') -> (B, 3 C): mean, standard deviation and maximum over time."""
        return statistics(features)
