"""From recordings to vectors: windows that cover, averages that weigh windows alike."""

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from fedbreath import encoders
from fedbreath.audio import FrontEnd
from fedbreath.config import Component
from fedbreath.downstream import embedding
from fedbreath.encoders import Encoder
from fedbreath.encoders.cnn import Cnn, Config
from fedbreath.features import Selection
from tests.stores import MELS, noise, person, store

FRONT_END = FrontEnd(mels=MELS, mean=1.0, sd=2.0)

#: Ten frames.
SECONDS = 0.16


class Mean(Encoder):
    """The mean of each band, so that an embedding is known by hand."""

    def __init__(self) -> None:
        super().__init__()
        self.dim = MELS
        self.unused = nn.Linear(1, 1)
        self.dropout = nn.Dropout(0.5)

    def forward(self, log_mel: Tensor) -> Tensor:
        found: Tensor = self.dropout(log_mel.mean(dim=2))
        return found


def selection(*lengths: int) -> Selection:
    log_mels = [noise(1, length, seed=i)[0] for i, length in enumerate(lengths)]
    people = [person(i) for i in range(len(lengths))]
    return store(people, log_mels, front_end=FRONT_END).select()


@pytest.mark.parametrize("length", [1, 3, 9, 10, 11, 19, 20, 21, 95])
def test_windows_stand_end_to_end_and_the_last_ends_with_the_recording(length: int) -> None:
    frames = np.repeat(np.arange(length, dtype=np.float16)[:, None], 2, axis=1)
    found = embedding.windows(frames, 10)
    assert found.shape == (-(-length // 10), 10, 2)
    assert found.dtype == np.float32
    assert set(found.ravel()) == set(range(length))  # every frame is in some window
    assert found[-1, -1, 0] == (length - 1 if length >= 10 else 9 % length)
    if length >= 10:
        assert (np.diff(found[:, :, 0], axis=1) == 1).all()
        assert (found[:-1, 0, 0] == np.arange(0, length - 10, 10)).all()
    else:
        assert (found[0, :, 0] == np.arange(10) % length).all()


def test_an_embedding_is_the_mean_over_normalised_windows() -> None:
    chosen = selection(25, 10, 4)
    found = embedding.embed(Mean(), chosen, SECONDS)
    assert found.shape == (3, MELS)
    assert found.dtype == np.float32
    for i in range(3):
        cut = (embedding.windows(chosen.log_mel(i), 10) - 1) / 2
        np.testing.assert_allclose(found[i], cut.mean(axis=(0, 1)), rtol=1e-5, atol=1e-5)


def test_an_embedding_does_not_depend_on_the_other_recordings() -> None:
    encoder = encoders.build(Component(Cnn, Config(widths=(8, 16))), MELS, 0)
    lengths = [2000, 5, 33, 700]  # more windows than go through the encoder at once
    together = embedding.embed(encoder, selection(*lengths), SECONDS)
    whole = selection(*lengths)
    for i in range(4):
        alone = Selection(((whole.parts[0][0], (i,)),))
        found = embedding.embed(encoder, alone, SECONDS)
        np.testing.assert_allclose(found[0], together[i], rtol=1e-4, atol=1e-5)


def test_the_encoder_is_left_as_it_was() -> None:
    encoder = encoders.build(Component(Cnn, Config(widths=(8, 16))), MELS, 0).train()
    before = {k: v.clone() for k, v in encoder.state_dict().items()}
    embedding.embed(encoder, selection(30), SECONDS)
    assert all(torch.equal(before[k], v) for k, v in encoder.state_dict().items())
    assert all(p.grad is None for p in encoder.parameters())


def test_the_baselines_without_an_encoder_by_hand() -> None:
    chosen = selection(25, 10)
    statistics = embedding.log_mel_statistics(chosen)
    assert statistics.shape == (2, 2 * MELS)
    first = chosen.log_mel(0).astype(np.float64)
    np.testing.assert_allclose(statistics[0, :MELS], first.mean(axis=0), rtol=1e-4)
    np.testing.assert_allclose(statistics[0, MELS:], first.std(axis=0), rtol=1e-4)
    np.testing.assert_allclose(
        embedding.level_and_length(chosen),
        [[-20, np.log(25 * 0.016)], [-20, np.log(10 * 0.016)]],
        rtol=1e-6,
    )
