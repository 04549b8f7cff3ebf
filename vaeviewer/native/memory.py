"""Typed views of raw memory and calls through function pointers, for the kernels alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite import ir
from numba import carray, extending, njit, types
from numba.core import cgutils

EXACT_ENOUGH = {"contract", "nsz"}
"""Fast-math flags: fused multiply-add, signed zeros ignored. Not ``nnan`` or ``ninf``: NaN and infinity must stay."""

intrinsic: Callable[[Any], Any] = extending.intrinsic
compiled: Callable[[Any], Any] = njit(fastmath=EXACT_ENOUGH, error_model="numpy", forceinline=True)


@intrinsic
def _pointer(_context: Any, _address: Any) -> Any:
    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return builder.inttoptr(arguments[0], cgutils.voidptr_t)

    return types.voidptr(types.int64), generate


@compiled
def floats(address: int, start: int, count: int) -> Any:
    """``count`` float32 numbers from the ``start``-th one at an address.

    Loops over arrays that begin where the loop begins are vectorised; those over a part of an array are not, as
    Python's negative indices count from the end.
    """
    return carray(_pointer(address + 4 * start), (count,), np.float32)


@compiled
def halves(address: int, start: int, count: int) -> Any:
    """``count`` bfloat16 numbers, as uint16 bit patterns."""
    return carray(_pointer(address + 2 * start), (count,), np.uint16)


@compiled
def bytes_at(address: int, start: int, count: int) -> Any:
    """``count`` uint8 numbers."""
    return carray(_pointer(address + start), (count,), np.uint8)


@compiled
def integers(address: int, start: int, count: int) -> Any:
    """``count`` int32 numbers."""
    return carray(_pointer(address + 4 * start), (count,), np.int32)


@compiled
def words_at(address: int, start: int, count: int) -> Any:
    """``count`` int64 numbers."""
    return carray(_pointer(address + 8 * start), (count,), np.int64)


@intrinsic
def call(_context: Any, _function: Any, _a: Any, _b: Any, _c: Any) -> Any:
    """Call a C function of up to three int64 or pointer arguments that returns ``int``.

    One that takes fewer ignores the rest, as the calling conventions of x86-64 and ARM64 pass these in registers.
    """

    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        word = ir.IntType(64)
        function = ir.FunctionType(ir.IntType(32), [word] * 3)
        return builder.call(builder.inttoptr(arguments[0], function.as_pointer()), arguments[1:])

    return types.int32(*[types.int64] * 4), generate
