"""Shortest ways between two points of a plane in which distances change from place to place.

Arvanitidis, Hansen & Hauberg, "Latent Space Oddity" (2018); Chen, Klushyn, Kurle, Jiang, Bayer & van der Smagt,
"Metrics for Deep Generative Models" (2018).
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
Exact = NDArray[np.float64]

SEGMENTS = 40
"""Of the path whose corners are moved."""

FINER = 8
"""A curve's length is measured with so many points for each segment."""

MOST_STEPS = 60
"""Of the descent from one start."""

ENOUGH = 1e-4
"""The descent ends where a step lowers the energy by a smaller share."""

GRID = 16
"""Nodes of the grid graph from one end to the other; it reaches beyond both by a quarter, and further to the sides."""


class Surface(Protocol):
    """Points of a plane, ``(m, c)``, as points of a space in which distances are Euclidean: an immersion."""

    def at(self, points: Array) -> Array:
        """Where they lie there, ``(m, k)``."""

    def with_jacobian(self, points: Array) -> tuple[Array, Array]:
        """The same, and its derivatives, ``(m, k, c)``."""


@dataclass(frozen=True, eq=False)
class Curve:
    """A fine polygon in the plane.

    Attributes:
        points: Its corners, float32 ``(m, c)``.
        way: The length up to each, ``(m,)``, on the surface.
    """

    points: Array
    way: Exact

    @property
    def length(self) -> float:
        """All of it, on the surface."""
        return float(self.way[-1])

    def at_equal_lengths(self, count: int) -> Array:
        """So many points from end to end, at least two, evenly far apart on the surface, ``(count, c)``."""
        places = _at(self.points, self.way, np.linspace(0.0, self.length, count))
        # No length tells the ends from points of a flat stretch beside them.
        places[[0, -1]] = self.points[[0, -1]]
        return places


@dataclass(frozen=True, eq=False)
class Ways:
    """From one point to another.

    Attributes:
        straight: The straight line in the plane.
        shortest: The shortest way found; never longer than that.
    """

    straight: Curve
    shortest: Curve

    @cached_property
    def saved(self) -> float:
        """How much shorter it is, 0 … 1."""
        return 1.0 - self.shortest.length / self.straight.length if self.straight.length > 0.0 else 0.0


def curve_through(surface: Surface, corners: Array) -> Curve:
    """A polygon through corners ``(s + 1, c)``, measured by the chords of its finer parts."""
    finer = _at(
        corners, np.arange(len(corners)), np.linspace(0, len(corners) - 1, FINER * (len(corners) - 1) + 1)
    )
    images = surface.at(finer).astype(np.float64)
    return Curve(finer, np.concatenate([[0.0], np.linalg.norm(np.diff(images, axis=0), axis=1).cumsum()]))


def shortest_way(surface: Surface, start: Array, end: Array) -> Iterator[Ways | None]:
    """The shortest way from one point ``(c,)`` to another, in small steps: ``None`` until it is known.

    The energy of a path through so many corners, the sum of its segments' squared lengths, is lowered from the straight
    line, and where points are pairs from the shortest path on a grid graph, too, as there are often several valleys.
    """
    ends = np.stack([start, end]).astype(np.float32)
    line = _at(ends, np.arange(2), np.linspace(0.0, 1.0, SEGMENTS + 1))
    straight = best = curve_through(surface, line)
    if not straight.length > 0.0 or not np.isfinite(straight.length):
        yield Ways(straight, straight)
        return
    starts = [line]
    if len(start) == 2:
        yield None
        on_grid = curve_through(surface, _path_on_grid(surface, ends))
        starts.append(on_grid.at_equal_lengths(SEGMENTS + 1))
    for path in starts:
        for moved in _descend(surface, path):
            path = moved
            yield None
        best = min(best, curve_through(surface, path), key=lambda curve: curve.length)
    yield Ways(straight, best)


def _descend(surface: Surface, path: Array) -> Iterator[Array]:
    """Lower a path's energy by Levenberg's and Marquardt's method; the path after each step.

    Its ends stay where they are.
    """
    images, slopes = surface.with_jacobian(path)
    energy, damping = _energy(images), 1e-3
    for _ in range(MOST_STEPS):
        gradient, curvature = _derivatives(images.astype(np.float64), slopes.astype(np.float64))
        before = energy
        while damping < 1e6:
            diagonal = np.diag(damping * (curvature.diagonal() + 1e-9 * curvature.diagonal().max() + 1e-30))
            step = np.linalg.solve(curvature + diagonal, -gradient).reshape(len(path) - 2, -1)
            moved = path.copy()
            moved[1:-1] += step.astype(np.float32)
            moved_images, moved_slopes = surface.with_jacobian(moved)
            if (lower := _energy(moved_images)) < energy:
                path, images, slopes, energy = moved, moved_images, moved_slopes, lower
                damping = max(damping / 5, 1e-9)
                break
            damping *= 5
            yield path
        yield path
        if before - energy <= ENOUGH * before:
            return


