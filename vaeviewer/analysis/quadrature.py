"""Integrals of many positive functions of one or two numbers at once, each as fine as it needs, at shared points.

The midpoint rule on a uniform grid: for a smooth function that falls to nothing all around, its error falls faster than
any power of the spacing (Trefethen & Weideman, "The Exponentially Convergent Trapezoidal Rule", 2014). So a function
keeps to one spacing wherever it is not negligible, and this is halved until its integral stays the same.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from vaeviewer.backend.models.likelihood_table import LEAST_EXPONENT

Array = NDArray[np.float32]
Logs = NDArray[np.float64]
Rows = NDArray[np.intp]
Tiles = NDArray[np.int64]

At = Callable[[Array], Callable[[Rows], Array]]
"""Logarithms of the functions' values at points ``(m, d)``: of some of the functions, ``(k,)``, then ``(k, m)``."""

SIDE = {1: 64, 2: 8}
"""Points along each side of a tile, by dimension; a tile's points are computed together."""

COARSEST = {1: 1 / 64, 2: 1 / 8}
"""Spacing of the first points; wider where the box is wide …"""

MOST_TILES = 48
"""… so that there are at most so many first tiles along an axis."""

TRUSTED = 0.04
"""At a wider spacing a peak may be missed altogether, however well two spacings agree."""

FEWEST = 2.0
"""Nor where a peak holds fewer points than so many along each axis, which is its integral over its highest value, in
cells: they may agree by chance."""

TOLERANCE = 5e-3
"""A function whose integral changes by less, in nats, needs no finer spacing: of a Gaussian peak's relative error a
halving leaves the fourth power."""

HALVINGS = 8
"""Most of them."""

NEGLIGIBLE = (30.0, 20.0, 12.0, 9.0)
"""A tile is divided no more where its highest point lies so many nats below the function's, after 0, 1, … halvings; its
part of the integral still counts."""

HIDDEN = 1.0
"""A tile is divided, too, where between two of its points the function may come to so many nats more than anywhere yet:
beside a cliff there may be a peak. Of a smooth peak that the spacing resolves, differences of neighbours say less …"""

MOST_HIDING = 64
"""… unless a function has more such tiles: it has cliffs all over, which no spacing resolves."""

AT_EDGE = 1e-5
"""The box grows while a function has such a share of its integral at its edge …"""

RINGS = 8
"""… by a ring of tiles at a time, and at most so often."""


@dataclass(frozen=True, eq=False)
class Box:
    """Where integrals are taken: opposite corners, each ``(d,)``."""

    low: NDArray[np.float64]
    high: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Integrals:
    """Of ``n`` functions.

    Attributes:
        log_value: Their logarithms, ``(n,)``, nats.
        change: By how much these changed at the last halving, ``(n,)``: as a rule far more than the error left. Or, if
            that is more, by how much a peak may surpass them that was not looked for, see :data:`MOST_HIDING`.
    """

    log_value: Logs
    change: Logs


def first_spacing(box: Box) -> float:
    """Of the first points, unless somebody says otherwise."""
    d = len(box.low)
    return max(COARSEST[d], float((box.high - box.low).max()) / (MOST_TILES * SIDE[d]))


def integrate(
    at: At, count: int, box: Box, *, first: float | None = None, workers: int = 1
) -> Iterator[float | Integrals]:
    """Integrals of functions, in small steps.

    Args:
        at: The functions.
        count: How many there are.
        box: Where they are large; it grows where one is large at its edge.
        first: Spacing of the first points.
        workers: Threads; one: all is done on the thread that asks.

    Yields:
        About how much is done, 0 … 1; at last the integrals.
    """
    pool = ThreadPoolExecutor(workers) if workers > 1 else None
    try:
        yield from _integrate(at, count, box, first or first_spacing(box), pool)
    finally:
        if pool is not None:
            pool.shutdown(cancel_futures=True)


