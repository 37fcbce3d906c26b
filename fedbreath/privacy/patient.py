"""DP-SGD per patient: all of a person's recordings and views are one clipped gradient.

User-level sampling (ULS: Charles et al. 2024, arXiv 2407.07737):

    g_p = mean over the patient's rows of their gradients,
    sum = sum over drawn patients of  g_p min(1, C / |g_p|),    D_add = C.

A patient has ``recordings`` x ``multiplicity`` rows, whatever they own: that many of their
recordings, each in its turn where they own fewer, in different views. So the number is a
constant, and a patient's rows depend on nobody else. The loss must decompose over recordings.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from fedbreath.privacy import Plan
from fedbreath.privacy.sampled import Member, Sampled, by_patient
from fedbreath.privacy.spec import (
    SiteSpec,
    refuse_batch_norm,
    refuse_coupling,
    refuse_memory,
    refuse_told,
    refuse_unknown_persons,
)
from fedbreath.privacy.terms import Unit


@dataclass(frozen=True)
class Config(SiteSpec):
    """What is asked, per patient.

    Attributes:
        recordings: m: the most recordings of a patient that a step shows.
    """

    recordings: int = 4

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.recordings < 1:
            raise ValueError(f"recordings must be >= 1, got {self.recordings}")


class PerPatient(Sampled):
    """Poisson-sampled patients, each one's gradient clipped."""

    name = "patient"
    unit: Unit = "patient"

    def __init__(self, config: Config, plan: Plan) -> None:
        super().__init__(config, plan)
        self.recordings = config.recordings

    @staticmethod
    def check(run: Any) -> None:
        """Refuse what cannot be made private.

        Raises:
            ConfigError: The objective compares recordings or remembers some, BatchNorm is
                trained, something would be told, or the data set names no persons.
        """
        refuse_coupling(run, "patient")
        refuse_memory(run, "patient")
        refuse_batch_norm(run, "patient")
        refuse_told(run, "patient")
        refuse_unknown_persons(run, "patient")

    def members(self, people: Sequence[str | None]) -> list[Member]:
        """Each patient.

        Raises:
            PrivacyError: A recording whose person is not known.
        """
        return by_patient(people)

    def rows(self) -> int:
        """So many recordings, each in so many views."""
        return self.recordings * self.spec.multiplicity
