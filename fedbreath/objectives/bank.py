"""The public bank: log-mels of simulated sound, nobody's recording.

One random crop each of K takes of the simulated phone cohorts, of a population of its own
(`SEED`), normalised by the front end's constants: (K, mels, frames). The bank is a function
of its size, the front end, the length of a crop and the generator's version, and so the same
at every site and in every run. Rendering takes about 30 ms a take, once a process.

Who watches an encoder compares two views of each take (`views_of`): the bank's own crop, and
another one, changed as `fedbreath.views` does by default, whatever the run trains with.
"""

import functools

import numpy as np
import torch
from torch import Tensor

from fedbreath import audio
from fedbreath.audio import FrontEnd
from fedbreath.datasets import simulated
from fedbreath.features import normalise
from fedbreath.objectives import Floats, Given
from fedbreath.recording import Recording
from fedbreath.views import Views, augment

#: Of the bank's population: far from the small numbers that a run's own cohorts are given.
SEED = 2**32 - 1

#: Cohorts that the bank's takes are drawn from, in turn: phones, places and ages differ.
COHORTS = 8


def crops_of(size: int, given: Given) -> Tensor:
    """A new tensor of the bank, shape (size, mels, frames)."""
    return torch.from_numpy(_made(size, given.front_end, given.frames).copy())


def views_of(size: int, front_end: FrontEnd, frames: int) -> tuple[Tensor, Tensor]:
    """Two views of each take, of shape (size, mels, frames); new tensors.

    Args:
        size: Takes.
        front_end: What makes and normalises the log-mels.
        frames: Frames of a crop.
    """
    first, second = _made(size, front_end, frames), _other(size, front_end, frames)
    return torch.from_numpy(first.copy()), torch.from_numpy(second.copy())


def spectra_of(size: int, each: int, front_end: FrontEnd, frames: int) -> Tensor:
    """Some crops of each take with their tracks, (size * each, mels + tracks, frames)."""
    rng = np.random.default_rng(SEED)
    whole = (audio.analyse(audio.read(take), front_end) for take in _takes(size))
    cut = [_crop(one, frames, rng) for one in whole for _ in range(each)]
    crops = normalise(np.stack(cut), front_end)
    return torch.from_numpy(np.ascontiguousarray(crops.transpose(0, 2, 1)))


@functools.lru_cache(maxsize=2)
def _made(size: int, front_end: FrontEnd, frames: int) -> Floats:
    crops = _crops(size, front_end, frames, np.random.default_rng(SEED))
    return np.ascontiguousarray(crops.transpose(0, 2, 1))


@functools.lru_cache(maxsize=2)
def _other(size: int, front_end: FrontEnd, frames: int) -> Floats:
    rng = np.random.default_rng([SEED, 1])
    crops = _crops(size, front_end, frames, rng)
    return np.ascontiguousarray(augment(crops, Views(), rng, scale=front_end.sd).transpose(0, 2, 1))


def _crops(size: int, front_end: FrontEnd, frames: int, rng: np.random.Generator) -> Floats:
    """A normalised random crop of each take, (size, frames, mels)."""
    log_mels = _log_mels(size, front_end)
    return normalise(np.stack([_crop(one, frames, rng) for one in log_mels]), front_end)


@functools.lru_cache(maxsize=1)
def _log_mels(size: int, front_end: FrontEnd) -> tuple[Floats, ...]:
    """Every take as a whole, (T, mels), not normalised."""
    return tuple(audio.log_mel(audio.read(take), front_end) for take in _takes(size))


def _takes(size: int) -> list[Recording]:
    """Coughs and breaths of different persons, from one cohort after another."""
    persons = -(-size // (2 * COHORTS))
    config = simulated.Config(COHORTS, persons, 1, persons_spread=0, sessions_spread=0, seed=SEED)
    sites = [site.recordings for site in simulated.Simulated(config).sites()]
    turns = zip(*sites, strict=True)
    return [recording for turn in turns for recording in turn][:size]


def _crop(log_mel: Floats, frames: int, rng: np.random.Generator) -> Floats:
    """A random crop, (frames, mels); a shorter take is repeated to fill it."""
    start = rng.integers(0, max(1, len(log_mel) - frames + 1))
    crop: Floats = log_mel[(start + np.arange(frames)) % len(log_mel)]
    return crop
