"""Clients' replies, read with suspicion: what does not fit is refused with a code.

A reply carries ``arrays`` (the weights, named and shaped as they were sent), ``metrics``
(numbers) and ``site`` (its name). A reply that lacks one of them, or whose arrays differ
in name, shape or type from what was sent or are not finite, does not enter the round.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from flwr.app import Array, ArrayRecord, Message
from numpy.typing import NDArray

from fedbreath import npy


@dataclass(frozen=True)
class Reply:
    """A usable reply.

    Attributes:
        node: Flower's id of the node.
        site: The site's name.
        arrays: Weights by name.
        metrics: Finite numbers by name; ``num-examples`` and ``steps`` are always there.
        size: Bytes of the arrays as sent.
    """

    node: int
    site: str
    arrays: dict[str, NDArray[Any]]
    metrics: dict[str, float]
    size: int


def read(
    messages: Iterable[Message], sent: ArrayRecord | None = None
) -> tuple[list[Reply], dict[int, str]]:
    """Sort replies into usable ones and refusals.

    Args:
        messages: What the grid brought, in any order.
        sent: What the replies must fit; None accepts any arrays.

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
            reply = _reply(message)
        except Exception:  # bytes of others: NumPy alone has seven ways to fail on them
            refused[node] = "malformed reply"
            continue
        misfit = _misfit(reply.arrays, sent) if sent is not None else ""
        if misfit:
            refused[node] = misfit
        else:
            usable.append(reply)
    return usable, refused


def _reply(message: Message) -> Reply:
    content = message.content
    arrays = content.array_records["arrays"]
    metrics = {
        name: float(value)
        for name, value in content.metric_records["metrics"].items()
        if isinstance(value, int | float) and math.isfinite(value)
    }
    for name in ("num-examples", "steps"):
        if not metrics[name] > 0:
            raise ValueError(f"{name} must be > 0")
    return Reply(
        node=message.metadata.src_node_id,
        site=str(content.config_records["site"]["name"]),
        arrays={name: _values(array) for name, array in arrays.items()},
        metrics=metrics,
        size=size_of(arrays),
    )


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
