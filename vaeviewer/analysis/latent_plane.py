"""The plane shown of a latent space: all of it where it has two dimensions, else a plane through it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class LatentPlane:
    """The points ``origin + z1 * u + z2 * v`` of a space of d dimensions.

    Attributes:
        origin: Where the plane's (0, 0) lies, float32 ``(d,)``.
        u: Direction of z1, ``(d,)``.
        v: Direction of z2, ``(d,)``; both are of length 1 and orthogonal. In a space of one dimension it is zero.
    """

    origin: Array
    u: Array
    v: Array

    @property
    def latent_dim(self) -> int:
        """Dimensions of the space."""
        return len(self.origin)

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
        with np.errstate(invalid="ignore", over="ignore"):  # what is not finite stays so
            points: Array = (z - self.origin) @ np.stack([self.u, self.v], axis=1)
        return points

    def project_scale(self, scale: Array) -> Array:
        """Standard deviations along ``u`` and ``v``, ``(n, 2)``, of Gaussians with diagonal ones ``(n, d)``."""
        if self is identity():
            return scale
        with np.errstate(invalid="ignore", over="ignore"):
            spread: Array = np.sqrt(np.square(scale) @ np.square(np.stack([self.u, self.v], axis=1)))
        return spread


@cache
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
    axes = np.eye(max(2, latent_dim), latent_dim, dtype=np.float32)
    return LatentPlane(np.zeros(latent_dim, np.float32), axes[first], axes[second])


def identity() -> LatentPlane:
    """All of a space of two dimensions."""
    return axes_plane(2)
