"""Small encoders and views, for tests of what comes after the encoder."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from fedbreath import objectives, tracks
from fedbreath.audio import FrontEnd
from fedbreath.config import Component, component
from fedbreath.encoders import Encoder
from fedbreath.objectives import Given, Objective
from fedbreath.views import Views

#: Few mel bands and short crops, so that tests are fast.
FRONT_END = FrontEnd(mels=16)
VIEWS = Views(seconds=0.33)
FRAMES = FRONT_END.frames(VIEWS.seconds)


class Mean(Encoder):
    """No weights: the mean over time of the bands, and the log-mel itself as features."""

    def __init__(self, mels: int = FRONT_END.mels) -> None:
        super().__init__()
        self.dim = mels

    def features(self, log_mel: Tensor) -> Tensor:
        return log_mel.unsqueeze(1)

    def pool(self, features: Tensor) -> Tensor:
        return features[:, 0].mean(dim=2)


class Small(Encoder):
    """Two smooth layers that keep nothing of other recordings; (B, 16, T) -> (B, 12)."""

    def __init__(self) -> None:
        super().__init__()
        self.dim = 12
        self.layers = nn.Sequential(
            nn.Conv2d(1, 4, 3, stride=2, padding=1),
            nn.GroupNorm(2, 4),
            nn.Tanh(),
            nn.Conv2d(4, 6, 3, stride=2, padding=1),
            nn.Tanh(),
        )

    def features(self, log_mel: Tensor) -> Tensor:
        found: Tensor = self.layers(log_mel.unsqueeze(1))
        return found

    def pool(self, features: Tensor) -> Tensor:
        track = features.mean(dim=2)
        spread = (track.var(dim=2, correction=0) + 1e-4).sqrt()
        return torch.cat([track.mean(dim=2), spread], dim=1)


def small(seed: int = 0) -> Small:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return Small()


def given(encoder: Encoder) -> Given:
    return Given(encoder, FRONT_END, VIEWS)


def built(chosen: Component | str, encoder: Encoder, seed: int = 0) -> Objective:
    """An objective by its component or its YAML's name."""
    if isinstance(chosen, str):
        chosen = component("objective", chosen)
    return objectives.build(chosen, given(encoder), seed)


def sound(batch: int = 5, seed: int = 0, length: int = 3 * FRAMES) -> NDArray[np.float32]:
    """Normalised log-mels of recordings longer than a crop, (B, length, mels)."""
    rng = np.random.default_rng(seed)
    spectra = rng.normal(0, 1, (batch, 1, FRONT_END.mels))
    drift = rng.normal(0, 0.3, (batch, length, FRONT_END.mels)).cumsum(axis=1) / 4
    return (spectra + drift).astype(np.float32)


def with_tracks(log_mels: NDArray[np.float32]) -> NDArray[np.float32]:
    """Made-up tracks beside log-mels: mixtures of a frame's bands, (..., mels + tracks)."""
    rng = np.random.default_rng(9)
    mixing = rng.normal(0, FRONT_END.mels**-0.5, (FRONT_END.mels, len(tracks.NAMES)))
    found = np.tanh(log_mels @ mixing).astype(np.float32)
    return np.concatenate([log_mels, found], axis=-1)


def made(
    objective: Objective, log_mels: NDArray[np.float32], seed: int = 0, views: Views = VIEWS
) -> list[NDArray[np.float32]]:
    """What an objective makes of recordings, cropped as `Selection.crops` does."""
    rng = np.random.default_rng(seed)
    batch, length, _ = log_mels.shape
    sounds = with_tracks(log_mels) if objective.tracks else log_mels

    def crops() -> NDArray[np.float32]:
        starts = rng.integers(0, np.full(batch, length - FRAMES + 1))
        return np.stack([sounds[i, s : s + FRAMES] for i, s in enumerate(starts)])

    return objective.make(crops, views, rng, FRONT_END.sd)


def tensors(
    arrays: Sequence[NDArray[np.float32]], dtype: torch.dtype = torch.float32
) -> list[Tensor]:
    return [torch.from_numpy(array).to(dtype) for array in arrays]


def flat(bands: NDArray[np.float64]) -> Tensor:
    """A view whose `Mean` embedding is these numbers: (B, mels) -> (B, mels, 4)."""
    return torch.from_numpy(bands)[:, :, None].expand(-1, -1, 4)
