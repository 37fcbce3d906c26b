"""A small causal model of the people in a phone cohort, and of how they sound.

Causes precede effects::

    cohort    -> age, smoking, disease, phone
    age, sex  -> smoking
    smoking   -> disease, FEV1 z-score
    disease   -> FEV1 z-score
    FEV1      -> obstruction that can be heard, severity as judged
    lungs (obstruction, mucus, wheeze) -> sound, symptom as reported

Severity and symptom are reports and never cause a sound. Disease is heard through the
FEV1 z-score and what follows from it (asthma also by a little more wheeze), so somebody
with asthma and good lungs sounds well, as in a clinic.

Sourced: the z-score of healthy lungs is N(0, 1) by its definition (GLI-2012), below -2.5
an obstruction is more than mild (ERS/ATS 2021), and odds ratios: wheeze by smoking 1.70,
asthma 1.36, female 1.45, +10 years 1.18; crackles by smoking 1.94, +10 years 1.76.
Smoking lowers the voice and raises its noise; coughs are longer and louder in COPD. All
other numbers are design values, chosen so that no label is trivial or hopeless.
"""

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np

from fedbreath.datasets.phone import CATALOGUE
from fedbreath.datasets.respiratory_sound import Airway

#: Sourced odds ratios; the crackles' are used as ratios of rates.
WHEEZE_SMOKING, WHEEZE_ASTHMA, WHEEZE_FEMALE, WHEEZE_DECADE = 1.70, 1.36, 1.45, 1.18
CRACKLES_SMOKING, CRACKLES_DECADE = 1.94, 1.76

#: Years. Where effects of age are zero.
REFERENCE_AGE = 50.0

#: Beyond mild obstruction below this z-score (ERS/ATS 2021).
SEVERE_BELOW = -2.5

#: Mean and standard deviation of the FEV1 z-score; healthy by definition (GLI-2012).
FEV1 = {"healthy": (0.0, 1.0), "asthma": (-2.1, 1.1), "copd": (-2.6, 1.1)}

#: A smoker's loss of FEV1 without any disease, z.
SMOKERS_LOSS = 0.3

#: Mean fundamental frequency of a cough's voiced phase, Hz, and its spread (log).
F0_MALE, F0_FEMALE, F0_SPREAD = 280.0, 400.0, 0.18

#: A woman's vocal-tract resonances against a man's.
TRACT_FEMALE = 1.12

Diagnosis = Literal["healthy", "asthma", "copd"]


@dataclass(frozen=True, slots=True)
class Cohort:
    """What the persons of one cohort share.

    Attributes:
        age: Mean, years.
        smoking: Log-odds that a man of `REFERENCE_AGE` smokes.
        disease: Log-odds of disease in a non-smoker of `REFERENCE_AGE`.
        snr: Usual signal-to-noise ratio of recordings, dB.
        phones: Share of each model of the catalogue.
    """

    age: float
    smoking: float
    disease: float
    snr: float
    phones: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Person:
    """One simulated person.

    Attributes:
        age: Years.
        female: Sex.
        smoker: Smokes.
        diagnosis: Healthy, asthma or COPD.
        fev1_z: Forced expiratory volume in one second, z-score.
        severe: More than mild obstruction, as a doctor judged it; None when healthy.
        symptom: Reports wheeze or mucus.
        phone: Index into the phone catalogue.
        airway: How the person sounds.
    """

    age: float
    female: bool
    smoker: bool
    diagnosis: Diagnosis
    fev1_z: float
    severe: bool | None
    symptom: bool
    phone: int
    airway: Airway

    @property
    def diseased(self) -> bool:
        """Has asthma or COPD."""
        return self.diagnosis != "healthy"


def draw_cohort(rng: np.random.Generator) -> Cohort:
    """The heterogeneity of cohorts: patients of a respiratory clinic and their companions."""
    return Cohort(
        age=rng.normal(53, 6),
        smoking=rng.normal(-0.4, 0.3),
        disease=rng.normal(-0.35, 0.35),
        snr=float(np.clip(rng.normal(24, 4), 12, 32)),
        # Two or three models carry most of a cohort, and not the same in each.
        phones=tuple(rng.dirichlet(np.full(len(CATALOGUE), 0.5)).tolist()),
    )


