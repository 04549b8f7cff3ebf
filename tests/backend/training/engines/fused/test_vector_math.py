"""Arithmetic of the kernels, beside NumPy in double precision and torch."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional

if not sys.platform.startswith("linux"):
    pytest.skip("its compiler is installed on Linux alone", allow_module_level=True)

from numba import njit

from vaeviewer.backend.training.engines.fused.vector_math import (
    ACTIVATIONS,
    BFLOAT16,
    add_rows,
    exp,
    rows_times,
    sigmoid,
)

SUMS = np.concatenate(
    [
        np.linspace(-100, 100, 20_001),
        np.linspace(-1, 1, 20_001),
        [0.0, -0.0, 1e-30, -1e-30, 1e30, -1e30],
    ]
).astype(np.float32)


def over(function: Callable[[Any], Any]) -> Callable[[np.ndarray], np.ndarray]:
    """The compiled function of each element."""

    @njit
    def each(x: np.ndarray) -> np.ndarray:
        out = np.empty_like(x)
        for i in range(len(x)):
            out[i] = function(x[i])
        return out

    return each


@pytest.mark.slow
def test_the_exponential_is_exact_to_two_units() -> None:
    x = np.linspace(-87, 88, 1_000_001).astype(np.float32)
    found, exact = over(exp)(x), np.exp(x.astype(np.float64))
    assert np.abs(found / exact - 1).max() < 2 * 2**-23


@pytest.mark.slow
def test_the_exponential_stays_finite_but_for_nan() -> None:
    x = np.array([-np.inf, -1e30, -88, 89, 1e30, np.inf, np.nan], np.float32)
    found = over(exp)(x)
    assert np.isfinite(found[:-1]).all()
    assert np.isnan(found[-1])
    np.testing.assert_allclose(found[:3], 0, atol=1e-37)
    assert (over(sigmoid)(x[4:6]) == 1).all()


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(ACTIVATIONS))
def test_activations_and_slopes_are_those_of_torch(name: str) -> None:
    kinds = {"silu": functional.silu, "tanh": torch.tanh, "relu": torch.relu}
    x = torch.tensor(SUMS, dtype=torch.float64, requires_grad=True)
    value = kinds[name](x)
    value.sum().backward()  # type: ignore[no-untyped-call]
    assert x.grad is not None
    both = ACTIVATIONS[name]
    found, slope = over(njit(lambda x: both(x)[0])), over(njit(lambda x: both(x)[1]))
    np.testing.assert_allclose(found(SUMS), value.detach(), rtol=1e-6, atol=2e-7)
    np.testing.assert_allclose(slope(SUMS), x.grad, rtol=1e-5, atol=5e-7)
    nan = np.array([np.nan], np.float32)
    assert np.isnan(found(nan)).all()


@pytest.mark.slow
@pytest.mark.parametrize(("rows", "width"), [(1, 1), (2, 256), (4, 15), (7, 33), (12, 1000)])
def test_products_with_few_rows_are_exact_to_rounding(rows: int, width: int) -> None:
    rng = np.random.default_rng(rows)
    matrix, x = rng.normal(size=(rows, width)).astype(np.float32), rng.normal(size=width).astype(np.float32)
    factors, total = rng.normal(size=rows).astype(np.float32), x.copy()
    out = np.full(rows, np.nan, np.float32)

    @njit
    def both(address: int, x: np.ndarray, out: np.ndarray, factors: np.ndarray, total: np.ndarray) -> None:
        rows_times(address, len(out), x, out)
        add_rows(address, len(factors), factors, total)

    both(matrix.ctypes.data, x, out, factors, total)
    exact = matrix.astype(np.float64)
    np.testing.assert_allclose(out, exact @ x, rtol=0, atol=1e-6 * np.abs(exact * x).sum(1).max())
    np.testing.assert_allclose(total, x + factors @ exact, rtol=0, atol=2e-6 * np.abs(exact).max() * rows)
    x[-1] = np.nan
    both(matrix.ctypes.data, x, out, factors, total)
    assert np.isnan(out).all()


def test_bfloat16_rounds_as_torch_does() -> None:
    rng = np.random.default_rng(0)
    bits = rng.integers(0, 2**32, 200_000, dtype=np.uint32)
    ties = (bits & np.uint32(0xFFFF0000)) | np.uint32(0x8000)
    x = np.concatenate([bits, ties]).view(np.float32)
    x = x[np.isfinite(x)]
    read, write = BFLOAT16.read, BFLOAT16.write

    @njit
    def there_and_back(x: np.ndarray) -> np.ndarray:
        out = np.empty_like(x)
        for i in range(len(x)):
            out[i] = read(write(x[i]))
        return out

    expected = torch.tensor(x).bfloat16().float().numpy()
    np.testing.assert_array_equal(there_and_back(x), expected)
    assert np.isnan(there_and_back(np.array([np.nan], np.float32))).all()
