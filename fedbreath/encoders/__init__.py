"""Encoders: one file per architecture, (B, mels, frames) -> (B, D).

An encoder is a module with a ``Config`` dataclass and one subclass of `Encoder` that
takes the configuration and the number of mel bands.
"""

import torch
from torch import Tensor, nn

from fedbreath.config import Component


class Encoder(nn.Module):
    """Normalised log-mels to one embedding a window.

    Attributes:
        dim: Length D of the embedding.
    """

    dim: int

    def forward(self, log_mel: Tensor) -> Tensor:  # noqa: ARG002 - the contract
        """(B, mels, frames) -> (B, D)."""
        raise TypeError(f"{type(self).__name__} does not say how it encodes")

    def parameter_count(self) -> int:
        """Number of trainable scalars."""
        return sum(p.numel() for p in self.parameters() if p.requires_grad)


def build(component: Component, mels: int, seed: int) -> Encoder:
    """An encoder with the weights that `seed` gives; the global generator is left alone.

    Args:
        component: The run's ``encoder``.
        mels: Mel bands of the front end.
        seed: Seed of the initial weights.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        encoder: Encoder = component.build(mels)
    return encoder
