"""Functions of torch for machine code to call: the C shim of AOTInductor, which ahead-of-time compiled models use.

Called by address without their header, so a symbol of the same name with other arguments would corrupt memory: the
version is checked as well as the names.
"""

from __future__ import annotations

import ctypes
import weakref
from functools import cache
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

_PRODUCT, _COPY = "aoti_torch_cpu_mm_out", "aoti_torch_copy_"
_MAKE, _FREE = "aoti_torch_create_tensor_from_blob", "aoti_torch_delete_tensor_object"
_TYPES = {torch.float32: "aoti_torch_dtype_float32", torch.bfloat16: "aoti_torch_dtype_bfloat16"}
_PROCESSOR = "aoti_torch_device_type_cpu"


FIRST_TRIED, LAST_TRIED = (2, 14), (2, 14)
"""Versions of torch, major and minor, that this package passed its tests with: run them before widening the range."""


def problem() -> str:
    """Why they cannot be called in this torch, or nothing."""
    version = str(torch.__version__).partition("+")[0]
    numbers = version.split(".")[:2]
    tried = all(map(str.isdigit, numbers)) and FIRST_TRIED <= tuple(map(int, numbers)) <= LAST_TRIED
    if not tried:
        return f"this PyTorch ({version}) was not tried with it"
    return "" if _library() is not None else f"this PyTorch ({version}) lacks the C functions that it calls"


def available() -> bool:
    """Whether this torch is of a version tried and has all of them."""
    return not problem()


def product() -> int:
    """Address of the matrix product of handles ``(out, a, b)``; it answers 0 if all is well."""
    return _address(_PRODUCT)


def copy() -> int:
    """Address of the copying of handles ``(out, source, asynchronous)``; it answers 0 if all is well."""
    return _address(_COPY)


class Handle:
    """A tensor's memory as torch's C functions take it.

    Args:
        tensor: On the processor, float32 or bfloat16; any strides. Whoever makes the handle keeps it alive.

    Attributes:
        value: The pointer to hand over.

    Raises:
        RuntimeError: torch makes none.
    """

    def __init__(self, tensor: Tensor) -> None:
        library = _library()
        assert library is not None, "asked before"
        kind, place = getattr(library, _TYPES[tensor.dtype])(), getattr(library, _PROCESSOR)()
        shape, strides = (np.array(numbers, np.int64) for numbers in (tensor.shape, tensor.stride()))
        layout = tensor.dim(), shape.ctypes.data, strides.ctypes.data, 0
        made = ctypes.c_void_p()
        if getattr(library, _MAKE)(tensor.data_ptr(), *layout, kind, place, 0, ctypes.byref(made)):
            raise RuntimeError("torch makes no handle of a tensor")
        assert made.value is not None
        self.value = made.value
        # Not at the program's end: a thread that is not waited for may be using it until then.
        weakref.finalize(self, getattr(library, _FREE), made).atexit = False


@cache
def _library() -> ctypes.CDLL | None:
    paths = [Path(path) / "lib" / "libtorch_cpu.so" for path in torch.__path__]
    path = next((path for path in paths if path.is_file()), None)
    if path is None:
        return None
    library = ctypes.CDLL(str(path))
    names = (_PRODUCT, _COPY, _MAKE, _FREE, _PROCESSOR, *_TYPES.values())
    if not all(hasattr(library, name) for name in names):
        return None
    word, number, pointer = ctypes.c_int64, ctypes.c_int32, ctypes.c_void_p
    make = getattr(library, _MAKE)
    make.argtypes = [pointer, word, pointer, pointer, word, number, number, number, pointer]
    return library


def _address(name: str) -> int:
    address = ctypes.cast(getattr(_library(), name), ctypes.c_void_p).value
    assert address is not None
    return address
