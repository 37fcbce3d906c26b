"""Native metadata values as labels: one spelling for what several data sets know.

A reader takes whatever a cell or a JSON value holds and returns the label's text, ``""``
when the value says that it is not known. What cannot be right is a ValueError.
"""

import math
from collections.abc import Callable, Iterable

from fedbreath.recording import Problem

#: Label name, reader, native value.
Cell = tuple[str, Callable[[object], str], object]

_UNKNOWN = {"", "na", "n/a", "nan", "none", "null"}
_ANSWERS = {"true": "yes", "yes": "yes", "y": "yes", "1": "yes"} | {
    "false": "no",
    "no": "no",
    "n": "no",
    "0": "no",
}
_SEXES = {"male": "male", "m": "male", "female": "female", "f": "female"}


def known(item: str, cells: Iterable[Cell], problems: list[Problem]) -> dict[str, str]:
    """The labels that are known; a value that cannot be right is left out and reported.

    Args:
        item: The file or row, for the report.
        cells: What to read.
        problems: Receives the values that are left out.

    >>> known("row 1", [("age", years, "29.0"), ("smoker", yes_no, "")], [])
    {'age': '29'}
    """
    labels = {}
    for name, read, value in cells:
        try:
            text = read(value)
        except ValueError as error:
            problems.append(Problem(item, f"label left out: {name} {error}"))
        else:
            if text:
                labels[name] = text
    return labels


def word(value: object) -> str:
    """Text as it stands, without surrounding blanks.

    >>> word(" COPD "), word("NA"), word(None)
    ('COPD', '', '')
    """
    if value is None:
        return ""
    if not isinstance(value, str | int | float):
        raise ValueError(f"must be text, got {value!r:.60}")
    text = str(value).strip()
    if "\N{REPLACEMENT CHARACTER}" in text or not text.isprintable():
        raise ValueError(f"must be printable UTF-8 text, got {text!r:.60}")
    return "" if text.lower() in _UNKNOWN else text


def yes_no(value: object) -> str:
    """``yes`` or ``no``.

    >>> yes_no("True"), yes_no(False), yes_no("n"), yes_no(None)
    ('yes', 'no', 'no', '')
    """
    text = word(value).lower()
    if text and text not in _ANSWERS:
        raise ValueError(f"must be yes or no, got {value!r:.60}")
    return _ANSWERS.get(text, "")


def sex(value: object) -> str:
    """``male`` or ``female``.

    >>> sex("F"), sex("male"), sex("NA")
    ('female', 'male', '')
    """
    text = word(value).lower()
    if text and text not in _SEXES:
        raise ValueError(f"must be male or female, got {value!r:.60}")
    return _SEXES.get(text, "")


def years(value: object) -> str:
    """An age in years.

    >>> years("0.75"), years(70), years("4.0")
    ('0.75', '70', '4')
    """
    text = word(value)
    if not text:
        return ""
    try:
        age = float(text)
    except ValueError:
        age = math.nan
    if not 0 <= age <= 120:
        raise ValueError(f"must be a number of years from 0 to 120, got {value!r:.60}")
    return f"{age:g}"
