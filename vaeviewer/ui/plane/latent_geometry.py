"""Geometry of the latent plane: which range is in view, and where a z lies in it. Plain numbers, no Qt."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

LEAST_EXTENT = 3.2
"""The plane that follows the points shows at least this much of z to each side: the prior's mass."""

_SAMPLED_ROWS = 8_000  # percentiles of so many points are precise enough


@dataclass(frozen=True)
class PlaneMap:
    """The visible range and the pixels it fills; pixels count from the top left.

    Attributes:
        x_range: First latent variable at the left and right edge.
        y_range: Second latent variable at the bottom and top edge.
        width: Logical pixels, positive.
        height: Logical pixels, positive.
    """

    x_range: tuple[float, float]
    y_range: tuple[float, float]
    width: float
    height: float

    @property
    def x_scale(self) -> float:
        """Pixels per unit of z1."""
        return self.width / (self.x_range[1] - self.x_range[0])

    @property
    def y_scale(self) -> float:
        """Pixels per unit of z2."""
        return self.height / (self.y_range[1] - self.y_range[0])

    def to_pixels(self, z1: float, z2: float) -> tuple[float, float]:
        """Where a z is drawn."""
        return (z1 - self.x_range[0]) * self.x_scale, (self.y_range[1] - z2) * self.y_scale

    def to_plane(self, x: float, y: float) -> tuple[float, float]:
        """The z under a pixel."""
        return self.x_range[0] + x / self.x_scale, self.y_range[1] - y / self.y_scale


@dataclass(frozen=True)
class Box:
    """A rectangle of the plane, in units of z."""

    x0: float
    x1: float
    y0: float
    y1: float

    def grown(self, share: float) -> Box:
        """Wider and higher by ``share`` of its size, about its centre."""
        dx, dy = 0.5 * share * (self.x1 - self.x0), 0.5 * share * (self.y1 - self.y0)
        return Box(self.x0 - dx, self.x1 + dx, self.y0 - dy, self.y1 + dy)

    def towards(self, other: Box, share: float) -> Box:
        """``share`` of the way from this box to another."""
        mine, theirs = np.array(self.sides), np.array(other.sides)
        return Box(*(mine + share * (theirs - mine)).tolist())

    def close_to(self, other: Box) -> bool:
        """Whether no side differs by more than a quarter of a percent of the width."""
        differences = np.abs(np.subtract(self.sides, other.sides))
        return bool(differences.max() <= 0.0025 * (other.x1 - other.x0))

    @property
    def sides(self) -> tuple[float, float, float, float]:
        """``(x0, x1, y0, y1)``."""
        return self.x0, self.x1, self.y0, self.y1


@dataclass(frozen=True)
class ClassMark:
    """A class's name, written at its points' median ``(z1, z2)``."""

    name: str
    z: tuple[float, float]


@dataclass(frozen=True)
class PosteriorMark:
    """q(z|x) of the selected image: its mean, its standard deviations, and where its point is drawn.

    Without standard deviations, ``None``, it is a point.
    """

    loc: tuple[float, float]
    scale: tuple[float, float] | None
    point: tuple[float, float]


PRIOR_BOX = Box(-LEAST_EXTENT, LEAST_EXTENT, -LEAST_EXTENT, LEAST_EXTENT)


UNIT_BOX = Box(-1.0, 1.0, -1.0, 1.0)
"""What is always shown where there is no prior: the handle's first place, with some room."""


def cloud_box(points: NDArray[np.float32], least: Box = PRIOR_BOX) -> Box:
    """The box that holds nearly all points, a few strays aside, and the bulk of the prior.

    Args:
        points: Shape ``(n, 2)``; rows that are not finite are ignored.
        least: Where that is, or what else is to be seen whatever the points.
    """
    sample = points[:: -(-len(points) // _SAMPLED_ROWS) or 1]
    sample = sample[np.isfinite(sample).all(axis=1)]
    if not len(sample):
        return least
    last = len(sample) - 1
    ranks = round(0.005 * last), round(0.995 * last)  # np.percentile takes five times as long
    columns = np.partition(sample.T, ranks)
    (x0, x1), (y0, y1) = columns[:, ranks].tolist()
    core = Box(x0, x1, y0, y1).grown(0.12)
    return Box(min(core.x0, least.x0), max(core.x1, least.x1), min(core.y0, least.y0), max(core.y1, least.y1))


def steady_box(current: Box, needed: Box) -> Box:
    """``current`` as long as it holds ``needed`` without much waste, else ``needed`` with some room to spare.

    So the view does not twitch at every refresh while the points move.
    """
    holds = (
        current.x0 <= needed.x0
        and current.x1 >= needed.x1
        and current.y0 <= needed.y0
        and current.y1 >= needed.y1
    )
    width, height = current.x1 - current.x0, current.y1 - current.y0
    wastes = width > 1.35 * (needed.x1 - needed.x0) and height > 1.35 * (needed.y1 - needed.y0)
    return current if holds and not wastes else needed.grown(0.06)


def points_near(
    points: NDArray[np.float32], plane: PlaneMap, pixel: tuple[float, float], radius: float
) -> NDArray[np.intp]:
    """Rows of the points within ``radius`` pixels of a pixel, nearest first.

    Args:
        points: Shape ``(n, 2)``.
        plane: Where they are drawn.
        pixel: ``(x, y)`` from the top left.
        radius: Logical pixels.
    """
    z1, z2 = plane.to_plane(*pixel)
    with np.errstate(invalid="ignore"):
        in_column = np.flatnonzero(np.abs(points[:, 0] - np.float32(z1)) * plane.x_scale <= radius)
        near = in_column[np.abs(points[in_column, 1] - np.float32(z2)) * plane.y_scale <= radius]
    distance = np.hypot((points[near, 0] - z1) * plane.x_scale, (points[near, 1] - z2) * plane.y_scale)
    order = np.argsort(distance)
    found: NDArray[np.intp] = near[order[distance[order] <= radius]]
    return found


def grid_centres(low: float, high: float, cell: float) -> NDArray[np.float32]:
    """Centres, ascending, of cells of size ``cell`` that cover ``low … high``; edges lie at its multiples.

    A grid at fixed places keeps its cells where they are while the view is panned.
    """
    first, last = np.floor(low / cell), np.ceil(high / cell)
    return ((np.arange(first, max(last, first + 2)) + 0.5) * cell).astype(np.float32)


def mosaic_rect(xs: NDArray[np.float32], ys: NDArray[np.float32]) -> tuple[float, float, float, float]:
    """The rectangle ``(x0, y0, width, height)``, in units of z, of a grid of cells with these centres."""
    cell_x, cell_y = float(abs(xs[1] - xs[0])), float(abs(ys[1] - ys[0]))
    return float(xs.min()) - cell_x / 2, float(ys.min()) - cell_y / 2, len(xs) * cell_x, len(ys) * cell_y
