"""What the latent plane says at its edges: the step that is shown."""

from __future__ import annotations

import numpy as np
from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QFont, QFontMetricsF, QPainter
from PySide6.QtWidgets import QGraphicsItem, QStyleOptionGraphicsItem, QWidget

from vaeviewer.ui.theme import LIGHT, Theme


class StepItem(QGraphicsItem):
    """The step whose points are shown, at the upper right. It changes with the points, but not with the marks."""

    def __init__(self, parent: QGraphicsItem) -> None:
        super().__init__(parent)
        self.setZValue(15)
        self._theme: Theme = LIGHT
        self._font = QFont()
        self._font.setPixelSize(12)
        self._font.setFeature(QFont.Tag("tnum"), 1)
        self._metrics = QFontMetricsF(self._font)
        self.text = ""

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
            self.update()

    def boundingRect(self) -> QRectF:
        """The text, which ends at the item's position, and what keeps it legible around it."""
        width = np.ceil(self._metrics.horizontalAdvance(self.text))
        return QRectF(-width - 8, -1, width + 12, np.ceil(self._metrics.height()) + 2)

    def paint(
        self, painter: QPainter, option: QStyleOptionGraphicsItem, widget: QWidget | None = None
    ) -> None:
        """The text on a ground that lets points shine through."""
        if not self.text:
            return
        ground = QColor(self._theme.canvas)
        ground.setAlphaF(0.8)
        area = self.boundingRect()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(ground)
        painter.drawRoundedRect(area, 4, 4)
        painter.setFont(self._font)
        painter.setPen(QColor(self._theme.muted))
        painter.drawText(area, int(Qt.AlignmentFlag.AlignCenter), self.text)