def _integrate(
    at: At, count: int, box: Box, first: float, pool: ThreadPoolExecutor | None
) -> Iterator[float | Integrals]:
    d = len(box.low)
    width = SIDE[d] * first
    grid = _Grid(at, box.low, width, pool)
    value, change = np.full(count, -np.inf), np.full(count, np.inf)
    highest = np.full(count, -np.inf, np.float32)
    settled = np.full(count, -np.inf)  # what lies in tiles that are divided no more
    hidden = np.full(count, -np.inf)  # what there may be between their points
    across = np.maximum(1, np.ceil((box.high - box.low) / width - 1e-9)).astype(np.int64)
    pairs = _everywhere(count, across)
    for level in range(HALVINGS + 1):
        for share in grid.measure(level, pairs):
            yield (level + 0.9 * share) / (HALVINGS + 1)
        if level == 0:
            for _ in grid.grow(pairs, across, count):
                yield 0.9 / (HALVINGS + 1)
        open_rows = np.unique(pairs.rows)
        before, value = value, value.copy()
        value[open_rows] = np.logaddexp(_sum_by_row(pairs.rows, pairs.sums, count), settled)[open_rows]
        if level > 0:
            change[open_rows] = np.abs(value - before)[open_rows]
        np.maximum.at(highest, pairs.rows, pairs.peaks)
        held = value - highest - d * np.log(grid.spacing(level) * FEWEST)
        agreed = (change < TOLERANCE) & (held >= 0.0) & (grid.spacing(level) <= TRUSTED)
        hiding = pairs.ceilings >= highest[pairs.rows] + HIDDEN
        count_hiding = np.bincount(pairs.rows[hiding], minlength=count)
        looked_for = (count_hiding > 0) & (count_hiding <= MOST_HIDING)
        going_on = (~agreed | looked_for) & (level < HALVINGS)
        floor = highest - NEGLIGIBLE[min(level, len(NEGLIGIBLE) - 1)]
        divided = going_on[pairs.rows] & (
            (pairs.peaks >= floor[pairs.rows]) | (hiding & looked_for[pairs.rows])
        )
        settled = np.logaddexp(settled, _sum_by_row(pairs.rows[~divided], pairs.sums[~divided], count))
        passed = hiding & ~divided
        np.maximum.at(hidden, pairs.rows[passed], pairs.ceilings[passed])
        if not divided.any():
            break
        pairs = _Pairs(*_halves(pairs.rows[divided], pairs.tiles[divided]))
    yield Integrals(value, np.maximum(change, hidden - value))


@dataclass(eq=False)
class _Pairs:
    """Functions, and the tiles where each is measured.

    Attributes:
        rows: Functions, ``(p,)``.
        tiles: Their tiles' places along the axes, counted in tiles of a level, ``(p, d)``.
        sums: Logarithms of the integrals over the tiles, ``(p,)``.
        peaks: Logarithms of the largest values there, ``(p,)``.
        ceilings: What lies between two points may come to, as far as differences of neighbours tell, ``(p,)``.
    """

    rows: Rows
    tiles: Tiles
    sums: Logs = field(init=False)
    peaks: Array = field(init=False)
    ceilings: Array = field(init=False)

    def __post_init__(self) -> None:
        n = len(self.rows)
        self.sums, self.peaks, self.ceilings = np.empty(n), np.empty(n, np.float32), np.empty(n, np.float32)

    def by_tile(self) -> list[Rows]:
        """Places of the pairs of each tile."""
        key = self.tiles @ (1 << 24) ** np.arange(self.tiles.shape[1])
        order = np.argsort(key, kind="stable")
        return np.split(order, np.flatnonzero(np.diff(key[order])) + 1)

    def add(self, others: _Pairs) -> None:
        """Take over others."""
        for name in ("rows", "tiles", "sums", "peaks", "ceilings"):
            setattr(self, name, np.concatenate([getattr(self, name), getattr(others, name)]))