def _energy(images: Array) -> float:
    return float(np.square(np.diff(images.astype(np.float64), axis=0)).sum())


def _derivatives(images: Exact, slopes: Exact) -> tuple[Exact, Exact]:
    """Half the energy's gradient by the inner corners, ``(n,)``, and Gauss's and Newton's matrix for it, ``(n, n)``.

    Args:
        images: Where all corners lie, ``(s + 1, k)``.
        slopes: Their derivatives, ``(s + 1, k, c)``.
    """
    inner = slopes[1:-1]
    corners, _, coordinates = inner.shape
    gradient = np.einsum("ikc,ik->ic", inner, 2.0 * images[1:-1] - images[:-2] - images[2:])
    curvature = np.zeros((corners, coordinates, corners, coordinates))
    here = np.arange(corners)
    curvature[here, :, here] = 2.0 * np.matmul(inner.swapaxes(1, 2), inner)
    between = -np.matmul(inner[:-1].swapaxes(1, 2), inner[1:])
    curvature[here[:-1], :, here[1:]] = between
    curvature[here[1:], :, here[:-1]] = between.swapaxes(1, 2)
    size = corners * coordinates
    return gradient.reshape(size), curvature.reshape(size, size)


def _path_on_grid(surface: Surface, ends: Array) -> Array:
    """The shortest path along the edges of a grid that has both ends as nodes, corners ``(m, 2)``; Dijkstra 1959."""
    along = (ends[1] - ends[0]) / (GRID - 1)
    across = np.array([-along[1], along[0]], np.float32)
    beyond = GRID // 4
    columns, rows = GRID + 2 * beyond, GRID + 1
    steps = np.stack(np.meshgrid(np.arange(rows) - rows // 2, np.arange(columns) - beyond, indexing="ij"), -1)
    nodes = (ends[0] + steps[..., 1:] * along + steps[..., :1] * across).astype(
        np.float32
    )  # (rows, columns, 2)
    images = surface.at(nodes.reshape(-1, 2)).astype(np.float64).reshape(rows, columns, -1)
    first, last = (rows // 2, beyond), (rows // 2, beyond + GRID - 1)
    edges = {way: _edges(images, way) for way in ((0, 1), (1, 0), (1, 1), (1, -1))}
    reached, came_from = {first: 0.0}, {first: first}
    waiting = [(0.0, first)]
    while waiting:
        way_so_far, node = heapq.heappop(waiting)
        if node == last:
            break
        if way_so_far > reached[node]:
            continue
        for other, length in _neighbours(node, edges, rows, columns):
            if way_so_far + length < reached.get(other, np.inf):
                reached[other], came_from[other] = way_so_far + length, node
                heapq.heappush(waiting, (way_so_far + length, other))
    path = [last]
    while path[-1] != first:
        path.append(came_from[path[-1]])
    corners: Array = nodes[tuple(np.array(path[::-1]).T)]
    return corners


Node = tuple[int, int]


def _edges(images: Exact, way: Node) -> list[list[float]]:
    """Lengths of the edges from each node to the one so many rows and columns on, by the edge's upper or left end."""
    down, right = way
    rows, columns = images.shape[0] - down, images.shape[1] - abs(right)
    left, other = max(0, -right), max(0, right)
    lengths = np.linalg.norm(
        images[down:, other : other + columns] - images[:rows, left : left + columns], axis=-1
    )
    found: list[list[float]] = lengths.tolist()
    return found


def _neighbours(
    node: Node, edges: dict[Node, list[list[float]]], rows: int, columns: int
) -> Iterator[tuple[Node, float]]:
    row, column = node
    for (down, right), lengths in edges.items():
        for sign in (1, -1):
            other = row + sign * down, column + sign * right
            if 0 <= other[0] < rows and 0 <= other[1] < columns:
                upper = min(row, other[0])
                yield other, lengths[upper][min(column, other[1])]


def _at(points: Array, way: Exact | NDArray[np.intp], places: Exact) -> Array:
    """Points of a polygon at places along it, where its corners lie at ``way``."""
    columns = [np.interp(places, way, points[:, number]) for number in range(points.shape[1])]
    return np.stack(columns, axis=1).astype(np.float32)
