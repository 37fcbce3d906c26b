"""What the site's mechanisms share: Poisson draws, a bounded sum, noise, a public divisor.

One step releases, to the optimiser and so to everyone,

    g = ( sum over what was drawn + N(0, (sigma D_add)^2 I) ) / divisor.

Each unit is drawn with probability q independently of all others, and adding or removing one
unit moves the sum by at most D_add (L2). That is the Poisson-sampled Gaussian mechanism
under add/remove, whatever the sum consists of; neither D_add, nor the noise, nor the divisor
depends on how many were drawn or are there. An empty draw adds noise and counts like any
other.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from fedbreath.errors import ConfigError, PrivacyError
from fedbreath.privacy import Guarantee, MakeViews, Place, Plan, Site
from fedbreath.privacy.accounting import epsilon
from fedbreath.privacy.chance import Chance, Rows, StepKeys
from fedbreath.privacy.clipping import check, clipped_sum
from fedbreath.privacy.spec import SiteSpec
from fedbreath.privacy.terms import Event, SensitivityRule, Terms, TrustModel, Unit

#: The views of a unit, made with its own generator.
UnitViews = Callable[["Member"], Sequence[Tensor]]

Sums = dict[str, Tensor]

#: Epsilon, and what it is about.
Budgeted = tuple[float, Terms]


@dataclass(frozen=True)
class Member:
    """One privacy unit of a site.

    Attributes:
        name: Who it is; it keys the unit's own randomness and goes nowhere.
        recordings: Positions of its recordings, ascending.
    """

    name: str
    recordings: tuple[int, ...]


def by_recording(people: Sequence[str | None]) -> list[Member]:
    """Each recording is a unit of its own."""
    return [Member(f"recording {i}", (i,)) for i in range(len(people))]


def by_patient(people: Sequence[str | None]) -> list[Member]:
    """All recordings of a person are one unit.

    Raises:
        PrivacyError: A recording whose person is not known.
    """
    owned: dict[str, list[int]] = {}
    for i, person in enumerate(people):
        if person is None:
            raise PrivacyError(
                "privacy per patient needs to know whose each recording is, and this site does "
                "not for some of its own: privacy=recording makes the weaker claim that it can"
            )
        owned.setdefault(person, []).append(i)
    return [Member(person, tuple(owned[person])) for person in sorted(owned)]


class Sampled(ABC):
    """A mechanism in which the site draws, clips and adds noise.

    Args:
        spec: What is asked.
        plan: What the noise is calibrated for.
    """

    place: Place = "site"
    trust_model: TrustModel = "local"
    tells_metrics = False
    name: str
    unit: Unit
    rule: SensitivityRule = "C"

    def __init__(self, spec: SiteSpec, plan: Plan) -> None:
        self.spec, self.plan = spec, plan
        self.chance = Chance()

    @abstractmethod
    def members(self, people: Sequence[str | None]) -> list[Member]:
        """The site's units."""

    @abstractmethod
    def rows(self) -> int:
        """Rows of the views of one unit, the same for each."""

    @abstractmethod
    def total(
        self, module: nn.Module, drawn: Sequence[Member], views: UnitViews, keys: StepKeys
    ) -> Sums:
        """The bounded sum before noise. Only `step` and the audit ask for it."""

    @abstractmethod
    def divisor(self, population: int) -> float:
        """The public number that the noised sum is divided by."""

    @property
    def sensitivity(self) -> float:
        """D_add: the most that one unit more or less changes the sum, L2."""
        return self.spec.clip * (1 if self.rule == "C" else 2)

    @cached_property
    def sigma(self) -> float:
        """Noise per D_add."""
        terms = self.spec.terms(self.unit, self.trust_model, self.spec.least_population)
        return self.spec.calibrated(terms, self.spec.rate, self.plan.steps, self.plan.rounds)

    def vet(self, module: nn.Module) -> None:
        """Refuse a network whose per-unit gradients cannot be had.

        Raises:
            ConfigError: Opacus's validator, or the way gradients are made, says so.
        """
        from opacus.validators import ModuleValidator  # noqa: PLC0415 - seconds of import

        problems = ModuleValidator.validate(module, strict=False)
        if problems:
            raise ConfigError(
                f"this network cannot go with privacy={self.name}: "
                f"{'; '.join(str(problem) for problem in problems[:2])}"
            )
        check(module, self.spec.grad)

    def event(self) -> Event:
        """What one round of a site costs."""
        noise = self.sigma * self.sensitivity
        return Event(noise, self.sensitivity, self.spec.rate, self.plan.steps)

    def clipping_norm(self) -> float:
        """C, as a ledger writes it down."""
        return self.spec.clip

    def step(
        self,
        module: nn.Module,
        site: Site,
        make_views: MakeViews,
        batch_size: int,  # noqa: ARG002 - drawn by a rate
        rng: np.random.Generator,  # noqa: ARG002 - it follows from the run's seed
    ) -> None:
        """Draw, sum, add noise, divide; see the module."""
        if site.population is None:
            raise PrivacyError("a private step needs the site's public population")
        keys = self.chance.step()
        members = self.members(site.people)
        draws = self.chance.generator().random(len(members))
        drawn = [m for m, u in zip(members, draws, strict=True) if u < self.spec.rate]

        made = self._views(drawn, make_views, keys)
        sums = self.total(module, drawn, made.__getitem__, keys)
        noise, divisor = self.chance.generator(), self.divisor(site.population)
        for name, parameter in module.named_parameters():
            if parameter.requires_grad:
                shaken = sums[name] + self.noise(noise, parameter)
                parameter.grad = (shaken / divisor).contiguous()

    def _views(
        self, drawn: Sequence[Member], make_views: MakeViews, keys: StepKeys
    ) -> dict[Member, Sequence[Tensor]]:
        """Everybody's views, made at once, each with its unit's own generator."""
        if not drawn:
            return {}
        own = [keys.of(member.name, "views") for member in drawn]
        chosen = [self.choose(m, generator) for m, generator in zip(drawn, own, strict=True)]
        rows = self.rows()
        arrays = make_views(np.concatenate(chosen), Rows(own, rows))
        parts = zip(*(torch.split(array, rows) for array in arrays), strict=True)
        return dict(zip(drawn, parts, strict=True))

    def noise(self, generator: np.random.Generator, like: Tensor) -> Tensor:
        """N(0, (sigma D_add)^2) in the shape of a parameter."""
        drawn = torch.from_numpy(generator.standard_normal(tuple(like.shape), np.float32))
        return drawn.to(like) * (self.sigma * self.sensitivity)

    def choose(self, member: Member, rng: np.random.Generator) -> NDArray[np.int64]:
        """Which of a unit's recordings its rows show: in turn, in random order."""
        order = rng.permutation(np.array(member.recordings, np.int64))
        return np.resize(order[: self.rows() // self.spec.multiplicity], self.rows())

    def budget(self, population: int) -> Budgeted:
        """Epsilon that the planned rounds and the spare ones may spend at a site."""
        terms = self.spec.terms(self.unit, self.trust_model, population)
        if self.spec.sigma is None:
            return self.spec.epsilon, terms
        rounds = self.plan.rounds + self.spec.spare_rounds
        return epsilon([self.event()] * rounds, terms).value * (1 + 1e-9), terms

    def guarantee(self, released: str) -> Guarantee:
        """Of all planned rounds, at a site of the least population."""
        terms = self.spec.terms(self.unit, self.trust_model, self.spec.least_population)
        rounds = self.plan.rounds
        bound = epsilon([self.event()] * rounds, terms).assuming(
            f"{rounds} rounds of {self.plan.steps} steps, q = {self.spec.rate:g}, "
            f"sigma = {self.sigma:.4g}"
        )
        return bound.guarantee(self.name, released)


def each_clipped(
    spec: SiteSpec, module: nn.Module, drawn: Sequence[Member], views: UnitViews
) -> Sums:
    """The sum of units' gradients, each clipped to C: D_add is C where the loss decomposes."""
    if not drawn:
        return zeros(module)
    return clipped_sum(
        module, gathered(drawn, views), len(drawn), spec.clip, spec.grad, spec.microbatch
    )


def gathered(drawn: Sequence[Member], views: UnitViews) -> list[Tensor]:
    """The views of units one after another, the rows of each together."""
    made = [views(member) for member in drawn]
    return [torch.cat(parts) for parts in zip(*made, strict=True)]


def zeros(module: nn.Module) -> Sums:
    """A sum over nobody."""
    return {n: torch.zeros_like(p) for n, p in module.named_parameters() if p.requires_grad}
