"""Images above their reconstructions, as many pairs as fit, each as large as leaves room for enough of them."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QRect, QRectF, QSize, Signal
from PySide6.QtGui import QColor, QImage, QPainter, QPaintEvent, QResizeEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from vaeviewer.ui.images.symbols import draw_symbol
from vaeviewer.ui.widgets.pictures import to_qimage
from vaeviewer.ui.widgets.theme import theme_of

Images = NDArray[np.uint8]

_TIP = "Above, held-out images x, never trained on; below, their reconstructions:\nthe mean of p(x|z) at {place}."


@dataclass(frozen=True)
class PairLayout:
    """How pairs fill a rectangle: ``columns`` by ``rows`` of them, each image ``width`` by ``height``."""

    columns: int
    rows: int
    width: int
    height: int


def pair_layout(room: QSize, image: QSize, count: int, gap: int, comfortable: int) -> PairLayout:
    """Choose how large to draw pairs: all lengths in device pixels.

    The largest whole factor at which ten pairs fit, or all if fewer; where images would be narrower than
    ``comfortable``, the largest at which four fit: few legible images rather than many tiny ones. Images
    too large for that are reduced.
    """

    def fits(width: int, height: int) -> PairLayout:
        columns = (room.width() + gap) // (width + gap)
        rows = (room.height() + 2 * gap) // (2 * height + 3 * gap)
        return PairLayout(columns, rows, width, height)

    largest = max(1, min(room.width() // image.width(), room.height() // (2 * image.height())))
    for wanted, least in ((10, comfortable), (4, 1)):
        for factor in range(largest, 0, -1):
            layout = fits(factor * image.width(), factor * image.height())
            enough = layout.columns * layout.rows >= min(count, wanted)
            if enough and layout.width >= least:
                return layout
    columns = min(count, 4)
    width = max(1, (room.width() - (columns - 1) * gap) // columns)
    scale = min(1.0, width / image.width(), max(1, room.height() - gap) / (2 * image.height()))
    return fits(max(1, int(scale * image.width())), max(1, int(scale * image.height())))


class PairGrid(QWidget):
    """x above x̂, as many pairs as fit.

    Signals:
        more_fit: There is room for more pairs than there are reconstructions.
    """

    more_fit = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.setAccessibleName("Held-out images and their reconstructions")
        self.set_place("the mean of q(z|x)")
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setAutoFillBackground(True)  # else all that lies behind is painted anew each time
        self._images: list[QImage] = []
        self._drawn: list[QImage] = []

    def set_images(self, images: Images | None) -> None:
        """Show images ``(n, height, width)`` or ``(n, height, width, 3)``, without reconstructions."""
        self._images = [] if images is None else [to_qimage(image) for image in images]
        self._drawn = []
        self.update()

    def set_reconstructions(self, drawn: Images | None) -> None:
        """Show the reconstructions of the first images, or none."""
        self._drawn = [] if drawn is None else [to_qimage(image) for image in drawn]
        self.update()

    def set_place(self, place: str) -> None:
        """Say in the tooltip where in the latent space the reconstructions are decoded."""
        self.setToolTip(_TIP.format(place=place))

    @property
    def fitting(self) -> int:
        """How many of the images there is room for."""
        if not self._images:
            return 0
        layout, _, _ = self._plan()
        return min(len(self._images), layout.columns * layout.rows)

    def sizeHint(self) -> QSize:
        """Two rows of five pairs of 28-pixel images, twice as large."""
        return QSize(320, 240)

    def minimumSizeHint(self) -> QSize:
        """One row of three such pairs."""
        return QSize(200, 120)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Ask for reconstructions that had no room before."""
        super().resizeEvent(event)
        if 0 < len(self._drawn) < self.fitting:
            self.more_fit.emit()

    def _plan(self) -> tuple[PairLayout, QSize, int]:
        """Where pairs go, in how much room, beside which margin; in device pixels."""
        ratio, pixel = self.devicePixelRatioF(), self._pixel()
        margin = math.ceil(ratio * (self.fontMetrics().horizontalAdvance("x") + 8))
        room = QSize(int(self.width() * ratio) - margin - pixel, int(self.height() * ratio) - 2 * pixel)
        image, count = self._images[0].size(), len(self._images)
        return pair_layout(room, image, count, 4 * pixel, round(48 * ratio)), room, margin

    def _pixel(self) -> int:
        """A border's width, device pixels."""
        return max(1, round(self.devicePixelRatioF()))

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint the pairs, with a border around each image, and a symbol before each row."""
        shown = self.fitting
        if shown == 0:
            return
        layout, room, margin = self._plan()
        ratio, pixel = self.devicePixelRatioF(), self._pixel()
        gap = 4 * pixel
        columns = math.ceil(shown / math.ceil(shown / layout.columns))  # 5 + 5 rather than 6 + 4
        spare = room.width() - columns * layout.width
        step = layout.width + min(spare // max(1, columns - 1), layout.width // 2)
        theme = theme_of(self.palette())
        painter = QPainter(self)
        painter.scale(1 / ratio, 1 / ratio)
        smaller = layout.width < self._images[0].width()
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform, smaller)
        for i in range(shown):
            row, column = divmod(i, columns)
            place = QRect(margin, pixel, layout.width, layout.height)
            place.translate(column * step, row * (2 * layout.height + 3 * gap))
            for images in (self._images, self._drawn):
                painter.fillRect(place.adjusted(-pixel, -pixel, pixel, pixel), QColor(theme.border))
                if i < len(images):
                    painter.drawImage(place, images[i])
                else:
                    painter.fillRect(place, QColor(theme.window))
                place.translate(0, layout.height + gap)
        painter.resetTransform()
        painter.setPen(QColor(theme.muted))
        for row in range(math.ceil(shown / columns)):
            top = pixel + row * (2 * layout.height + 3 * gap)
            for hat in (False, True):
                box = QRectF(0, top / ratio, margin / ratio - 4, layout.height / ratio)
                draw_symbol(painter, box, hat)
                top += layout.height + gap
