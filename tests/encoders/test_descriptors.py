"""The descriptors as an encoder: nothing to train, and the contract of all others."""

import numpy as np
import pytest
import torch

from fedbreath import descriptors, encoders
from fedbreath.audio import FrontEnd
from fedbreath.config import component, load
from fedbreath.downstream import embedding
from fedbreath.encoders import Encoder
from fedbreath.errors import ConfigError
from fedbreath.features import normalise
from fedbreath.pretraining import Learner
from tests.stores import noise, person, store

FRAMES = 62


def build(mels: int = 64) -> Encoder:
    return encoders.build(component("encoder", "descriptors"), mels, 0)


def test_it_is_the_descriptors_of_a_window() -> None:
    window = torch.randn(3, 104, FRAMES, generator=torch.Generator().manual_seed(0))
    encoder = build()
    assert encoder.tracks
    assert torch.equal(encoder(window), descriptors.describe(window, 64))
    assert torch.equal(encoder.pool(encoder.features(window)), encoder(window))
    assert encoder.features(window).shape == (3, 1, 104, FRAMES)
    assert encoder.dim == encoder(window).shape[1] == 1984


def test_its_facts() -> None:
    facts = build().facts(FrontEnd())
    assert (facts.parameters, facts.dim, facts.receptive_field) == (0, 1984, None)
    # The cepstra: 62 frames of 64 bands to 20, in a second of 0.992 s.
    assert facts.mmac == pytest.approx(64 * 20 / 0.016 / 1e6)


def test_a_recording_is_described_from_its_own_frames_and_tracks() -> None:
    """Windows of a store, normalised, end to end; the first window alone, and the second."""
    selection = store([person(0), person(1)], noise(2, 2 * FRAMES)).select()
    front_end = selection.parts[0][0].front_end
    found = embedding.embed(build(front_end.mels), selection, 1.0)
    frames = normalise(selection.frames(1).astype(np.float32), front_end)
    windows = torch.from_numpy(frames).T.reshape(front_end.rows, 2, FRAMES).transpose(0, 1)
    expected = descriptors.describe(windows, front_end.mels).mean(dim=0)
    np.testing.assert_allclose(found[1], expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("shape", [(2, 64, 62), (104, 62), (2, 104, 0)])
def test_windows_without_tracks_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="shape"):
        build()(torch.zeros(shape))


@pytest.mark.parametrize("objective", ["cola", "descriptors"])
def test_there_is_nothing_to_pretrain(objective: str) -> None:
    config = load(f"encoder=descriptors objective={objective}")
    with pytest.raises(ConfigError, match=r"^encoder=descriptors has no weights to train; reports"):
        Learner(config)


def test_nor_to_freeze() -> None:
    assert not any(build().groups().values())