@dataclass(frozen=True, eq=False)
class _Grid:
    at: At
    low: NDArray[np.float64]  # corner of tile 0, 0
    width: float  # of a tile at level 0
    pool: ThreadPoolExecutor | None

    def spacing(self, level: int) -> float:
        """Between points."""
        return self.width / (SIDE[len(self.low)] * (1 << level))

    def measure(self, level: int, pairs: _Pairs) -> Iterator[float]:
        """Fill in sums and peaks; yields the share done after each tile."""
        d, spacing = len(self.low), self.spacing(level)
        inside = np.stack(np.meshgrid(*[np.arange(SIDE[d]) + 0.5] * d, indexing="ij"), -1).reshape(-1, d)
        tiles = pairs.by_tile()

        def one(places: Rows) -> tuple[Array, Array, Logs]:
            codes = self.low + spacing * (SIDE[d] * pairs.tiles[places[0]] + inside)
            logs = self.at(codes.astype(np.float32))(pairs.rows[places])  # (k, m)
            peaks, ceilings = logs.max(1), _ceilings(logs, d)
            logs -= peaks[:, None]
            np.maximum(logs, LEAST_EXPONENT, out=logs)
            np.exp(logs, out=logs)
            return peaks, ceilings, peaks + np.log(logs.sum(1, dtype=np.float64)) + d * np.log(spacing)

        found = (map if self.pool is None else self.pool.map)(one, tiles)
        for i, (places, (peaks, ceilings, sums)) in enumerate(zip(tiles, found, strict=True)):
            pairs.peaks[places], pairs.ceilings[places], pairs.sums[places] = peaks, ceilings, sums
            yield (i + 1) / len(tiles)

    def grow(self, pairs: _Pairs, across: Tiles, count: int) -> Iterator[None]:
        """Measure tiles beside those at the edge where a function is not negligible, ring by ring."""
        low, high = np.zeros_like(across), across.copy()
        beside = np.array(list(itertools.product((-1, 0, 1), repeat=len(across))))
        for _ in range(RINGS):
            total = _sum_by_row(pairs.rows, pairs.sums, count)
            edge = ((pairs.tiles == low) | (pairs.tiles == high - 1)).any(1)
            edge &= pairs.sums - total[pairs.rows] > np.log(AT_EDGE)
            tiles = (pairs.tiles[edge][:, None] + beside).reshape(-1, len(across))
            rows = np.repeat(pairs.rows[edge], len(beside))
            outside = ((tiles < low) | (tiles >= high)).any(1)
            if not outside.any():
                return
            found = np.unique(np.column_stack([rows, tiles])[outside], axis=0)
            low, high = low - 1, high + 1
            ring = _Pairs(found[:, 0], found[:, 1:])
            for _ in self.measure(0, ring):
                yield
            pairs.add(ring)


def _ceilings(logs: Array, d: int) -> Array:
    """What functions may come to beside a tile's points, ``(k,)``, by their values there ``(k, m)``.

    From a point half of the way to its neighbours, along each axis as much higher as the steeper side is lower.
    """
    values = logs.reshape(-1, *(SIDE[d],) * d)
    ceilings = values.copy()
    for axis in range(1, d + 1):
        along, raised = (np.moveaxis(array, axis, 0) for array in (values, ceilings))
        steps = 0.5 * np.abs(np.diff(along, axis=0))
        raised[0] += steps[0]
        raised[1:-1] += np.maximum(steps[1:], steps[:-1])
        raised[-1] += steps[-1]
    found: Array = ceilings.reshape(len(logs), -1).max(1)
    return found


def _everywhere(count: int, across: Tiles) -> _Pairs:
    """All functions at all tiles of a box so many tiles wide along each axis."""
    tiles = np.array(list(itertools.product(*map(range, across))))
    return _Pairs(np.tile(np.arange(count), len(tiles)), np.repeat(tiles, count, axis=0))


def _halves(rows: Rows, tiles: Tiles) -> tuple[Rows, Tiles]:
    """The tiles of the next level that these are made of."""
    d = tiles.shape[1]
    parts = np.array(list(itertools.product((0, 1), repeat=d)))
    return np.repeat(rows, len(parts)), (2 * tiles[:, None] + parts).reshape(-1, d)


def _sum_by_row(rows: Rows, logs: Logs, count: int) -> Logs:
    """Logarithms of sums of exponentials, ``(count,)``; −∞ of none."""
    most = np.full(count, -np.inf)
    np.maximum.at(most, rows, logs)
    shares = np.exp(np.maximum(logs - most[rows], LEAST_EXPONENT))
    with np.errstate(divide="ignore"):
        found: Logs = most + np.log(np.bincount(rows, shares, count))
    return found
