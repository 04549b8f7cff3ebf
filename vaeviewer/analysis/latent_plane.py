"""The plane shown of a latent space: all of it where it has two dimensions, else a plane through it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]

Axes = tuple[int, int]
"""Two dimensions, counted from 0, that span a plane."""

MOST_ROWS, MOST_VALUES = 4096, 2**19
"""From so many codes, evenly chosen, figures are exact enough to be shown; fewer where they are of many numbers."""


@dataclass(frozen=True, eq=False)
class LatentPlane:
    """The points ``origin + z1 * u + z2 * v`` of a space of d dimensions.

    Attributes:
        origin: Where the plane's (0, 0) lies, float32 ``(d,)``.
        u: Direction of z1, ``(d,)``.
        v: Direction of z2, ``(d,)``; both are of length 1 and orthogonal. In a space of one dimension it is zero.
        axes: The dimensions that they are the axes of, if they are, where ``origin`` has zeros.
    """

    origin: Array
    u: Array
    v: Array
    axes: Axes | None = None

    @property
    def latent_dim(self) -> int:
        """Dimensions of the space."""
        return len(self.origin)

    def parallel_to(self, other: LatentPlane) -> bool:
        """Whether codes lie at the same places in both: planes that :meth:`through` made of one another."""
        return self.u is other.u and self.v is other.v

    def through(self, code: Array) -> LatentPlane:
        """The parallel plane in which a code ``(d,)`` lies.

        Its (0, 0) is the point of it nearest to the centre of the space, so that codes are projected to the same
        places as before, and a standard normal prior to a standard normal one.
        """
        if self is identity():
            return self
        span = np.stack([self.u, self.v])
        origin = code - (span @ code) @ span
        return LatentPlane(origin.astype(np.float32), self.u, self.v, self.axes)

    def lift(self, points: NDArray[np.floating]) -> Array:
        """Points of the plane, ``(n, 2)``, as codes, float32 ``(n, d)``."""
        points = np.asarray(points, dtype=np.float32)
        if self is identity():
            return points
        z: Array = self.origin + points[:, :1] * self.u + points[:, 1:] * self.v
        return z

    def project(self, z: Array) -> Array:
        """The points of the plane nearest to codes ``(n, d)``, ``(n, 2)``; no copy where it is all of the space."""
        if self is identity():
            return z
        if self.axes is not None:  # many times as fast
            return np.stack([z[:, axis] for axis in self.axes], axis=1)
        span = np.stack([self.u, self.v], axis=1)
        with np.errstate(invalid="ignore", over="ignore"):  # what is not finite stays so
            points: Array = z @ span - self.origin @ span
        return points

    def project_scale(self, scale: Array) -> Array:
        """Standard deviations along ``u`` and ``v``, ``(n, 2)``, of Gaussians with diagonal ones ``(n, d)``."""
        if self is identity():
            return scale
        with np.errstate(invalid="ignore", over="ignore"):
            spread: Array = np.sqrt(np.square(scale) @ np.square(np.stack([self.u, self.v], axis=1)))
        return spread


def axes_plane(latent_dim: int, first: int = 0, second: int = 1) -> LatentPlane:
    """The plane of two axes of a space, through its origin; the same object for the same arguments.

    Args:
        latent_dim: Dimensions of the space, at least 1; of one dimension z1 is the only coordinate.
        first: Axis of z1.
        second: Another one, of z2.

    Raises:
        ValueError: There is no such plane.
    """
    only = latent_dim == 1 and (first, second) == (0, 1)
    if not only and not (0 <= first < latent_dim and 0 <= second < latent_dim and first != second):
        raise ValueError(f"no plane of axes {first} and {second} in {latent_dim} dimensions.")
    return _axes_plane(latent_dim, first, second)


@cache
def _axes_plane(latent_dim: int, first: int, second: int) -> LatentPlane:
    u, v = np.zeros((2, latent_dim), np.float32)
    u[first] = 1.0
    if latent_dim > 1:
        v[second] = 1.0
    return LatentPlane(np.zeros(latent_dim, np.float32), u, v, (first, second) if latent_dim > 1 else None)


def principal_plane(codes: Array, before: LatentPlane | None = None) -> LatentPlane:
    """The plane through the mean of codes ``(n, d)`` in which they vary most, z1 along the first principal axis.

    An axis has two directions. The one is taken that agrees with the plane ``before``, or without one whose largest
    component is positive: so the plane does not flip between two models that hardly differ.

    Source: Pearson, "On lines and planes of closest fit to systems of points in space" (1901).
    """
    latent_dim = codes.shape[1]
    codes = codes[np.isfinite(codes).all(axis=1)]
    if latent_dim < 2 or len(codes) < 2:
        return axes_plane(latent_dim)
    centre = codes.mean(axis=0)
    apart = codes - centre
    _, axes = np.linalg.eigh((apart.T @ apart).astype(np.float64))  # ascending
    known = before is not None and before.latent_dim == latent_dim
    directions = [before.u, before.v] if before is not None and known else [None, None]
    u, v = (_directed(axes[:, -1 - number].astype(np.float32), directions[number]) for number in range(2))
    return LatentPlane(np.zeros(latent_dim, np.float32), u, v).through(centre)


def share_of_variance(plane: LatentPlane, codes: Array) -> float:
    """How much of the variance of codes ``(n, d)`` a plane shows, 0 … 1; 0 where they do not vary."""
    codes = codes[np.isfinite(codes).all(axis=1)]
    if not len(codes):
        return 0.0
    whole = float(codes.var(axis=0, dtype=np.float64).sum())
    shown = float(plane.project(codes).var(axis=0, dtype=np.float64).sum())
    return min(1.0, shown / whole) if whole > 0.0 else 0.0


def some_rows(codes: Array) -> Array:
    """A few thousand rows of codes ``(n, d)``, evenly chosen; a view."""
    most = min(MOST_ROWS, MOST_VALUES // codes.shape[1])
    return codes[:: -(-len(codes) // most) or 1]


def _directed(axis: Array, before: Array | None) -> Array:
    sign = float(axis @ before) if before is not None else float(axis[np.abs(axis).argmax()])
    return -axis if sign < 0.0 else axis


def identity() -> LatentPlane:
    """All of a space of two dimensions."""
    return axes_plane(2)
