"""Images beside each other, each with a line below it, as many as there is room for; one can be chosen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QEvent, QRectF, QSize, Qt, Signal
from PySide6.QtGui import (
    QColor,
    QFocusEvent,
    QHelpEvent,
    QImage,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
)
from PySide6.QtWidgets import QSizePolicy, QToolTip, QWidget

from vaeviewer.ui.widgets.pictures import to_qimage
from vaeviewer.ui.widgets.plain_text import plain_tip
from vaeviewer.ui.widgets.theme import theme_of
from vaeviewer.ui.window.focus_keys import is_command

_GAP = 5
_LEAST = 24  # logical pixels of an image's side
_SEEN = 3  # images that there is room for, however high the strip is


@dataclass(frozen=True)
class Shown:
    """One of the images.

    Attributes:
        entry: What is told when it is chosen.
        pixels: uint8, grey or RGB.
        caption: A few letters below it.
        tip: A sentence on it.
    """

    entry: int
    pixels: NDArray[np.uint8]
    caption: str
    tip: str = ""


class ImageStrip(QWidget):
    """One row of images. Arrow keys go from one to the next, Enter or a click chooses it.

    Args:
        name: What a screen reader calls it.

    Signals:
        chosen(int): The entry of the image that the user wants.
    """

    chosen = Signal(int)

    def __init__(self, name: str) -> None:
        super().__init__()
        self.setAccessibleName(name)
        self.setAccessibleDescription("Left and right go from image to image; Enter selects one.")
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setAutoFillBackground(True)  # else all that lies behind is painted anew each time
        self._at = 0
        self._pictures: list[QImage] = []
        self.images: tuple[Shown, ...] = ()

    def show_images(self, images: Sequence[Shown]) -> None:
        """Show these, the first one first."""
        self.images = tuple(images)
        self._pictures = [to_qimage(image.pixels) for image in images]
        self._at = min(self._at, max(0, len(images) - 1))
        self.update()

    def sizeHint(self) -> QSize:
        """Room for four images of 28 pixels, enlarged twice."""
        return QSize(4 * (56 + _GAP), 56 + self._caption_height())

    def minimumSizeHint(self) -> QSize:
        """One small image."""
        return QSize(_LEAST + 2 * _GAP, _LEAST + self._caption_height())

    def fitting(self) -> int:
        """How many of the images there is room for."""
        return min(len(self.images), max(1, int((self.width() + _GAP) // (self._pitch() + _GAP))))

    def place(self, number: int) -> QRectF:
        """Where an image lies, logical pixels."""
        picture = self._pictures[number]
        pitch, height = self._pitch(), self._side()
        width = min(pitch, height * picture.width() / picture.height())
        return QRectF(number * (pitch + _GAP) + (pitch - width) / 2 + 1, 1, width - 2, height - 2)

    def paintEvent(self, event: QPaintEvent) -> None:
        """The images, and what is to be read below them."""
        painter, theme = QPainter(self), theme_of(self.palette())
        middle = int(Qt.AlignmentFlag.AlignHCenter | Qt.AlignmentFlag.AlignTop)
        for number in range(self.fitting()):
            place, picture = self.place(number), self._pictures[number]
            marked = self.hasFocus() and number == self._at
            edge = 2 if marked else 1
            painter.fillRect(
                place.adjusted(-edge, -edge, edge, edge), QColor(theme.accent if marked else theme.border)
            )
            painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform, place.width() < picture.width())
            painter.drawImage(place, picture)
            painter.setPen(QColor(theme.muted))
            cell = QRectF(
                number * (self._pitch() + _GAP), place.bottom() + 2, self._pitch(), self._caption_height()
            )
            painter.drawText(cell, middle, self.images[number].caption)

    def event(self, event: QEvent) -> bool:
        """Say under the mouse which image it is."""
        if isinstance(event, QHelpEvent) and event.type() == QEvent.Type.ToolTip:
            number = self._number_at(event.pos().x())
            if number is not None and self.images[number].tip:
                QToolTip.showText(event.globalPos(), plain_tip(self.images[number].tip), self)
                return True
        return super().event(event)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Choose what is under the mouse."""
        number = self._number_at(event.position().x())
        if event.button() == Qt.MouseButton.LeftButton and number is not None:
            self._choose(number)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Go from image to image, or choose one."""
        key, last = event.key(), self.fitting() - 1
        moves: dict[int, int] = {Qt.Key.Key_Left: -1, Qt.Key.Key_Right: 1}
        if is_command(event) or not self.images:
            super().keyPressEvent(event)
        elif key in moves:
            self._at = min(max(self._at + moves[key], 0), last)
            self.update()
        elif key in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self._choose(min(self._at, last))
        else:
            super().keyPressEvent(event)

    def focusInEvent(self, event: QFocusEvent) -> None:
        """Mark the image that the keys are at."""
        super().focusInEvent(event)
        self.update()

    def focusOutEvent(self, event: QFocusEvent) -> None:
        """The keys go elsewhere."""
        super().focusOutEvent(event)
        self.update()

    def _choose(self, number: int) -> None:
        self._at = number
        self.update()
        self.chosen.emit(self.images[number].entry)

    def _number_at(self, x: float) -> int | None:
        number = int(x // (self._pitch() + _GAP))
        return number if 0 <= number < self.fitting() else None

    def _caption_height(self) -> int:
        return self.fontMetrics().height() + 3

    def _side(self) -> float:
        """Of an image, logical pixels: a whole factor where it is enlarged, so that its pixels stay sharp."""
        across = int(((self.width() + _GAP) / _SEEN - _GAP) / self._shape())
        room = max(_LEAST, min(self.height() - self._caption_height(), across))
        rows = max((picture.height() for picture in self._pictures), default=28)
        return room if room < rows + 2 else (room - 2) // rows * rows + 2

    def _shape(self) -> float:
        """Width over height of the widest image."""
        return max((picture.width() / picture.height() for picture in self._pictures), default=1.0)

    def _pitch(self) -> float:
        """Of a cell: as wide as the widest image or caption."""
        side, shape = self._side(), self._shape()
        words = max((self.fontMetrics().horizontalAdvance(image.caption) for image in self.images), default=0)
        return float(max(side * shape, words + 2))
