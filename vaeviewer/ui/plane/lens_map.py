"""The posterior at its own scale: narrow ones are a dot in the latent plane."""

from __future__ import annotations

from itertools import pairwise

from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QSizePolicy, QWidget

from vaeviewer.ui.curves.value_axis import number_label, round_ticks
from vaeviewer.ui.plane.latent_geometry import PlaneMap
from vaeviewer.ui.plane.lens_picture import Scene, Shades, paint_lines
from vaeviewer.ui.widgets.theme import theme_of

_TICKS_APART = 52  # logical pixels, about
_WORTH_SAYING = 0.005  # of the posterior's mass


class LensMap(QWidget):
    """A map of p(z|x) with axes, and all that is drawn on it."""

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("lensMap")
        self.setAccessibleName("Map of the posterior")
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setAutoFillBackground(True)  # else all that lies behind is painted anew each time
        self._scene: Scene | None = None
        self.shades = Shades()
        self._hint = ""

    def show_scene(self, scene: Scene | None, hint: str = "") -> None:
        """Draw this, or a hint where there is nothing to draw."""
        self._scene, self._hint = scene, hint
        self.update()

    def sizeHint(self) -> QSize:
        """A square, about as large as a manifold."""
        return QSize(320, 320)

    def minimumSizeHint(self) -> QSize:
        """Room for ellipses that one can tell apart."""
        return QSize(200, 150)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Map, lines, axes; or the hint."""
        theme = theme_of(self.palette())
        painter = QPainter(self)
        scene = self._scene
        if scene is None:
            painter.setPen(QColor(theme.muted))
            flags = Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap
            painter.drawText(self.rect().adjusted(12, 4, -12, -4), int(flags), self._hint)
            return
        area, plane = self._place(scene)
        painter.fillRect(area, QColor(theme.canvas))
        painter.save()
        painter.setClipRect(area)
        painter.translate(area.topLeft())
        self.shades.paint(painter, plane, scene.lens, theme)
        paint_lines(painter, plane, scene, theme)
        painter.restore()
        painter.setPen(QPen(QColor(theme.border), 1.0))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.drawRect(area)
        painter.setPen(QColor(theme.muted))
        self._paint_axes(painter, area, plane)
        if scene.lens.elsewhere > _WORTH_SAYING:
            share = f"{100 * scene.lens.elsewhere:.0f} %"
            text = f"{share} of p(z|x) lies beyond this map"
            if self.fontMetrics().horizontalAdvance(text) > area.width() - 8:
                text = f"{share} lies beyond"
            corner = int(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignTop)
            painter.drawText(area.adjusted(4, 2, -4, -2), corner, text)

    def _place(self, scene: Scene) -> tuple[QRectF, PlaneMap]:
        """Where the map lies in the widget: all of it, beside its axes, of one scale in both directions."""
        metrics = self.fontMetrics()
        left, below = metrics.horizontalAdvance("−0.0000") + 8, metrics.height() + 6
        area = QRectF(left, 4, max(20, self.width() - left - 6), max(20, self.height() - below - 4))
        x0, y0, width, height = scene.lens.rect
        scale = min(area.width() / width, area.height() / height)
        across, up = area.width() / scale, area.height() / scale
        x_mid, y_mid = x0 + width / 2, y0 + height / 2
        x_range, y_range = (x_mid - across / 2, x_mid + across / 2), (y_mid - up / 2, y_mid + up / 2)
        return area, PlaneMap(x_range, y_range, area.width(), area.height())

    def _paint_axes(self, painter: QPainter, area: QRectF, plane: PlaneMap) -> None:
        line = self.fontMetrics().height()
        centred = int(Qt.AlignmentFlag.AlignCenter)
        at_right = int(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        for value, text in _ticks(plane.x_range, plane.width):
            x = area.left() + plane.to_pixels(value, 0.0)[0]
            painter.drawLine(QPointF(x, area.bottom()), QPointF(x, area.bottom() + 3))
            if x < area.right() - 40:  # there the axis has its name
                painter.drawText(QRectF(x - 60, area.bottom() + 3, 120, line), centred, text)
        for value, text in _ticks(plane.y_range, plane.height):
            y = area.top() + plane.to_pixels(0.0, value)[1]
            painter.drawLine(QPointF(area.left() - 3, y), QPointF(area.left(), y))
            if y > area.top() + 1.3 * line:
                painter.drawText(QRectF(0, y - line / 2, area.left() - 5, line), at_right, text)
        painter.drawText(QRectF(area.right() - 40, area.bottom() + 3, 40, line), at_right, "z₁")
        painter.drawText(QRectF(0, area.top(), area.left() - 5, line), at_right, "z₂")


def _ticks(ends: tuple[float, float], room: float) -> list[tuple[float, str]]:
    """Round numbers along an axis, with as many decimals as tell them apart."""
    found = round_ticks(*ends, max(1, int(room / _TICKS_APART)))
    step = min((b - a for a, b in pairwise(found)), default=1.0)
    decimals = next((k for k in range(8) if abs(step * 10**k - round(step * 10**k)) < 1e-6), 8)
    return [(value, number_label(value, decimals)) for value in found]
