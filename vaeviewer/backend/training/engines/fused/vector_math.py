"""Arithmetic of float32 and bfloat16 that a compiler turns into vector instructions. For the kernels alone.

Calls of the C library would keep their loops from being vectorised, so the exponential is written out here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from llvmlite import ir
from numba import njit, types

from vaeviewer.native.memory import EXACT_ENOUGH, compiled, floats, halves, intrinsic

_f32 = np.float32
_ZERO, _ONE, _TWO = _f32(0.0), _f32(1.0), _f32(2.0)


# Number formats


@intrinsic
def _bits(_context: Any, _value: Any) -> Any:
    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return builder.bitcast(arguments[0], ir.IntType(32))

    return types.uint32(types.float32), generate


@intrinsic
def _float(_context: Any, _value: Any) -> Any:
    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return builder.bitcast(arguments[0], ir.FloatType())

    return types.float32(types.uint32), generate


@compiled
def _widen(half: Any) -> Any:
    return _float(np.uint32(np.uint32(half) << np.uint32(16)))


@compiled
def _narrow(x: Any) -> Any:
    bits = _bits(x)
    # Round to nearest, ties to even. Quiet NaNs as the processor makes them stay NaNs.
    return np.uint16((bits + np.uint32(0x7FFF) + ((bits >> np.uint32(16)) & np.uint32(1))) >> np.uint32(16))


@compiled
def _same(x: Any) -> Any:
    return x


class Format(NamedTuple):
    """How numbers lie in memory: ``at(address, start, count)``, read as float32 and written from float32."""

    at: Callable[[Any, Any, Any], Any]
    read: Callable[[Any], Any]
    write: Callable[[Any], Any]


FLOAT32 = Format(floats, _same, _same)
BFLOAT16 = Format(halves, _widen, _narrow)


# Functions

_LOG2_E = _f32(1.44269504088896341)
_LN2_HIGH, _LN2_LOW = _f32(0.693359375), _f32(-2.12194440e-4)
# eʳ = 1 + r + r²·p(r) for |r| ≤ ln 2 / 2: the minimax coefficients of the Cephes library's expf, highest power first.
_P0, _P1, _P2 = _f32(1.9875691500e-4), _f32(1.3981999507e-3), _f32(8.3334519073e-3)
_P3, _P4, _P5 = _f32(4.1665795894e-2), _f32(1.6666665459e-1), _f32(5.0000001201e-1)
_LEAST, _MOST = _f32(-87.0), _f32(88.0)
# Added to a small number, it leaves that number's nearest integer in the last bits of the sum.
_TO_INTEGER = _f32(1.5 * 2**23)


@compiled
def exp(x: Any) -> Any:
    """eˣ within 2 units in the last place, for x cut off at −87 and 88; NaN for NaN."""
    bounded = min(max(x, _LEAST), _MOST)
    shifted = bounded * _LOG2_E + _TO_INTEGER
    power = shifted - _TO_INTEGER
    r = bounded - power * _LN2_HIGH - power * _LN2_LOW  # ln 2 in two parts: the first product is exact
    p = ((((_P0 * r + _P1) * r + _P2) * r + _P3) * r + _P4) * r + _P5
    scale = _float(np.uint32((_bits(shifted) + np.uint32(127)) << np.uint32(23)))
    return (p * (r * r) + r + _ONE) * scale if x == x else x


@compiled
def sigmoid(x: Any) -> Any:
    """1 / (1 + e⁻ˣ)."""
    return _ONE / (_ONE + exp(-x))


# Matrix-vector products with few rows, unrolled by four, so that the vector is loaded a fourth as often.

_in_any_order: Callable[[Any], Any] = njit(
    fastmath=EXACT_ENOUGH | {"reassoc"}, error_model="numpy", forceinline=True
)


@_in_any_order
def rows_times(address: int, rows: int, x: Any, out: Any) -> None:
    """``out`` = matrix · ``x`` in float32; ``reassoc`` lets LLVM vectorise the dot products, in a fixed order."""
    width = len(x)
    for k in range(0, rows - 3, 4):
        row0, row1 = floats(address, k * width, width), floats(address, (k + 1) * width, width)
        row2, row3 = floats(address, (k + 2) * width, width), floats(address, (k + 3) * width, width)
        s0, s1, s2, s3 = _ZERO, _ZERO, _ZERO, _ZERO
        for j in range(width):
            s0 += row0[j] * x[j]
            s1 += row1[j] * x[j]
            s2 += row2[j] * x[j]
            s3 += row3[j] * x[j]
        out[k], out[k + 1], out[k + 2], out[k + 3] = s0, s1, s2, s3
    for k in range(rows - rows % 4, rows):
        row0, s0 = floats(address, k * width, width), _ZERO
        for j in range(width):
            s0 += row0[j] * x[j]
        out[k] = s0


@compiled
def add_rows(address: int, rows: int, factors: Any, total: Any) -> None:
    """``total`` += matrixᵀ · ``factors`` in float32."""
    width = len(total)
    for k in range(0, rows - 3, 4):
        row0, row1 = floats(address, k * width, width), floats(address, (k + 1) * width, width)
        row2, row3 = floats(address, (k + 2) * width, width), floats(address, (k + 3) * width, width)
        f0, f1, f2, f3 = factors[k], factors[k + 1], factors[k + 2], factors[k + 3]
        for j in range(width):
            total[j] += f0 * row0[j] + f1 * row1[j] + f2 * row2[j] + f3 * row3[j]
    for k in range(rows - rows % 4, rows):
        row0, f0 = floats(address, k * width, width), factors[k]
        for j in range(width):
            total[j] += f0 * row0[j]


# Activations


@compiled
def _silu(x: Any) -> Any:
    s = sigmoid(x)
    return x * s, s * (_ONE + x * (_ONE - s))


@compiled
def _tanh(x: Any) -> Any:
    t = _TWO * sigmoid(_TWO * x) - _ONE
    return t, _ONE - t * t


@compiled
def _relu(x: Any) -> Any:
    return (x, _ONE) if x > _ZERO or x != x else (_ZERO, _ZERO)


ACTIVATIONS: dict[str, Callable[[Any], Any]] = {"silu": _silu, "tanh": _tanh, "relu": _relu}
"""Each returns the activation and its derivative, both at the pre-activation."""
