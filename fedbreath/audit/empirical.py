"""The empirical audit: how well can an attacker tell noised sums with a unit from those without?

For each trial a fair coin decides whether the canary x is in the batch S. With G1 = f(S + x)
and G0 = f(S), which the attacker knows, and the released sum G~, the guess is

    "in"  where  <G~ - (G1 + G0) / 2, G1 - G0> > 0.

Of a step that is (epsilon, delta)-private at most a share (e^epsilon + delta) / (1 + e^epsilon)
of such guesses is right, whatever the attacker does: add up its two conditions, on guesses
"in" without the canary and "out" with it. So with a lower bound p of that share, by
Clopper-Pearson (1934) at 95 %,

    epsilon >= ln( (p - delta) / (1 - p) ).

It is a bound for one step in which the canary is drawn for certain; a Poisson draw hides it
further, and steps compose. One canary a trial: many at once hide each other, and do not catch
what this catches. 200 trials reach 4.19 at most.
"""

import math
from dataclasses import dataclass

import numpy as np
from scipy.stats import beta

from fedbreath.audit import Summed
from fedbreath.audit.sensitivity import Case
from fedbreath.privacy.terms import Bound

CONFIDENCE = 0.95

#: What passing does not prove.
PROVES = (
    "A lower bound below the claim proves nothing: this attacker was not good enough, or needs "
    "more trials. Only a bound above the claim proves something, namely that the claim is false."
)


@dataclass(frozen=True)
class Empirical:
    """What the attacker reached.

    Attributes:
        trials: Coins guessed.
        right: How many rightly.
        lower: Epsilon at least, at 95 % confidence and the claim's delta.
        claim: Epsilon at most, as claimed of the same step.
        case: The batch and the canary.
    """

    trials: int
    right: int
    lower: float
    claim: Bound
    case: Case

    @property
    def holds(self) -> bool:
        """Whether the claim is not contradicted."""
        return self.lower <= self.claim.value


def attack(summed: Summed, case: Case, trials: int = 200, seed: int | None = None) -> Empirical:
    """Play the attacker with a batch and a canary, best those of the sensitivity audit.

    Args:
        summed: Of the case's setting.
        case: The neighbours.
        trials: Coins.
        seed: Of the coins; the noise is the mechanism's own.
    """
    units = list(case.units)
    inside = summed.total(units, case.key)
    outside = summed.total(units, case.key, case.place)
    apart = inside - outside
    coins = np.random.default_rng(seed).random(trials) < 0.5
    right = 0
    for coin in coins:
        released = (inside if coin else outside) + summed.noise()
        side = float((released - (inside + outside) / 2) @ apart)
        right += bool((side > 0) == coin)
    claim = summed.claim()
    return Empirical(trials, right, lower_bound(right, trials, claim.terms.delta), claim, case)


def lower_bound(right: int, trials: int, delta: float) -> float:
    """Epsilon at least, of so many right guesses.

    >>> round(lower_bound(200, 200, 1e-5), 2), lower_bound(100, 200, 1e-5)
    (4.19, 0.0)
    """
    if right == 0:
        return 0.0
    share = float(beta.ppf(1 - CONFIDENCE, right, trials - right + 1))
    return max(0.0, math.log((share - delta) / (1 - share))) if share > delta else 0.0