def draw_person(cohort: Cohort, rng: np.random.Generator) -> Person:
    """Draw one person, causes before effects.

    Args:
        cohort: What the persons around share.
        rng: The person's own generator.
    """
    age = float(np.clip(rng.normal(cohort.age, 14), 18, 90))
    decades = (age - REFERENCE_AGE) / 10
    female = bool(rng.random() < 0.5)
    smoker = _happens(cohort.smoking + (0.0 if female else 0.3) - 0.1 * decades, rng)
    diagnosis = _diagnosis(cohort, decades, smoker, rng)
    mean, sd = FEV1[diagnosis]
    fev1_z = rng.normal(mean - SMOKERS_LOSS * smoker, sd)
    lungs = _lungs(fev1_z, diagnosis == "asthma", female, smoker, decades, rng=rng)
    # The doctor sees the spirometer of the day, not the true z-score.
    severe = None if diagnosis == "healthy" else bool(fev1_z + rng.normal(0, 0.4) < SEVERE_BELOW)
    return Person(
        age=age,
        female=female,
        smoker=smoker,
        diagnosis=diagnosis,
        fev1_z=fev1_z,
        severe=severe,
        symptom=_happens(-1.5 + 1.4 * lungs.wheezes + 0.9 * lungs.mucus, rng),
        phone=int(rng.choice(len(CATALOGUE), p=cohort.phones)),
        airway=_airway(lungs, female, smoker, decades, rng),
    )


def _happens(log_odds: float, rng: np.random.Generator) -> bool:
    return bool(rng.random() < 1 / (1 + math.exp(-log_odds)))


def _diagnosis(cohort: Cohort, decades: float, smoker: bool, rng: np.random.Generator) -> Diagnosis:
    diseased = _happens(cohort.disease + 0.4 * smoker + 0.15 * decades, rng)
    copd = _happens(-0.3 + 0.9 * smoker + 0.4 * decades, rng)
    if not diseased:
        return "healthy"
    return "copd" if copd else "asthma"


@dataclass(frozen=True, slots=True)
class _Lungs:
    """What is between the FEV1 z-score and the sound: dimensionless, 0 when well."""

    obstruction: float
    mucus: float
    wheezes: bool


def _lungs(
    fev1_z: float,
    asthma: bool,
    female: bool,
    smoker: bool,
    decades: float,
    *,
    rng: np.random.Generator,
) -> _Lungs:
    # 0 for normal lungs, 1 around z = -3, and blurred, since the same airways sound
    # differently in different chests.
    obstruction = float(np.clip(-fev1_z / 3 + rng.normal(0, 0.3), 0, 2))
    log_odds = (
        -1.9
        + 2.2 * obstruction
        + math.log(WHEEZE_SMOKING) * smoker
        + math.log(WHEEZE_ASTHMA) * asthma
        + math.log(WHEEZE_FEMALE) * female
        + math.log(WHEEZE_DECADE) * decades
    )
    return _Lungs(
        obstruction=obstruction,
        mucus=rng.normal(0.7 * smoker + 0.8 * obstruction, 1),
        wheezes=_happens(log_odds, rng),
    )


def _airway(
    lungs: _Lungs, female: bool, smoker: bool, decades: float, rng: np.random.Generator
) -> Airway:
    """How a person sounds; every parameter has a spread of its own."""
    f0 = F0_FEMALE if female else F0_MALE
    return Airway(
        # Smoking lowers the voice and makes it hoarse; sex moves it, with wide overlap.
        f0=f0 * math.exp(rng.normal(-0.11 * smoker, F0_SPREAD)),
        hoarse=float(np.clip(rng.normal(0.25 + 0.21 * smoker + 0.02 * decades, 0.12), 0, 0.9)),
        tract=(TRACT_FEMALE if female else 1.0) * math.exp(rng.normal(0, 0.06)),
        # Bodies and habits without a cause in this model.
        tilt=rng.normal(0, 1.0),
        breaths=rng.uniform(12, 20),
        wheeze_hz=math.exp(rng.normal(math.log(400), 0.4)),
        # Obstruction makes coughs longer and louder and breathing out slower.
        loudness=rng.normal(2.0 * lungs.obstruction, 4),
        cough_length=math.exp(rng.normal(0.25 * lungs.obstruction, 0.12)),
        expiration=float(np.clip(rng.normal(1.6 + 1.1 * lungs.obstruction, 0.3), 1.2, 4)),
        wheeze=rng.uniform(0.15, 0.6) if lungs.wheezes else 0.0,
        crackles=_crackles(lungs, smoker, decades, rng),
        coarse=1 / (1 + math.exp(-lungs.mucus)),
        rattle=1 / (1 + math.exp(1.5 - 1.3 * lungs.mucus)),
    )


def _crackles(lungs: _Lungs, smoker: bool, decades: float, rng: np.random.Generator) -> float:
    """Expected crackles in one inspiration: 0-2 in most healthy people, 3-10 when obstructed."""
    log_rate = (
        1.7 * lungs.obstruction
        + 0.3 * lungs.mucus
        + math.log(CRACKLES_SMOKING) * smoker
        # Half the sourced effect: the rest comes with the disease that age brings.
        + 0.5 * math.log(CRACKLES_DECADE) * decades
        + rng.normal(0, 0.4)
    )
    return min(0.5 * math.exp(log_rate), 15.0)
