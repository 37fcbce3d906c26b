"""What a private step does: who is drawn, what noise is added, where randomness comes from."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy.stats import binomtest, chi2
from torch import Tensor, nn

from fedbreath.composition import choices
from fedbreath.config import component
from fedbreath.errors import PrivacyError
from fedbreath.objectives import Objective
from fedbreath.pretraining import Trained
from fedbreath.privacy import Plan, Site
from fedbreath.privacy.buckets import Buckets
from fedbreath.privacy.chance import Chance, StepKeys
from fedbreath.privacy.patient import PerPatient
from fedbreath.privacy.recording import PerRecording
from fedbreath.privacy.sampled import Member, Sampled, Sums, UnitViews
from tests.audit.unsound import Hooked
from tests.objectives.small import built, made, small, sound, tensors

MECHANISMS = {"recording": PerRecording, "patient": PerPatient, "buckets": Buckets}

every = pytest.mark.parametrize("name", MECHANISMS)


def mechanism(name: str, entropy: int | None = None, **spec: Any) -> Sampled:
    values = {"population": 50, "sigma": 1.3, "clip": 0.7, "rate": 0.2, **spec}
    words = [f"{key}={value}" for key, value in values.items()]
    found: Sampled = component("privacy", name, words).build(Plan(10, 5))
    if entropy is not None:
        found.chance = Chance(np.random.default_rng(entropy).bytes)
    return found


def site(count: int, population: int | None = 50) -> Site:
    """Everybody has one recording."""
    return Site([f"person {i:03}" for i in range(count)], population)


class Twins(nn.Module):
    """Two layers of one shape and a vector; the loss is of no weight's doing."""

    minimum = 1

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(30, 40, bias=False), nn.Linear(30, 40, bias=False)
        self.last = nn.Linear(40, 9)
        self.frozen = nn.Linear(3, 3).requires_grad_(False)

    def forward(self, rows: Tensor) -> Tensor:
        loss: Tensor = 0 * self.last(self.first(rows) + self.second(rows)).mean()
        return loss


def zeros(drawn: NDArray[np.int64], rng: np.random.Generator) -> Sequence[Tensor]:
    return [torch.zeros(len(drawn), 30)]


def forbidden() -> Any:
    """The run's own generator, which follows from its seed: not to be touched."""

    class Forbidden:
        def __getattr__(self, name: str) -> Any:
            raise AssertionError(f"a private step asked the run's generator for {name}")

    return Forbidden()


def steps(
    found: Sampled, count: int, at: Site | None = None, module: nn.Module | None = None
) -> list[dict[str, NDArray[np.float32]]]:
    module = module or Twins()
    taken = []
    for _ in range(count):
        found.step(module, at or site(20), zeros, 64, forbidden())
        taken.append(
            {n: p.grad.numpy().copy() for n, p in module.named_parameters() if p.grad is not None}
        )
    return taken


# -- T3: a recording's contribution is its own --------------------------------------------


class Tagged(nn.Module):
    """Each recording in addition scales its crop by a weight that no other touches.

    The gradient of that weight is the recording's own, with its clipping factor in it, so the
    sum over all shows each one's contribution apart.
    """

    minimum = 1

    def __init__(self, objective: str, count: int) -> None:
        super().__init__()
        encoder = small()
        head: Objective = built(objective, encoder)
        head.begin(encoder)
        self.tag = nn.Linear(count, 1, bias=False)
        nn.init.zeros_(self.tag.weight)
        self.inner = Trained(encoder, head, mixed=False)

    def forward(self, tags: Tensor, first: Tensor, *rest: Tensor) -> Tensor:
        loss: Tensor = self.inner(first * (1 + self.tag(tags)).unsqueeze(-1), *rest)
        return loss


def contributions(
    found: Sampled, objective: str, change: Callable[[NDArray[np.float32]], NDArray[np.float32]]
) -> Tensor:
    """Each of six recordings' mark in the sum, the third having been changed."""
    sounds = sound(6)
    sounds[2] = change(sounds[2])
    module = Tagged(objective, 6)
    module.train()
    arrays = [torch.eye(6), *tensors(made(module.inner.head, sounds))]
    members = found.members([f"person {i}" for i in range(6)])

    def views(member: Member) -> Sequence[Tensor]:
        return [array[list(member.recordings)] for array in arrays]

    sums = found.total(module, members, views, StepKeys(bytes(32)))
    return sums["tag.weight"][0]


