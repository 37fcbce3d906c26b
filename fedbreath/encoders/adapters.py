"""Adapters: a few numbers after each block of an encoder, for training little of it.

A residual bottleneck (Houlsby et al., ICML 2019, arXiv 1902.00751): down from a block's C
channels to a width w, GELU, up again, and added to what came in,

    y = x + U gelu(D x + d) + u,    D (w, C), U (C, w): 2 C w + C + w numbers a block.

U and u start at zero, so an encoder starts as the same function that it is without
adapters. On tokens D and U are linear layers; on maps they are convolutions of 1x1
(residual adapters: Rebuffi, Bilen and Vedaldi, NeurIPS 2017, arXiv 1705.08045, there
without a bottleneck). No adapter mixes places or recordings, keeps statistics, or works
in place. As long as U is zero no gradient reaches D: the first step moves U alone.

An encoder holds its adapters under one name beside its blocks, and makes them last: what
the seed gives to all other weights does not depend on them.
"""

from collections.abc import Iterator, Sequence

from torch import Tensor, nn
from torch.nn import functional as F

#: The group that adapters form, and what the names of their parameters begin with.
GROUP = "adapters"
PREFIX = f"{GROUP}."


class Adapter(nn.Module):
    """One residual bottleneck; gives the shape that it takes.

    Args:
        down: From the block's channels to the bottleneck.
        up: Back again; its weight and bias are set to zero.
    """

    def __init__(self, down: nn.Linear | nn.Conv2d, up: nn.Linear | nn.Conv2d) -> None:
        super().__init__()
        self.down, self.up = down, up
        for start in up.parameters():
            nn.init.zeros_(start)

    def forward(self, value: Tensor) -> Tensor:
        """(B, N, C) or (B, C, F', T') -> the same."""
        added: Tensor = self.up(F.gelu(self.down(value)))
        return value + added


def check(width: int) -> None:
    """Refuse a width that is none.

    Raises:
        ValueError: Below 0.
    """
    if width < 0:
        raise ValueError(f"adapter must be >= 0, got {width}")


def for_tokens(channels: Sequence[int], width: int) -> nn.ModuleList:
    """An adapter for each block's (B, N, C); none where the width is 0.

    >>> len(for_tokens([192] * 4, 8)), len(for_tokens([192] * 4, 0))
    (4, 0)
    """
    made = [Adapter(nn.Linear(c, width), nn.Linear(width, c)) for c in channels if width]
    return nn.ModuleList(made)


def for_maps(channels: Sequence[int], width: int) -> nn.ModuleList:
    """An adapter for each block's (B, C, F', T'); none where the width is 0."""
    made = [Adapter(nn.Conv2d(c, width, 1), nn.Conv2d(width, c, 1)) for c in channels if width]
    return nn.ModuleList(made)


def outputs(
    blocks: nn.Sequential, adapters: nn.ModuleList, value: Tensor, count: int
) -> Iterator[Tensor]:
    """What comes out of each block, after its adapter.

    Args:
        blocks: Equally many layers for each block.
        adapters: One a block, or none at all.
        value: What the first block takes.
        count: Number of blocks.
    """
    layers = len(blocks) // count
    for number, layer in enumerate(blocks, 1):
        value = layer(value)
        if number % layers == 0:
            if len(adapters):
                value = adapters[number // layers - 1](value)
            yield value


def run(blocks: nn.Sequential, adapters: nn.ModuleList, value: Tensor) -> Tensor:
    """Blocks one after another, each followed by its adapter.

    Args:
        blocks: Equally many layers for each adapter.
        adapters: One a block, or none at all.
        value: What the first block takes.
    """
    if not len(adapters):
        through: Tensor = blocks(value)
        return through
    *_, last = outputs(blocks, adapters, value, len(adapters))
    return last
