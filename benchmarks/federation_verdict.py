"""What may be said of the strategies of ``benchmarks.federation``: who wins, and the default."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from benchmarks.federation_table import (
    CENTRALISED,
    FEDAVG,
    UNTRAINED,
    Key,
    Row,
    Sheet,
    paired,
)
from benchmarks.objectives_table import Estimate, Floats, estimate
from fedbreath.report.wording import decimal, interval, tone

#: Of non-inferiority: so much AUROC may be lost to centralised training.
MARGIN = 0.01

Verdict = Literal["non-inferior", "inferior", "open"]


def non_inferiority(gap: Estimate | None) -> Verdict:
    """Whether an encoder loses less than `MARGIN`, more, or nobody can say.

    Args:
        gap: Federated less centralised.

    >>> non_inferiority(Estimate(0.0, -0.009, 0.01)), non_inferiority(Estimate(-0.1, -0.2, -0.02))
    ('non-inferior', 'inferior')
    >>> non_inferiority(Estimate(-0.02, -0.05, 0.01))
    'open'
    """
    if gap is None:
        return "open"
    if gap.low > -MARGIN:
        return "non-inferior"
    return "inferior" if gap.high < -MARGIN else "open"


def verdicts(sheets: Sequence[Sheet]) -> dict[tuple[str, str, Key], str]:
    """Stage, setting and row to the verdict on its first mean, of rows with a gap."""
    return {
        (one.stage, one.setting, row.key): non_inferiority(row.gaps[one.averages[0].name])
        for one in sheets
        for row in one.rows
        if one.averages and one.averages[0].name in row.gaps
    }


def ranked(sheet: Sheet) -> list[Row]:
    """The federated rows, the greatest first mean first."""
    if not sheet.averages:
        return []
    name = sheet.averages[0].name
    rows = [row for row in sheet.rows if row.key[0] == "federated" and name in row.means]
    return sorted(rows, key=lambda row: -row.means[name].value)


@dataclass(frozen=True)
class Lead:
    """What a strategy is ahead of FedAvg by, over all settings.

    Attributes:
        strategy: The strategy.
        mean: Of the paired differences, every setting once.
        worse: Settings in which it is behind beyond noise.
        better: Settings in which it is ahead beyond noise.
    """

    strategy: str
    mean: Estimate
    worse: tuple[str, ...]
    better: tuple[str, ...]


def leads(sheets: Sequence[Sheet]) -> list[Lead]:
    """Every strategy against FedAvg over the settings that have both, the best first."""
    names = dict.fromkeys(row.key[1] for one in sheets for row in ranked(one))
    found = []
    for name in names:
        each: dict[str, Floats] = {}
        for one in sheets:
            if name == FEDAVG[1] or not one.averages:
                continue
            drawn = paired(one.draws, ("federated", name), FEDAVG, one.averages[0].name)
            if drawn is not None:
                each[one.setting] = drawn
        if each:
            found.append(_lead(name, each))
    return sorted(found, key=lambda lead: -lead.mean.value)


def _lead(name: str, each: Mapping[str, Floats]) -> Lead:
    tones = {setting: tone(estimate(d)) for setting, d in each.items()}
    return Lead(
        name,
        estimate(np.mean(list(each.values()), axis=0)),
        tuple(s for s, t in tones.items() if t == "loss"),
        tuple(s for s, t in tones.items() if t == "gain"),
    )


def winner(sheets: Sequence[Sheet]) -> str:
    """The strategy with the greatest mean over the settings of validation persons."""
    found = leads([one for one in sheets if one.stage == "validation"])
    return found[0].strategy if found and found[0].mean.value > 0 else FEDAVG[1]


def default(sheets: Sequence[Sheet]) -> tuple[str, str]:
    """The default that follows, and why.

    Another strategy than FedAvg needs a mean over the settings that is ahead beyond noise, and
    must be behind beyond noise in none: otherwise the simplest one stays.
    """
    found = leads([one for one in sheets if one.stage == "validation"])
    if not found:
        return FEDAVG[1], "fedavg stays the default: nothing was compared with it."
    for lead in found:
        if tone(lead.mean) == "gain" and not lead.worse:
            return lead.strategy, (
                f"{lead.strategy} is ahead of fedavg by {told_of(lead.mean)} over all settings and "
                "behind beyond noise in none: the default follows it."
            )
    best = found[0]
    why = "within noise" if tone(best.mean) != "gain" else f"but behind in {listed(best.worse)}"
    return FEDAVG[1], (
        f"The best other strategy, {best.strategy}, differs from fedavg by {told_of(best.mean)} "
        f"over all settings, {why}: fedavg stays the default."
    )


def sentences(sheet: Sheet) -> list[str]:
    """What a setting says, in words."""
    rows = ranked(sheet)
    if not rows:
        return []
    name = sheet.averages[0].name
    told = [_best(rows, name)]
    gain = paired(sheet.draws, CENTRALISED, UNTRAINED, name)
    if gain is not None and estimate(gain).low <= 0:
        told.append(
            f"Centralised training gained {told_of(estimate(gain))} over the untrained network, "
            "which its interval does not tell from 0: no share of it is stated."
        )
    for verdict, says in (
        ("non-inferior", "loses less than the margin of 0.01 to centralised training"),
        ("inferior", "loses more than the margin of 0.01"),
        ("open", "can be told neither to keep to the margin of 0.01 nor to exceed it"),
    ):
        named = [r.key[1] for r in rows if name in r.gaps
                 and non_inferiority(r.gaps[name]) == verdict]  # fmt: skip
        if named:
            told.append(f"{listed(named)}: {says}.")
    for sign, says in (("gain", "ahead of"), ("loss", "behind"), ("noise", "not told from")):
        named = [r.key[1] for r in rows if tone(r.over_local.get(name)) == sign]
        if named:
            told.append(f"{says.capitalize()} sites alone: {listed(named)}.")
    return told


def _best(rows: Sequence[Row], name: str) -> str:
    """Who has the greatest mean, and whether that is more than noise."""
    best = rows[0]
    if best.key == FEDAVG:
        others = [row for row in rows[1:] if name in row.over_fedavg]
        behind = [r.key[1] for r in others if tone(r.over_fedavg[name]) == "loss"]
        tail = f"; beyond noise behind it: {listed(behind)}" if behind else "; others within noise"
        return f"fedavg has the greatest mean{tail if others else ''}."
    if name not in best.over_fedavg:
        return f"{best.key[1]} has the greatest mean; fedavg was not run."
    ahead = best.over_fedavg[name]
    noise = "" if tone(ahead) in ("gain", "loss") else ", within noise"
    return f"{best.key[1]} has the greatest mean, {told_of(ahead)} to fedavg{noise}."


def told_of(difference: Estimate) -> str:
    """A difference to the digits that the margin needs.

    >>> told_of(Estimate(-0.004, -0.0121, 0.0031))
    '−0.004 (−0.012 to 0.003)'
    """
    return f"{decimal(difference.value, 3, sign=True)} ({interval(difference, 3)})"


def listed(names: Sequence[str]) -> str:
    """Names in a sentence.

    >>> listed(["a"]), listed(["a", "b", "c"])
    ('a', 'a, b and c')
    """
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
