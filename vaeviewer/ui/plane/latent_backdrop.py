"""The mosaic of decoded images behind the points: where to decode, and where and in which shades it is shown."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QRectF
from PySide6.QtGui import QImage

from vaeviewer.ui.plane.latent_canvas import LatentCanvas
from vaeviewer.ui.plane.latent_geometry import PRIOR_BOX, PlaneMap, grid_centres
from vaeviewer.ui.plane.latent_items import PointsItem
from vaeviewer.ui.widgets.pictures import to_qimage

UNDERLAY_CELL = 40.0
"""Least size of a decoded image of the underlay, logical pixels."""
UNDERLAY_CELLS = 1600
"""Most images in the underlay."""


class Backdrop:
    """Keeps the mosaic and lays it under the points, wherever the visible range is.

    Args:
        canvas: Has the visible range.
        points: Paints the mosaic before the points.

    Attributes:
        image: The mosaic in the shades of the scheme, or ``None``.
    """

    def __init__(self, canvas: LatentCanvas, points: PointsItem) -> None:
        self._canvas = canvas
        self._points = points
        self._levels: NDArray[np.uint8] | None = None
        self._rect = (0.0, 0.0, 0.0, 0.0)
        self._dark = True
        self._shown = False
        self.image: QImage | None = None

    def set_images(self, levels: NDArray[np.uint8] | None, rect: tuple[float, float, float, float]) -> None:
        """Take another mosaic, or none; as :meth:`LatentView.set_underlay`."""
        self._levels = levels
        x0, y0, width, height = map(float, rect)  # NumPy's numbers will do
        self._rect = (x0, y0, width, height)
        self._draw()

    def set_dark(self, dark: bool) -> None:
        """Take the shades of a scheme: the light one shows the negative."""
        self._dark = dark
        self._draw()

    def show(self, shown: bool) -> None:
        """Show the mosaic, or hide it."""
        self._shown = shown
        self.place()

    def place(self) -> None:
        """Lay the mosaic where it belongs in the range that is visible now."""
        plane = self._canvas.plane()
        if not self._shown or self.image is None or plane is None:
            self._points.set_underlay(None, QRectF())
            return
        x0, y0, width, height = self._rect
        left, top = plane.to_pixels(x0, y0 + height)
        self._points.set_underlay(
            self.image, QRectF(left, top, width * plane.x_scale, height * plane.y_scale)
        )

    def grid(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Where to decode for the visible range; as :meth:`LatentView.underlay_grid`."""
        plane = self._canvas.plane()
        if plane is None:
            plane = PlaneMap((PRIOR_BOX.x0, PRIOR_BOX.x1), (PRIOR_BOX.y0, PRIOR_BOX.y1), 240.0, 240.0)
        cell = UNDERLAY_CELL / plane.x_scale
        while True:
            xs, ys = grid_centres(*plane.x_range, cell), grid_centres(*plane.y_range, cell)
            if len(xs) * len(ys) <= UNDERLAY_CELLS:
                return xs, ys
            cell *= 1.1

    def _draw(self) -> None:
        self.image = None if self._levels is None else to_qimage(self._levels)
        if self.image is not None and not self._dark:
            self.image.invertPixels()
        self.place()
