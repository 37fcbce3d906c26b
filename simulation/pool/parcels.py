"""A Flower record dict as raw bytes in shared memory, and a small description of them.

A round's weights are written once, whoever is called; of a reply, a worker writes the bytes
and sends the description. Arrays stay the ``.npy`` bytes that they are in a message.
"""

import copy
from dataclasses import dataclass
from typing import Any

from flwr.app import Array, ArrayRecord, ConfigRecord, MetricRecord, RecordDict

#: Name, dtype, shape, serialisation and length of an array.
Stored = tuple[str, str, tuple[int, ...], str, int]


@dataclass(frozen=True)
class Parcel:
    """What lies in a segment.

    Attributes:
        segment: The segment's name.
        number: Tells what is written to one segment at different times apart.
        arrays: Array records by name, in the order in which their bytes lie.
        metrics: Metric records by name.
        configs: Config records by name.
    """

    segment: str
    number: int
    arrays: dict[str, tuple[Stored, ...]]
    metrics: dict[str, dict[str, Any]]
    configs: dict[str, dict[str, Any]]


def size_of(content: RecordDict) -> int:
    """Bytes that `write` needs."""
    return sum(len(a.data) for record in content.array_records.values() for a in record.values())


def write(content: RecordDict, segment: str, buffer: memoryview, number: int) -> Parcel:
    """Put the arrays of a record dict into a segment.

    Args:
        content: What is sent.
        segment: The segment's name.
        buffer: Its memory.
        number: As the parcel's.

    Raises:
        ValueError: It is too small.
    """
    if (size := size_of(content)) > len(buffer):
        raise ValueError(f"{size} bytes of arrays do not fit into {len(buffer)}")
    arrays: dict[str, tuple[Stored, ...]] = {}
    end = 0
    for name, record in content.array_records.items():
        for array in record.values():
            start, end = end, end + len(array.data)
            buffer[start:end] = array.data
        arrays[name] = tuple(
            (n, a.dtype, tuple(a.shape), a.stype, len(a.data)) for n, a in record.items()
        )
    return Parcel(
        segment,
        number,
        arrays,
        {name: dict(record) for name, record in content.metric_records.items()},
        {name: dict(record) for name, record in content.config_records.items()},
    )


def read(parcel: Parcel, buffer: memoryview) -> RecordDict:
    """The record dict again; its bytes are its own, and the segment can be written to."""
    content = RecordDict()
    end = 0
    for name, stored in parcel.arrays.items():
        arrays = {}
        for key, dtype, shape, stype, length in stored:
            start, end = end, end + length
            arrays[key] = Array(dtype, shape, stype, bytes(buffer[start:end]))
        content[name] = ArrayRecord(arrays)
    for name, values in parcel.metrics.items():
        content[name] = MetricRecord(dict(values))
    for name, values in parcel.configs.items():
        content[name] = ConfigRecord(dict(values))
    return content


def own(content: RecordDict) -> RecordDict:
    """A copy whose holder may change it; the arrays' bytes, which nobody can, are shared."""
    return copy.deepcopy(content)
