"""The CNN: its size, its shapes, and that one recording knows nothing of another."""

from itertools import pairwise

import pytest
import torch
from torch import Tensor

from fedbreath import encoders
from fedbreath.config import Component
from fedbreath.encoders.cnn import Cnn, Config
from fedbreath.encoders.pooling import statistics


def cnn(seed: int = 0) -> encoders.Encoder:
    return encoders.build(Component(Cnn, Config(widths=(8, 16, 16))), 64, seed)


def batch(size: int = 4, frames: int = 62, seed: int = 1) -> Tensor:
    return torch.randn(size, 64, frames, generator=torch.Generator().manual_seed(seed))


def test_the_default_has_the_size_that_is_written_down() -> None:
    """3x3 kernels without bias, and two numbers a channel of each GroupNorm."""
    encoder = Cnn(Config(), mels=64)
    widths = [1, 32, 64, 128, 256, 256]
    by_hand = sum(9 * a * b + 2 * b for a, b in pairwise(widths))
    assert encoder.parameter_count() == by_hand == 978_656
    assert encoder.dim == 768
    assert encoder(batch(2)).shape == (2, 768)


@pytest.mark.parametrize("mels", [1, 16, 64, 100])
@pytest.mark.parametrize("frames", [1, 2, 5, 62, 63, 200])
def test_any_length_and_number_of_bands(frames: int, mels: int) -> None:
    with torch.no_grad():
        found = cnn()(torch.randn(3, mels, frames))
    assert found.shape == (3, 48)
    assert torch.isfinite(found).all()


def test_the_embedding_is_mean_deviation_and_maximum_over_time() -> None:
    encoder = cnn()
    assert isinstance(encoder, Cnn)
    with torch.no_grad():
        track = encoder.blocks(batch().unsqueeze(1)).mean(dim=2)
        mean, spread, most = encoder(batch()).chunk(3, dim=1)
    torch.testing.assert_close(mean, track.mean(dim=2))
    torch.testing.assert_close(spread, track.std(dim=2, correction=0), atol=1e-3, rtol=1e-3)
    torch.testing.assert_close(most, track.max(dim=2).values)


@pytest.mark.parametrize("adapter", [0, 4])
@pytest.mark.parametrize("read", [1, 2, 3, 9])
def test_the_last_blocks_are_read(read: int, adapter: int) -> None:
    encoder = Cnn(Config(widths=(8, 16, 24), read=read, adapter=adapter), mels=64)
    for one in encoder.adapters:
        torch.nn.init.normal_(one.up.weight)  # type: ignore[union-attr, arg-type]
    with torch.no_grad():
        value, maps = batch().unsqueeze(1), []
        for number in range(3):
            value = encoder.blocks[3 * number : 3 * number + 3](value)
            value = encoder.adapters[number](value) if adapter else value
            maps.append(statistics(value))
        found = encoder.read(batch())
        torch.testing.assert_close(found, torch.cat(maps[-read:], dim=1), rtol=0, atol=0)
        torch.testing.assert_close(found[:, -72:], encoder(batch()), rtol=0, atol=0)
    assert found.shape == (4, encoder.read_dim)


def test_no_block_to_read_is_refused() -> None:
    with pytest.raises(ValueError, match="read must be >= 1"):
        Config(read=0)


def test_nothing_is_kept_of_other_recordings() -> None:
    encoder = cnn()
    assert not list(encoder.buffers())
    with torch.no_grad():
        trained = encoder.train()(batch())
        torch.testing.assert_close(encoder.eval()(batch()), trained, rtol=0, atol=0)


def test_an_embedding_does_not_depend_on_the_rest_of_its_batch() -> None:
    one, others = batch(1), batch(7, seed=2) * 100
    with torch.no_grad():
        together = cnn()(torch.cat([others[:3], one, others[3:]]))[3:4]
        torch.testing.assert_close(together, cnn()(one), rtol=1e-4, atol=1e-5)


def test_the_gradient_reaches_every_weight() -> None:
    encoder = cnn()
    encoder(batch()).square().sum().backward()
    for name, parameter in encoder.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().sum() > 0, name


@pytest.mark.parametrize("value", [0.0, 1.0, -3.0])
@pytest.mark.parametrize("frames", [1, 62])
def test_a_constant_input_has_a_finite_gradient(value: float, frames: int) -> None:
    """Nothing varies: the standard deviation is zero, where a root has no derivative."""
    encoder = cnn()
    encoder(torch.full((2, 64, frames), value)).sum().backward()
    assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in encoder.parameters())


def test_the_seed_alone_decides_the_weights() -> None:
    before = torch.random.get_rng_state()
    first, same, other = (cnn(seed).state_dict() for seed in (3, 3, 4))
    assert torch.equal(torch.random.get_rng_state(), before)
    assert all(torch.equal(first[name], same[name]) for name in first)
    assert any(not torch.equal(first[name], other[name]) for name in first)


@pytest.mark.parametrize(
    ("config", "sentence"),
    [
        ({"widths": ()}, "at least one block"),
        ({"widths": (8, 12)}, "multiples of groups=8, got 12"),
        ({"widths": (0,)}, "multiples of groups=8, got 0"),
        ({"groups": 0}, "groups must be >= 1, got 0"),
        ({"groups": -1}, "groups must be >= 1, got -1"),
    ],
)
def test_a_shape_that_cannot_be_built_is_refused(config: dict[str, object], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        Config(**config)  # type: ignore[arg-type]
