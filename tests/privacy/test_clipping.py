"""Clipped sums: three methods against a plain loop, what they refuse, what they leave behind."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import get_args

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from fedbreath.encoders import Encoder, cnn, vit
from fedbreath.errors import ConfigError, PrivacyError
from fedbreath.objectives import (
    Given,
    Objective,
    byol,
    descriptors,
    masked,
    public_bank,
    simsiam,
    within_recording,
)
from fedbreath.privacy import ghost_layers
from fedbreath.privacy.clipping import Method, check, clipped_sum
from tests.objectives.small import FRONT_END, given, made, sound, tensors

METHODS: tuple[Method, ...] = get_args(Method)
ENCODERS = ("cnn", "vit")
#: With narrow heads, so that tests are fast.
OBJECTIVES: dict[str, Callable[[Given], Objective]] = {
    "descriptors": partial(descriptors.DescriptorPrediction, descriptors.Config()),
    "simsiam": partial(simsiam.SimSiam, simsiam.Config(9, hidden=20, bottleneck=5)),
    "byol": partial(byol.Byol, byol.Config(9, hidden=20)),
    "masked": partial(masked.Masked, masked.Config(patch_mels=4, patch_frames=4, hidden=11)),
    "within_recording": partial(
        within_recording.WithinRecording, within_recording.Config(projection=9, hidden=20)
    ),
}
UNITS = 4

every_method = pytest.mark.parametrize("method", METHODS)
by_layer = pytest.mark.parametrize("method", ["ghost", "opacus"])

Sums = dict[str, Tensor]


def tiny(name: str, adapter: int = 0) -> Encoder:
    if name == "cnn":
        return cnn.Cnn(cnn.Config(widths=(8, 8), groups=4, adapter=adapter), FRONT_END.mels)
    config = vit.Config(16, depth=2, heads=2, patch_mels=8, patch_frames=4, adapter=adapter)
    return vit.Vit(config, FRONT_END.mels)


class Whole(nn.Module):
    """Encoder and objective as one module, views -> loss; nothing is zero or at its start."""

    def __init__(self, encoder: Encoder, objective: Objective) -> None:
        super().__init__()
        self.encoder = encoder
        self.head = objective
        self.double()
        self.head.begin(encoder)
        moved(self)

    def forward(self, *views: Tensor) -> Tensor:
        loss: Tensor = self.head(self.encoder, views)
        return loss


def moved(module: nn.Module, seed: int = 1) -> None:
    """Every parameter by a little, as the seed says."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for p in module.parameters():
            p.add_(0.05 * torch.randn(p.shape, generator=generator, dtype=p.dtype))


def whole(encoder: str = "cnn", objective: str = "descriptors", adapter: int = 0) -> Whole:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = tiny(encoder, adapter)
        return Whole(network, OBJECTIVES[objective](given(network)))


def views_of(module: Whole, rows: int, units: int = UNITS) -> list[Tensor]:
    return tensors(made(module.head, sound(units * rows)), torch.float64)


def unit_gradients(module: nn.Module, views: Sequence[Tensor], units: int) -> list[Sums]:
    """Each unit's gradient, one after the other, by plain autograd."""
    named = {name: p for name, p in module.named_parameters() if p.requires_grad}
    found = []
    for rows in zip(*(view.chunk(units) for view in views), strict=True):
        gradients = torch.autograd.grad(
            module(*rows), list(named.values()), allow_unused=True, materialize_grads=True
        )
        found.append(dict(zip(named, gradients, strict=True)))
    return found


def flat(gradient: Sums) -> Tensor:
    return torch.cat([t.detach().flatten() for t in gradient.values()])


def reference(
    module: nn.Module, views: Sequence[Tensor], units: int, clip: float | None = None
) -> tuple[Tensor, float]:
    """The clipped sum and C, by default a C that half of the units exceed."""
    gradients = [flat(g) for g in unit_gradients(module, views, units)]
    norms = [float(g.norm()) for g in gradients]
    clip = float(np.median(norms)) if clip is None else clip
    terms = [g * min(1, clip / norm) for g, norm in zip(gradients, norms, strict=True)]
    return torch.stack(terms).sum(0), clip


