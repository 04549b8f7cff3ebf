"""Arithmetic of float32 and bfloat16 that a compiler turns into vector instructions. For the kernels alone.

Calls of the C library would keep their loops from being vectorised, so the exponential is written out here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from llvmlite import ir
from numba import types

from vaeviewer.native.memory import compiled, floats, halves, intrinsic

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
    # To the nearest, ties to even. The processor's own NaNs stay NaNs.
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
"""Nonlinearities with their derivatives, both of the sum that goes in."""
