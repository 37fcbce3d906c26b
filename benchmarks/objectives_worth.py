"""What the objectives of ``benchmarks.objectives`` gained, and what may be said of it."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.objectives_table import Estimate, Floats, Sheet, estimate
from fedbreath.report.wording import tone


@dataclass(frozen=True)
class Worth:
    """What an objective gained over the untrained networks, mean over encoders.

    Attributes:
        objective: The objective.
        scheme: ``centralised`` or ``federated``.
        encoders: Encoders that it is a mean over.
        gain: Of the first mean.
    """

    objective: str
    scheme: str
    encoders: tuple[str, ...]
    gain: Estimate


def worth(sheet: Sheet) -> list[Worth]:
    """Each objective in each scheme, the greatest gain of either first."""
    if not sheet.averages:
        return []
    first = sheet.averages[0].name
    gained: dict[tuple[str, str], dict[str, Floats]] = {}
    for (kind, objective, encoder, scheme), draws in sheet.draws.items():
        bare = sheet.draws.get(("untrained", "", encoder, ""))
        if kind == "trained" and bare is not None:
            gained.setdefault((objective, scheme), {})[encoder] = draws[first] - bare[first]
    found = [
        Worth(objective, scheme, tuple(each), estimate(np.mean(list(each.values()), axis=0)))
        for (objective, scheme), each in gained.items()
    ]
    best = {w.objective: max(v.gain.value for v in found if v.objective == w.objective)
            for w in found}  # fmt: skip
    return sorted(found, key=lambda w: (-best[w.objective], w.objective, w.scheme))


def sentences(sheet: Sheet) -> list[str]:
    """Which differences are beyond noise, in words."""
    found = worth(sheet)
    told = []
    for scheme in dict.fromkeys(w.scheme for w in found):
        of_scheme = [w for w in found if w.scheme == scheme]
        for sign, says in (
            ("gain", "gained over the untrained network"),
            ("loss", "lost against the untrained network"),
            ("noise", "cannot be told from the untrained network (the interval includes 0)"),
        ):
            named = [w.objective for w in of_scheme if tone(w.gain) == sign]
            if named:
                told.append(f"{scheme.capitalize()}, {_listed(named)} {says}.")
    gaps = [r for r in sheet.rows if r.gaps]
    if gaps:
        first = sheet.averages[0].name
        counts = {s: sum(tone(r.gaps[first]) == s for r in gaps) for s in ("gain", "loss", "noise")}
        told.append(
            f"Federated against centralised, {len(gaps)} pairs: {counts['noise']} within noise, "
            f"{counts['loss']} worse and {counts['gain']} better beyond it."
        )
    return told


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
