"""T8: an attacker proves a false claim false, and cannot prove a true one false."""

import math

import numpy as np
import pytest
from scipy.stats import binom

from fedbreath.audit.empirical import Empirical, attack, lower_bound
from fedbreath.audit.sensitivity import Effort, search
from fedbreath.audit.site import Setting
from tests.audit.unsound import Hooked, audited

EFFORT = Effort((Setting(0.01, 0.1, still=True),), (128,), keys=1, ascent=0)


def attacked(objective: str, sigma: float = 4.0) -> Empirical:
    worst = max(
        search(lambda s: audited(objective, Hooked, s, sigma=sigma), EFFORT), key=lambda c: c.ratio
    )
    return attack(audited(objective, Hooked, worst.setting, sigma=sigma), worst, trials=200, seed=0)


def test_naive_contrast_is_proved_false() -> None:
    found = attacked("nt_xent")
    assert found.claim.value == pytest.approx(0.93, abs=0.01)
    assert found.right == 200
    assert found.lower == pytest.approx(4.19, abs=0.01)
    assert not found.holds
    assert "add/remove" in str(found.claim)


def test_a_sound_loss_is_not() -> None:
    found = attacked("within_recording")
    # One unit at the bound moves the sum by a quarter of the noise: Phi(1/8) = 55 % are right.
    assert 85 <= found.right <= 135
    assert found.lower < 0.5 < found.claim.value
    assert found.holds


def test_a_sound_loss_with_less_noise_is_told_apart_and_still_holds() -> None:
    found = attacked("within_recording", sigma=0.5)
    # Phi(1) = 84 % are right.
    assert 150 <= found.right <= 185
    assert 1 < found.lower < found.claim.value
    assert found.holds


def test_the_bound_of_clopper_and_pearson() -> None:
    # By hand: 200 of 200 have the share p where p^200 = 5 %.
    share = 0.05 ** (1 / 200)
    assert lower_bound(200, 200, 0.0) == pytest.approx(math.log(share / (1 - share)))
    # With the share at the bound, so many right guesses or more come in 5 of 100 cases.
    bound = lower_bound(150, 200, 0.01)
    share = (math.exp(bound) + 0.01) / (1 + math.exp(bound))
    assert binom.sf(149, 200, share) == pytest.approx(0.05)


def test_edges_of_the_bound() -> None:
    assert lower_bound(0, 200, 1e-5) == lower_bound(100, 200, 1e-5) == 0.0
    assert lower_bound(10, 10, 1e-5) < lower_bound(100, 100, 1e-5)
    bounds = [lower_bound(n, 200, 1e-5) for n in range(201)]
    assert bool(np.all(np.diff(bounds) >= 0))
