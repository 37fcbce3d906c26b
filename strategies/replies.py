"""Clients' replies, read with suspicion: what does not fit is refused with a code.

A reply carries ``arrays`` (the weights, named and shaped as they were sent, without those that
the message said stay at the site), ``metrics`` (numbers), ``site`` (its name and the round's
number), and whatever arrays beside the weights the message carried (a control variate). A
reply that lacks one of them, or whose arrays differ in name, shape or type from what was sent
or are not finite, does not enter the round. What replies say of each other is for
`strategies.guard`.
"""

import math
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from flwr.app import Array, ArrayRecord, Message, RecordDict
from numpy.typing import NDArray

from fedbreath import npy


@dataclass(frozen=True)
class Reply:
    """A usable reply.

    Attributes:
        node: Flower's id of the node.
        site: The site's name, by its own word.
        round: The round that it answers.
        arrays: Weights by name.
        metrics: Finite numbers by name; a site under privacy may tell none.
        size: Bytes of all arrays as sent.
        beside: Arrays beside the weights, by the record's name.
    """

    node: int
    site: str
    round: int
    arrays: dict[str, NDArray[Any]]
    metrics: dict[str, float]
    size: int
    beside: dict[str, dict[str, NDArray[Any]]] = field(default_factory=dict)


def read(
    messages: Iterable[Message],
    sent: ArrayRecord | None = None,
    beside: Mapping[str, ArrayRecord] | None = None,
) -> tuple[list[Reply], dict[int, str]]:
    """Sort replies into usable ones and refusals.

    Args:
        messages: What the grid brought, in any order.
        sent: What the replies must fit; None accepts any arrays.
        beside: What was sent beside it, which replies must carry and fit too.

    Returns:
        Usable replies in the order of node ids, and a code for each other node.
    """
    usable: list[Reply] = []
    refused: dict[int, str] = {}
    for message in sorted(messages, key=lambda m: m.metadata.src_node_id):
        node = message.metadata.src_node_id
        if message.has_error():
            refused[node] = f"{message.error.code}: {message.error.reason or 'no reason given'}"
            continue
        try:
            reply = _reply(message, beside or {})
        except Exception:  # bytes of others: NumPy alone has seven ways to fail on them
            refused[node] = "malformed reply"
            continue
        misfit = _misfit(reply.arrays, sent) if sent is not None else ""
        for name, record in (beside or {}).items():
            misfit = misfit or _misfit(reply.beside[name], record)
        if misfit:
            refused[node] = misfit
        else:
            usable.append(reply)
    return usable, refused


def _reply(message: Message, beside: Iterable[str]) -> Reply:
    content = message.content
    told = content.metric_records["metrics"]
    metrics = {
        name: float(value)
        for name, value in told.items()
        if isinstance(value, int | float) and math.isfinite(value)
    }
    for name in ("num-examples", "steps"):
        if name in told and not metrics[name] > 0:
            raise ValueError(f"{name} must be > 0")
    arrays, others = content.array_records["arrays"], content.array_records
    return Reply(
        node=message.metadata.src_node_id,
        site=str(content.config_records["site"]["name"]),
        round=round_of(message),
        arrays=values(arrays),
        metrics=metrics,
        size=size_of(arrays) + sum(size_of(others[name]) for name in beside),
        beside={name: values(others[name]) for name in beside},
    )


def round_of(reply: Message) -> int:
    """The number of the round that a reply answers.

    Raises:
        KeyError: It names none.
        ValueError: It names one that is no number.
    """
    said = reply.content.config_records["site"]["round"]
    if type(said) is not int:
        raise ValueError(f"a round must be a whole number, got {said!r}")
    return said


def values(record: ArrayRecord) -> dict[str, NDArray[Any]]:
    """The arrays of a record, read-only, without a copy.

    Raises:
        ValueError: They were not sent as ``.npy`` bytes.
    """
    return {name: _values(array) for name, array in record.items()}


def moving(sent: ArrayRecord, stays: Collection[str]) -> ArrayRecord:
    """Of what is sent, the arrays that must come back."""
    return ArrayRecord({name: array for name, array in sent.items() if name not in stays})


def beside(content: RecordDict) -> dict[str, ArrayRecord]:
    """The array records of a message that are not the weights."""
    return {name: record for name, record in content.array_records.items() if name != "arrays"}


def _values(array: Array) -> NDArray[Any]:
    if array.stype != "numpy.ndarray":
        raise ValueError(f"arrays must be sent as numpy.ndarray, got {array.stype}")
    return npy.view(array.data)


def _misfit(arrays: dict[str, NDArray[Any]], sent: ArrayRecord) -> str:
    """Why arrays do not fit what was sent; empty when they do."""
    if set(arrays) != set(sent):
        return "other tensors than were sent"
    for name, array in arrays.items():
        if array.shape != tuple(sent[name].shape) or str(array.dtype) != sent[name].dtype:
            return "another shape or type than was sent"
        # NaN passes through minimum and maximum.
        if not np.issubdtype(array.dtype, np.floating) or array.size == 0:
            continue
        if not np.isfinite([array.min(), array.max()]).all():
            return "values that are not finite"
    return ""


def size_of(arrays: ArrayRecord) -> int:
    """Bytes of an array record as it is sent."""
    return sum(len(array.data) for array in arrays.values())
