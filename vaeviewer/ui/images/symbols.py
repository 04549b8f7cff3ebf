"""The symbols x and x̂ beside images and their reconstructions."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QPointF, QRectF
from PySide6.QtGui import QColor, QFontMetricsF, QPainter, QPaintEvent
from PySide6.QtWidgets import QWidget

from vaeviewer.ui.widgets.theme import theme_of


class Symbol(QWidget):
    """The caption x, or x̂."""

    def __init__(self, hat: bool) -> None:
        super().__init__()
        self._hat = hat
        self._make_room()

    def changeEvent(self, event: QEvent) -> None:
        """Take another size of text."""
        super().changeEvent(event)
        if event.type() == QEvent.Type.FontChange:
            self._make_room()

    def _make_room(self) -> None:
        self.setFixedHeight(self.fontMetrics().height() + 6)  # room for the hat

    def paintEvent(self, event: QPaintEvent) -> None:
        """Write the symbol in the scheme's muted ink."""
        painter = QPainter(self)
        painter.setPen(QColor(theme_of(self.palette()).muted))
        draw_symbol(painter, QRectF(self.rect()), self._hat)


def draw_symbol(painter: QPainter, box: QRectF, hat: bool) -> None:
    """Write x or x̂ in the middle of ``box``. The hat is drawn: fonts put U+0302 beside the x or far above."""
    metrics = QFontMetricsF(painter.font())
    width, x_height = metrics.horizontalAdvance("x"), metrics.xHeight()
    middle, baseline = box.center().x(), box.center().y() + x_height / 2
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.drawText(QPointF(middle - width / 2, baseline), "x")
    if hat:
        low, high, half = baseline - 1.3 * x_height, baseline - 1.7 * x_height, 0.3 * width
        painter.drawPolyline(
            [QPointF(middle - half, low), QPointF(middle, high), QPointF(middle + half, low)]
        )
