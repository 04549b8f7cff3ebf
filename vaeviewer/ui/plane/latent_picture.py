"""The points of the plane as an image of the visible range."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PySide6.QtGui import QImage

from vaeviewer.ui.plane.latent_canvas import LatentCanvas
from vaeviewer.ui.plane.latent_points import PlanePoints
from vaeviewer.ui.plane.raster.point_raster import PointRaster


class PointsPicture:
    """Rasterises the points for :class:`PointsItem`.

    Args:
        canvas: Has the visible range.
        points: What to draw.

    Attributes:
        raster: Knows the classes and their colours.
        mark_scale: How many times as large as usual points are drawn.
    """

    def __init__(self, canvas: LatentCanvas, points: PlanePoints) -> None:
        self._canvas = canvas
        self._points = points
        self._pixels: NDArray[np.uint32] | None = None
        self.raster = PointRaster()
        self.mark_scale = 1.0

    def draw(self, width: int, height: int, ratio: float) -> QImage | None:
        """An image of ``width`` by ``height`` device pixels, ``ratio`` per logical one; valid until the next."""
        plane = self._canvas.plane()
        if self._points.positions is None or plane is None:
            return None
        # The image has whole pixels: where the plane ends within one, the image reaches further.
        x_range = (plane.x_range[0], plane.x_range[0] + width / ratio / plane.x_scale)
        y_range = (plane.y_range[1] - height / ratio / plane.y_scale, plane.y_range[1])
        # The image borrows this memory, which is therefore kept; it is drawn anew before it is painted again.
        positions = self._points.positions
        scale, late = ratio * self.mark_scale, self._points.late
        self._pixels = self.raster.render(positions, x_range, y_range, (width, height), scale, late)
        image = QImage(self._pixels.data, width, height, 4 * width, QImage.Format.Format_ARGB32_Premultiplied)
        image.setDevicePixelRatio(ratio)
        return image