def distance(found: Sums, wanted: Tensor) -> float:
    return float((flat(found) - wanted).norm() / wanted.norm())


# -- the value ---------------------------------------------------------------------------


@pytest.mark.filterwarnings("error:There is a performance drop")
@every_method
@pytest.mark.parametrize("rows", [1, 3])
@pytest.mark.parametrize("objective", OBJECTIVES)
@pytest.mark.parametrize("encoder", ENCODERS)
def test_it_is_the_loop_over_units(encoder: str, objective: str, rows: int, method: Method) -> None:
    module = whole(encoder, objective)
    views = views_of(module, rows)
    wanted, clip = reference(module, views, UNITS)
    found = clipped_sum(module, views, UNITS, clip, method)
    assert list(found) == [name for name, _ in module.named_parameters()]
    assert all(found[n].shape == p.shape for n, p in module.named_parameters())
    assert distance(found, wanted) < 1e-11


@every_method
@pytest.mark.parametrize("encoder", ENCODERS)
def test_single_precision_stays_single(encoder: str, method: Method) -> None:
    module = whole(encoder)
    views = views_of(module, rows=2)
    wanted, clip = reference(module, views, UNITS)
    found = clipped_sum(module.float(), [v.float() for v in views], UNITS, clip, method)
    assert {t.dtype for t in found.values()} == {torch.float32}
    assert distance(found, wanted) < 3e-6


@every_method
@pytest.mark.parametrize("groups", [["stem", "blocks"], ["norm"], ["adapters"]])
@pytest.mark.parametrize("encoder", ENCODERS)
def test_what_is_frozen_has_no_share(encoder: str, groups: list[str], method: Method) -> None:
    module = whole(encoder, "simsiam", adapter=3)
    module.encoder.freeze(groups)
    views = views_of(module, rows=2)
    wanted, clip = reference(module, views, UNITS)
    found = clipped_sum(module, views, UNITS, clip, method)
    assert list(found) == [n for n, p in module.named_parameters() if p.requires_grad]
    assert distance(found, wanted) < 1e-11


class Zoo(nn.Module):
    """Every served layer in unusual forms; some are called twice, one never."""

    def __init__(self) -> None:
        super().__init__()
        self.plane = nn.Conv2d(2, 6, (3, 2), stride=(2, 1), padding=(1, 0), dilation=(1, 2))
        self.grouped = nn.Conv2d(6, 4, 3, padding=1, groups=2)
        self.norm = nn.GroupNorm(2, 4)
        self.relu = nn.ReLU(inplace=True)
        self.line = nn.Conv1d(4, 6, 3, stride=2, padding=1, dilation=2, bias=False)
        self.layer = nn.LayerNorm((6, 2))
        self.linear = nn.Linear(2, 5)
        self.unused = nn.Linear(3, 3)
        self.last = nn.Linear(5, 1)
        self.last.weight.requires_grad_(False)

    def forward(self, images: Tensor) -> Tensor:
        """(B, 2, 9, 10) -> a scalar."""
        value = self.relu(self.norm(self.grouped(self.relu(self.plane(images)))))
        lines = [self.line(value.mean(2)), self.line(value.mean(3)[:, :, :5])]
        columns = [torch.stack([t[..., :-1], t[..., 1:]], 3).transpose(1, 2) for t in lines]
        tokens = [torch.tanh(self.linear(self.layer(c))) for c in columns]
        found: Tensor = torch.stack([self.last(t).square().mean() for t in tokens]).sum()
        return found


@every_method
@pytest.mark.parametrize("rows", [1, 3])
@pytest.mark.parametrize("traffic", [0, 32, 1e9], ids=["written", "mixed", "gram"])
def test_every_form_of_layer(
    traffic: float, rows: int, method: Method, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ghost_layers, "TRAFFIC", traffic)
    module = Zoo().double()
    moved(module)
    images = torch.from_numpy(np.random.default_rng(0).normal(size=(UNITS * rows, 2, 9, 10)))
    wanted, clip = reference(module, [images], UNITS)
    found = clipped_sum(module, [images], UNITS, clip, method)
    assert not found["unused.weight"].any()
    assert "last.weight" not in found
    assert distance(found, wanted) < 1e-11


