"""JSON into frozen dataclasses, strictly: what does not fit is named, never guessed.

No key may be missing (unless its field has a default) or unknown, no number stands in
for a text, and ``NaN`` is not JSON. A record that was read is therefore complete, and
the page needs no second opinion about it.
"""

import dataclasses
import json
import math
import types
import typing
from typing import Any, Literal, TypeVar

T = TypeVar("T")

_NAMES = {str: "a text", bool: "true or false", int: "a whole number", float: "a number"}


class RecordError(ValueError):
    """JSON that is not the record it should be; the text names the field and the value."""


def loads(kind: type[T], text: str) -> T:
    """Parse one JSON object as the dataclass ``kind``.

    Args:
        kind: A dataclass whose fields are texts, numbers, booleans, ``None`` unions,
            literals, tuples, dicts with text keys, and dataclasses of the same.
        text: The JSON.

    Returns:
        The record.

    Raises:
        RecordError: Not JSON, or not this record.

    >>> @dataclasses.dataclass(frozen=True)
    ... class Point:
    ...     x: float
    >>> loads(Point, '{"x": 2}')
    Point(x=2.0)
    """
    try:
        tree = json.loads(text, parse_constant=_refuse_constant)
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise RecordError(f"it is not JSON ({error.msg} at {where})") from error
    return typing.cast(T, _decode(kind, tree, ""))


def dumps(record: Any, *, indent: int | None = None) -> str:
    """Write a dataclass as JSON that `loads` reads back.

    A number that is not finite becomes null, which only fields that may be null accept:
    an undefined score is absent, an undefined count is a defect.

    Args:
        record: The dataclass instance.
        indent: Blanks per level; None writes one line.

    Returns:
        The JSON, without a newline at its end.

    Raises:
        RecordError: The record breaks its own types.
    """
    tree = _finite(dataclasses.asdict(record))
    _decode(type(record), tree, "")
    return json.dumps(tree, indent=indent, ensure_ascii=False, allow_nan=False)


def _refuse_constant(name: str) -> Any:
    raise RecordError(f"it holds {name}, which is not JSON")


def _finite(tree: Any) -> Any:
    if isinstance(tree, float) and not math.isfinite(tree):
        return None
    if isinstance(tree, dict):
        return {key: _finite(value) for key, value in tree.items()}
    if isinstance(tree, list | tuple):
        return [_finite(value) for value in tree]
    return tree


def _decode(hint: Any, value: Any, where: str) -> Any:
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if origin in (types.UnionType, typing.Union):
        if value is None and type(None) in inner:
            return None
        return _decode(next(h for h in inner if h is not type(None)), value, where)
    if origin in (tuple, dict):
        return _decode_many(origin, inner, value, where)
    if origin is Literal:
        _check(value in inner, where, " or ".join(map(repr, inner)), value)
        return value
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        return _decode_record(hint, value, where)
    return value if hint is Any else _decode_plain(hint, value, where)


def _decode_many(origin: type, inner: tuple[Any, ...], value: Any, where: str) -> Any:
    if origin is tuple:
        _check(isinstance(value, list), where, "a list", value)
        return tuple(_decode(inner[0], item, f"{where}[{i}]") for i, item in enumerate(value))
    _check(isinstance(value, dict), where, "an object", value)
    return {key: _decode(inner[1], item, f"{where}.{key}") for key, item in value.items()}


def _decode_plain(hint: type, value: Any, where: str) -> Any:
    if hint is float and type(value) is int:
        return float(value)
    # `type is`, not isinstance: True is an int to Python and a mistake in a record.
    _check(type(value) is hint, where, _NAMES[hint], value)
    return value


def _decode_record(kind: type, value: Any, where: str) -> Any:
    _check(isinstance(value, dict), where, "an object", value)
    fields = {f.name: f for f in dataclasses.fields(kind)}
    unknown = sorted(value.keys() - fields.keys())
    if unknown:
        raise RecordError(f"{_dotted(where, unknown[0])} is not a key of this record")
    needed = {n for n, f in fields.items() if f.default is dataclasses.MISSING}
    missing = sorted(needed - value.keys())
    if missing:
        raise RecordError(f"{_dotted(where, missing[0])} is missing")
    hints = typing.get_type_hints(kind)
    inner = {n: _decode(hints[n], v, _dotted(where, n)) for n, v in value.items()}
    try:
        return kind(**inner)
    except ValueError as error:  # the record's own __post_init__
        raise RecordError(str(error)) from error


def _dotted(where: str, name: str) -> str:
    return f"{where}.{name}" if where else name


def _check(fits: bool, where: str, wanted: str, value: Any) -> None:
    if not fits:
        shown = json.dumps(value, default=repr)
        shown = shown if len(shown) <= 60 else f"{shown[:57]}..."
        raise RecordError(f"{where or 'it'} must be {wanted}, got {shown}")
