"""Adapters: an identity at first, a bottleneck by hand, and gradients of one recording alone."""

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.func import functional_call, grad, vmap

from fedbreath import encoders
from fedbreath.config import component
from fedbreath.encoders import Encoder, adapters
from fedbreath.encoders.adapters import Adapter
from fedbreath.errors import ConfigError, UserError
from server import checkpoints
from server.checkpoints import Checkpoint

NAMES = ("cnn_narrow", "vit_narrow")


def build(name: str, *overrides: str, seed: int = 0) -> Encoder:
    return encoders.build(component("encoder", name, overrides), 64, seed)


def batch(size: int = 3) -> Tensor:
    return torch.randn(size, 64, 62, generator=torch.Generator().manual_seed(1))


def moved(encoder: Encoder) -> Encoder:
    """The same encoder with adapters that do something."""
    generator = torch.Generator().manual_seed(2)
    with torch.no_grad():
        for name, parameter in encoder.named_parameters():
            if name.startswith(adapters.PREFIX):
                parameter.copy_(0.1 * torch.randn(parameter.shape, generator=generator))
    return encoder


def saved(folder: Path, encoder: Encoder) -> Path:
    weights = {f"encoder.{n}": t for n, t in encoder.state_dict().items()}
    checkpoints.write(folder, Checkpoint(3, "digest", weights))
    return folder / checkpoints.NAME


def test_the_bottleneck_by_hand() -> None:
    """Two channels, width 1: y = x + U gelu(D x + d) + u."""
    one = Adapter(nn.Linear(2, 1), nn.Linear(1, 2))
    with torch.no_grad():
        one.down.weight.copy_(torch.tensor([[2.0, -1.0]]))
        assert one.down.bias is not None
        one.down.bias.fill_(0.5)
        one.up.weight.copy_(torch.tensor([[1.0], [3.0]]))
        assert one.up.bias is not None
        one.up.bias.copy_(torch.tensor([0.0, -1.0]))
    hidden = 2 * 1.0 - 2.0 + 0.5
    active = hidden * 0.5 * (1 + torch.erf(torch.tensor(hidden / 2**0.5)))
    found = one(torch.tensor([[1.0, 2.0]]))
    torch.testing.assert_close(found, torch.stack([1 + active, 2 + 3 * active - 1]).unsqueeze(0))


def test_a_convolution_of_one_place_is_the_linear_layer_of_each_place() -> None:
    (flat,), (spread,) = adapters.for_tokens([6], 2), adapters.for_maps([6], 2)
    assert isinstance(flat, Adapter)
    with torch.no_grad():
        for ours, theirs in zip(spread.parameters(), flat.parameters(), strict=True):
            theirs.normal_()
            ours.copy_(theirs.reshape(ours.shape))
    value = torch.randn(2, 6, 3, 5)
    tokens = flat(value.flatten(2).transpose(1, 2))
    torch.testing.assert_close(spread(value).flatten(2).transpose(1, 2), tokens)


@pytest.mark.parametrize("name", NAMES)
def test_an_encoder_starts_as_the_one_without(name: str) -> None:
    """All other weights are those of the seed, and the function is the same bit for bit."""
    bare, fitted = build(name), build(name, "adapter=4")
    held = fitted.state_dict()
    assert all(torch.equal(tensor, held[n]) for n, tensor in bare.state_dict().items())
    assert {n for n in held if n not in bare.state_dict()} == set(fitted.groups()["adapters"])
    torch.testing.assert_close(fitted(batch()), bare(batch()), rtol=0, atol=0)
    assert not torch.allclose(moved(fitted)(batch()), bare(batch()), atol=1e-3)


@pytest.mark.parametrize("name", NAMES)
def test_no_width_is_no_adapter(name: str) -> None:
    assert list(build(name, "adapter=0").groups()) == ["stem", "blocks", "norm"]
    assert not [n for n in build(name).state_dict() if n.startswith(adapters.PREFIX)]
    with pytest.raises(ConfigError, match=r"encoder\.adapter must be >= 0, got -1"):
        build(name, "adapter=-1")


@pytest.mark.parametrize(("name", "channels"), [
    ("cnn_narrow", (16, 32, 64, 128, 128)), ("vit_narrow", (96,) * 4),
])  # fmt: skip
def test_there_is_one_for_each_block(name: str, channels: tuple[int, ...]) -> None:
    fitted = build(name, "adapter=4")
    added = fitted.parameter_count() - build(name).parameter_count()
    assert added == sum(2 * c * 4 + c + 4 for c in channels)
    groups = fitted.groups()
    assert list(groups) == ["stem", "blocks", "norm", "adapters"]
    together = [n for names in groups.values() for n in names]
    assert sorted(together) == sorted(n for n, _ in fitted.named_parameters())


