"""ImageWidget: one small image, large and crisp."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QRect, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QImage, QPainter, QPaintEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from vaeviewer.ui.widgets.pictures import to_qimage
from vaeviewer.ui.widgets.theme import theme_of

MOST_COUNTED = 64
"""Pixels a side of images whose pixels one looks at: each is a square of whole pixels of the screen."""


class ImageWidget(QWidget):
    """Paints one image as large as fits, keeping its shape, with a thin border; or a placeholder text.

    Images are enlarged by a whole factor, counted in the screen's own pixels, so that every pixel is a sharp
    square of its exact colour. Images too large for the widget are reduced smoothly.

    Args:
        parent: The parent widget.
        fill: Enlarge to fill the widget, also where the factor is not whole; edges of pixels are then soft. Images of
            more than :data:`MOST_COUNTED` pixels a side always do.
    """

    def __init__(self, parent: QWidget | None = None, *, fill: bool = False) -> None:
        super().__init__(parent)
        self._fill = fill
        self._image: QImage | None = None
        self._painted: QImage | None = None  # the same in the screen's format, which is drawn fastest
        self._scaled: QImage | None = None  # at another size by no whole factor, in device pixels
        self._target_of: tuple[float, ...] = ()  # sizes for which the place of the image was last found
        self._target_rect = QRect()
        self._placeholder = ""
        self.setAutoFillBackground(True)  # else all that lies behind is painted anew with each image
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)

    def set_image(self, pixels: NDArray[np.uint8] | None) -> None:
        """Show a copy of grey levels ``(height, width)`` or RGB ``(height, width, 3)``; ``None`` shows none.

        Raises:
            ValueError: The array is neither.
        """
        image = None if pixels is None else to_qimage(pixels)
        if image != self._image:
            self._image = image
            self._painted = None if image is None else image.convertToFormat(QImage.Format.Format_RGB32)
            self._scaled = None
            self.update()

    def set_placeholder(self, text: str) -> None:
        """The quiet text shown while there is no image."""
        if text != self._placeholder:
            self._placeholder = text
            self.update()

    def has_image(self) -> bool:
        """Whether an image is shown, rather than the placeholder."""
        return self._image is not None

    def image_rect(self) -> QRectF:
        """Where the image lies in the widget, in the widget's coordinates; empty without an image."""
        return QRectF() if self._image is None else self._logical(self._target(self._image))

    def shown_image(self) -> QImage | None:
        """The image as large as it is painted, to copy or save; ``None`` without one."""
        return None if self._image is None else _resized(self._image, self._target(self._image).size())

    def sizeHint(self) -> QSize:
        """Room for a 28-pixel image enlarged six times."""
        return QSize(170, 170)

    def minimumSizeHint(self) -> QSize:
        """Room for a 28-pixel image enlarged twice."""
        return QSize(58, 58)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint the image or the placeholder."""
        painter = QPainter(self)
        theme = theme_of(self.palette())
        if self._painted is None:
            painter.setPen(QColor(theme.muted))
            flags = Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap
            painter.drawText(self.rect().adjusted(12, 4, -12, -4), flags, self._placeholder)
            return
        target = self._target(self._painted)
        place = self._logical(target)
        border = self._border() / self.devicePixelRatioF()
        painter.fillRect(place.adjusted(-border, -border, border, border), QColor(theme.border))
        painter.drawImage(place, self._at_size(self._painted, target.size()))

    def _at_size(self, image: QImage, size: QSize) -> QImage:
        """``image`` as it can be drawn sharply into ``size`` device pixels: itself where the factor is whole."""
        if size.width() % image.width() == 0 and size.height() % image.height() == 0:
            return image
        if self._scaled is None or self._scaled.size() != size:
            self._scaled = _resized(image, size)
        return self._scaled

    def _border(self) -> int:
        return max(1, round(self.devicePixelRatioF()))

    def _logical(self, target: QRect) -> QRectF:
        """Device pixels in the widget's coordinates."""
        ratio = self.devicePixelRatioF()
        return QRectF(target.x() / ratio, target.y() / ratio, target.width() / ratio, target.height() / ratio)

    def _target(self, image: QImage) -> QRect:
        """The image's place in device pixels."""
        ratio = self.devicePixelRatioF()
        sizes = (self.width(), self.height(), ratio, image.width(), image.height())
        if sizes != self._target_of:
            self._target_of, self._target_rect = sizes, self._fit_in(image, ratio)
        return self._target_rect

    def _fit_in(self, image: QImage, ratio: float) -> QRect:
        whole = QSize(int(self.width() * ratio), int(self.height() * ratio))
        room = whole - QSize(2 * self._border(), 2 * self._border())
        factor = min(room.width() / image.width(), room.height() / image.height())
        if factor >= 1 and not self._fill and max(image.width(), image.height()) <= MOST_COUNTED:
            factor = math.floor(factor)
        size = QSize(max(1, int(image.width() * factor)), max(1, int(image.height() * factor)))
        x, y = (whole.width() - size.width()) // 2, (whole.height() - size.height()) // 2
        return QRect(x, y, size.width(), size.height())


def _resized(image: QImage, size: QSize) -> QImage:
    """``image`` at another size: sharp squares when enlarged, averaged when reduced."""
    factor = math.ceil(max(size.width() / image.width(), size.height() / image.height()))
    if factor > 1:
        image = image.scaled(image.size() * factor)
    if image.size() == size:
        return image.copy()
    return image.scaled(size, mode=Qt.TransformationMode.SmoothTransformation)
