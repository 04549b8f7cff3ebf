"""Contours against shapes whose outlines are known."""

from __future__ import annotations

import numpy as np
import pytest

from vaeviewer.analysis.contours import contours

XS, YS = np.linspace(-2.0, 3.0, 101), np.linspace(-1.5, 1.5, 61)
X, Y = np.meshgrid(XS, YS)


def length(pieces: np.ndarray) -> float:
    return float(np.linalg.norm(pieces[:, 1] - pieces[:, 0], axis=1).sum())


@pytest.mark.slow
def test_the_outline_of_a_circle() -> None:
    pieces = contours(np.square(X) + np.square(Y), XS, YS, 0.97**2)
    np.testing.assert_allclose(np.linalg.norm(pieces, axis=2), 0.97, atol=1e-3)
    assert length(pieces) == pytest.approx(2 * np.pi * 0.97, rel=1e-3)
    ends = np.round(pieces.reshape(-1, 2), 9)
    _, counts = np.unique(ends, axis=0, return_counts=True)
    assert (counts == 2).all(), "the line is closed"


def test_every_case_of_a_cell_has_as_many_pieces_as_it_must() -> None:
    for corners in np.ndindex(2, 2, 2, 2):
        heights = np.array(corners, float).reshape(2, 2)
        pieces = contours(heights, np.array([0.0, 1.0]), np.array([0.0, 1.0]), 0.5)
        crossings = sum(
            a != b for a, b in zip(corners, (corners[1], corners[3], corners[0], corners[2]), strict=True)
        )
        assert len(pieces) == crossings // 2
        assert np.isin(pieces, (0.0, 0.5, 1.0)).all()


def test_a_level_above_all_has_no_line() -> None:
    assert contours(np.zeros((61, 101)), XS, YS, 1.0).shape == (0, 2, 2)