@pytest.mark.parametrize("name", NAMES)
def test_each_adapter_stands_after_its_block(name: str) -> None:
    """A change of the last one moves no map before it."""
    fitted = build(name, "adapter=4")
    blocks, parts = fitted.get_submodule("blocks"), fitted.get_submodule("adapters")
    assert isinstance(blocks, nn.Sequential)
    assert isinstance(parts, nn.ModuleList)
    seen: list[tuple[str, int]] = []
    for kind, modules in (("block", blocks), ("adapter", parts)):
        for number, module in enumerate(modules):
            module.register_forward_hook(lambda *_, at=(kind, number): seen.append(at))
    fitted(batch(1))
    layers = len(blocks) // len(parts)
    expected = [
        at
        for k in range(len(parts))
        for at in (*(("block", layers * k + i) for i in range(layers)), ("adapter", k))
    ]
    assert seen == expected


@pytest.mark.filterwarnings("ignore:There is a performance drop")  # of torch's attention
@pytest.mark.parametrize("name", NAMES)
def test_each_recordings_gradient_is_the_one_it_has_alone(name: str) -> None:
    fitted = moved(build(name, "adapter=4"))
    weights = {n: p.detach() for n, p in fitted.named_parameters()}

    def loss(given: dict[str, Tensor], window: Tensor) -> Tensor:
        found: Tensor = functional_call(fitted, given, (window.unsqueeze(0),))
        return found.square().mean()

    together = vmap(grad(loss), (None, 0))(weights, batch())
    for row, window in enumerate(batch()):
        fitted.zero_grad()
        fitted(window.unsqueeze(0)).square().mean().backward()
        for n, parameter in fitted.named_parameters():
            assert parameter.grad is not None
            torch.testing.assert_close(together[n][row], parameter.grad, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("name", NAMES)
def test_the_first_step_reaches_the_way_up_alone(name: str) -> None:
    fitted = build(name, "adapter=4")
    fitted(batch()).square().mean().backward()
    for n in fitted.groups()["adapters"]:
        found = fitted.get_parameter(n).grad
        assert found is not None
        assert bool(found.abs().sum() > 0) == (".up." in n)


# -- warm start --------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_a_checkpoint_without_adapters_goes_on_in_an_encoder_with_them(
    name: str, tmp_path: Path
) -> None:
    old = build(name, seed=5)
    path = saved(tmp_path, old)
    warm = build(name, "adapter=4", f"init='fedbreath:{path}'")
    held = warm.state_dict()
    assert all(torch.equal(tensor, held[n]) for n, tensor in old.state_dict().items())
    torch.testing.assert_close(warm(batch()), old(batch()), rtol=0, atol=0)
    assert warm.start is not None
    assert set(warm.start.fresh) == set(warm.groups()["adapters"])
    fresh = build(name, "adapter=4").state_dict()
    assert all(torch.equal(held[n], fresh[n]) for n in warm.start.fresh)


def test_a_checkpoint_with_adapters_brings_them(tmp_path: Path) -> None:
    old = moved(build("cnn_narrow", "adapter=4", seed=5))
    path = saved(tmp_path, old)
    warm = build("cnn_narrow", "adapter=4", f"init='fedbreath:{path}'")
    torch.testing.assert_close(warm(batch()), old(batch()), rtol=0, atol=0)
    assert warm.start is not None
    assert warm.start.fresh == ()
    with pytest.raises(UserError, match=r"encoder\.adapters\.0\.down\.\w+ has no place here"):
        build("cnn_narrow", f"init='fedbreath:{path}'")
    with pytest.raises(UserError, match=r"encoder\.adapters\.0\.down\.\w+ has shape"):
        build("cnn_narrow", "adapter=2", f"init='fedbreath:{path}'")


def test_some_of_the_adapters_are_not_enough(tmp_path: Path) -> None:
    old = build("cnn_narrow", "adapter=4")
    weights = {f"encoder.{n}": t for n, t in old.state_dict().items()}
    del weights["encoder.adapters.1.up.bias"]
    checkpoints.write(tmp_path, Checkpoint(3, "digest", weights))
    path = tmp_path / checkpoints.NAME
    with pytest.raises(UserError, match=r"lacks 1 of .* tensors, first adapters\.1\.up\.bias"):
        build("cnn_narrow", "adapter=4", f"init='fedbreath:{path}'")
