"""Integrals of Gaussians, which are known, however narrow they are and wherever they lie."""

from __future__ import annotations

import math

import numpy as np
import pytest

from vaeviewer.analysis.quadrature import At, Box, Integrals, integrate


def gaussians(mean: np.ndarray, scale: np.ndarray, weight: np.ndarray) -> At:
    """Sums of ``k`` Gaussians for each of ``n`` functions: ``(n, k, d)``, ``(n, k)`` and ``(n, k)``."""

    def at(z: np.ndarray):
        def of(rows: np.ndarray) -> np.ndarray:
            m, s, w = mean[rows][:, :, None], scale[rows][:, :, None], weight[rows][:, :, None]
            d = z.shape[1]
            squares = np.square((z - m) / s[..., None]).sum(-1)
            logs = np.log(w) - 0.5 * squares - d * (np.log(s) + 0.5 * math.log(2 * math.pi))
            return np.logaddexp.reduce(logs, axis=1).astype(np.float32)

        return of

    return at


def integrals(at: At, count: int, d: int, workers: int = 1) -> Integrals:
    *_, found = integrate(at, count, Box(np.full(d, -6.0), np.full(d, 6.0)), workers=workers)
    assert isinstance(found, Integrals)
    return found


@pytest.mark.slow
@pytest.mark.parametrize("d", [1, 2])
def test_single_peaks(d: int) -> None:
    """From far wider than the first points' spacing to far narrower, within the box and beyond it."""
    scales = np.array([1.5, 0.3, 0.1, 0.05, 0.03, 0.02, 0.01])
    rng = np.random.default_rng(0)
    mean = rng.uniform(-5.0, 5.0, (len(scales), 20, 1, d))
    mean[1, :3] = 7.5
    n = 20 * len(scales)
    scale = np.repeat(scales, 20)[:, None]
    weight = np.exp(rng.uniform(-300.0, 300.0, (n, 1)))
    found = integrals(gaussians(mean.reshape(n, 1, d), scale, weight), n, d, workers=2)
    apart = found.log_value - np.log(weight[:, 0])
    assert np.abs(apart[:-20]).max() < 1e-4
    assert np.abs(apart[-20:]).max() < 3e-3  # of the narrowest, an eighth of the first spacing wide and less
    assert found.change.max() < 0.3
    assert np.median(found.change) < 1e-3


@pytest.mark.slow
def test_two_spacings_that_agree_by_chance_are_not_believed() -> None:
    """Of peaks a third as wide as the first spacing that is believed some have sums that are wrong alike twice."""
    n = 2000
    mean = np.random.default_rng(3).uniform(-0.5, 0.5, (n, 1, 2))
    found = integrals(gaussians(mean, np.full((n, 1), 0.011), np.ones((n, 1))), n, 2)
    assert np.abs(found.log_value).max() < 0.01  # alone they agreed on a sum 0.2 nats too large


@pytest.mark.slow
@pytest.mark.parametrize("d", [1, 2])
def test_a_narrow_peak_beside_a_wide_one(d: int) -> None:
    rng = np.random.default_rng(1)
    n, share = 50, np.array([0.5, 0.05])[:, None]
    mean = rng.uniform(-2.5, 2.5, (n, 2, d))
    scale = np.tile([0.6, 0.02], (n, 1))
    weight = np.tile(np.concatenate([1 - share[1], share[1]]), (n, 1))
    weight[: n // 2] = 0.5
    found = integrals(gaussians(mean, scale, weight), n, d)
    assert np.abs(found.log_value).max() < 2e-3
