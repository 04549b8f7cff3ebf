"""The little card that shows the image under the mouse."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QPoint, QRectF, Qt
from PySide6.QtGui import QColor, QPainter, QPaintEvent, QPen, QPixmap
from PySide6.QtWidgets import QLabel, QVBoxLayout, QWidget

from vaeviewer.ui.widgets.pictures import to_qimage
from vaeviewer.ui.widgets.theme import theme_of

_IMAGE_SIDE = 84  # logical pixels
_DISTANCE = 16  # logical pixels from the mouse


class HoverCard(QWidget):
    """An image, enlarged without smoothing, over a line of text. The mouse goes through it."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setObjectName("latentHoverCard")
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self._row: int | None = None
        self._image = QLabel()
        self._text = QLabel()
        self._text.setTextFormat(Qt.TextFormat.PlainText)  # class names come from folders: never markup
        layout = QVBoxLayout(self)
        layout.setContentsMargins(6, 6, 6, 4)
        layout.setSpacing(3)
        for label in (self._image, self._text):
            label.setAlignment(Qt.AlignmentFlag.AlignCenter)
            layout.addWidget(label)
        self.hide()

    def show_image(self, row: int, levels: NDArray[np.uint8], text: str, mouse: QPoint) -> None:
        """Show an image beside the mouse.

        Args:
            row: Names the image, so that it is drawn once while the mouse moves about it.
            levels: uint8, shape ``(height, width)``, or ``(height, width, 3)`` in colour.
            text: A short line.
            mouse: Position in the parent widget.
        """
        if row != self._row:
            self._row = row
            ratio = self.devicePixelRatioF()
            side = round(_IMAGE_SIDE * ratio)
            pixmap = QPixmap.fromImage(to_qimage(levels)).scaled(
                side, side, Qt.AspectRatioMode.KeepAspectRatio, Qt.TransformationMode.FastTransformation
            )
            pixmap.setDevicePixelRatio(ratio)
            self._image.setPixmap(pixmap)
            self._text.setText(text)
            self.adjustSize()
        plane = self.parentWidget()
        assert plane is not None, "the card lies on the plane"
        room = plane.rect()
        x, y = mouse.x() + _DISTANCE, mouse.y() + _DISTANCE
        if x + self.width() > room.width():
            x = mouse.x() - _DISTANCE - self.width()
        if y + self.height() > room.height():
            y = mouse.y() - _DISTANCE - self.height()
        self.move(max(0, x), max(0, y))
        self.raise_()
        self.show()

    def paintEvent(self, event: QPaintEvent) -> None:
        """A sheet with a thin border, in the colours of the scheme."""
        theme = theme_of(self.palette())
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QPen(QColor(theme.muted), 1.0))
        painter.setBrush(QColor(theme.window))
        painter.drawRoundedRect(QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5), 4, 4)

    def put_away(self) -> None:
        """Hide, and forget the image."""
        self._row = None
        self.hide()
