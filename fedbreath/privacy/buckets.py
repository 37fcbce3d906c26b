"""Random buckets: a contrastive loss inside groups of units, each group's gradient clipped.

Each drawn unit is sent to one of G buckets, independently of all others; the objective
compares recordings inside a bucket only; with g_b the gradient of bucket b's loss,

    sum = sum over buckets of  g_b min(1, C / |g_b|),    D_add = 2 C.

One unit more or less changes one bucket, from one vector of norm at most C to another: 2 C,
and a claim of C is false (1.89 C was found). The bucket is drawn for each unit from a key of
its own. Chunks of the sampled list would not do: a unit that leaves moves all that follow
into other groups. A bucket with too few recordings to compare contributes nothing, which
changes neither bound.

Any objective goes, in-batch contrast included. The unit is the patient, or the recording
where no persons are known.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, cast

import torch
from torch import Tensor, nn

from fedbreath.privacy import Plan
from fedbreath.privacy.chance import StepKeys
from fedbreath.privacy.sampled import (
    Member,
    Sampled,
    Sums,
    UnitViews,
    by_patient,
    by_recording,
    gathered,
    zeros,
)
from fedbreath.privacy.spec import (
    SiteSpec,
    refuse_batch_norm,
    refuse_memory,
    refuse_told,
    refuse_unknown_persons,
)
from fedbreath.privacy.terms import SensitivityRule


@dataclass(frozen=True)
class Config(SiteSpec):
    """What is asked, and how units are grouped.

    Attributes:
        unit: What is hidden.
        buckets: G. A bucket holds about rate x population / G units.
        recordings: The most recordings of a unit that a step shows.
    """

    unit: Literal["patient", "recording"] = "patient"
    buckets: int = 4
    recordings: int = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("buckets", "recordings"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be >= 1, got {getattr(self, name)}")
        if self.unit == "recording" and self.recordings != 1:
            raise ValueError(f"recordings must be 1 where the unit is one, got {self.recordings}")


class Buckets(Sampled):
    """Poisson-sampled units in random buckets, each bucket's gradient clipped."""

    name = "buckets"
    rule: SensitivityRule = "2 C"

    def __init__(self, config: Config, plan: Plan) -> None:
        super().__init__(config, plan)
        self.config = config
        self.unit = config.unit

    @staticmethod
    def check(run: Any) -> None:
        """Refuse what cannot be made private.

        Raises:
            ConfigError: The objective remembers earlier recordings, BatchNorm is trained,
                something would be told, or persons are not known.
        """
        refuse_memory(run, "buckets")
        refuse_batch_norm(run, "buckets")
        refuse_told(run, "buckets")
        if run.privacy.config.unit == "patient":
            refuse_unknown_persons(run, "buckets")

    def members(self, people: Sequence[str | None]) -> list[Member]:
        """Each patient, or each recording.

        Raises:
            PrivacyError: A patient that is not known.
        """
        return by_patient(people) if self.unit == "patient" else by_recording(people)

    def rows(self) -> int:
        """So many recordings, each in so many views."""
        return self.config.recordings * self.spec.multiplicity

    def total(
        self, module: nn.Module, drawn: Sequence[Member], views: UnitViews, keys: StepKeys
    ) -> Sums:
        """The sum of the buckets' clipped gradients."""
        buckets: list[list[Member]] = [[] for _ in range(self.config.buckets)]
        for member in drawn:
            number = keys.of(member.name, "bucket").integers(self.config.buckets)
            buckets[int(number)].append(member)
        sums = zeros(module)
        least = cast(int, module.minimum)
        for bucket in buckets:
            if bucket and len(bucket) * self.rows() >= least:
                for name, gradient in clipped(module, gathered(bucket, views), self.spec.clip):
                    sums[name] += gradient
        return sums

    def divisor(self, population: int) -> float:  # noqa: ARG002 - buckets are counted
        """The number of buckets."""
        return float(self.config.buckets)


def clipped(module: nn.Module, views: Sequence[Tensor], clip: float) -> list[tuple[str, Tensor]]:
    """The gradient of one loss, clipped to C; nothing of it where it is not finite."""
    names = [name for name, p in module.named_parameters() if p.requires_grad]
    trained = [p for p in module.parameters() if p.requires_grad]
    found = torch.autograd.grad(module(*views), trained, allow_unused=True)
    gradients = [
        torch.zeros_like(p) if g is None else g for g, p in zip(found, trained, strict=True)
    ]
    norm = torch.stack([g.norm() for g in gradients]).norm()
    if not torch.isfinite(norm):
        return []
    factor = min(1.0, clip / float(norm)) if norm > 0 else 1.0
    return [(name, gradient * factor) for name, gradient in zip(names, gradients, strict=True)]
