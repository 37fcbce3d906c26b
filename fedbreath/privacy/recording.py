"""DP-SGD per recording (Abadi et al. 2016): each recording's gradient clipped to C.

    sum = sum over drawn recordings of  g_i min(1, C / |g_i|),    D_add = C.

g_i is the gradient of recording i's own loss, averaged over ``multiplicity`` views of it
before clipping (De et al. 2022). The loss must decompose over recordings; one that compares
the recordings of a batch is refused. A person with twenty recordings is hidden twenty times
less: where persons are known, use ``patient``.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from fedbreath.privacy import Plan
from fedbreath.privacy.sampled import Member, Sampled, by_recording
from fedbreath.privacy.spec import (
    SiteSpec,
    refuse_batch_norm,
    refuse_coupling,
    refuse_memory,
    refuse_told,
)
from fedbreath.privacy.terms import Unit


@dataclass(frozen=True)
class Config(SiteSpec):
    """What is asked, per recording."""


class PerRecording(Sampled):
    """Poisson-sampled recordings, each one's gradient clipped."""

    name = "recording"
    unit: Unit = "recording"

    def __init__(self, config: Config, plan: Plan) -> None:
        super().__init__(config, plan)

    @staticmethod
    def check(run: Any) -> None:
        """Refuse what cannot be made private.

        Raises:
            ConfigError: The objective compares recordings or remembers some, BatchNorm is
                trained, or something would be told.
        """
        refuse_coupling(run, "recording")
        refuse_memory(run, "recording")
        refuse_batch_norm(run, "recording")
        refuse_told(run, "recording")

    def members(self, people: Sequence[str | None]) -> list[Member]:
        """Each recording."""
        return by_recording(people)

    def rows(self) -> int:
        """One a view."""
        return self.spec.multiplicity
