"""The learned manifold: a grid over the latent plane, and one picture of what the decoder draws on it."""

from __future__ import annotations

from statistics import NormalDist
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from vaeviewer.analysis.latent_plane import LatentPlane, axes_plane
from vaeviewer.analysis.prior import DRAWN, prior_codes
from vaeviewer.backend.snapshot import Snapshot

Spacing = Literal["equal", "gaussian"]

MOST_SHOWN = 2048
"""More pixels along a side than this no panel has."""


def grid(size: int, spacing: Spacing, limit: float = 3.0) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Coordinates of a grid over the latent plane, rising along each axis.

    Args:
        size: Points along each side, at least 1.
        spacing: ``"equal"`` from ``-limit`` to ``limit``; ``"gaussian"`` puts points where the prior's mass
            is: Φ⁻¹((i + ½) / size), the inverse Gaussian CDF as in Kingma & Welling (2013), figure 4.
        limit: Where an equally spaced grid ends, in standard deviations of the prior.

    Returns:
        ``z1`` and ``z2``, each of shape ``(size,)``.

    Raises:
        ValueError: ``size`` is below 1.
    """
    if size < 1:
        raise ValueError(f"a grid needs at least one point a side; got {size}.")
    if spacing == "gaussian":
        prior = NormalDist()
        z = np.array([prior.inv_cdf((i + 0.5) / size) for i in range(size)])
    elif size == 1:
        z = np.zeros(1)
    else:
        z = np.linspace(-limit, limit, size)
    return z, z.copy()


def grid_of(latent_dim: int, size: int, spacing: Spacing) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """A :func:`grid` over what there is: a space of one dimension has a single row, at ``z2`` = 0."""
    z1, z2 = grid(size, spacing)
    return z1, (np.zeros(1) if latent_dim == 1 else z2)


def evenly_in_probability(
    points: NDArray[np.floating], size: int, rows: int | None = None
) -> NDArray[np.float32]:
    """Places of a grid at which a distribution has its mass, whatever it is, of points drawn from it.

    Columns hold equal shares of them by the first coordinate, and cells equal shares of their column by the second: of
    each the point in the middle is taken. Of N(0, I) that comes to the quantiles of :func:`grid`.

    Args:
        points: Finite, ``(n, 2)``, many more than cells.
        size: Columns.
        rows: Rows, as many as columns if not said.

    Returns:
        Float32, ``(rows, size, 2)``, as :func:`grid_points` lies: in the first row the largest second coordinates.
    """
    rows = size if rows is None else rows
    cells = np.empty((rows, size, 2), np.float32)
    for number, column in enumerate(np.array_split(points[np.argsort(points[:, 0], kind="stable")], size)):
        column = column[np.argsort(-column[:, 1], kind="stable")] if rows > 1 else column
        for row, cell in enumerate(np.array_split(column, rows)):
            cells[row, number] = cell[len(cell) // 2]
    return cells


def prior_cells(codes: NDArray[np.float32], plane: LatentPlane, size: int) -> NDArray[np.float32]:
    """A grid :func:`evenly_in_probability` in a plane, of codes ``(n, latent_dim)`` drawn from a prior."""
    points = plane.project(codes)
    points = points[np.isfinite(points).all(axis=1)]
    return evenly_in_probability(points, size, 1 if plane.latent_dim == 1 else None)


def grid_points(z1: NDArray[np.floating], z2: NDArray[np.floating]) -> NDArray[np.float32]:
    """The grid's points in reading order, float32, shape ``(len(z2) * len(z1), 2)``.

    The first row of a picture is its top, so the largest ``z2`` comes first; ``z1`` rises from left to right.
    """
    return np.stack(np.meshgrid(z1, z2[::-1]), axis=-1).reshape(-1, 2).astype(np.float32)


def mosaic(images: NDArray[np.uint8], columns: int, gap: int = 0, background: int = 0) -> NDArray[np.uint8]:
    """Images side by side in reading order, as one picture.

    Args:
        images: uint8, shape ``(n, height, width)`` in grey, ``(n, height, width, 3)`` in colour.
        columns: Images in each row of the picture; the last row may be incomplete.
        gap: Pixels between neighbours; none around the picture.
        background: Level of gaps and of places without an image.

    Returns:
        uint8, shape ``(rows * (height + gap) - gap, columns * (width + gap) - gap)``, and ``3`` behind it in colour.

    Raises:
        ValueError: No images, or ``columns`` below 1.
    """
    n, height, width, *colour = images.shape
    if n < 1 or columns < 1:
        raise ValueError(f"a mosaic needs images and columns; got {n} and {columns}.")
    rows = -(-n // columns)
    cells = np.full((rows * columns, height + gap, width + gap, *colour), background, dtype=np.uint8)
    cells[:n, :height, :width] = images
    picture = (
        cells.reshape(rows, columns, height + gap, width + gap, *colour)
        .swapaxes(1, 2)  # (rows, height + gap, columns, width + gap)
        .reshape(rows * (height + gap), columns * (width + gap), *colour)
    )
    return np.ascontiguousarray(picture[: picture.shape[0] - gap, : picture.shape[1] - gap])


def thinned(images: NDArray[np.uint8], columns: int) -> NDArray[np.uint8]:
    """Images for a :func:`mosaic` that is only looked at: of large ones every second, third … pixel both ways.

    Args:
        images: As :func:`mosaic` takes them.
        columns: Likewise.

    Returns:
        A view of them, with which the mosaic is at most :data:`MOST_SHOWN` pixels and a row of images wide or high.
    """
    n, height, width = images.shape[:3]
    step = max(1, -(-max(columns * width, -(-n // columns) * height) // MOST_SHOWN))
    return images[:, min(step, height) // 2 :: step, min(step, width) // 2 :: step]


def manifold_picture(
    snapshot: Snapshot, size: int, spacing: Spacing, plane: LatentPlane | None = None, y: int | None = None
) -> NDArray[np.uint8]:
    """What the decoder draws on a grid over a plane, as one picture without gaps.

    ``"gaussian"`` is where the prior has its mass also where that is not N(0, I), and of models without one
    ``"equal"``.

    Args:
        snapshot: The model.
        size: Images along each side, at least 1; where codes have one number, in the only row.
        spacing: As :func:`grid` takes it.
        plane: The plane, or ``None`` for that of the first two axes.
        y: The class of all images, for models that see it; ``None`` for the first.

    Returns:
        uint8, shape ``(size * height, size * width)``, and ``3`` behind it in colour.

    Raises:
        ValueError: ``size`` is below 1.
    """
    latent_dim = snapshot.model.latent_dim
    plane = plane or axes_plane(latent_dim)
    if y is None and snapshot.family.class_names(snapshot.model, [""] * snapshot.data.classes):
        y = 0
    can = snapshot.family.capabilities
    if size < 1 or spacing == "equal" or can.follows_normal:
        points = grid_points(*grid_of(latent_dim, size, spacing))
    elif can.generates:
        points = prior_cells(prior_codes(snapshot, DRAWN), plane, size).reshape(-1, 2)
    else:
        points = grid_points(*grid_of(latent_dim, size, "equal"))
    z = plane.lift(points)
    return mosaic(snapshot.decode_levels(z, y), columns=size)