@every_method
def test_a_microbatch_changes_memory_and_no_result(method: Method) -> None:
    module = whole("vit", "byol")
    views = views_of(module, rows=2)
    wanted, clip = reference(module, views, UNITS)
    for size in (1, 3, 100):
        found = clipped_sum(module, views, UNITS, clip, method, microbatch=size)
        assert distance(found, wanted) < 1e-11


@every_method
def test_the_order_of_units_does_not_matter(method: Method) -> None:
    module = whole("cnn", "within_recording")
    views = views_of(module, rows=3)
    wanted, clip = reference(module, views, UNITS)
    order = torch.tensor([2, 0, 3, 1])
    turned = [torch.unflatten(v, 0, (UNITS, 3))[order].flatten(0, 1) for v in views]
    assert distance(clipped_sum(module, turned, UNITS, clip, method), wanted) < 1e-11


# -- the bound ---------------------------------------------------------------------------


@every_method
@pytest.mark.parametrize("clip", [1e-3, 1.0, 1e6])
def test_a_unit_adds_at_most_the_clip(clip: float, method: Method) -> None:
    module = whole("cnn", "masked")
    views = views_of(module, rows=3, units=1)
    norm = float(flat(unit_gradients(module, views, 1)[0]).norm())
    found = float(flat(clipped_sum(module, views, 1, clip, method)).norm())
    assert found == pytest.approx(min(clip, norm), rel=1e-12)


class Cancelling(nn.Module):
    """A linear layer on tokens whose outputs are summed with signs that cancel nearly."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(64, 64, bias=False)

    def forward(self, tokens: Tensor, signs: Tensor) -> Tensor:
        """(B, N, 64) twice -> a scalar."""
        found: Tensor = (self.linear(tokens) * signs).sum(dim=(1, 2)).mean()
        return found


@every_method
def test_terms_that_cancel_add_at_most_the_clip(method: Method) -> None:
    """A ghost norm that rounding has eaten would let a unit add a multiple of C."""
    rng = np.random.default_rng(0)
    module = Cancelling()
    for size in 10.0 ** np.arange(0, 5, 0.5):
        half, sign = rng.normal(size=(2, 1, 8, 64))
        tokens = torch.tensor(np.concatenate([half, half], 1) * size, dtype=torch.float32)
        signs = torch.tensor(np.concatenate([sign, -sign * (1 + 3e-7)], 1), dtype=torch.float32)
        found = flat(clipped_sum(module, [tokens, signs], 1, 0.01, method)).double().norm()
        assert float(found) <= 0.01 * (1 + 1e-6)


@every_method
@pytest.mark.parametrize("value", [np.nan, np.inf, 1e200])
@pytest.mark.parametrize("encoder", ENCODERS)
def test_a_unit_that_is_not_finite_adds_nothing(encoder: str, value: float, method: Method) -> None:
    module = whole(encoder)
    views = views_of(module, rows=2)
    wanted, clip = reference(module, [v[: 3 * 2] for v in views], UNITS - 1)
    views[0][6:, 3, 4] = value
    if value == 1e200:  # finite in, not finite on the way
        views[0][6:] = value
    views[1][6:] = value
    assert distance(clipped_sum(module, views, UNITS, clip, method), wanted) < 1e-11
    nothing = clipped_sum(module, [v[6:] for v in views], 1, clip, method)
    assert not flat(nothing).any()


@every_method
def test_nobody_adds_zero(method: Method) -> None:
    module = whole()
    found = clipped_sum(module, [v[:0] for v in views_of(module, 1)], 0, 1.0, method)
    assert {n: t.shape for n, t in found.items()} == {
        n: p.shape for n, p in module.named_parameters()
    }
    assert not flat(found).any()


@every_method
def test_nothing_to_train_is_nothing(method: Method) -> None:
    module = whole().requires_grad_(False)
    assert clipped_sum(module, views_of(module, 1), UNITS, 1.0, method) == {}


class Gated(nn.Module):
    """Two networks; a gate for each row says through which of them its loss goes."""

    def __init__(self, encoder: str) -> None:
        super().__init__()
        self.first, self.second = (
            nn.Sequential(e, nn.Linear(e.dim, 1)) for e in (tiny(encoder), tiny(encoder))
        )

    def forward(self, log_mel: Tensor, gate: Tensor) -> Tensor:
        """(B, mels, frames), (B,) -> a scalar."""
        first, second = (part(log_mel)[:, 0].square() for part in (self.first, self.second))
        return torch.stack([gate * first, (1 - gate) * second]).sum(0).mean()


@every_method
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("encoder", ENCODERS)
def test_a_units_contribution_is_bit_equal_whatever_another_is(
    encoder: str, dtype: torch.dtype, method: Method
) -> None:
    """Unit 1 of three has the first network to itself: its share of the sum can be seen."""
    module = Gated(encoder).to(dtype)
    log_mel = torch.from_numpy(sound(6).transpose(0, 2, 1)).to(dtype)
    gate = torch.tensor([0, 0, 1, 1, 0, 0], dtype=dtype)
    other = log_mel.clone()
    other[:2] *= 400
    other[4:] = 0
    before, after = (clipped_sum(module, [x, gate], 3, 0.1, method) for x in (log_mel, other))
    assert any(not torch.equal(before[n], after[n]) for n in before if n.startswith("second"))
    for name in before:
        if name.startswith("first"):
            assert torch.equal(before[name], after[name])


# -- refusals ----------------------------------------------------------------------------


def with_bank(size: int) -> Whole:
    encoder = tiny("cnn")
    config = public_bank.Config(size, projection=6, hidden=5)
    return Whole(encoder, public_bank.PublicBank(config, given(encoder)))


@by_layer
@pytest.mark.parametrize("size", [5, UNITS * 2])
def test_a_public_bank_is_refused_even_one_with_as_many_rows(size: int, method: Method) -> None:
    module = with_bank(size)
    with pytest.raises(ConfigError, match=r"nn\.Conv2d .* told apart: privacy\.grad=vmap can"):
        clipped_sum(module, views_of(module, 2), UNITS, 1.0, method)
    module.encoder.requires_grad_(False)
    with pytest.raises(ConfigError, match=r"nn\.Linear .* told apart: privacy\.grad=vmap can"):
        clipped_sum(module, views_of(module, 2), UNITS, 1.0, method)


@pytest.mark.parametrize("size", [5, UNITS * 2])
def test_a_public_bank_is_right_with_vmap(size: int) -> None:
    module = with_bank(size)
    views = views_of(module, 2)
    wanted, clip = reference(module, views, UNITS)
    assert distance(clipped_sum(module, views, UNITS, clip, "vmap"), wanted) < 1e-11


class Own(nn.Linear):
    """May compute anything."""


class Direct(nn.Module):
    """A parameter of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.bilinear = nn.Parameter(torch.ones(2, 2))


