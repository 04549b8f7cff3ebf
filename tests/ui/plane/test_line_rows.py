"""Codes of one number in rows: each at its z, in the row of its class, spread as far as its class is dense there."""

from __future__ import annotations

from statistics import NormalDist

import numpy as np
import pytest

from vaeviewer.ui.plane.line_rows import HALF_HEIGHT, LineRows


def test_each_class_has_a_row_and_is_as_thick_as_it_is_dense() -> None:
    rng = np.random.default_rng(0)
    labels = np.repeat(np.arange(3), 4000)
    z = (rng.normal(size=12_000) * np.repeat([0.3, 1.0, 2.0], 4000)).astype(np.float32)
    points = LineRows(labels, 3).place(z)
    assert points.dtype == np.float32
    np.testing.assert_array_equal(points[:, 0], z)
    edges = [(HALF_HEIGHT - 2.0 * row, HALF_HEIGHT - 2.0 * (row + 1)) for row in range(3)]
    for row, (top, bottom) in enumerate(edges):
        y = points[labels == row, 1]
        assert ((y < top) & (y > bottom)).all(), "the first class on top, none in another's row"
    mine = labels == 2
    density = NormalDist(0.0, 2.0).pdf  # of the third class
    middle = points[mine, 1].mean()
    for low, high in ((-0.5, 0.5), (2.0, 3.0), (-4.0, -3.0)):
        here = mine & (z > low) & (z < high)
        thickness = np.abs(points[here, 1] - middle).max()
        expected = 0.88 * density(min(abs(low), abs(high), abs(low + high) / 2)) / density(0.0)
        assert thickness == pytest.approx(expected, rel=0.25)


def test_a_row_serves_all_where_classes_are_none_or_too_many() -> None:
    z = np.random.default_rng(1).normal(size=500).astype(np.float32)
    for classes in (0, 1, 41):
        points = LineRows(np.arange(500) % max(1, classes), classes).place(z)
        assert abs(float(points[:, 1].mean())) < 0.3
    z[:3] = np.nan, np.inf, -np.inf
    assert np.isfinite(LineRows(np.zeros(500, np.int64), 1).place(z)[:, 1]).all()
    lost = np.full(500, np.nan, np.float32)
    assert np.isfinite(LineRows(np.zeros(500, np.int64), 1).place(lost)[:, 1]).all()
