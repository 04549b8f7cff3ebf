"""Dual numbers: NumPy arrays that carry their derivatives along, so that what computes a value gives its slope, too.

Forward-mode differentiation; Griewank & Walther, "Evaluating Derivatives" (2008), chapter 3. It costs a further forward
pass for each direction, which is little where inputs are few and outputs many, as a decoder's are.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin
from numpy.typing import NDArray

Array = NDArray[np.float32]


class Dual(NDArrayOperatorsMixin):
    """A value and its derivatives in some directions.

    Operators, the functions in this module's tables, ``np.concatenate`` and ``np.split`` take it for an array.

    Attributes:
        value: ``(n, features)``.
        tangents: A derivative of it for each direction, ``(directions, n, features)``.

    Raises:
        TypeError: Another function is asked for, whose derivative is not known here.
    """

    def __init__(self, value: Array, tangents: Array) -> None:
        self.value, self.tangents = value, tangents

    @property
    def shape(self) -> tuple[int, ...]:
        """Of the value."""
        return self.value.shape

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **options: Any) -> Any:
        """Apply an operator or a function."""
        if method != "__call__" or options:
            return NotImplemented
        if ufunc in _SLOPES:
            (x,) = inputs
            value = ufunc(x.value)
            return Dual(value, x.tangents * _SLOPES[ufunc](x.value, value))
        rule = _OPERATORS.get(ufunc)
        return NotImplemented if rule is None else rule(*inputs)

    def __array_function__(
        self, function: Callable[..., Any], _types: Any, args: Sequence[Any], options: Mapping[str, Any]
    ) -> Any:
        """Join or divide features; the axis is the last one."""
        if options.get("axis") not in (1, -1):
            return NotImplemented
        if function is np.concatenate:
            parts = [_split(part) for part in args[0]]
            return Dual(*(np.concatenate(arrays, axis=-1) for arrays in zip(*parts, strict=True)))
        if function is np.split:
            values, tangents = (np.split(array, args[1], axis=-1) for array in _split(args[0]))
            return [Dual(*pair) for pair in zip(values, tangents, strict=True)]
        return NotImplemented


def along_axes(z: Array, directions: Array) -> Dual:
    """Codes ``(n, latent_dim)`` of which the derivatives in directions ``(k, latent_dim)`` are asked for."""
    return Dual(z, np.repeat(directions[:, None], len(z), axis=1))


def _split(x: Any) -> tuple[Any, Any]:
    """A value and its tangents, which are 0 for what does not depend on z."""
    return (x.value, x.tangents) if isinstance(x, Dual) else (x, np.float32(0.0))


def _add(a: Any, b: Any) -> Dual:
    (x, dx), (y, dy) = _split(a), _split(b)
    return Dual(x + y, dx + dy)


def _subtract(a: Any, b: Any) -> Dual:
    (x, dx), (y, dy) = _split(a), _split(b)
    return Dual(x - y, dx - dy)


def _multiply(a: Any, b: Any) -> Dual:
    (x, dx), (y, dy) = _split(a), _split(b)
    return Dual(x * y, dx * y + x * dy)


def _matmul(a: Any, b: Any) -> Any:
    if isinstance(b, Dual):
        return NotImplemented  # weights do not depend on z
    return Dual(a.value @ b, a.tangents @ b)


def _maximum(a: Any, b: Any) -> Dual:
    (x, dx), (y, dy) = _split(a), _split(b)
    return Dual(np.maximum(x, y), np.where(x > y, dx, dy))


_OPERATORS: Mapping[np.ufunc, Callable[[Any, Any], Any]] = {
    np.add: _add,
    np.subtract: _subtract,
    np.multiply: _multiply,
    np.matmul: _matmul,
    np.maximum: _maximum,
}

_SLOPES: Mapping[np.ufunc, Callable[[Array, Array], Array]] = {
    np.tanh: lambda _, value: 1.0 - value * value,
    np.sin: lambda x, _: np.cos(x),
    np.cos: lambda x, _: -np.sin(x),
    np.exp: lambda _, value: value,
    np.arctan: lambda x, _: 1.0 / (1.0 + x * x),
}
"""Derivatives of functions, given an argument and its value."""