DECOMPOSABLE = [n for n in choices("objective") if built(n, small()).decomposable]


@pytest.mark.parametrize("name", ["recording", "patient"])
@pytest.mark.parametrize("objective", DECOMPOSABLE)
def test_a_changed_recording_leaves_the_others_contributions(objective: str, name: str) -> None:
    kind: Any = component("objective", objective)
    grad = "ghost" if kind.target.separate(kind.config) else "vmap"
    spec = {"recordings": 1} if name == "patient" else {}
    found = mechanism(name, grad=grad, clip=0.01, **spec)
    before = contributions(found, objective, lambda one: one)
    for change in (lambda one: 1 - 3 * one, np.zeros_like, lambda one: 400 * one):
        after = contributions(found, objective, change)
        others = [0, 1, 3, 4, 5]
        assert before[others].abs().min() > 0
        assert torch.equal(after[others], before[others])
        assert after[2] != before[2]


def test_contributions_of_a_contrast_are_not_their_own() -> None:
    config: Any = component("privacy", "recording", ["population=50", "clip=0.01"]).config
    found = Hooked(config, Plan(1, 1))
    before, after = (
        contributions(found, "nt_xent", change)
        for change in (lambda one: one, lambda one: 1 - 3 * one)
    )
    assert not torch.equal(after[[0, 1, 3, 4, 5]], before[[0, 1, 3, 4, 5]])


# -- T4: the noise ------------------------------------------------------------------------


def consistent(samples: NDArray[np.float64], deviation: float) -> bool:
    """Whether a sample's second moment is one of N(0, deviation^2), but for one time in 1e6."""
    scaled = float(np.square(samples / deviation).sum())
    low, high = chi2.ppf([5e-7, 1 - 5e-7], samples.size)
    return bool(low < scaled < high)


@every
def test_noise_of_each_layer_is_sigma_times_d_over_the_divisor(name: str) -> None:
    found = mechanism(name)
    d = 0.7 * (2 if name == "buckets" else 1)
    divisor = 4 if name == "buckets" else 0.2 * 50
    assert found.sensitivity == d
    assert found.divisor(50) == pytest.approx(divisor)
    taken = steps(found, 40)
    assert set(taken[0]) == {"first.weight", "second.weight", "last.weight", "last.bias"}
    for layer in taken[0]:
        samples = np.stack([step[layer] for step in taken]).astype(np.float64)
        assert consistent(samples, 1.3 * d / divisor)
        assert not consistent(samples, 1.3 * d / divisor * 2 / 3)
        assert not consistent(samples, 1.3 * d / divisor * 3 / 2)
        # No entry differs from the others: entry by entry, over the steps.
        by_entry = np.square(samples).mean(axis=0)
        assert by_entry.max() < 3.5 * by_entry.mean()


