"""Arrays as ``.npy`` bytes, with one copy out and none in.

Flower carries arrays as the bytes of ``numpy.save``. Its own conversion parses each
header anew and copies the data twice each way; on small networks that is most of what a
message costs. The format is NumPy's (version 1.0); object arrays are refused.
"""

import functools
import io
import warnings

import numpy as np
import torch
from numpy.lib import format as npy_format
from numpy.typing import NDArray
from torch import Tensor

#: Length of magic string, version, and the header's length field.
_PREFIX = 10


def pack(array: NDArray[np.generic]) -> bytes:
    """An array as ``.npy`` bytes.

    >>> view(pack(np.arange(3.0))).tolist()
    [0.0, 1.0, 2.0]
    """
    whole = np.ascontiguousarray(array)  # one axis at least; the header keeps the true shape
    data = whole.view(np.uint8).data if whole.nbytes else b""
    return b"".join([_header(array.dtype.str, array.shape), data])


def view(data: bytes) -> NDArray[np.generic]:
    """A read-only array over ``.npy`` bytes.

    Raises:
        ValueError: Not ``.npy`` version 1.0, an object array, or data of another size than
            the header says.
    """
    if data[:8] != npy_format.magic(1, 0) or len(data) < _PREFIX:
        raise ValueError("not .npy bytes of version 1.0")
    start = _PREFIX + int.from_bytes(data[8:_PREFIX], "little")
    shape, fortran, dtype = _parsed(data[:start])
    count = int(np.prod(shape, dtype=object))
    if dtype.hasobject or len(data) - start != count * dtype.itemsize:
        raise ValueError(f"{len(data) - start} bytes of data do not make {dtype} {shape}")
    flat = np.frombuffer(data, dtype, count, start) if count else np.zeros(0, dtype)
    return flat.reshape(shape, order="F" if fortran else "C")


def tensor(data: bytes) -> Tensor:
    """`view` as a tensor that shares its memory and must not be written to."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The given NumPy array is not writable")
        return torch.from_numpy(view(data))


@functools.lru_cache(maxsize=4096)
def _header(dtype: str, shape: tuple[int, ...]) -> bytes:
    buffer = io.BytesIO()
    npy_format.write_array_header_1_0(
        buffer, {"descr": dtype, "fortran_order": False, "shape": shape}
    )
    return buffer.getvalue()


@functools.lru_cache(maxsize=4096)
def _parsed(header: bytes) -> tuple[tuple[int, ...], bool, np.dtype[np.generic]]:
    shape, fortran, dtype = npy_format.read_array_header_1_0(io.BytesIO(header[8:]))
    return shape, fortran, dtype
