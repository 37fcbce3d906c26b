"""The sum that a site's mechanism makes before it adds noise, for the audit."""

import copy
import dataclasses
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fedbreath.audit import Floats, Summed, server
from fedbreath.audit.miniature import changed, miniature
from fedbreath.config import Component, Config
from fedbreath.errors import PrivacyError
from fedbreath.pretraining import Learner, Trained
from fedbreath.privacy import Plan
from fedbreath.privacy.accounting import epsilon
from fedbreath.privacy.chance import StepKeys
from fedbreath.privacy.client_central import ClientCentral
from fedbreath.privacy.sampled import Member, Sampled
from fedbreath.privacy.terms import Bound
from fedbreath.views import Views


@dataclass(frozen=True)
class Setting:
    """What of a run's configuration the audit varies.

    Attributes:
        clip: Factor of the run's C.
        temperature: In place of the objective's, where it has one; None leaves it.
        still: Whether views are plain crops. No view depends on data, so the bound must hold
            for every draw of the changes, and no change at all is the draw in which equal
            recordings pull together most.
    """

    clip: float = 1.0
    temperature: float | None = None
    still: bool = False


class SiteSum:
    """A `Summed` of a mechanism at the site: units are persons' or single recordings.

    Args:
        mechanism: Whose sum.
        model: Encoder and objective, ready to be trained.
        learner: What the model was built by: its front end and views.
        still: As in `Setting`.
    """

    def __init__(
        self, mechanism: Sampled, model: Trained, learner: Learner, *, still: bool
    ) -> None:
        self.mechanism, self.model = mechanism, model
        views, front_end = learner.config.views, learner.config.front_end
        self._views = Views(views.seconds, 0, 0, 0, 0) if still else views
        self._frames, self._scale = front_end.frames(views.seconds), front_end.sd
        self.bound, self.rule = mechanism.sensitivity, str(mechanism.rule)
        self.unit = str(mechanism.unit)
        rows = front_end.rows if model.head.tracks else front_end.mels
        # Two crops of a recording may differ.
        self.shape: tuple[int, ...] = (2 * self._frames, rows)
        most = mechanism.rows() // mechanism.spec.multiplicity
        several = [1] if mechanism.unit == "recording" else sorted({1, most, most + 1})
        self.pieces: tuple[int, ...] = tuple(several)
        self.silent = (float(np.log(front_end.floor)) - front_end.mean) / front_end.sd
        self._like = next(model.parameters())
        self._made: dict[tuple[int, str], tuple[Floats, list[Tensor]]] = {}
        self.epsilon = float(torch.finfo(self._like.dtype).eps)

    def total(self, units: Sequence[Floats], key: int, without: int | None = None) -> Tensor:
        """The mechanism's own sum over all of them, as if all had been drawn."""
        drawn = {*range(len(units))} - {without}
        return self._total(self.mechanism, self.model, units, key, drawn)

    def left_behind(
        self, units: Sequence[Floats], key: int, canary: int, first: set[int]
    ) -> Tensor:
        """The sum of the next step, and the buffers that travel with the weights."""
        mechanism, model = copy.deepcopy((self.mechanism, self.model))
        self._total(mechanism, model, units, key, first)
        model.head.after_step(model.encoder)
        others = {*range(len(units))} - {canary}
        later = self._total(mechanism, model, units, key + 1, others)
        trained = {name for name, _ in model.named_parameters()}
        kept = [t.flatten() for n, t in model.state_dict().items() if n not in trained]
        return torch.cat([later, *(t.to(later) for t in kept)])

    def noise(self) -> Tensor:
        """As `Sampled.step` draws it, for one parameter after another."""
        generator = self.mechanism.chance.generator()
        trained = (p for p in self.model.parameters() if p.requires_grad)
        return torch.cat([self.mechanism.noise(generator, p).flatten() for p in trained])

    def claim(self) -> Bound:
        """By the project's own accounting, at the run's least population."""
        mechanism = self.mechanism
        event = dataclasses.replace(mechanism.event(), rate=1.0, steps=1)
        spec = mechanism.spec
        stated = [*spec.populations.values(), spec.population]
        least = min(count for count in stated if isinstance(count, int))
        return epsilon(event, spec.terms(mechanism.unit, "local", least))

    def _total(
        self,
        mechanism: Sampled,
        model: Trained,
        units: Sequence[Floats],
        key: int,
        takes_part: Collection[int],
    ) -> Tensor:
        pieces = np.concatenate(units)
        # Names in the order of the units, also where a mechanism sorts them.
        people = [f"unit {i:04}" for i, unit in enumerate(units) for _ in unit]
        keys = StepKeys(b"%32d" % key)

        members = mechanism.members(people)
        of = dict(zip((member.name for member in members), units, strict=True))

        def made(member: Member) -> Sequence[Tensor]:
            # A unit's views follow from its key and its recordings: most can be used again.
            kept = self._made.get((key, member.name))
            if kept is None or kept[0] is not of[member.name]:
                kept = (of[member.name], self._views_of(model, member, keys, pieces))
                self._made[key, member.name] = kept
            return kept[1]

        drawn = [m for i, m in enumerate(members) if i in takes_part]
        sums = mechanism.total(model, drawn, made, keys)
        return torch.cat([gradient.detach().flatten() for gradient in sums.values()])

    def _views_of(
        self, model: Trained, member: Member, keys: StepKeys, pieces: Floats
    ) -> list[Tensor]:
        """As `Sampled.step` does: the unit's own generator chooses and changes."""
        own = keys.of(member.name, "views")
        chosen = self.mechanism.choose(member, own)
        arrays = model.head.make(
            lambda: self._crops(pieces, chosen, own), self._views, own, self._scale
        )
        return [torch.from_numpy(array).to(self._like) for array in arrays]

    def _crops(self, pieces: Floats, chosen: NDArray[np.int64], rng: np.random.Generator) -> Floats:
        starts = rng.integers(0, self.shape[0] - self._frames + 1, len(chosen))
        rows = starts[:, None] + np.arange(self._frames)
        crops: Floats = pieces[chosen[:, None], rows]
        return crops


