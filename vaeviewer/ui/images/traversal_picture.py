"""The picture of a traversal: a grid of images that can be pointed at, and the values above its columns."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QEvent, QPointF, QRect, QRectF, QSize, Qt, Signal
from PySide6.QtGui import (
    QColor,
    QImage,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
)
from PySide6.QtWidgets import QSizePolicy, QWidget

from vaeviewer.analysis.dimensions import COLUMNS, traversal_values
from vaeviewer.analysis.latent_plane import Array
from vaeviewer.ui.plane.axis_names import dimension_name
from vaeviewer.ui.widgets.pictures import to_qimage
from vaeviewer.ui.widgets.theme import theme_of
from vaeviewer.ui.window.focus_keys import is_command

_BEYOND = 0.07  # of a row, where a mark stands whose value lies farther out

LARGEST_CELL = 44
"""Side of an image, logical pixels, however wide the panel is."""

Cell = tuple[int, int]
"""A row of the picture and a column."""


class TraversalPicture(QWidget):
    """The images in rows, each row with the name of its number of z and a mark where z is now."""

    pointed = Signal(tuple)
    """The mouse or the keys came to this :data:`Cell`."""
    left = Signal()
    """They are at none any more."""
    kept = Signal(tuple)
    """This one was clicked, or chosen by Enter."""
    reached = Signal(int)
    """Keys went to this row, which should be in sight."""

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("traversalPicture")
        self.setAccessibleName("Images of the traversal")
        self.setToolTip(
            "<p>In each row one number of z takes the values above; all others stay. Point at an image to move z "
            "there, click it to keep that. Arrow keys and Enter do the same.</p>"
        )
        self.setMouseTracking(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self._order: NDArray[np.intp] = np.zeros(0, np.intp)
        self._rows: dict[int, list[QImage]] = {}
        self._code: Array | None = None
        self._values = traversal_values(None, follows_normal=True)
        self._cell: Cell | None = None

    @property
    def busy(self) -> bool:
        """Whether the mouse or the keys are at one of its images."""
        return self._cell is not None

    @property
    def label_width(self) -> int:
        """Room for names, to the left."""
        return self.fontMetrics().horizontalAdvance("z₂₅₆") + 10

    @property
    def cell(self) -> int:
        """Side of an image and its gap, logical pixels."""
        return max(12, min(LARGEST_CELL, (self.width() - self.label_width) // COLUMNS))

    def set_order(self, order: NDArray[np.intp]) -> None:
        """Show these numbers of z, counted from 0, from top to bottom."""
        self._order = order
        self._rows = {key: row for key, row in self._rows.items() if key < len(order)}
        self._fit_height()

    @property
    def values(self) -> Array:
        """What one number of z takes in turn, a column each, ``(COLUMNS,)``, rising."""
        return self._values

    def set_values(self, values: Array) -> None:
        """Take others; the images at hand are of those before."""
        self._values, self._rows = values, {}
        self.update()

    def set_images(self, rows: dict[int, NDArray[np.uint8]]) -> None:
        """Take the images of some numbers of z, ``(COLUMNS, height, width)`` each, and ``3`` behind that in colour."""
        self._rows.update({key: [to_qimage(image) for image in images] for key, images in rows.items()})
        self.update()

    def set_code(self, code: Array) -> None:
        """Mark where z is."""
        if self._code is None or not np.array_equal(code, self._code):
            self._code = code
            self.update()

    def rows_within(self, top: int, bottom: int) -> slice:
        """The rows between two heights."""
        return slice(max(0, top // self.cell), min(len(self._order), bottom // self.cell + 1))

    def middle(self, row: int) -> int:
        """The height of a row's middle."""
        return row * self.cell + self.cell // 2

    def place(self, cell: Cell) -> QRect:
        """Where an image lies."""
        side = self.cell
        return QRect(self.label_width + cell[1] * side, cell[0] * side, side, side)

    def sizeHint(self) -> QSize:
        """Wide enough to see the images."""
        return QSize(self.label_width + 36 * COLUMNS, self.minimumHeight())

    def resizeEvent(self, _event: object) -> None:
        """The images grow with the panel."""
        self._fit_height()

    def _fit_height(self) -> None:
        self.setMinimumHeight(len(self._order) * self.cell + 2)
        self.updateGeometry()
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        """The rows in sight."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        theme = theme_of(self.palette())
        seen = self.rows_within(event.rect().top(), event.rect().bottom())
        for row in range(seen.start, seen.stop):
            dimension = int(self._order[row])
            name = QRect(0, row * self.cell, self.label_width - 6, self.cell)
            painter.setPen(QColor(theme.muted))
            painter.drawText(
                name, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignRight, dimension_name(dimension)
            )
            for column, image in enumerate(self._rows.get(dimension, ())):
                painter.drawImage(self.place((row, column)).adjusted(2, 1, -2, -3), image)
            if self._code is not None:
                self._paint_value(painter, row, float(self._code[dimension]), QColor(theme.accent))
        if self._cell is not None:
            painter.setPen(QPen(QColor(theme.accent), 2.0))
            painter.drawRect(QRectF(self.place(self._cell)).adjusted(1, 0, -1, -2))

    def _paint_value(self, painter: QPainter, row: int, value: float, color: QColor) -> None:
        """A short line under the row, at z's value."""
        first, last = self.place((row, 0)).center().x(), self.place((row, COLUMNS - 1)).center().x()
        low, high = float(self._values[0]), float(self._values[-1])
        share = min(max((value - low) / (high - low), -_BEYOND), 1.0 + _BEYOND)
        x, y = first + share * (last - first), float((row + 1) * self.cell - 1)
        painter.setPen(QPen(color, 2.0))
        painter.drawLine(QPointF(x - 4, y), QPointF(x + 4, y))

    # Events

    def _cell_at(self, place: QPointF) -> Cell | None:
        row, column = int(place.y() // self.cell), int((place.x() - self.label_width) // self.cell)
        there = 0 <= row < len(self._order) and 0 <= column < COLUMNS and place.x() >= self.label_width
        return (row, column) if there and int(self._order[row]) in self._rows else None

    def _go_to(self, cell: Cell | None) -> None:
        if cell == self._cell:
            return
        self._cell = cell
        self.update()
        if cell is None:
            self.left.emit()
        else:
            self.pointed.emit(cell)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Point at what is under the mouse."""
        self._go_to(self._cell_at(event.position()))

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Keep it."""
        cell = self._cell_at(event.position())
        if event.button() == Qt.MouseButton.LeftButton and cell is not None:
            self._go_to(cell)
            self.kept.emit(cell)

    def leaveEvent(self, _event: QEvent) -> None:
        """The mouse is at none."""
        self._go_to(None)

    def focusOutEvent(self, event: Any) -> None:
        """The keys are at none."""
        super().focusOutEvent(event)
        self._go_to(None)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Arrows go from image to image, Enter keeps one, Escape goes back."""
        ways = {
            Qt.Key.Key_Left: (0, -1),
            Qt.Key.Key_Right: (0, 1),
            Qt.Key.Key_Up: (-1, 0),
            Qt.Key.Key_Down: (1, 0),
        }
        key = event.key()
        if is_command(event) or not len(self._order):
            super().keyPressEvent(event)
        elif key in ways:
            down, right = ways[Qt.Key(key)]
            row, column = self._cell or (0, COLUMNS // 2)
            if self._cell is not None:
                row = min(max(row + down, 0), len(self._order) - 1)
                column = min(max(column + right, 0), COLUMNS - 1)
            self.reached.emit(row)
            self._go_to((row, column))
        elif key in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and self._cell is not None:
            self.kept.emit(self._cell)
        elif key == Qt.Key.Key_Escape and self._cell is not None:
            self._go_to(None)
        else:
            super().keyPressEvent(event)


class ValueHeadings(QWidget):
    """The values of the columns, over the picture."""

    def __init__(self, picture: TraversalPicture) -> None:
        super().__init__()
        self._picture = picture
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setFixedHeight(self.fontMetrics().height())

    def paintEvent(self, _event: QPaintEvent) -> None:
        """Write each value above its column."""
        painter = QPainter(self)
        painter.setPen(QColor(theme_of(self.palette()).muted))
        for column, value in enumerate(self._picture.values.tolist()):
            place = self._picture.place((0, column))
            place.setHeight(self.height())
            painter.drawText(place, Qt.AlignmentFlag.AlignCenter, f"{value:.2g}".replace("-", "−"))
