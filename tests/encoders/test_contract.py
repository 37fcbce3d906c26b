"""What every encoder promises: shapes, lengths, independence, gradients, groups, facts."""

import functools
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from fedbreath import encoders
from fedbreath.audio import FrontEnd
from fedbreath.config import component
from fedbreath.encoders import Encoder, lengths

#: Trainable parameters and length of the embedding.
SIZES = {
    "cnn_narrow": (245_104, 384),
    "cnn": (978_656, 768),
    "cnn_wide": (3_911_104, 1536),
    "vit_narrow": (459_936, 288),
    "vit": (1_804_608, 576),
    "vit_wide": (7_148_160, 1152),
    "opera_ce": (4_007_578, 1280),
    "opera_ct": (27_534_488, 768),
    "opera_gt": (21_301_248, 384),
}
SMALL = ("cnn_narrow", "vit_narrow", "opera_ce")
ONE_EACH = (*SMALL, "opera_ct", "opera_gt")

#: What mixes recordings in training, as OPERA does, unless it is told not to.
PRIVATE = {"opera_ce": ("norm=group",), "opera_ct": ("norm=group",)}


def build(name: str, *overrides: str, seed: int = 0) -> Encoder:
    return encoders.build(component("encoder", name, overrides), 64, seed)


@functools.cache
def frozen(name: str) -> Encoder:
    return build(name).eval()


def batch(size: int = 2, frames: int = 62, seed: int = 1) -> Tensor:
    return torch.randn(size, 64, frames, generator=torch.Generator().manual_seed(seed))


@torch.no_grad()
def embed(name: str, log_mel: Tensor) -> Tensor:
    found: Tensor = frozen(name)(log_mel)
    return found


@pytest.mark.parametrize("name", SIZES)
def test_the_sizes_are_those_that_are_written_down(name: str) -> None:
    encoder = frozen(name)
    assert (encoder.parameter_count(), encoder.dim) == SIZES[name]


def test_the_sizes_are_those_that_were_published() -> None:
    """EfficientNet-B0 without its classifier; OPERA-GT's encoder with its fixed positions."""
    assert SIZES["opera_ce"][0] == 5_288_548 - 1_281_000 + (9 * 3 + 3)
    block = 4 * 384 + 4 * 384**2 + 4 * 384 + 8 * 384**2 + 5 * 384
    assert SIZES["opera_gt"][0] == (16 * 384 + 384) + 384 + 12 * block + 2 * 384
    assert SIZES["opera_gt"][0] + 1025 * 384 == 21_694_848
    norms = [m for m in frozen("opera_ce").modules() if isinstance(m, nn.BatchNorm2d)]
    assert len(norms) == 49
    assert sum(2 * m.num_features for m in norms) == 42_016


@pytest.mark.parametrize("frames", [10, 33, 62, 101, 600])
@pytest.mark.parametrize("name", SMALL)
def test_any_length(name: str, frames: int) -> None:
    found = embed(name, batch(2, frames))
    assert found.shape == (2, SIZES[name][1])
    assert torch.isfinite(found).all()


@torch.no_grad()
@pytest.mark.parametrize("name", ONE_EACH)
def test_what_is_read_ends_with_the_embedding(name: str) -> None:
    encoder, log_mel = frozen(name), batch(2)
    found = encoder.read(log_mel)
    assert found.shape == (2, encoder.read_dim)
    torch.testing.assert_close(found[:, -encoder.dim :], embed(name, log_mel), rtol=0, atol=0)
    # Relative: OPERA-CE's BatchNorm has seen nothing yet, and lets the signal fade.
    assert (found[0] - found[1]).abs().max() > 0.01 * found.abs().max()


@pytest.mark.parametrize(
    ("name", "frames"), [("opera_ct", 10), ("opera_ct", 600), ("opera_gt", 10)]
)
def test_any_length_on_a_fixed_grid(name: str, frames: int) -> None:
    found = embed(name, batch(1, frames))
    assert found.shape == (1, SIZES[name][1])
    assert torch.isfinite(found).all()


