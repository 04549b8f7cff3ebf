"""A second place marked in the plane, and the ways from it to the handle."""

from __future__ import annotations

import numpy as np
from PySide6.QtCore import QObject, QPointF, QRectF, Qt, Signal
from PySide6.QtGui import QColor, QPainter, QPen, QPolygonF
from PySide6.QtWidgets import QGraphicsItem, QStyleOptionGraphicsItem, QWidget

from vaeviewer.analysis.latent_plane import Array
from vaeviewer.session.view_state import ViewState
from vaeviewer.ui.plane.latent_canvas import LatentCanvas
from vaeviewer.ui.widgets.theme import LIGHT, Theme

_RADIUS = 6.0  # of the mark, logical pixels
_REACH = 12.0  # from it within which the mouse takes it, and around all that is painted
_FAR = 20_000.0  # logical pixels beyond which nothing is painted


class _Ways(QGraphicsItem):
    """The mark, the straight line to the handle, and another way, in logical pixels of the ViewBox."""

    def __init__(self, parent: QGraphicsItem) -> None:
        super().__init__(parent)
        self.setZValue(18)
        self.theme: Theme = LIGHT
        self._ends: tuple[QPointF, QPointF] | None = None
        self._way = QPolygonF()

    def show_ways(self, ends: tuple[QPointF, QPointF] | None, way: QPolygonF) -> None:
        """Paint these, from the mark to the handle, or nothing."""
        if ends != self._ends or way != self._way:
            self.prepareGeometryChange()
            self._ends, self._way = ends, way
            self.update()

    def boundingRect(self) -> QRectF:
        """All of it: little is painted anew where the handle is near."""
        if self._ends is None:
            return QRectF()
        around = QRectF(*self._ends).normalized().united(self._way.boundingRect())
        return around.adjusted(-_REACH, -_REACH, _REACH, _REACH)

    def paint(
        self, painter: QPainter, option: QStyleOptionGraphicsItem, widget: QWidget | None = None
    ) -> None:
        """The lines on a rim that stands out from points of any colour; the straight one is dashed."""
        if self._ends is None:
            return
        rim, ink, accent = (QColor(c) for c in (self.theme.canvas, self.theme.ink, self.theme.accent))
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        solid, cap, join = Qt.PenStyle.SolidLine, Qt.PenCapStyle.RoundCap, Qt.PenJoinStyle.RoundJoin
        for pen in (QPen(rim, 4.0), QPen(ink, 1.6, Qt.PenStyle.DashLine)):
            painter.setPen(pen)
            painter.drawLine(*self._ends)
        for pen in (QPen(rim, 6.0, solid, cap, join), QPen(accent, 3.0, solid, cap, join)):
            painter.setPen(pen)
            painter.drawPolyline(self._way)
        painter.setPen(QPen(rim, 1.5))
        painter.setBrush(accent)
        at = self._ends[0]
        side = _RADIUS + 1.5
        corners = ((0, -1), (1, 0), (0, 1), (-1, 0))
        painter.drawPolygon(QPolygonF([QPointF(at.x() + side * x, at.y() + side * y) for x, y in corners]))


class SecondHandle(QObject):
    """Shows the place that ``ViewState.second`` marks, lets the mouse drag it, and draws the ways to the handle.

    Args:
        canvas: The plane's surface, which becomes the parent.

    Signals:
        moved: ``(z1, z2)`` to which the user dragged it.
        removed: It is wanted no more.
    """

    moved = Signal(float, float)
    removed = Signal()

    def __init__(self, canvas: LatentCanvas) -> None:
        super().__init__(canvas)
        self._canvas = canvas
        self._item = _Ways(canvas.box)
        self._second: tuple[float, float] | None = None
        self._z = (0.0, 0.0)
        self._way: Array | None = None
        canvas.grip_dragged.connect(self._drag)

    def follow(self, view: ViewState) -> None:
        """Show it and the straight line where they are now."""
        before = self._second, self._z
        self._second, self._z = view.second, view.z
        if self._second is None:
            self._way = None
        if (self._second, self._z) != before and (self._second or before[0]) is not None:
            self.place()

    def mark(self) -> None:
        """Mark where the handle is; where it is marked already, take the mark away."""
        if self._second == self._z:
            self.removed.emit()
        else:
            self.moved.emit(*self._z)

    def show_way(self, points: Array | None) -> None:
        """Draw another way from it to the handle, a polygon's corners ``(m, 2)``, beside the straight line."""
        self._way = points
        self.place()

    def set_theme(self, theme: Theme) -> None:
        """Take the colours of a scheme."""
        self._item.theme = theme
        self._item.update()

    def place(self) -> None:
        """Lay it where it belongs in the range that is visible now."""
        plane = self._canvas.plane()
        ends, way, self._canvas.grip = None, QPolygonF(), QRectF()
        if plane is not None and self._second is not None and np.isfinite([*self._second, *self._z]).all():
            at, handle = (QPointF(*plane.to_pixels(*z)) for z in (self._second, self._z))
            if max(map(abs, (at.x(), at.y(), handle.x(), handle.y()))) < _FAR:
                ends = at, handle
            if self._way is not None:
                way = QPolygonF([QPointF(*plane.to_pixels(*z)) for z in self._way.tolist()])
            if (at - handle).manhattanLength() > 2 * _REACH:  # nearer, a press is meant for the handle
                self._canvas.grip = QRectF(at.x() - _REACH, at.y() - _REACH, 2 * _REACH, 2 * _REACH)
        self._item.show_ways(ends, way)

    def _drag(self, pixel: QPointF) -> None:
        plane = self._canvas.plane()
        if plane is not None:
            self.moved.emit(*plane.to_plane(pixel.x(), pixel.y()))
