"""What is drawn: points, the part of the plane that is seen, and discs of a size and colours that show density."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from math import ceil, log10
from typing import Any

import numpy as np
from numpy.typing import NDArray

LATE_OPACITY = 0.3
"""Of the opacity of points, for those that are late."""

WEIGHT_ONE = 8
"""Full coverage of a pixel in a stencil: coverages are whole numbers, so that sums stay in uint16."""


@dataclass(frozen=True)
class Scene:
    """One drawing.

    Attributes:
        positions: Of the points, float32, ``(n, 2)``.
        keys: Of the points, uint16 or uint32, ``(n,)``. The disc with the highest one is on top. The upper half of a
            key is a priority, not zero; the lower half is the class.
        corner: The plane's coordinates at the image's upper left.
        scale: Pixels per unit of the plane to the right, and down.
        width: Of the image, pixels.
        height: Of the image, pixels.
        radius: Of the discs, pixels.
        table: The colour of each class at each sum of coverages; see :func:`color_table`.
        levels: How many sums each class has there.
    """

    positions: NDArray[np.float32]
    keys: NDArray[Any]
    corner: tuple[np.float32, np.float32]
    scale: tuple[np.float32, np.float32]
    width: int
    height: int
    radius: float
    table: NDArray[np.uint32]
    levels: int


def disc_radius(count: int) -> float:
    """Radius in logical pixels at which ``count`` points are drawn: 3.5 for few, 2.5 for 10 k, 1 for 1 M."""
    return float(np.clip(2.5 - 0.75 * (log10(max(count, 1)) - 4.0), 1.0, 3.5))


def disc_opacity(count: int) -> float:
    """Opacity of one disc among ``count`` points: lower with more, so that density still shows."""
    return float(np.clip(0.8 - 0.22 * (log10(max(count, 1)) - 4.0), 0.3, 0.85))


def disc_stencil(radius: float) -> NDArray[np.uint16]:
    """Coverage of the pixels around a disc's centre, ``0 … WEIGHT_ONE``, square with an odd side.

    Args:
        radius: In pixels of the image. The edge fades over one pixel.
    """
    reach = max(0, ceil(radius + 0.5) - 1)
    offsets = np.arange(-reach, reach + 1)
    distance = np.hypot(offsets[:, None], offsets[None, :])
    weights = np.rint(WEIGHT_ONE * np.clip(radius + 0.5 - distance, 0.0, 1.0)).astype(np.uint16)
    weights[weights <= WEIGHT_ONE // 4] = (
        0  # hardly seen alone, yet they would square off discs that lie on top
    )
    return weights


@lru_cache(maxsize=16)
def round_radius(radius: float) -> float:
    """A radius near this one at which a disc of whole pixels looks round; itself where it does, or is very small."""
    if radius < 2.5 or abs(_squareness(radius)) <= 0.2:
        return radius
    others = radius + np.arange(-10, 11) / 25
    fitting = [other for other in others.tolist() if abs(_squareness(other)) <= 0.12]
    return min(fitting, key=lambda other: abs(other - radius), default=radius)


def _squareness(radius: float) -> float:
    """How far a stencil's outline is from round: of r⁴ over its pixels, the share that goes with cos 4φ."""
    covered = disc_stencil(radius) > 0
    y, x = (np.argwhere(covered) - len(covered) // 2).T.astype(float)
    return float((x**4 + y**4 - 6 * x**2 * y**2).sum() / ((x**2 + y**2) ** 2).sum())


def color_table(colors: NDArray[np.uint8], opacity: float) -> tuple[NDArray[np.uint32], int]:
    """The colour of each class at each sum of coverages, up to where alpha no longer grows, and their number.

    Class ``c`` at level ``l`` is entry ``c * levels + l``, and ``(classes + c) * levels + l`` for its late points.
    """
    levels = WEIGHT_ONE * ceil(np.log(1 / 512) / np.log1p(-opacity)) + 1
    alpha = 1 - (1 - opacity) ** (np.arange(levels) / WEIGHT_ONE)
    alpha = alpha * np.array([[1.0], [LATE_OPACITY]])  # (2, levels)
    channels = np.rint(alpha[:, None, :, None] * colors[:, None, :]).astype(
        np.uint32
    )  # (2, classes, levels, 3)
    red, green, blue = np.moveaxis(channels, 3, 0)
    packed = np.rint(255 * alpha[:, None]).astype(np.uint32) << 24 | red << 16 | green << 8 | blue
    return packed.reshape(-1), levels
