"""The sensitivity audit: search for a unit that moves a sum by more than is claimed.

Measured is the largest found value of

    ratio = |f(S + x) - f(S)| / D_add

over batches S, a further unit x (the canary), clips, temperatures, random keys; f is the sum
before noise, by the mechanism's own function. Adding x and taking it away are the same
difference; the canary stands at either end of the batch, since a group that is cut by position
shifts when the first leaves. The worst canaries then ascend: small random changes and leaps,
of which those that raise the ratio are kept. A single fixed canary passes unsound code.

Beside that, a step with the canary must leave nothing behind but its sum: the sum of a next
step, in which the canary takes no part, and the buffers that travel with the weights must be
the same as if it had never been there (a queue of private keys breaks that, and BatchNorm's
running statistics do). There, ratio must be 0.

Passing proves nothing beyond what was tried: `PROVES`.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from torch import Tensor

from fedbreath.audit import Floats, Summed
from fedbreath.audit.families import CANARIES, FAMILIES, Units, canary, climbed, drawn
from fedbreath.audit.site import Setting

#: What passing does not prove.
PROVES = (
    "Passing says that no case tried moved a sum by more than is claimed. It does not prove the "
    "claim: that takes the argument in the mechanism's documentation, and says nothing of the "
    "sampling, the noise or the accounting."
)

#: The family of what a step leaves behind.
LEFT = "left behind"


@dataclass(frozen=True)
class Effort:
    """How much is tried.

    Attributes:
        settings: Clips, temperatures and views. With the first alone it is tried what a step
            leaves behind: best with a small clip, which makes most of small differences.
        sizes: n, units beside the canary.
        keys: Random choices of views and groups, for each canary.
        ascent: Steps upwards, for each setting and size.
        large: From so many units on, two canaries and one key instead of all, no ascent, and
            nothing about what a step leaves behind.
    """

    settings: tuple[Setting, ...]
    sizes: tuple[int, ...] = (8, 32, 128)
    keys: int = 2
    ascent: int = 80
    large: int = 32

    @property
    def cases(self) -> int:
        """How many cases that is."""
        each = len(FAMILIES) * len(CANARIES) * self.keys + self.ascent
        large = sum(n >= self.large for n in self.sizes)
        some = each * (len(self.sizes) - large) + len(FAMILIES) * 2 * large
        left = 3 * len(FAMILIES) if self.sizes[0] < self.large else 0
        return len(self.settings) * some + left


#: Half a minute or so for a small network.
NORMAL = Effort(
    (
        Setting(0.01, 0.05, still=True),
        Setting(0.01, 0.5),
        Setting(0.1, 0.05, still=True),
        Setting(still=True),
        Setting(),
    )
)

#: For the run's own network, where each sum is dear.
FEW = Effort((Setting(0.01, 0.1), Setting(still=True)), (8, 32), keys=1, ascent=10)


@dataclass(frozen=True)
class Case:
    """One pair of neighbours.

    Attributes:
        family: What the batch is, or `LEFT`.
        canary: What the further unit is.
        others: n.
        setting: Clip, temperature, views.
        key: The random choices.
        ratio: How far the sum moved, in D_add.
        allowed: How far it may.
        slack: What rounding may add.
        units: The batch, the canary in it.
        place: Which unit is the canary.
    """

    family: str
    canary: str
    others: int
    setting: Setting
    key: int
    ratio: float
    allowed: float
    slack: float
    units: tuple[Floats, ...] = field(repr=False)
    place: int

    @property
    def broken(self) -> bool:
        """Whether the claim does not hold here."""
        return not self.ratio <= self.allowed + self.slack

    @property
    def excess(self) -> tuple[float, float]:
        """By how much more than it may; then how far."""
        over = self.ratio - self.allowed
        # Rounding is no excess: of all that keep within the bound, the furthest is the worst.
        return (over if self.broken else 0.0, self.ratio)

    def __str__(self) -> str:
        where = "first" if self.place == 0 else "last"
        said = f"{self.others} units ({self.family}) and one {self.canary}, {where}"
        s = self.setting
        said += f"; C x {s.clip:g}"
        if s.temperature is not None:
            said += f", temperature {s.temperature:g}"
        return f"{said}, {'unchanged' if s.still else 'changed'} views, key {self.key}"


@dataclass(frozen=True)
class Sensitivity:
    """What the search found.

    Attributes:
        worst: The case furthest above what it may be.
        families: The worst case of each family.
        cases: How many were tried.
        rule: The claim.
    """

    worst: Case
    families: dict[str, Case]
    cases: int
    rule: str

    @property
    def holds(self) -> bool:
        """Whether nothing tried breaks the claim."""
        return not any(case.broken for case in self.families.values())

    @property
    def ratio(self) -> float:
        """The largest, in D_add."""
        return max(case.ratio for case in self.families.values())

    @property
    def verdict(self) -> str:
        """In words."""
        if not self.holds:
            return "the claim is BROKEN"
        if self.ratio <= self.worst.slack:
            return "no case moved the sum at all: nothing can be said (and nothing be learnt)"
        return "the claim HOLDS in all cases tried"


def search(
    make: Callable[[Setting], Summed], effort: Effort = NORMAL, seed: int = 0
) -> Iterator[Case]:
    """Try case after case.

    Args:
        make: The sum under a setting.
        effort: How much is tried.
        seed: Of batches and steps upwards; nothing here must be secret.
    """
    for number, setting in enumerate(effort.settings):
        summed = make(setting)
        for size in effort.sizes:
            bench = _Bench(summed, setting, size, np.random.default_rng([seed, number, size]))
            if number == 0 and size == effort.sizes[0] < effort.large:
                # Before all other steps, which may leave something behind, too.
                yield from bench.memory()
            found = []
            for case in bench.crafted(effort):
                found.append(case)
                yield case
            if size < effort.large and effort.ascent:
                starts = sorted(found, key=lambda case: case.ratio)[-2:]
                for start in starts:
                    yield from bench.ascent(start, effort.ascent // len(starts))


def conclude(cases: Iterable[Case], rule: str) -> Sensitivity:
    """Sum up what was tried; at least one case."""
    count = 0
    families: dict[str, Case] = {}
    for case in cases:
        count += 1
        if case.family not in families or case.excess > families[case.family].excess:
            families[case.family] = case
    families = {name: families[name] for name in (*FAMILIES, LEFT) if name in families}
    return Sensitivity(max(families.values(), key=lambda c: c.excess), families, count, rule)


class _Bench:
    """Cases of one setting and size."""

    def __init__(
        self, summed: Summed, setting: Setting, size: int, rng: np.random.Generator
    ) -> None:
        self.summed, self.setting, self.size, self.rng = summed, setting, size, rng
        self.slack = 1e-6 if summed.epsilon < 1e-12 else 4 * (size + 1) * summed.epsilon

    def crafted(self, effort: Effort) -> Iterator[Case]:
        """Every family with every canary, at either end."""
        large = self.size >= effort.large
        kinds = ("opposite", "huge") if large else CANARIES
        for family, make in FAMILIES.items():
            others = make(self.summed, self.size, self.rng)
            without: dict[tuple[int, int], Tensor] = {}
            for number, kind in enumerate(kinds):
                units, place = self._with(others, kind, number)
                for key in range(1 if large else effort.keys):
                    if (place, key) not in without:
                        without[place, key] = self.summed.total(units, key, place)
                    moved = self.summed.total(units, key) - without[place, key]
                    yield self._made(family, kind, units, place, key, float(moved.norm()))

    def ascent(self, start: Case, steps: int) -> Iterator[Case]:
        """From a case upwards, by what a step of 1 + 1 evolution keeps."""
        units, place, best, width = list(start.units), start.place, start.ratio, 0.5
        others = [unit for i, unit in enumerate(units) if i != place]
        without = self.summed.total(units, start.key, place)
        for _ in range(steps):
            tried = list(units)
            tried[place] = climbed(units[place], others, width, self.rng)
            moved = self.summed.total(tried, start.key) - without
            case = self._made(
                start.family, "ascended", tried, place, start.key, float(moved.norm())
            )
            better = case.ratio > best
            # One success in five keeps the width (Rechenberg 1973).
            width *= 1.5 if better else 1.5**-0.25
            if better:
                units, best = tried, case.ratio
            yield case

    def memory(self) -> Iterator[Case]:
        """What a step with the canary leaves behind, alone in it or among all others."""
        for number, make in enumerate(FAMILIES.values()):
            others = make(self.summed, self.size, self.rng)
            for turn, kind in enumerate(("opposite", "duplicate", CANARIES[number % 5])):
                units, place = self._with(others, kind, number)
                absent: set[int] = set() if turn < 2 else {*range(len(units))} - {place}
                moved = self.summed.left_behind(units, 0, place, absent | {place})
                moved = moved - self.summed.left_behind(units, 0, place, absent)
                yield self._made(LEFT, kind, units, place, 0, float(moved.norm()), allowed=0.0)

    def _with(self, others: Units, kind: str, number: int) -> tuple[Units, int]:
        """The canary put among the others: first where the number is even, else last."""
        pieces = self.summed.pieces[number % len(self.summed.pieces)]
        one = canary(kind, self.summed, others, drawn(self.summed, pieces, self.rng))
        return ([one, *others], 0) if number % 2 == 0 else ([*others, one], len(others))

    def _made(
        self,
        family: str,
        kind: str,
        units: Sequence[Floats],
        place: int,
        key: int,
        moved: float,
        allowed: float = 1.0,
    ) -> Case:
        # A sum that is no number is no bounded sum.
        ratio = moved / self.summed.bound if math.isfinite(moved) else math.inf
        return Case(
            family,
            kind,
            self.size,
            self.setting,
            key,
            ratio,
            allowed,
            self.slack,
            tuple(units),
            place,
        )
