"""Signs of collapse over the rounds: a table, a sentence, and a warning where one is due."""

from collections.abc import Sequence
from dataclasses import dataclass

from fedbreath import collapse
from fedbreath.collapse import Signs
from fedbreath.report.records import RoundRecord
from fedbreath.report.wording import decimal

#: Rows of the table; the records have all rounds that were looked at.
ROWS = 10


@dataclass(frozen=True)
class Row:
    """One look at the encoder: spread, effective rank, alignment, uniformity, as texts."""

    round: int
    cells: tuple[str, str, str, str]
    collapsed: bool


def table(rounds: Sequence[RoundRecord]) -> tuple[Row, ...]:
    """The start, the last look, and so many between, evenly; empty where nobody looked."""
    looks = _looks(rounds)
    collapsed = dict(_collapsed(looks))
    last = len(looks) - 1
    shown = sorted({round(i * last / (ROWS - 1)) for i in range(ROWS)}) if last >= ROWS else None
    chosen = looks if shown is None else [looks[i] for i in shown]
    return tuple(Row(number, _cells(signs), number in collapsed) for number, signs in chosen)


def sentence(rounds: Sequence[RoundRecord]) -> str:
    """How spread and effective rank went, in plain words."""
    looks = _looks(rounds)
    if not looks:
        return ""
    (_, first), (number, last) = looks[0], looks[-1]
    went = (
        f"From the start to round {number} spread went from {_number(first.spread)} to "
        f"{_number(last.spread)} and effective rank from {_number(first.effective_rank, 1)} to "
        f"{_number(last.effective_rank, 1)}"
    )
    return f"{went}: {'see the warning' if _collapsed(looks) else 'no sign of collapse'}."


def alarm(rounds: Sequence[RoundRecord]) -> str:
    """The warning where representations have collapsed in some round; "" where in none."""
    looks = _looks(rounds)
    found = _collapsed(looks)
    if not found:
        return ""
    number, why = found[-1]
    if number == looks[-1][0]:
        return (
            f"After round {number} the representations have collapsed ({why}): embeddings "
            "hardly tell one recording from another, whatever loss or scores say."
        )
    return (
        f"After round {number} the representations had collapsed ({why}); after round "
        f"{looks[-1][0]} they no longer were."
    )


def _looks(rounds: Sequence[RoundRecord]) -> list[tuple[int, Signs]]:
    """Round and signs of each look; round 0 is the start."""
    found: list[tuple[int, Signs]] = []
    for one in rounds:
        if one.signs_before is not None:
            found.append((one.number - 1, one.signs_before))
        if one.signs is not None:
            found.append((one.number, one.signs))
    return found


def _collapsed(looks: Sequence[tuple[int, Signs]]) -> list[tuple[int, str]]:
    """Round and reason of every look after the start that found a collapse."""
    start = looks[0][1] if looks and looks[0][0] == 0 else None
    judged = [(n, collapse.warning(signs, start)) for n, signs in looks if n > 0]
    return [(number, why) for number, why in judged if why]


def _cells(signs: Signs) -> tuple[str, str, str, str]:
    return (
        _number(signs.spread),
        _number(signs.effective_rank, 1),
        _number(signs.alignment),
        _number(signs.uniformity),
    )


def _number(value: float | None, digits: int = 3) -> str:
    return "not finite" if value is None else decimal(value, digits)