def test_what_is_too_short_is_repeated_from_its_start() -> None:
    for name, frames, least in (("opera_ce", 10, 34), ("vit_narrow", 13, 16), ("opera_gt", 3, 4)):
        short = batch(2, frames)
        whole = short.repeat(1, 1, 4)[:, :, :least]
        torch.testing.assert_close(embed(name, short), embed(name, whole), rtol=0, atol=0)
        other = whole.clone()
        other[:, :, -1] += 1
        assert not torch.allclose(embed(name, short), embed(name, other))


def test_what_is_shorter_than_the_grid_is_stretched() -> None:
    """A sound that stays as it is has no length to tell, whatever it is stretched from."""
    steady = torch.linspace(-1, 1, 64).view(1, 64, 1)
    short, long = (embed("opera_ct", steady.expand(1, 64, n)) for n in (10, 300))
    torch.testing.assert_close(short, long, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("name", "frames", "starts", "length"),
    [("opera_gt", 300, (0, 44), 256), ("opera_ct", 1030, (0, 6), 1024)],
)
def test_what_is_longer_than_the_grid_is_averaged(
    name: str, frames: int, starts: tuple[int, ...], length: int
) -> None:
    long = batch(1, frames)
    cut = torch.cat([long[:, :, s : s + length] for s in starts])
    expected = embed(name, cut).mean(dim=0, keepdim=True)
    torch.testing.assert_close(embed(name, long), expected, rtol=1e-4, atol=1e-5)


