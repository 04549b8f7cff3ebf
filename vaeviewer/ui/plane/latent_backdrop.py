"""What fills the plane behind the points: a mosaic of decoded images or a map, where they are computed and shown."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QRectF
from PySide6.QtGui import QImage

from vaeviewer.ui.plane import heat_map
from vaeviewer.ui.plane.heat_map import HeatMap, HeatScale
from vaeviewer.ui.plane.latent_canvas import LatentCanvas
from vaeviewer.ui.plane.latent_geometry import PRIOR_BOX, PlaneMap, grid_centres
from vaeviewer.ui.plane.latent_items import UNDERLAY_OPACITY, PointsItem
from vaeviewer.ui.widgets.pictures import to_qimage
from vaeviewer.ui.widgets.theme import LIGHT, Theme

UNDERLAY_CELL = 40.0
"""Least size of a decoded image of the underlay, logical pixels."""
UNDERLAY_CELLS = 1600
"""Most images in the underlay."""


IMAGES = "images"
"""What ``ViewState.behind`` is for the mosaic; of maps it is their own key."""

Rect = tuple[float, float, float, float]
"""``(x0, y0, width, height)`` in units of z, ``(x0, y0)`` being the corner of lowest values."""


class Backdrop:
    """Keeps the mosaic and the maps, and lays the one that is wanted under the points, wherever the range is.

    Args:
        canvas: Has the visible range.
        points: Paints it before the points.

    Attributes:
        image: What is wanted, in the colours of the scheme, or ``None`` as long as that is not known.
    """

    def __init__(self, canvas: LatentCanvas, points: PointsItem) -> None:
        self._canvas = canvas
        self._points = points
        self._levels: NDArray[np.uint8] | None = None
        self._levels_rect: Rect = (0.0, 0.0, 0.0, 0.0)
        self._maps: dict[str, HeatMap] = {}
        self._theme: Theme = LIGHT
        self._shown = ""
        self.scale = HeatScale(canvas.box)
        self.image: QImage | None = None

    def set_images(self, levels: NDArray[np.uint8] | None, rect: Rect = (0.0, 0.0, 0.0, 0.0)) -> None:
        """Give the mosaic that is shown while ``ViewState.behind`` is :data:`IMAGES`.

        Args:
            levels: Grey levels, uint8, ``(height, width)``, or RGB, row 0 at the top, highest z2; or ``None``.
                The light scheme shows their negative, dark on light, as the points would drown in black.
            rect: Where they lie.
        """
        self._levels = levels
        x0, y0, width, height = map(float, rect)  # NumPy's numbers will do
        self._levels_rect = (x0, y0, width, height)
        if self._shown == IMAGES:
            self._draw()

    def set_map(self, key: str, heat: HeatMap | None) -> None:
        """Give the map that is shown while ``ViewState.behind`` is ``key``; ``None``: it is not known."""
        if heat is None:
            self._maps.pop(key, None)
        else:
            self._maps[key] = heat
        if self._shown == key:
            self._draw()

    def set_theme(self, theme: Theme) -> None:
        """Take the colours of a scheme."""
        self._theme = theme
        self.scale.set_theme(theme)
        self._draw()

    def show(self, behind: str) -> None:
        """Show the mosaic, one of the maps or nothing."""
        if behind != self._shown:
            self._shown = behind
            self._draw()

    def place(self) -> None:
        """Lay it where it belongs in the range that is visible now."""
        plane = self._canvas.plane()
        self.scale.set_corner(self._canvas.box.rect().bottomLeft())
        if self.image is None or plane is None:
            self._points.set_underlay(None, QRectF())
            return
        heat = self._maps.get(self._shown)
        x0, y0, width, height = self._levels_rect if heat is None else heat.rect
        left, top = plane.to_pixels(x0, y0 + height)
        place = QRectF(left, top, width * plane.x_scale, height * plane.y_scale)
        self._points.set_underlay(self.image, place, UNDERLAY_OPACITY if heat is None else 1.0)

    def grid(
        self, cell: float = UNDERLAY_CELL, most: int = UNDERLAY_CELLS
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Where to compute it for the visible range: ``(xs, ys)``, centres of equal square cells.

        Both ascend and have at least two. ``analysis.manifold.grid_points`` makes the points,
        ``latent_geometry.mosaic_rect`` the rectangle.

        Args:
            cell: Least size of a cell, logical pixels.
            most: Most cells.
        """
        plane = self._canvas.plane()
        if plane is None:
            plane = PlaneMap((PRIOR_BOX.x0, PRIOR_BOX.x1), (PRIOR_BOX.y0, PRIOR_BOX.y1), 240.0, 240.0)
        side = cell / plane.x_scale
        while True:
            xs, ys = grid_centres(*plane.x_range, side), grid_centres(*plane.y_range, side)
            if len(xs) * len(ys) <= most:
                return xs, ys
            side *= 1.1

    def _draw(self) -> None:
        heat = self._maps.get(self._shown)
        self.image = None
        if heat is not None:
            self.image = heat_map.picture(heat, self._theme.dark)
        elif self._shown == IMAGES and self._levels is not None:
            self.image = to_qimage(self._levels)
            if not self._theme.dark:
                self.image.invertPixels()
        self.scale.show_scale(heat)
        self.place()
