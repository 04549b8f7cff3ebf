"""A sheet to draw on with the mouse or a pen."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QImage, QMouseEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QSizePolicy, QWidget

from vaeviewer.ui.widgets.pictures import to_qimage
from vaeviewer.ui.widgets.theme import theme_of

SIDE = 280
"""Pixels of the sheet's longer side, about: each pixel of the image is a square of several."""

PEN = 2.6
"""Width of a stroke in pixels of the image …"""

ERASER = 3.6
"""… and of what the eraser takes."""


class Canvas(QWidget):
    """Holds an image and changes it where the mouse is dragged.

    Signals:
        changed(): There is another image.
    """

    changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("canvas")
        self.setAccessibleName("Sheet to draw on")
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setCursor(Qt.CursorShape.CrossCursor)
        self.erases = False
        self._dark_ink = False
        self._factor = 10
        self._last: QPointF | None = None
        self._sheet = QImage()
        self.begin(28, 28, dark_ink=False)

    def begin(self, height: int, width: int, *, dark_ink: bool) -> None:
        """An empty sheet for images of so many pixels."""
        self._factor = max(1, SIDE // max(height, width))
        self._dark_ink = dark_ink
        self._last = None
        self._sheet = QImage(width * self._factor, height * self._factor, QImage.Format.Format_RGB888)
        self._sheet.fill(self._ground)
        self.update()

    def show_image(self, image: NDArray[np.uint8]) -> None:
        """Take an image ``(height, width)`` or ``(height, width, 3)`` onto the sheet, whose size it has."""
        large = image.repeat(self._factor, axis=0).repeat(self._factor, axis=1)
        self._sheet = to_qimage(large).convertToFormat(QImage.Format.Format_RGB888)
        self._last = None
        self.update()

    def ink(self) -> NDArray[np.uint8]:
        """How much ink lies where on the sheet, 0 none … 255, as fine as the sheet is."""
        grey = self._pixels()[..., 0]  # the pen is black or white
        return 255 - grey if self._dark_ink else grey.copy()

    def image(self) -> NDArray[np.uint8]:
        """The sheet as an image in colour, ``(height, width, 3)``."""
        fine, factor = self._pixels(), self._factor
        height, width = fine.shape[0] // factor, fine.shape[1] // factor
        blocks = fine.reshape(height, factor, width, factor, 3)
        pixels: NDArray[np.uint8] = np.rint(blocks.mean((1, 3))).astype(np.uint8)
        return pixels

    def stroke(self, path: list[QPointF]) -> None:
        """Draw, or erase, along points given as shares of the sheet's sides, 0 … 1."""
        painter = QPainter(self._sheet)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        color = self._ground if self.erases else QColor("black" if self._dark_ink else "white")
        width = (ERASER if self.erases else PEN) * self._factor * max(1.0, self._least_side() / 28)
        painter.setPen(
            QPen(color, width, Qt.PenStyle.SolidLine, Qt.PenCapStyle.RoundCap, Qt.PenJoinStyle.RoundJoin)
        )
        points = [QPointF(p.x() * self._sheet.width(), p.y() * self._sheet.height()) for p in path]
        if len(points) == 1:
            painter.drawPoint(points[0])
        for start, end in pairwise(points):
            painter.drawLine(start, end)
        painter.end()
        self.update()
        self.changed.emit()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """A stroke begins."""
        if event.button() == Qt.MouseButton.LeftButton:
            self._last = self._share_of(event.position())
            self.stroke([self._last])

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """It goes on."""
        if self._last is not None:
            before, self._last = self._last, self._share_of(event.position())
            self.stroke([before, self._last])

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        """It ends."""
        if event.button() == Qt.MouseButton.LeftButton:
            self._last = None

    def sizeHint(self) -> QSize:
        """As large as a sheet."""
        return QSize(SIDE, SIDE)

    def minimumSizeHint(self) -> QSize:
        """Room to draw a digit."""
        return QSize(120, 120)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint the sheet, as large as fits."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        place = self._place()
        painter.fillRect(place.adjusted(-1, -1, 1, 1), QColor(theme_of(self.palette()).border))
        painter.drawImage(place, self._sheet)

    @property
    def _ground(self) -> QColor:
        return QColor("white" if self._dark_ink else "black")

    def _least_side(self) -> float:
        return min(self._sheet.width(), self._sheet.height()) / self._factor

    def _pixels(self) -> NDArray[np.uint8]:
        sheet = self._sheet
        rows = np.frombuffer(sheet.constBits(), np.uint8).reshape(sheet.height(), sheet.bytesPerLine())
        return rows[:, : 3 * sheet.width()].reshape(sheet.height(), sheet.width(), 3)

    def _place(self) -> QRectF:
        room = QRectF(self.rect()).adjusted(1, 1, -1, -1)
        size = self._sheet.size().toSizeF().scaled(room.size(), Qt.AspectRatioMode.KeepAspectRatio)
        place = QRectF(QPointF(), size)
        place.moveCenter(room.center())
        return place

    def _share_of(self, at: QPointF) -> QPointF:
        place = self._place()
        return QPointF((at.x() - place.x()) / place.width(), (at.y() - place.y()) / place.height())