def test_windows_of_one_recording_stay_with_it() -> None:
    both = batch(2, 11)
    cut, count = lengths.windows(both, 4)
    assert (cut.shape, count) == ((6, 64, 4), 3)
    torch.testing.assert_close(cut[3:], lengths.windows(both[1:], 4)[0], rtol=0, atol=0)
    maps = cut.unsqueeze(1)
    together = lengths.side_by_side(maps, count)
    assert together.shape == (2, 1, 64, 12)
    assert torch.equal(together[1, 0, :, :8], both[1, :, :8])
    assert torch.equal(lengths.apart(together, count), maps)
    embeddings = torch.arange(12.0).view(6, 2)
    assert lengths.averaged(embeddings, count).tolist() == [[2.0, 3.0], [8.0, 9.0]]


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("cnn_narrow", (128, 4, 4)),
        ("vit_narrow", (96, 4, 8)),
        ("opera_ce", (1280, 1, 1)),
        ("opera_ct", (768, 2, 32)),
        ("opera_gt", (384, 16, 15)),
    ],
)
def test_the_map_is_pooled_to_the_embedding(name: str, shape: tuple[int, ...]) -> None:
    with torch.no_grad():
        features = frozen(name).features(batch(2))
        pooled = frozen(name).pool(features)
    assert features.shape == (2, *shape)
    torch.testing.assert_close(pooled, embed(name, batch(2)), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", ONE_EACH)
def test_the_map_has_low_bands_first_and_time_last(name: str) -> None:
    """A change at one corner of the input moves that corner of the map most."""
    encoder = build(name, *PRIVATE.get(name, ())).eval()
    window = batch(1, 256)
    changed = window.clone()
    changed[:, :8, -64:] += 3
    with torch.no_grad():
        moved = (encoder.features(changed) - encoder.features(window)).abs().mean(dim=(0, 1))
    rows, columns = (int(n) for n in moved.shape)
    assert moved[:, -columns // 4 :].mean() > 1.2 * moved[:, : columns // 4].mean()
    if rows > 1:
        assert moved[: rows // 2].mean() > moved[rows // 2 :].mean()


@pytest.mark.parametrize(
    ("log_mel", "sentence"),
    [
        (torch.zeros(64, 62), r"shape \(B, mels, frames\), got torch.float32 \(64, 62\)"),
        (torch.zeros(2, 64, 62, dtype=torch.int64), r"got torch.int64 \(2, 64, 62\)"),
        (torch.zeros(2, 64, 0), r"needs mels and frames, got shape \(2, 64, 0\)"),
    ],
)
@pytest.mark.parametrize("name", ONE_EACH)
def test_what_is_no_batch_of_windows_is_refused(name: str, log_mel: Tensor, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        embed(name, log_mel)


@pytest.mark.parametrize("name", ["vit_narrow", "opera_ce", "opera_ct", "opera_gt"])
def test_other_mels_than_it_was_built_for_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match="built for 64 mels, got 48"):
        embed(name, torch.zeros(2, 48, 62))


@pytest.mark.parametrize(
    ("name", "mels", "sentence"),
    [
        ("opera_ct", 80, "opera_ct is made for 64 mels, got 80"),
        ("opera_gt", 32, "opera_gt is made for 64 mels, got 32"),
        ("opera_ce", 33, "opera_ce needs at least 34 mels, got 33"),
        ("vit", 40, "mels=40 must be a multiple of patch_mels=16"),
    ],
)
def test_mels_that_do_not_fit_are_refused(name: str, mels: int, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        encoders.build(component("encoder", name), mels, 0)


@pytest.mark.parametrize("name", ONE_EACH)
def test_without_batch_norm_recordings_know_nothing_of_one_another(name: str) -> None:
    encoder = build(name, *PRIVATE.get(name, ())).train()
    assert set(encoder.state_dict()) == {n for n, _ in encoder.named_parameters()}
    one = batch(1)
    with torch.no_grad():
        alone = encoder(one)
        together = encoder(torch.cat([one, 50 * batch(1, seed=2)]))[:1]
        torch.testing.assert_close(alone, together, rtol=1e-3, atol=1e-4)
        torch.testing.assert_close(encoder.eval()(one), alone, rtol=0, atol=0)


@pytest.mark.parametrize(
    "overrides", [("cnn", "norm=batch"), ("opera_ce",), ("opera_ct",)], ids=lambda o: o[0]
)
def test_batch_norm_mixes_recordings_in_training_alone(overrides: tuple[str, ...]) -> None:
    encoder = build(*overrides).train()
    one, other = batch(1), 5 * batch(1, seed=2)
    with torch.no_grad():
        mixed = encoder(torch.cat([one, other]))[:1]
        assert not torch.allclose(mixed, encoder(torch.cat([one, one]))[:1], atol=1e-3)
        alone = encoder.eval()(one)
        together = encoder(torch.cat([one, other]))[:1]
    torch.testing.assert_close(alone, together, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("name", ONE_EACH)
def test_evaluation_is_deterministic(name: str) -> None:
    before = torch.random.get_rng_state()
    torch.testing.assert_close(embed(name, batch()), embed(name, batch()), rtol=0, atol=0)
    assert torch.equal(torch.random.get_rng_state(), before)


@pytest.mark.parametrize("name", ONE_EACH)
def test_the_gradient_reaches_every_weight(name: str) -> None:
    encoder = build(name).train()
    encoder(batch()).square().sum().backward()
    for parameter_name, parameter in encoder.named_parameters():
        assert parameter.grad is not None, parameter_name
        assert torch.isfinite(parameter.grad).all(), parameter_name
        assert parameter.grad.abs().sum() > 0, parameter_name


@pytest.mark.parametrize("name", SMALL)
def test_silence_has_a_finite_gradient(name: str) -> None:
    encoder = build(name, *(("span=3.07",) if name == "opera_ce" else ()))
    encoder(torch.full((2, 64, 62), -3.0)).square().sum().backward()
    grads = [p.grad for p in encoder.parameters()]
    assert all(grad is not None and torch.isfinite(grad).all() for grad in grads)


@pytest.mark.parametrize("name", SMALL)
def test_the_seed_alone_decides_the_weights(name: str) -> None:
    before = torch.random.get_rng_state()
    first, same, other = (build(name, seed=seed).state_dict() for seed in (3, 3, 4))
    assert torch.equal(torch.random.get_rng_state(), before)
    assert all(torch.equal(first[n], same[n]) for n in first)
    assert any(not torch.equal(first[n], other[n]) for n in first)


@pytest.mark.parametrize("name", SIZES)
def test_every_parameter_is_in_one_group(name: str) -> None:
    groups = frozen(name).groups()
    assert list(groups) == ["stem", "blocks", "norm"]
    assert all(groups.values())
    together = [n for names in groups.values() for n in names]
    assert sorted(together) == sorted(n for n, _ in frozen(name).named_parameters())
    parameters = dict(frozen(name).named_parameters())
    assert all(parameters[n].ndim == 1 for n in groups["norm"])
    assert sum(parameters[n].numel() for n in groups["blocks"]) > 0.5 * SIZES[name][0]


@pytest.mark.parametrize("name", SMALL)
def test_a_frozen_group_stands_still(name: str) -> None:
    encoder = build(name)
    held = {n for group in ("stem", "blocks") for n in encoder.groups()[group]}
    for n, parameter in encoder.named_parameters():
        parameter.requires_grad_(n not in held)
    encoder(batch()).square().sum().backward()
    left = {n for n, p in encoder.named_parameters() if p.grad is not None}
    assert left == set(encoder.groups()["norm"])
    assert encoder.parameter_count() == sum(
        p.numel() for n, p in encoder.named_parameters() if n in left
    )


def test_the_receptive_field_is_what_the_gradient_reaches() -> None:
    encoder = frozen("cnn_narrow")
    # Of the convolutions alone: GroupNorm looks at the whole window.
    kernels = [m for m in encoder.modules() if isinstance(m, nn.Conv2d)]
    window = torch.zeros(1, 1, 64, 200, requires_grad=True)
    reached = nn.Sequential(*kernels)(window)[0, :, 2, 6].sum()
    torch.autograd.backward(reached)
    assert window.grad is not None
    seen = window.grad.abs().sum(dim=(0, 1, 2)).nonzero().flatten()
    assert int(seen.max() - seen.min()) + 1 == encoder.receptive_frames == 63
    facts = encoder.facts(FrontEnd())
    assert facts.receptive_field == pytest.approx(62 * 0.016 + 0.032)


def test_the_cost_is_counted() -> None:
    """The CNN by hand: 9 multiplications a kernel, channel and place."""
    sides = [(32, 31), (16, 16), (8, 8), (4, 4), (4, 4)]
    widths = [1, 32, 64, 128, 256, 256]
    by_hand = sum(
        9 * widths[i] * widths[i + 1] * height * width for i, (height, width) in enumerate(sides)
    )
    facts = frozen("cnn").facts(FrontEnd())
    assert facts.mmac == pytest.approx(by_hand / 1e6 / (62 * 0.016))
    assert (facts.parameters, facts.dim) == SIZES["cnn"]
    assert frozen("vit").facts(FrontEnd()).receptive_field is None


def test_facts_leave_the_encoder_as_it_was() -> None:
    encoder = build("opera_ce").train()
    before = {n: t.clone() for n, t in encoder.state_dict().items()}
    encoder.facts(FrontEnd())
    assert encoder.training
    assert all(torch.equal(before[n], t) for n, t in encoder.state_dict().items())


@pytest.mark.parametrize("overrides", [{}, {"norm": "layer"}, {"norm": "batch"}])
def test_the_norm_of_the_cnn_is_a_choice(overrides: dict[str, Any]) -> None:
    encoder = build("cnn_narrow", *(f"{k}={v}" for k, v in overrides.items()))
    assert encoder.parameter_count() == SIZES["cnn_narrow"][0]
    kinds = {type(m) for m in encoder.modules() if isinstance(m, encoders.NORMS)}
    assert kinds == {nn.BatchNorm2d if overrides.get("norm") == "batch" else nn.GroupNorm}
