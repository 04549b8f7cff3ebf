"""What the latent plane says at its edges: the step that is shown, and where the handle is when it is out of view."""

from __future__ import annotations

import math

import numpy as np
from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QFont, QFontMetricsF, QPainter, QPen, QPolygonF
from PySide6.QtWidgets import QGraphicsItem, QStyleOptionGraphicsItem, QWidget

from vaeviewer.ui.widgets.theme import LIGHT, Theme
from vaeviewer.ui.window.text_size import text_scale


class StepItem(QGraphicsItem):
    """The step whose points are shown, at the upper right. It changes with the points, but not with the marks."""

    def __init__(self, parent: QGraphicsItem) -> None:
        super().__init__(parent)
        self.setZValue(15)
        self._theme: Theme = LIGHT
        self.text = ""
        self.apply_fonts()

    def apply_fonts(self) -> None:
        """Write in the size of the text around the plane."""
        self.prepareGeometryChange()
        self._font = QFont()
        self._font.setPixelSize(round(12 * text_scale()))
        self._font.setFeature(QFont.Tag("tnum"), 1)
        self._metrics = QFontMetricsF(self._font)
        self._measure()

    def set_theme(self, theme: Theme) -> None:
        """Take the colours of a scheme."""
        self._theme = theme
        self.update()

    def set_corner(self, corner: QPointF) -> None:
        """Stand at this upper right corner, logical pixels of the ViewBox."""
        self.setPos(corner + QPointF(-8, 5))

    def show_step(self, step: int | None, some_late: bool) -> None:
        """Say of which step the points are, and what it means that some are fainter."""
        text = "" if step is None else f"step {step:,}"
        if text and some_late:
            text += " (faint points: from earlier steps)"
        if text != self.text:
            self.prepareGeometryChange()
            self.text = text
            self._measure()
            self.update()

    def _measure(self) -> None:
        # Once per text: Qt asks for the rectangle five times per painting.
        width = np.ceil(self._metrics.horizontalAdvance(self.text))
        self._area = QRectF(-width - 8, -1, width + 12, np.ceil(self._metrics.height()) + 2)

    def boundingRect(self) -> QRectF:
        """The text, which ends at the item's position, and what keeps it legible around it."""
        return self._area

    def paint(
        self, painter: QPainter, option: QStyleOptionGraphicsItem, widget: QWidget | None = None
    ) -> None:
        """The text on a ground that lets points shine through."""
        if not self.text:
            return
        ground = QColor(self._theme.canvas)
        ground.setAlphaF(0.8)
        area = self._area
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(ground)
        painter.drawRoundedRect(area, 4, 4)
        painter.setFont(self._font)
        painter.setPen(QColor(self._theme.muted))
        painter.drawText(area, int(Qt.AlignmentFlag.AlignCenter), self.text)


class HandlePointer(QGraphicsItem):
    """An arrow at the plane's edge that points to the handle while that is out of view."""

    _REACH = 13.0  # logical pixels from the arrow's middle to its tip
    _ROOM = 18.0  # logical pixels from its middle to the edge

    def __init__(self, parent: QGraphicsItem) -> None:
        super().__init__(parent)
        self.setZValue(25)
        self._theme: Theme = LIGHT
        self.setVisible(False)

    def set_theme(self, theme: Theme) -> None:
        """Take the colours of a scheme."""
        self._theme = theme
        self.update()

    def point_to(self, handle: QPointF, view: QRectF) -> QRectF:
        """Point to a place, or vanish where that is in view; returns the area that takes the mouse, perhaps empty."""
        room = view.adjusted(self._ROOM, self._ROOM, -self._ROOM, -self._ROOM)
        away = handle - view.center()
        if view.contains(handle) or not room.isValid() or not math.isfinite(away.x() + away.y()):
            self.setVisible(False)
            return QRectF()
        share = min(
            0.5 * size / abs(way) if way else math.inf
            for size, way in ((room.width(), away.x()), (room.height(), away.y()))
        )
        self.setPos(view.center() + away * share)
        self.setRotation(math.degrees(math.atan2(away.y(), away.x())))
        self.setVisible(True)
        return QRectF(
            self.pos().x() - self._ROOM, self.pos().y() - self._ROOM, 2 * self._ROOM, 2 * self._ROOM
        )

    def boundingRect(self) -> QRectF:
        """Room for the arrow and its outline."""
        return QRectF(-self._REACH - 2, -self._REACH - 2, 2 * self._REACH + 4, 2 * self._REACH + 4)

    def paint(
        self, painter: QPainter, option: QStyleOptionGraphicsItem, widget: QWidget | None = None
    ) -> None:
        """An arrow in the colour of the handle, outlined so that it stands out from points of any colour."""
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QPen(QColor(self._theme.canvas), 2.0))
        painter.setBrush(QColor(self._theme.accent))
        reach = self._REACH
        shape = [
            (reach, 0.0),
            (-0.75 * reach, -0.8 * reach),
            (-0.35 * reach, 0.0),
            (-0.75 * reach, 0.8 * reach),
        ]
        painter.drawPolygon(QPolygonF([QPointF(x, y) for x, y in shape]))
