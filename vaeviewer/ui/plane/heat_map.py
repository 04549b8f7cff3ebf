"""Numbers all over the plane, as shades behind its points, and the scale that says what they stand for."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QFont, QFontMetricsF, QImage, QPainter, QPen
from PySide6.QtWidgets import QGraphicsItem, QStyleOptionGraphicsItem, QWidget

from vaeviewer.ui.curves.plotting import pg
from vaeviewer.ui.widgets.theme import LIGHT, Theme
from vaeviewer.ui.window.text_size import text_scale

CELL = 12.0
"""Least size of a cell of a map, logical pixels: between the cells' centres shades are interpolated."""
CELLS = 4096
"""Most cells of a map."""

_FINER = 6  # times as many pixels along each side, interpolated once, so that each repaint copies only
_BAR = 96.0, 8.0  # the scale's, logical pixels


@dataclass(frozen=True, eq=False)
class HeatMap:
    """Shades for a part of the plane, and what they mean.

    Attributes:
        shades: Float32 in 0 … 1, ``(rows, columns)`` of cells, row 0 at the top, where z2 is highest; nothing is
            painted where one is NaN.
        rect: ``(x0, y0, width, height)`` of the cells in units of z, ``(x0, y0)`` being the corner of lowest values.
        title: What the numbers are.
        ends: What shades 0 and 1 stand for, as text.
    """

    shades: NDArray[np.float32]
    rect: tuple[float, float, float, float]
    title: str
    ends: tuple[str, str]


@cache
def colors(dark: bool) -> NDArray[np.uint8]:
    """RGBA of the shades 0 … 1, uint8 ``(256, 4)``: from the ground, which shines through, to what stands out from it.

    Inferno (van der Walt & Smith 2015), which is perceptually even and shares no colours with the classes' cool ones.
    """
    share = np.linspace(0.0, 1.0, 256)
    ends = (0.1, 0.95) if dark else (0.98, 0.2)
    rgb = pg.colormap.get("inferno").map(ends[0] + (ends[1] - ends[0]) * share, mode=pg.ColorMap.BYTE)[:, :3]
    return np.concatenate([rgb, (255 * 0.8 * share)[:, None]], axis=1).astype(np.uint8)


def picture(heat: HeatMap, dark: bool) -> QImage:
    """A map's colours, finer than its cells."""
    rows, columns = heat.shades.shape
    steps = np.clip(np.nan_to_num(255 * heat.shades), 0, 255).astype(np.uint8)
    rgba = colors(dark)[steps]
    rgba[~np.isfinite(heat.shades), 3] = 0
    image = QImage(rgba.data, columns, rows, 4 * columns, QImage.Format.Format_RGBA8888)
    fine = image.scaled(
        columns * _FINER,
        rows * _FINER,
        Qt.AspectRatioMode.IgnoreAspectRatio,
        Qt.TransformationMode.SmoothTransformation,
    )
    return fine.convertToFormat(QImage.Format.Format_ARGB32_Premultiplied)  # which is drawn fastest


class HeatScale(QGraphicsItem):
    """In the lower left corner of the plane: what the shades of its map stand for."""

    def __init__(self, parent: QGraphicsItem) -> None:
        super().__init__(parent)
        self.setZValue(12)
        self._theme: Theme = LIGHT
        self._ends = ("", "")
        self.title = ""
        self.apply_fonts()
        self.setVisible(False)

    def apply_fonts(self) -> None:
        """Write in the size of the text around the plane."""
        self._font = QFont()
        self._font.setPixelSize(round(11 * text_scale()))
        self._metrics = QFontMetricsF(self._font)
        self._measure()

    def set_theme(self, theme: Theme) -> None:
        """Take the colours of a scheme."""
        self._theme = theme
        self.update()

    def show_scale(self, heat: HeatMap | None) -> None:
        """Say what a map shows, or vanish."""
        self.setVisible(heat is not None)
        if heat is not None and (heat.title, heat.ends) != (self.title, self._ends):
            self.title, self._ends = heat.title, heat.ends
            self._measure()

    def set_corner(self, corner: QPointF) -> None:
        """Stand at this lower left corner, logical pixels of the ViewBox."""
        self.setPos(corner + QPointF(8, -8))

    def _measure(self) -> None:
        self.prepareGeometryChange()
        width, height = self._metrics.horizontalAdvance, self._metrics.height()
        row = width(self._ends[0]) + _BAR[0] + width(self._ends[1]) + 12
        self._size = max(row, width(self.title)) + 12, 2 * height + 8

    def boundingRect(self) -> QRectF:
        """The text and the bar, over the item's position."""
        return QRectF(0, -self._size[1], *self._size)

    def paint(
        self, painter: QPainter, option: QStyleOptionGraphicsItem, widget: QWidget | None = None
    ) -> None:
        """The title over the bar, on a ground that lets points shine through."""
        ground, area = QColor(self._theme.canvas), self.boundingRect()
        ground.setAlphaF(0.85)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(ground)
        painter.drawRoundedRect(area, 4, 4)
        painter.setFont(self._font)
        painter.setPen(QColor(self._theme.ink))
        line = self._metrics.height()
        painter.drawText(QPointF(6, area.top() + 2 + self._metrics.ascent()), self.title)
        base = area.top() + 5 + line + self._metrics.ascent()
        painter.setPen(QColor(self._theme.muted))
        painter.drawText(QPointF(6, base), self._ends[0])
        left = 12 + self._metrics.horizontalAdvance(self._ends[0])
        painter.drawText(QPointF(left + _BAR[0] + 6, base), self._ends[1])
        bar = QRectF(left, area.top() + 5 + 1.5 * line - _BAR[1] / 2, *_BAR)
        image = QImage(colors(self._theme.dark).data, 256, 1, 1024, QImage.Format.Format_RGBA8888)
        painter.drawImage(bar, image)
        painter.setPen(QPen(QColor(self._theme.border), 1.0))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.drawRect(bar)
