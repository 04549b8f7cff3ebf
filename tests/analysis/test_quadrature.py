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


def tents(mean: np.ndarray, slope: np.ndarray, weight: np.ndarray) -> At:
    """Exponentials that fall evenly from a point ``(n, d)``, as beside the kinks of a network, and a Gaussian."""
    d = mean.shape[1]
    wide = gaussians(np.zeros((len(mean), 1, d)), np.full((len(mean), 1), 0.15), np.ones((len(mean), 1)))

    def at(z: np.ndarray):
        of_wide = wide(z)

        def of(rows: np.ndarray) -> np.ndarray:
            away = np.abs(z - mean[rows][:, None]).sum(-1)
            logs = np.log(weight[rows]) + d * np.log(slope[rows] / 2)
            return np.logaddexp(logs[:, None] - slope[rows][:, None] * away, of_wide(rows)).astype(np.float32)

        return of

    return at


@pytest.mark.parametrize("d", [1, 2])
def test_a_peak_between_points_that_all_lie_far_lower_is_found_by_its_cliffs(d: int) -> None:
    n, rng = 40, np.random.default_rng(2)
    mean, slope = rng.uniform(2.0, 4.0, (n, d)), np.full(n, 600.0)
    if d == 1:
        slope *= 10
    weight = np.full(n, math.e**6)
    found = integrals(tents(mean, slope, weight), n, d)
    known = np.log1p(weight)
    assert np.abs(found.log_value - known).max() < 0.02
    assert found.change.max() < 0.1


@pytest.mark.slow
def test_where_cliffs_are_all_over_it_says_that_nothing_is_known() -> None:
    def at(z: np.ndarray):
        return lambda rows: (1e4 * np.sin(1e5 * z.sum(1)) * np.ones((len(rows), 1))).astype(np.float32)

    assert integrals(at, 2, 2).change.min() > 1.0
