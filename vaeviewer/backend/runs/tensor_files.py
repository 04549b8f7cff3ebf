"""Named arrays as safetensors bytes, with all checked that a file might get wrong. No pickle anywhere."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load, save

from vaeviewer.backend.config import shown
from vaeviewer.limits import MAX_TENSOR_HEADER_BYTES

_INTEGERS = ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")
_DTYPES = frozenset(("bool", *_INTEGERS, "float16", "float32", "float64"))


def pack(tensors: Mapping[str, NDArray[Any]]) -> bytes:
    """The bytes of a safetensors file; scalars, empty arrays and any memory layout are fine.

    Raises:
        ValueError: A name or dtype cannot be stored, or a number is not finite; the text names the array.
    """
    whole = {}
    for name, array in tensors.items():
        if name == "__metadata__" or len(name) > 256:
            raise ValueError(f"{shown(name)} cannot name an array")
        if array.dtype.name not in _DTYPES:
            raise ValueError(f"{shown(name)} has dtype {array.dtype.name}, which cannot be stored")
        # safetensors writes the memory as it lies, so it must lie in order (ascontiguousarray drops 0-d).
        whole[name] = array if array.flags.c_contiguous else array.copy(order="C")
    check_finite(whole)
    try:
        data = save(whole)
    except (SafetensorError, UnicodeError) as error:
        raise ValueError(_one_line(error)) from None
    _check_header(data)
    return data


def unpack(data: bytes) -> dict[str, NDArray[Any]]:
    """The arrays in the bytes of a safetensors file, writable, in memory of their own.

    Raises:
        ValueError: The bytes are no such file, or hold numbers that NumPy lacks or that are not finite.
    """
    _check_header(data)
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
