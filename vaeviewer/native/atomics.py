"""Atomic int64 operations as LLVM instructions, for the kernels alone.

All with sequentially consistent memory ordering: there is one total order of them, and what a thread wrote before an
atomic write is visible to whoever reads that write (release and acquire).
"""

from __future__ import annotations

import platform
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils

from vaeviewer.native.memory import intrinsic

_WORD = ir.IntType(64)
_ORDER = "seq_cst"
_ARM = platform.machine() in ("aarch64", "arm64")


def _pointer(builder: Any, address: Any) -> Any:
    return builder.inttoptr(address, _WORD.as_pointer())


@intrinsic
def load(_context: Any, _address: Any) -> Any:
    """Atomic load."""

    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return builder.load_atomic(_pointer(builder, arguments[0]), _ORDER, 8, typ=_WORD)

    return types.int64(types.int64), generate


@intrinsic
def exchange(_context: Any, _address: Any, _value: Any) -> Any:
    """Atomic exchange: stores a value, returns the old one."""

    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return builder.atomic_rmw("xchg", _pointer(builder, arguments[0]), arguments[1], _ORDER)

    return types.int64(types.int64, types.int64), generate


@intrinsic
def add(_context: Any, _address: Any, _value: Any) -> Any:
    """Atomic fetch-and-add: returns the value before."""

    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return builder.atomic_rmw("add", _pointer(builder, arguments[0]), arguments[1], _ORDER)

    return types.int64(types.int64, types.int64), generate


@intrinsic
def replace(_context: Any, _address: Any, _old: Any, _new: Any) -> Any:
    """Compare-and-swap: stores the new value if the old one is there, and returns whether it was."""

    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        address, old, new = arguments
        found = builder.cmpxchg(_pointer(builder, address), old, new, _ORDER, _ORDER)
        return builder.extract_value(found, 1)

    return types.boolean(types.int64, types.int64, types.int64), generate


@intrinsic
def relax(_context: Any) -> Any:
    """The spin-loop hint: ``pause`` on x86, ``yield`` on ARM."""

    def generate(_context: Any, builder: Any, _signature: Any, _arguments: Any) -> Any:
        name, words = (
            ("llvm.aarch64.hint", [ir.Constant(ir.IntType(32), 1)]) if _ARM else ("llvm.x86.sse2.pause", [])
        )
        kind = ir.FunctionType(ir.VoidType(), [word.type for word in words])
        builder.call(cgutils.get_or_insert_function(builder.module, kind, name), words)
        return ir.Constant(_WORD, 0)

    return types.int64(), generate
