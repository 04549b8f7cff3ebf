"""Where in the picture of a manifold a z lies, and which z lies where. Plain numbers, no Qt."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Pair = tuple[float, float]

_REACH = 2.0  # in typical distances of neighbouring cells: farther from all codes a z has no place among them


class Places(Protocol):
    """Shares are of the picture's sides, 0 … 1, from the left and from the bottom."""

    def share_of(self, z: Pair) -> Pair | None:
        """Where a z lies; ``None`` where it has no place."""

    def z_at(self, share: Pair) -> Pair:
        """Which z lies there, or next to it."""

    def kept_within(self, z: Pair) -> Pair:
        """The z, or where it lies outside the nearest one within."""


class AxesPlaces:
    """A grid of all combinations of two axes, whose values lie at the images' centres.

    Args:
        z1: Of the columns, ascending.
        z2: Of the rows, ascending.
    """

    def __init__(self, z1: NDArray[np.float64], z2: NDArray[np.float64]) -> None:
        self._axes = z1, z2

    def share_of(self, z: Pair) -> Pair | None:
        """As :class:`Places`; nothing beyond the centres of the outermost images."""
        x, y = (_to_unit(value, axis) for value, axis in zip(z, self._axes, strict=True))
        return None if x is None or y is None else (x, y)

    def z_at(self, share: Pair) -> Pair:
        """As :class:`Places`."""
        x, y = (_from_unit(part, axis) for part, axis in zip(share, self._axes, strict=True))
        return x, y

    def kept_within(self, z: Pair) -> Pair:
        """As :class:`Places`."""
        x, y = (float(np.clip(v, axis[0], axis[-1])) for v, axis in zip(z, self._axes, strict=True))
        return x, y


class CellPlaces:
    """Images at codes that lie anywhere.

    Args:
        cells: Their codes in the plane, ``(rows, columns, 2)``, the first row at the top.
    """

    def __init__(self, cells: NDArray[np.float32]) -> None:
        self._cells = cells.astype(np.float64)
        self._points = self._cells.reshape(-1, 2)
        self._low, self._high = self._points.min(axis=0), self._points.max(axis=0)
        rows, columns, _ = cells.shape
        self._reach = _REACH * float(np.linalg.norm((self._high - self._low) / (columns, rows)))

    def share_of(self, z: Pair) -> Pair | None:
        """As :class:`Places`: the middle of the image whose code is the nearest, if that is near."""
        distance = np.linalg.norm(self._points - np.asarray(z), axis=1)
        nearest = int(distance.argmin())
        if not distance[nearest] <= self._reach:
            return None
        rows, columns, _ = self._cells.shape
        row, column = divmod(nearest, columns)
        return (column + 0.5) / columns, 1.0 - (row + 0.5) / rows

    def z_at(self, share: Pair) -> Pair:
        """As :class:`Places`: the code of the image there."""
        rows, columns, _ = self._cells.shape
        column = min(max(int(share[0] * columns), 0), columns - 1)
        row = min(max(int((1.0 - share[1]) * rows), 0), rows - 1)
        z1, z2 = self._cells[row, column].tolist()
        return z1, z2

    def kept_within(self, z: Pair) -> Pair:
        """As :class:`Places`."""
        z1, z2 = np.clip(z, self._low, self._high).tolist()
        return z1, z2


def _from_unit(share: float, axis: NDArray[np.float64]) -> float:
    """The coordinate at a share, 0 … 1, of the picture's side; axis values lie at the images' centres."""
    return float(np.interp(share * len(axis) - 0.5, np.arange(len(axis)), axis))


def _to_unit(value: float, axis: NDArray[np.float64]) -> float | None:
    """The inverse of `_from_unit`; ``None`` beyond the centres of the outermost images."""
    if not axis[0] <= value <= axis[-1]:
        return None
    return (float(np.interp(value, axis, np.arange(len(axis)))) + 0.5) / len(axis)
