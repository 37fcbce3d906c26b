"""Bytes of arrays: NumPy's own format, read without a copy, refused when odd."""

import io
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from fedbreath import npy

ARRAYS: list[NDArray[Any]] = [
    np.arange(24, dtype=np.float32).reshape(2, 3, 4),
    np.arange(6, dtype=np.float64).reshape(2, 3).T,
    np.array(7, dtype=np.int64),
    np.zeros((0, 3), np.float32),
    np.array([True, False]),
    np.arange(10, dtype=np.float16)[::2],
]


def saved(array: NDArray[Any]) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=False)
    return buffer.getvalue()


@pytest.mark.parametrize("array", ARRAYS)
def test_numpy_reads_what_is_packed(array: NDArray[Any]) -> None:
    read = np.load(io.BytesIO(npy.pack(array)), allow_pickle=False)
    assert read.dtype == array.dtype
    assert read.shape == array.shape
    assert (read == array).all()


@pytest.mark.parametrize("array", ARRAYS)
def test_what_numpy_saves_is_viewed(array: NDArray[Any]) -> None:
    seen = npy.view(saved(array))
    assert seen.dtype == array.dtype
    assert seen.shape == array.shape
    assert (seen == array).all()
    assert not seen.flags.writeable or not seen.size


def test_a_tensor_shares_the_bytes() -> None:
    data = npy.pack(ARRAYS[0])
    assert torch.equal(npy.tensor(data), torch.from_numpy(ARRAYS[0]))
    assert npy.tensor(data).data_ptr() == npy.tensor(data).data_ptr()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"PK\x03\x04",
        saved(ARRAYS[0])[:-1],
        saved(ARRAYS[0]) + b"x",
        saved(ARRAYS[0])[:20],
        saved(ARRAYS[0]).replace(b"(2, 3, 4)", b"(2, 3, 9)"),
        saved(ARRAYS[0]).replace(b"<f4", b"|O "),
        saved(ARRAYS[0]).replace(b"(2, 3, 4)", b"(-2,-3,4)"),
    ],
)
def test_odd_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        npy.view(data)
