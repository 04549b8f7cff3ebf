"""Named arrays as safetensors bytes, with all checked that a file might get wrong. No pickle anywhere."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load

from vaeviewer.backend.config import shown
from vaeviewer.backend.runs.atomic_files import Bytes
from vaeviewer.limits import MAX_TENSOR_HEADER_BYTES

Packed = list[Bytes]
"""A file's bytes in parts, in order: the memory of the arrays that are in it, and what comes before them."""

_DTYPES = {
    "uint64": "U64",
    "int64": "I64",
    "float64": "F64",
    "float32": "F32",
    "uint32": "U32",
    "int32": "I32",
    "float16": "F16",
    "uint16": "U16",
    "int16": "I16",
    "int8": "I8",
    "uint8": "U8",
    "bool": "BOOL",
}
"""What NumPy's kinds of numbers are called in such a file, in the order in which they lie there: widest first, so that
all are aligned."""


def pack(tensors: Mapping[str, NDArray[Any]]) -> Packed:
    """The bytes of a safetensors file; scalars, empty arrays and any memory layout are fine.

    The library's own ``save`` has the numbers in memory twice more, which of large networks is gigabytes.

    Raises:
        ValueError: A name or dtype cannot be stored, or a number is not finite; the text names the array.
    """
    for name, array in tensors.items():
        if name == "__metadata__" or len(name) > 256:
            raise ValueError(f"{shown(name)} cannot name an array")
        if array.dtype.name not in _DTYPES:
            raise ValueError(f"{shown(name)} has dtype {array.dtype.name}, which cannot be stored")
    check_finite(tensors)
    header: dict[str, Any] = {}
    parts: list[Bytes] = []
    end = 0
    places = {dtype: place for place, dtype in enumerate(_DTYPES)}
    for name, array in sorted(tensors.items(), key=lambda item: (places[item[1].dtype.name], item[0])):
        start, end = end, end + array.nbytes
        header[name] = {
            "dtype": _DTYPES[array.dtype.name],
            "shape": array.shape,
            "data_offsets": (start, end),
        }
        in_order = np.ascontiguousarray(array.reshape(-1), array.dtype.newbyteorder("<"))
        parts.append(in_order.view(np.uint8).data)
    text = json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    first = len(text).to_bytes(8, "little") + text
    _check_header(first)
    return [first, *parts]


def unpack(data: bytes) -> dict[str, NDArray[Any]]:
    """The arrays in the bytes of a safetensors file, writable, in memory of their own.

    Raises:
        ValueError: The bytes are no such file, or hold numbers that NumPy lacks or that are not finite.
        MemoryError: There is not memory enough for a second copy of them.
    """
    _check_header(data)
    np.empty(len(data), np.uint8)  # raises; the library panics instead, which is no exception that is caught
    try:
        tensors = load(data)
    except KeyError as error:
        raise ValueError(f"it holds numbers of a kind that cannot be read ({error.args[0]})") from None
    except (SafetensorError, ValueError, TypeError, OverflowError, UnicodeError) as error:
        raise ValueError(f"it is not a safetensors file ({_one_line(error)})") from None
    check_finite(tensors)
    return tensors


def check_finite(tensors: Mapping[str, NDArray[Any]]) -> None:
    """Refuse numbers that are not finite.

    Raises:
        ValueError: Names the first array that holds one.
    """
    for name, array in tensors.items():
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            raise ValueError(f"{shown(name)} holds values that are not finite")


def check_arrays(
    tensors: Mapping[str, NDArray[Any]], expected: Mapping[str, tuple[str, tuple[int, ...]]]
) -> None:
    """Refuse anything but exactly the arrays ``expected``, each of its dtype and shape.

    Raises:
        ValueError: Names the first array that is missing, unknown or of another shape or dtype.
    """
    for name in sorted(tensors.keys() - expected.keys()):
        raise ValueError(f"{shown(name)} does not belong to the model")
    for name, (dtype, shape) in expected.items():
        if name not in tensors:
            raise ValueError(f"{name} is missing")
        array = tensors[name]
        if array.shape != shape or array.dtype != dtype:
            raise ValueError(f"{name} is {array.dtype.name} {array.shape}, but the model has {dtype} {shape}")


def _check_header(data: bytes) -> None:
    if len(data) < 8:
        raise ValueError("it is too short for a safetensors file")
    if int.from_bytes(data[:8], "little") > MAX_TENSOR_HEADER_BYTES:
        raise ValueError(f"its header is longer than the {MAX_TENSOR_HEADER_BYTES:,} bytes allowed")


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:200]
