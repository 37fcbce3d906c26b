"""How much noise an epsilon costs, and how many more releases it still allows."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from fedbreath.errors import PrivacyError
from fedbreath.privacy.accounting import COARSE, FINE, epsilon
from fedbreath.privacy.terms import Bound, Event, Terms, is_number, whole

#: No useful mechanism has less noise or more.
LEAST, MOST = 0.1, 1e5
#: Sigma is found to this share of itself, on the side of more noise.
TOLERANCE = 1e-3


@dataclass(frozen=True)
class Calibration:
    """Noise that keeps a whole run within a target.

    Attributes:
        sigma: Noise multiplier: standard deviation of the noise per D_add.
        bound: Epsilon of all rounds and spare rounds with it, at most the target.
        steps: How many steps that is.
        spare_rounds: How many rounds may be lost to a crash and done again.
    """

    sigma: float
    bound: Bound
    steps: int
    spare_rounds: int


def positive(name: str, value: object) -> None:
    """Refuse an epsilon that is not finite and > 0.

    Raises:
        PrivacyError: It is not.
    """
    if not is_number(value) or value <= 0:  # type: ignore[operator]
        raise PrivacyError(f"{name} must be > 0, got {value!r}")


def sigma_for(
    target: float,
    terms: Terms,
    *,
    rate: float,
    steps: int,
    rounds: int = 1,
    spare_rounds: int = 2,
) -> Calibration:
    """The least noise multiplier with which all rounds together stay within `target`.

    Bisection on PLD. A round that was written to the ledger and then lost counts as spent,
    so some rounds are calibrated for on top of those that are wanted.

    Args:
        target: Epsilon of the whole run.
        terms: What epsilon is about.
        rate: Poisson sampling rate q.
        steps: Steps of one round.
        rounds: Rounds that are wanted.
        spare_rounds: Rounds on top.

    Raises:
        PrivacyError: A value is out of range, or no sigma up to 100,000 suffices.
    """
    positive("the target epsilon", target)
    whole("steps", steps)
    whole("rounds", rounds)
    whole("spare rounds", spare_rounds, 0)
    event = Event(1.0, 1.0, rate, steps * (rounds + spare_rounds))

    def spent(sigma: float, cell: float) -> float:
        return epsilon(replace(event, noise=sigma), terms, cell=cell).value

    # Down from much noise: numbers of far too little noise are slow to compute. Cells much
    # finer than the target: what they add to a small epsilon would be paid for in noise.
    cell = min(1e-3, target / 5_000)
    if spent(MOST, cell) > target:
        raise PrivacyError(f"epsilon {target:g} at {terms} needs a sigma above {MOST:g}")
    high = 8.0
    while high < MOST and spent(high, cell) > target:
        high *= 4
    while high > LEAST and spent(high / 2, cell) <= target:
        high /= 2
    low = high / 2
    while high / low > 1 + TOLERANCE:
        middle = (low * high) ** 0.5
        low, high = (low, middle) if spent(middle, cell) <= target else (middle, high)
    while (
        bound := epsilon(replace(event, noise=high), terms, cell=min(FINE, cell))
    ).value > target:
        high *= 1 + TOLERANCE
    return Calibration(high, bound, event.steps, spare_rounds)


def more(past: Sequence[Event], event: Event, terms: Terms, target: float) -> int:
    """How many further `event` stay within `target` after `past`; at most 100,000."""

    def fits(count: int) -> bool:
        return epsilon([*past, *[event] * count], terms, cell=COARSE).value <= target

    if not fits(1):
        return 0
    low, high = 1, 2
    while high <= 100_000 and fits(high):
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if fits(middle) else (low, middle)
    return min(low, 100_000)
