"""Points of several classes, drawn again and again."""

from __future__ import annotations

from collections.abc import Set
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vaeviewer.ui.plane.raster.compiled import CompiledPainter
from vaeviewer.ui.plane.raster.passes import NumpyPainter
from vaeviewer.ui.plane.raster.scene import Scene, color_table, disc_opacity, disc_radius, round_radius


class PointRaster:
    """Draws points as discs.

    Where discs overlap, the one on top depends on a fixed random number of each point, never on the order of
    classes or images.
    """

    def __init__(self) -> None:
        self._labels: NDArray[np.int64] = np.zeros(0, np.int64)
        self._colors = np.zeros((0, 3), np.uint8)
        self._painted_as, self._kinds = self._labels, 0  # what colours go by: classes, or steps of a scale
        self._table, self._levels = np.zeros(0, np.uint32), 1
        self._keys: NDArray[Any] = np.zeros(0, np.uint16)
        self._keys_if: tuple[NDArray[Any], NDArray[Any]] | None = None  # late, or not; made when needed
        self._rows: NDArray[np.intp] | None = None  # rows drawn, None for all
        self._image: NDArray[np.uint32] = np.zeros((0, 0), np.uint32)
        self._in_numpy, self._compiled = NumpyPainter(), CompiledPainter()

    def set_classes(self, labels: NDArray[np.int64], colors: NDArray[np.uint8]) -> None:
        """Give each point its class, and each class its colour; all classes are shown.

        Args:
            labels: Class of each point, ``0 … len(colors) - 1``, shape ``(n,)``.
            colors: RGB, uint8, shape ``(classes, 3)``.
        """
        self._labels, self._colors = labels, colors
        self._rows = None
        self._paint_as(labels, colors)

    def recolor(self, steps: NDArray[np.int64], colors: NDArray[np.uint8]) -> None:
        """Colour points by something else than their class. Hidden classes stay hidden.

        Args:
            steps: Row of ``colors`` for each point, shape ``(n,)``. With up to 128 it is painted fastest.
            colors: RGB, uint8, shape ``(k, 3)``.
        """
        self._paint_as(steps, colors)

    def recolor_by_class(self) -> None:
        """Colour points by their class again."""
        self._paint_as(self._labels, self._colors)

    def _paint_as(self, kinds: NDArray[np.int64], colors: NDArray[np.uint8]) -> None:
        self._painted_as, self._kinds = kinds, len(colors)
        self._table, self._levels = color_table(colors, disc_opacity(len(kinds)))
        self._keys, self._keys_if = _keys(kinds, len(colors)), None

    def set_hidden(self, hidden: Set[int]) -> None:
        """Leave out the points of these classes; an empty set shows all."""
        if not hidden:
            self._rows = None
            return
        visible = np.ones(len(self._colors), dtype=bool)
        visible[[c for c in hidden if 0 <= c < len(visible)]] = False
        self._rows = np.flatnonzero(visible[self._labels])

    def render(
        self,
        positions: NDArray[np.float32],
        x_range: tuple[float, float],
        y_range: tuple[float, float],
        size: tuple[int, int],
        pixel_ratio: float = 1.0,
        late: NDArray[np.bool_] | None = None,
    ) -> NDArray[np.uint32]:
        """The points as ``0xAARRGGBB``, premultiplied with alpha, uint32, shape ``(height, width)``.

        Row 0 is the top: the largest second coordinate. Points outside of the ranges or not finite are left out.
        The array is written over by the next call.

        Args:
            positions: In the order of the labels, shape ``(n, 2)``.
            x_range: First coordinate at the left and the right edge.
            y_range: Second coordinate at the bottom and the top edge.
            size: ``(width, height)`` of the image, pixels.
            pixel_ratio: Pixels of the image per logical pixel; discs grow with it.
            late: Points to draw fainter, below all others, shape ``(n,)``.

        Raises:
            ValueError: The number of positions is not the number of labels.
        """
        if len(positions) != len(self._labels):
            raise ValueError(f"{len(positions)} positions for {len(self._labels)} labels")
        width, height = size
        radius = round_radius(disc_radius(len(positions)) * pixel_ratio)
        keys = self._keys if late is None else self._keys_with(late)
        if self._rows is not None:
            positions, keys = positions.take(self._rows, axis=0), keys[self._rows]
        scene = Scene(
            positions,
            keys,
            corner=(np.float32(x_range[0]), np.float32(y_range[1])),
            scale=(
                np.float32(width / (x_range[1] - x_range[0])),
                np.float32(height / (y_range[1] - y_range[0])),
            ),
            width=width,
            height=height,
            radius=radius,
            table=self._table,
            levels=self._levels,
        )
        if self._image.shape != (height, width):
            self._image = np.empty((height, width), np.uint32)
        if self._compiled.can_paint(scene):
            self._compiled.paint(scene, self._image)
        else:
            self._in_numpy.paint(scene, self._image)
        return self._image

    def _keys_with(self, late: NDArray[np.bool_]) -> NDArray[Any]:
        """Keys that put late points below all others, and into the second half of the colours."""
        if self._keys_if is None:
            late_ones, kinds = self._painted_as + self._kinds, 2 * self._kinds
            self._keys_if = _keys(late_ones, kinds, half=0), _keys(self._painted_as, kinds, half=1)
        return np.asarray(np.where(late, *self._keys_if))


def _keys(labels: NDArray[np.int64], classes: int, half: int | None = None) -> NDArray[Any]:
    """A priority for each point, above its class; of the lower or the upper half of priorities, or any.

    They begin at 1, so that zero means "no point here".
    """
    dtype, bits = (np.uint16, 8) if classes <= 256 else (np.uint32, 16)
    least, most = {None: (1, 1 << bits), 0: (1, 1 << bits - 1), 1: (1 << bits - 1, 1 << bits)}[half]
    priority = np.random.default_rng(0).integers(least, most, len(labels), dtype=dtype)
    return np.asarray(priority << dtype(bits) | labels.astype(dtype))
