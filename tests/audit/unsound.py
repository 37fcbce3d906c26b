"""Set-ups that are known to be unsound, each of which claims a sensitivity of C."""

from collections.abc import Sequence
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from fedbreath.audit.miniature import changed, miniature
from fedbreath.audit.site import Setting, SiteSum, begun
from fedbreath.config import Component, component, load
from fedbreath.objectives import Given, Objective, build
from fedbreath.objectives.heads import projector
from fedbreath.pretraining import Learner, Trained
from fedbreath.privacy import Plan
from fedbreath.privacy.buckets import Buckets, clipped
from fedbreath.privacy.chance import Chance, StepKeys
from fedbreath.privacy.recording import PerRecording
from fedbreath.privacy.sampled import Member, Sampled, Sums, UnitViews, gathered, zeros
from fedbreath.privacy.terms import SensitivityRule
from tests.objectives.small import Small, small


class Hooked(PerRecording):
    """Opacus as it is plugged in everywhere: the loss of the batch, its rows clipped."""

    def total(
        self, module: nn.Module, drawn: Sequence[Member], views: UnitViews, keys: StepKeys
    ) -> Sums:
        from opacus import GradSampleModule

        if len(drawn) < cast(int, module.minimum):
            return zeros(module)
        rows = gathered(drawn, views)
        hooks = GradSampleModule(module, strict=False, loss_reduction="sum")
        try:
            rows = [row.requires_grad_() for row in rows]
            (hooks(*rows) * len(rows[0])).backward()
            samples = {
                n: _one(p.grad_sample)  # type: ignore[attr-defined]
                for n, p in module.named_parameters()
            }
        finally:
            for parameter in module.parameters():
                parameter.grad = None
            hooks.to_standard_module()
        norms = torch.stack([s.flatten(1).norm(dim=1) for s in samples.values()]).norm(dim=0)
        factors = (self.spec.clip / norms).clamp(max=1)
        return {n: torch.tensordot(factors, s, dims=1) for n, s in samples.items()}


def _one(samples: Any) -> Tensor:
    together: Tensor = torch.stack(samples).sum(0) if isinstance(samples, list) else samples
    return together


class Chunked(Buckets):
    """Groups by position in the list of who was drawn."""

    rule: SensitivityRule = "C"

    def total(
        self, module: nn.Module, drawn: Sequence[Member], views: UnitViews, keys: StepKeys
    ) -> Sums:
        sums = zeros(module)
        for start in range(0, len(drawn), 4):
            rows = gathered(drawn[start : start + 4], views)
            for name, gradient in clipped(module, rows, self.spec.clip):
                sums[name] += gradient
        return sums


class Halved(Buckets):
    """Random buckets with the claim that a sum of sound gradients would have."""

    rule: SensitivityRule = "C"


class Queue(Objective):
    """Negatives are keys of earlier steps (MoCo): nobody in the batch sees another."""

    views = 2
    decomposable = True
    minimum = 1

    def __init__(self, given: Given) -> None:
        super().__init__()
        self.head = projector(given.dim, 16, 16)
        self.keys = torch.eye(16, dtype=torch.float64)
        self.new: list[Tensor] = []

    def after_step(self, encoder: nn.Module) -> None:
        if self.new:
            self.keys, self.new = torch.cat(self.new), []

    def forward(self, encoder: nn.Module, views: Sequence[Tensor]) -> Tensor:
        first, second = (F.normalize(self.head(encoder(view)), dim=1) for view in views)
        self.new = [second.detach()]
        others = first @ self.keys.T
        scores = torch.cat([(first * second).sum(1, keepdim=True), others], dim=1) / 0.1
        loss: Tensor = -scores.log_softmax(dim=1)[:, 0].mean()
        return loss


class Mixup(Objective):
    """Each row is half the next recording's."""

    views = 2
    decomposable = True
    minimum = 1

    def __init__(self, given: Given) -> None:
        super().__init__()
        self.inner = build(component("objective", "masked", ["hidden=16"]), given, 0)

    def make(self, *args: Any) -> Any:
        return self.inner.make(*args)

    def forward(self, encoder: Any, views: Sequence[Tensor]) -> Tensor:
        mixed = (views[0] + views[0].roll(1, 0)) / 2
        return torch.as_tensor(self.inner(encoder, [mixed, views[1]]))


class Stacked(Objective):
    """Both views in one call, so that hooks see two rows of a recording and clip each."""

    views = 2
    decomposable = True
    minimum = 1

    def __init__(self, given: Given) -> None:
        super().__init__()
        self.head = projector(given.dim, 16, 16)

    def forward(self, encoder: nn.Module, views: Sequence[Tensor]) -> Tensor:
        first, second = self.head(encoder(torch.cat(list(views)))).chunk(2)
        loss: Tensor = ((first - 1).square() + (second - 1).square()).sum(dim=1).mean()
        return loss


class Normed(Small):
    """BatchNorm in training."""

    def __init__(self) -> None:
        super().__init__()
        self.layers[1] = nn.BatchNorm2d(4, affine=False, track_running_stats=False)


def audited(
    objective: str | type[Any],
    mechanism: type[Any],
    setting: Setting,
    *,
    normed: bool = False,
    sigma: float = 4.0,
) -> SiteSum:
    """The sum of a set-up that no configuration can ask for."""
    named = objective if isinstance(objective, str) else "simsiam"
    learner = Learner(miniature(load(f"objective={named}"))[0])
    encoder = Normed() if normed else small()
    given = Given(encoder, learner.config.front_end, learner.config.views)
    head = (
        build(_tuned(learner.config.objective, setting), given, 0)
        if isinstance(objective, str)
        else objective(given)
    )
    family = "buckets" if issubclass(mechanism, Buckets) else "recording"
    words = ["population=100", f"sigma={sigma}"]
    config = component("privacy", family, [*words, f"clip={setting.clip}"]).config
    made: Sampled = mechanism(config, Plan(1, 1))
    made.chance = Chance(np.random.default_rng(0).bytes)
    model = Trained(encoder, head, mixed=False).double()
    return SiteSum(made, begun(model), learner, still=setting.still)


def _tuned(chosen: Component, setting: Setting) -> Component:
    def tuned(name: str, value: Any) -> Any:
        return setting.temperature if name == "temperature" and setting.temperature else value

    return changed(chosen, tuned)
