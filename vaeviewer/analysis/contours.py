"""Lines of equal height on a grid."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

# Which edges of a cell a line joins, by which of its corners lie above the level: bits 1, 2, 4, 8 for the corners
# (0, 0), (0, 1), (1, 1), (1, 0) as (row, column); edges 0 … 3 lie between a corner and the next one.
_JOINED: dict[int, tuple[tuple[int, int], ...]] = {
    1: ((3, 0),),
    2: ((0, 1),),
    3: ((3, 1),),
    4: ((1, 2),),
    5: ((3, 2), (0, 1)),
    6: ((0, 2),),
    7: ((3, 2),),
    8: ((2, 3),),
    9: ((2, 0),),
    10: ((0, 3), (1, 2)),
    11: ((2, 1),),
    12: ((1, 3),),
    13: ((1, 0),),
    14: ((0, 3),),
}


def contours(
    heights: NDArray[np.floating], xs: NDArray[np.floating], ys: NDArray[np.floating], level: float
) -> Floats:
    """Pieces of the line along which a surface has a height; linear between neighbours on the grid.

    Marching squares (Lorensen & Cline 1987 in two dimensions); at a saddle corners above the level are joined.

    Args:
        heights: Finite, ``(rows, columns)``.
        xs: Of the columns, ascending.
        ys: Of the rows, ascending.
        level: The height.

    Returns:
        Pairs of points ``(x, y)``, shape ``(pieces, 2, 2)``.
    """
    z = np.asarray(heights, np.float64) - level
    above = z > 0.0
    first, last = slice(None, -1), slice(1, None)
    corner = [(first, first), (first, last), (last, last), (last, first)]
    case = np.sum([above[place].astype(np.int64) << bit for bit, place in enumerate(corner)], axis=0)
    xx, yy = np.meshgrid(np.asarray(xs, np.float64), np.asarray(ys, np.float64))
    pieces = []
    for number, joined in _JOINED.items():
        cells = np.nonzero(case == number)
        if not len(cells[0]):
            continue
        for edges in joined:
            ends: list[list[Floats]] = []
            for edge in edges:
                a, b = corner[edge], corner[(edge + 1) % 4]
                za, zb = z[a][cells], z[b][cells]
                share = za / (za - zb)  # one is above and the other is not, so they differ
                ends.append([grid[a][cells] + share * (grid[b][cells] - grid[a][cells]) for grid in (xx, yy)])
            pieces.append(np.moveaxis(np.array(ends), 2, 0))  # (2 ends, 2 coordinates, n) as (n, 2, 2)
    return np.concatenate(pieces) if pieces else np.empty((0, 2, 2))
