"""The modes of a density that is known in small square cells, and which cells hang together."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from vaeviewer.analysis.hmc import Points

Logs = NDArray[np.float64]

_LEAST_MODE = 7.0  # nats below the highest that a mode may be
_TOGETHER = 16.0  # and a cell that hangs together with others


def modes_of(places: NDArray[np.int64], values: Logs, codes: Points) -> tuple[Points, NDArray[np.bool_]]:
    """Cells higher than their neighbours, the highest first; and which cells hang together with the most mass.

    Args:
        places: Row and column of each cell, ``(m, 2)``.
        values: Logarithms of the density at their middles, ``(m,)``.
        codes: The middles, ``(m, 2)``.

    Returns:
        The middles of such cells, ``(k, 2)``, and for each cell whether it is one of those together, ``(m,)``.
    """
    row_of = {place: row for row, place in enumerate(map(tuple, places.tolist()))}
    high = np.flatnonzero(values > values.max() - _TOGETHER)
    maxima = []
    groups = np.full(len(values), -1)
    masses: list[float] = []
    for row in high[np.argsort(-values[high])].tolist():
        x, y = places[row].tolist()
        near = [(x + dx, y + dy) for dx in (-1, 0, 1) for dy in (-1, 0, 1) if dx or dy]
        around = [row_of[place] for place in near if place in row_of]
        if all(values[other] <= values[row] for other in around) and values[row] > values.max() - _LEAST_MODE:
            maxima.append(codes[row])
        if groups[row] < 0:
            masses.append(_flood(row, len(masses), groups, values, places, row_of, values.max() - _TOGETHER))
    return np.array(maxima), groups == int(np.argmax(masses))


def _flood(
    row: int,
    group: int,
    groups: NDArray[np.int64],
    values: Logs,
    places: NDArray[np.int64],
    row_of: dict[tuple[int, ...], int],
    lowest: float,
) -> float:
    """Mark all cells that hang together with one, two apart included; returns their mass, in parts of the highest's."""
    waiting, mass, highest = [row], 0.0, float(values.max())
    groups[row] = group
    while waiting:
        here = waiting.pop()
        mass += math.exp(values[here] - highest)
        x, y = places[here].tolist()
        for place in ((x + dx, y + dy) for dx in range(-2, 3) for dy in range(-2, 3)):
            other = row_of.get(place)
            if other is not None and groups[other] < 0 and values[other] >= lowest:
                groups[other] = group
                waiting.append(other)
    return mass