@by_layer
@pytest.mark.parametrize(
    ("layer", "said"),
    [
        (Own(2, 2), "is a Own with"),
        (Direct(), "is a Direct with"),
        (nn.Embedding(2, 2), r"nn\.Embedding"),
        (nn.MultiheadAttention(4, 2), r"nn\.MultiheadAttention"),
        (nn.ConvTranspose1d(2, 2, 3), r"nn\.ConvTranspose1d"),
        (nn.Conv2d(2, 2, 3, padding="same"), r"nn\.Conv2d with padding='same'"),
        (nn.Conv1d(2, 2, 3, padding=1, padding_mode="reflect"), "padding_mode='reflect'"),
        (nn.BatchNorm2d(2).eval(), r"nn\.BatchNorm2d"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_layer_that_cannot_be_served_is_named(
    layer: nn.Module, said: str, method: Method
) -> None:
    module = nn.Sequential(nn.Linear(2, 2), layer)
    with pytest.raises(ConfigError, match=rf"^1.*{said}.*privacy\.grad=vmap handles it"):
        check(module, method)
    check(module, "vmap")
    layer.requires_grad_(False)
    check(module, method)
    layer.requires_grad_(True)


@every_method
def test_batch_statistics_are_refused(method: Method) -> None:
    module = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2, affine=False))
    with pytest.raises(ConfigError, match="1 is a BatchNorm2d, which in training"):
        check(module, method)
    module[1].eval()
    check(module, method)


class Tied(nn.Module):
    """One weight in two layers."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(3, 3), nn.Linear(3, 3)
        self.second.weight = self.first.weight

    def forward(self, rows: Tensor) -> Tensor:
        found: Tensor = self.second(self.first(rows)).square().mean()
        return found


class Beside(nn.Module):
    """The weight is also used without calling its layer."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(3, 3)

    def forward(self, rows: Tensor) -> Tensor:
        found: Tensor = (self.linear(rows) @ self.linear.weight).square().mean()
        return found


class Overwriting(nn.Module):
    """A layer's input is overwritten after the call."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(3, 3).requires_grad_(False), nn.Linear(3, 3)

    def forward(self, rows: Tensor) -> Tensor:
        value = self.first(rows)
        found: Tensor = self.second(value).square().mean()
        value.zero_()
        return found


@pytest.mark.parametrize(
    ("module", "said"),
    [
        (Tied(), "first.weight belongs to several layers"),
        (Beside(), "linear.weight is used without its layer being called"),
        (Overwriting(), r"input of a nn\.Linear was overwritten"),
    ],
)
def test_what_the_layers_do_not_show_is_refused(module: nn.Module, said: str) -> None:
    rows = torch.arange(12.0).reshape(4, 3)
    with pytest.raises(ConfigError, match=rf"{said}.*: privacy\.grad=vmap handles it"):
        clipped_sum(module, [rows], 4, 1.0)
    if not isinstance(module, Overwriting):  # autograd itself refuses that
        wanted, clip = reference(module, [rows], 4)
        assert distance(clipped_sum(module, [rows], 4, clip, "vmap"), wanted) < 1e-6


def test_arguments_out_of_range_are_refused() -> None:
    module = whole()
    views = views_of(module, 1)
    for clip in (0.0, -1.0, float("nan")):
        with pytest.raises(PrivacyError, match="clip must be > 0"):
            clipped_sum(module, views, UNITS, clip)
    with pytest.raises(ValueError, match="equally many rows for 3 units"):
        clipped_sum(module, views, 3, 1.0)
    with pytest.raises(ValueError, match="microbatch must be >= 1, got 0"):
        clipped_sum(module, views, UNITS, 1.0, microbatch=0)


# -- nothing is left behind --------------------------------------------------------------


class Failing(Objective):
    """Raises when the encoder has been called."""

    def __init__(self, inner: Objective) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, encoder: Encoder, views: Sequence[Tensor]) -> Tensor:
        self.inner(encoder, views)
        raise ArithmeticError("on purpose")


def traces(module: nn.Module) -> list[object]:
    """All that hooks, gradients and methods could change about a module."""
    return [
        [(n, sorted(m.__dict__), m.training, getattr(m, "inplace", None)) for n, m in
         module.named_modules()],
        [len(v) for m in module.modules() for k, v in m.__dict__.items() if "hooks" in k],
        [(n, p.grad, p.requires_grad, sorted(p.__dict__), p._backward_hooks, p._version) for n, p in
         module.named_parameters()],
        [(n, b._version) for n, b in module.named_buffers()],
    ]  # fmt: skip


@every_method
@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("fails", [True, False])
def test_the_module_is_as_it_was(fails: bool, training: bool, method: Method) -> None:
    module = whole("cnn", "byol")
    views = views_of(module, 2)
    wanted, clip = reference(module, views, UNITS)
    copies = [v.clone() for v in views]
    if fails:
        module.head = Failing(module.head)
    before = traces(module.train(training))
    if fails:
        with pytest.raises(ArithmeticError, match="on purpose"):
            clipped_sum(module, views, UNITS, clip, method)
    else:
        with torch.no_grad():
            found = clipped_sum(module, views, UNITS, clip, method)
        assert not any(t.requires_grad for t in found.values())
        assert distance(found, wanted) < 1e-11
    assert traces(module) == before
    assert all(
        torch.equal(a, b) and not a.requires_grad for a, b in zip(views, copies, strict=True)
    )


@by_layer
def test_a_refusal_leaves_no_trace_either(method: Method) -> None:
    module = with_bank(5)
    before = traces(module)
    with pytest.raises(ConfigError):
        clipped_sum(module, views_of(module, 2), UNITS, 1.0, method)
    assert traces(module) == before
