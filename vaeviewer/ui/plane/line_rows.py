"""Codes of one number, spread over the plane: a row for each class, as wide where it is dense as it is dense. No Qt."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

MOST_CLASSES = 40
"""With more, all points share one row."""

HALF_HEIGHT = 3.0
"""The rows fill this much to both sides of the line, units of z."""

_BINS = 128
_FILLED = 0.44  # of a row's height, to both sides, where its class is densest
_SMOOTH = np.array([1.0, 4.0, 8.0, 10.0, 8.0, 4.0, 1.0]) / 36.0


class LineRows:
    """Where the points of a latent space of one dimension are drawn.

    A class's points lie along its row at their z, and across it at random within its density there: so one sees where
    a class is dense, and where two overlap. The first class is the top row.

    Args:
        labels: Class of each point, ``(n,)``.
        classes: How many classes there are.
    """

    def __init__(self, labels: NDArray[np.int64], classes: int) -> None:
        one = not 1 < classes <= MOST_CLASSES
        self._count = 1 if one else classes
        self._row = np.zeros(len(labels), np.int64) if one else labels
        self._height = 2 * HALF_HEIGHT / self._count
        self._centre = HALF_HEIGHT - (self._row + 0.5) * self._height
        self._across = np.random.default_rng(2009).uniform(-1.0, 1.0, len(labels))

    def place(self, z: NDArray[np.float32]) -> NDArray[np.float32]:
        """Points of codes ``(n,)``, float32 ``(n, 2)``: each at its z and in its row."""
        share = self._density(z)
        across = self._centre + self._across * share * _FILLED * self._height
        return np.stack([z, across.astype(np.float32)], axis=1)

    def _density(self, z: NDArray[np.float32]) -> NDArray[np.float64]:
        """How dense each point's class is there, 0 … 1; 1 where it is densest."""
        finite = np.isfinite(z)
        if not finite.any():
            return np.zeros(len(z))
        low, high = np.quantile(z[finite][:: len(z) // 8_000 + 1], (0.002, 0.998))
        scale = _BINS / max(float(high - low), 1e-6)
        bins = np.clip(np.nan_to_num((z - low) * scale), 0, _BINS - 1).astype(np.int64)
        counts = np.bincount(self._row * _BINS + bins, weights=finite, minlength=self._count * _BINS)
        rows = counts.reshape(self._count, _BINS)
        dense = np.apply_along_axis(np.convolve, 1, rows, _SMOOTH, mode="same")
        dense /= np.maximum(dense.max(axis=1, keepdims=True), 1e-9)
        found: NDArray[np.float64] = dense[self._row, bins]
        return found
