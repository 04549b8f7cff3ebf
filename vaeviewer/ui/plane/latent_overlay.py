"""What the latent plane says over all else: the step that is shown, a hint, where the handle is when out of view."""

from __future__ import annotations

import math

import numpy as np
from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QFont, QFontMetricsF, QPainter, QPen, QPolygonF
from PySide6.QtWidgets import QGraphicsItem, QStyleOptionGraphicsItem, QWidget

from vaeviewer.ui.plane.latent_geometry import PlaneMap
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


class HintItem(QGraphicsItem):
    """A quiet line: what to do, or what is being waited for. It covers all other lines, and the ViewBox."""

    def __init__(self, parent: QGraphicsItem) -> None:
        super().__init__(parent)
        self.setZValue(14)
        self.setVisible(False)
        self._theme: Theme = LIGHT
        self._rect = QRectF()
        self._plane: PlaneMap | None = None
        self.text = ""
        self.at: tuple[float, float] | None = None

    def set_rect(self, rect: QRectF) -> None:
        """Take the ViewBox's new size."""
        self.prepareGeometryChange()
        self._rect = QRectF(rect)

    def set_theme(self, theme: Theme) -> None:
        """Take the colours of a scheme."""
        self._theme = theme
        self.update()

    def show_hint(self, plane: PlaneMap | None, text: str, at: tuple[float, float] | None) -> None:
        """Write this at a place in the plane, or for ``None`` low in the middle of the view; nothing if it is empty."""
        if (plane, text, at) != (self._plane, self.text, self.at):
            self._plane, self.text, self.at = plane, text, at
            self.setVisible(bool(text))
            self.update()

    def boundingRect(self) -> QRectF:
        """The ViewBox."""
        return self._rect

    def paint(
        self, painter: QPainter, option: QStyleOptionGraphicsItem, widget: QWidget | None = None
    ) -> None:
        """The line on a ground of its own."""
        if self._plane is None:
            return
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        font = painter.font()
        flags = Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap
        room = QRectF(0.0, 0.0, max(60.0, self._rect.width() - 48.0), self._rect.height())
        size = QFontMetricsF(font).boundingRect(room, flags, self.text).size()
        width, height = size.width() + 24, size.height() + 12
        if self.at is None:
            x, y = (
                self._rect.center().x() - width / 2,
                self._rect.top() + 0.86 * self._rect.height() - height / 2,
            )
        else:
            at_x, at_y = self._plane.to_pixels(*self.at)
            x, y = at_x + 18, at_y - height / 2
            if x + width > self._rect.right() - 4:
                x = at_x - 18 - width
            y = min(max(y, 4.0), self._rect.bottom() - height - 4)
        box = QRectF(x, y, width, height)
        background = QColor(self._theme.window)
        background.setAlphaF(0.92)
        painter.setPen(QPen(QColor(self._theme.border), 1.0))
        painter.setBrush(background)
        radius = min(height / 2, 14.0)
        painter.drawRoundedRect(box, radius, radius)
        painter.setPen(QColor(self._theme.ink))
        painter.drawText(box.adjusted(8.0, 0.0, -8.0, 0.0), int(flags), self.text)


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