def correlation(one: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    """In standard errors: a correlation of none has N(0, 1)."""
    found = np.corrcoef(one.ravel(), other.ravel())[0, 1]
    return float(found * np.sqrt(one.size))


@every
def test_noise_is_not_shared_by_layers_or_steps(name: str) -> None:
    taken = steps(mechanism(name), 30)
    first, second = (np.stack([s[f"{n}.weight"] for s in taken]) for n in ("first", "second"))
    assert abs(correlation(first, second)) < 5
    assert abs(correlation(first[1:], first[:-1])) < 5
    assert abs(correlation(second[1:], first[:-1])) < 5
    assert abs(correlation(first[2:], first[:-2])) < 5
    assert correlation(first, first) > 100


def test_noise_does_not_depend_on_who_is_there() -> None:
    for count in (0, 1, 20, 200):
        taken = steps(mechanism("recording"), 10, site(count))
        samples = np.stack([step["first.weight"] for step in taken]).astype(np.float64)
        assert consistent(samples, 1.3 * 0.7 / 10)


# -- T5: the draw -------------------------------------------------------------------------


def drawn_by(found: Sampled, count: int, at: Site) -> list[set[str]]:
    """Who was drawn in each of so many steps."""
    seen: list[set[str]] = []

    def total(module: nn.Module, drawn: Sequence[Member], views: UnitViews, keys: Any) -> Sums:
        seen.append({member.name for member in drawn})
        return {n: torch.zeros_like(p) for n, p in module.named_parameters()}

    found.total = total  # type: ignore[method-assign]
    module = nn.Linear(1, 1)
    for _ in range(count):
        found.step(module, at, zeros, 64, forbidden())
    return seen


@every
def test_each_unit_is_drawn_at_the_rate_independently(name: str) -> None:
    count, people = 3_000, 30
    seen = drawn_by(mechanism(name), count, site(people))
    members = sorted(set.union(*seen))
    assert len(members) == people
    there = np.array([[member in step for member in members] for step in seen])
    for one in there.T:
        assert binomtest(int(one.sum()), count, 0.2).pvalue > 1e-6
    # Their number varies as that of independent draws does; a fixed batch's would not.
    spread = there.sum(axis=1).var(ddof=1) / (people * 0.2 * 0.8)
    assert 0.85 < spread < 1.15
    # Neither with one another nor with the step before.
    pairs = np.corrcoef(there.T)[np.triu_indices(people, 1)] * count**0.5
    assert np.abs(pairs).max() < 5.5
    assert np.abs(np.corrcoef(there[1:, 0], there[:-1, 0])[0, 1]) * count**0.5 < 5


def test_a_patient_with_many_recordings_is_drawn_no_more_often() -> None:
    people = ["many"] * 50 + ["one"]
    seen = drawn_by(mechanism("patient"), 2_000, Site(people, 50))
    for name in ("many", "one"):
        assert binomtest(sum(name in step for step in seen), 2_000, 0.2).pvalue > 1e-6


@every
def test_an_empty_draw_adds_noise_and_counts(name: str) -> None:
    found = mechanism(name, rate=1e-9)
    taken = steps(found, 20)
    samples = np.stack([step["first.weight"] for step in taken]).astype(np.float64)
    assert consistent(samples, 1.3 * found.sensitivity / found.divisor(50))
    assert found.event().steps == 5


def test_a_step_needs_a_public_population() -> None:
    with pytest.raises(PrivacyError, match="population"):
        mechanism("recording").step(Twins(), site(5, None), zeros, 4, forbidden())


# -- where randomness comes from ----------------------------------------------------------


def traced(found: Sampled) -> dict[str, bytes]:
    """What one step draws: who, views, groups, noise."""
    made: list[bytes] = []
    who: list[str] = []
    groups: list[int] = []

    def make(drawn: NDArray[np.int64], rng: np.random.Generator) -> Sequence[Tensor]:
        made.append(rng.random((len(drawn), 2)).tobytes())
        return zeros(drawn, rng)

    def total(module: nn.Module, drawn: Sequence[Member], views: UnitViews, keys: StepKeys) -> Sums:
        for member in drawn:
            views(member)
            who.append(member.name)
            groups.append(int(keys.of(member.name, "bucket").integers(1 << 30)))
        return {n: torch.zeros_like(p) for n, p in module.named_parameters() if p.requires_grad}

    found.total = total  # type: ignore[method-assign]
    module = Twins()
    # The run's seed, wherever somebody might look for it.
    torch.manual_seed(7)
    np.random.seed(7)  # noqa: NPY002
    found.step(module, site(40), make, 64, np.random.default_rng(7))
    noise = [p.grad.numpy().tobytes() for p in module.parameters() if p.grad is not None]
    return {
        "draw": "|".join(who).encode(),
        "views": b"".join(made),
        "groups": np.array(groups).tobytes(),
        "noise": b"".join(noise),
    }


@every
def test_nothing_private_follows_from_the_seed_of_the_run(name: str) -> None:
    first, second = traced(mechanism(name, rate=0.5)), traced(mechanism(name, rate=0.5))
    for what, drawn in first.items():
        assert drawn != second[what], what


@every
def test_with_injected_entropy_a_step_can_be_repeated(name: str) -> None:
    found = [traced(mechanism(name, entropy, rate=0.5)) for entropy in (1, 1, 2)]
    assert found[0] == found[1]
    assert all(found[0][what] != found[2][what] for what in found[0])


def test_a_unit_that_leaves_moves_nobody_elses_views_or_bucket() -> None:
    keys = StepKeys(bytes(range(32)))
    names = [f"person {i}" for i in range(30)]
    for purpose in ("views", "bucket"):
        drawn = {name: keys.of(name, purpose).random() for name in names}
        assert len(set(drawn.values())) == len(names)
        assert all(keys.of(n, purpose).random() == drawn[n] for n in reversed(names[5:]))
    assert keys.of("a", "views").random() != keys.of("a", "bucket").random()