def summed(
    config: Config, privacy: Component, setting: Setting, *, full: bool = False, vet: bool = True
) -> tuple[Summed, str]:
    """The sum of a run's configuration, and a sentence on what it is taken of.

    Args:
        config: The run's, with any mechanism or none.
        privacy: The mechanism to audit.
        setting: What is varied.
        full: Whether the run's own network and precision are taken.
        vet: Whether a network that the mechanism refuses is refused here.

    Raises:
        PrivacyError: The mechanism claims nothing.
        ConfigError: The mechanism refuses the network.
    """
    if issubclass(privacy.target, ClientCentral):
        return server.summed(config, privacy, setting.clip)
    if not issubclass(privacy.target, Sampled):
        raise PrivacyError(f"privacy={privacy.name} makes no claim: there is nothing to audit")

    def hotter(name: str, value: Any) -> Any:
        return setting.temperature if name == "temperature" and setting.temperature else value

    small, said = miniature(config)
    if full:
        small, said = dataclasses.replace(config, privacy=small.privacy), "the run's own network"
    small = dataclasses.replace(small, objective=changed(small.objective, hotter))
    learner = Learner(small)
    asked = dataclasses.replace(privacy.config, clip=privacy.config.clip * setting.clip)
    mechanism: Sampled = privacy.target(asked, Plan(config.rounds, config.training.steps))
    model = learner.model if full else learner.model.double()
    if vet:
        mechanism.vet(model)
    return SiteSum(mechanism, begun(model), learner, still=setting.still), said


def begun(model: Trained) -> Trained:
    """The model as in the midst of a local fit: a slow copy is not what is trained any more."""
    model.train()
    model.head.begin(model.encoder)
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in model.parameters():
            moved = torch.randn(parameter.shape, generator=generator, dtype=torch.float64)
            parameter.add_(0.05 * moved.to(parameter))
    return model
