"""The traversal panel: what each number of z does to the image, one row a number."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QEvent, QPointF, QRect, QRectF, QSize, Qt, QTimer, Signal
from PySide6.QtGui import (
    QColor,
    QHideEvent,
    QImage,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
    QShowEvent,
)
from PySide6.QtWidgets import QFrame, QLabel, QScrollArea, QSizePolicy, QVBoxLayout, QWidget

from vaeviewer.analysis.dimensions import dimensions_of
from vaeviewer.analysis.latent_plane import Array
from vaeviewer.backend.snapshot import PosteriorTable, Snapshot, as_grey_levels
from vaeviewer.ui.panel import Frame, Host
from vaeviewer.ui.plane.axis_names import dimension_name
from vaeviewer.ui.widgets.pictures import to_qimage
from vaeviewer.ui.widgets.theme import theme_of
from vaeviewer.ui.window.focus_keys import is_command

TRAVERSAL = "traversal"
"""The kind of what it asks a GridDecoder for."""

VALUES = np.linspace(-3.0, 3.0, 7, dtype=np.float32)
"""What one number of z takes in turn, a column each."""

FOLLOW_MS = 120
"""Between two requests while the handle is dragged."""

LARGEST_CELL = 44
"""Side of an image, logical pixels, however wide the panel is."""

Cell = tuple[int, int]
"""A row of the picture and a column."""


class TraversalPanel(QWidget):
    """Rows are the numbers of z, those that carry most first; columns are values of one, with all others as they are.

    To point at an image moves z there for as long; a click keeps it. Only rows in sight are decoded.

    Args:
        host: The window.
    """

    def __init__(self, host: Host) -> None:
        super().__init__()
        self.setObjectName("traversal")
        self.setAccessibleName("Traversal")
        self._host = host
        self._frame: Frame | None = None
        self._posterior: PosteriorTable | None = None
        self._order: NDArray[np.intp] = np.zeros(0, np.intp)
        self._before: dict[str, Any] | None = None  # what a move to a cell took the place of
        self._moved_to: dict[str, Any] = {}
        self._base: Array | None = None
        self._asked: tuple[int, bytes, tuple[int, ...]] = (0, b"", ())
        self._asked_of: Snapshot | None = None  # kept, so that no other one has its id

        self._hint = QLabel()
        self._hint.setObjectName("traversalHint")
        self._hint.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._hint.setWordWrap(True)
        self._picture = TraversalPicture()
        self._area = QScrollArea()
        self._area.setFrameShape(QFrame.Shape.NoFrame)
        self._area.setWidgetResizable(True)
        self._area.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self._area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._area.setWidget(self._picture)
        self._header = _Values(self._picture)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(8, 4, 8, 8)
        layout.setSpacing(2)
        layout.addWidget(self._hint)
        layout.addWidget(self._header)
        layout.addWidget(self._area, 1)
        self._header.hide()
        self._area.hide()

        self._follow_timer = QTimer(self)
        self._follow_timer.setSingleShot(True)
        self._follow_timer.setInterval(FOLLOW_MS)
        self._follow_timer.timeout.connect(lambda: self.update_frame(self._host.frame()))
        self._picture.pointed.connect(self._point_at)
        self._picture.left.connect(self._go_back)
        self._picture.kept.connect(self._keep)
        self._picture.reached.connect(
            lambda row: self._area.ensureVisible(0, self._picture.middle(row), 0, 40)
        )
        self._area.verticalScrollBar().valueChanged.connect(lambda _: self._request())
        host.decoder.decoded.connect(self._on_decoded)
        host.decoder.forgotten.connect(self._forget)

    def set_hint(self, text: str) -> None:
        """What the panel waits for, shown while there is no model."""
        self._hint.setText(text)

    def update_frame(self, frame: Frame) -> None:
        """Show a frame; while hidden, only remember it."""
        self._frame = frame
        if not self.isVisible():
            return
        snapshot = frame.snapshot
        for widget in (self._header, self._area):
            widget.setVisible(snapshot is not None)
        self._hint.setVisible(snapshot is None and bool(self._hint.text()))
        if snapshot is None:
            return
        self._sort(snapshot)
        if self._before is not None and any(
            getattr(frame.view, name) != value for name, value in self._moved_to.items()
        ):
            self._before = None  # something else moved z: there is nothing to go back to
        if self._before is None:
            self._base = frame.view.code(snapshot.model.latent_dim)
        self._picture.set_code(frame.view.code(snapshot.model.latent_dim))
        self._request()

    def follow_handle(self, frame: Frame) -> None:
        """Mark where z is now; images of it come as fast as one can look at so many, not with every move."""
        if frame.snapshot is not None and self.isVisible():
            self._picture.set_code(frame.view.code(frame.snapshot.model.latent_dim))
            if not self._follow_timer.isActive():
                self._follow_timer.start()

    def showEvent(self, event: QShowEvent) -> None:
        """Catch up with what changed while hidden."""
        super().showEvent(event)
        self.update_frame(self._host.frame())

    def hideEvent(self, event: QHideEvent) -> None:
        """What was only pointed at is not kept."""
        super().hideEvent(event)
        self._go_back()

    def _sort(self, snapshot: Snapshot) -> None:
        """Put those that carry most first; under the mouse rows stay where they are."""
        latent_dim = snapshot.model.latent_dim
        if len(self._order) != latent_dim:
            self._order, self._posterior = np.arange(latent_dim), None
            self._picture.set_order(self._order)
        table = snapshot.posterior
        if table is not None and table is not self._posterior and not self._picture.busy:
            self._posterior = table
            order = dimensions_of(table).order
            if not np.array_equal(order, self._order):
                self._order = order
                self._picture.set_order(order)

    def _request(self) -> None:
        """Ask for the images of the rows in sight, unless they are asked for."""
        snapshot = self._frame.snapshot if self._frame is not None else None
        if snapshot is None or self._base is None or not self.isVisible():
            return
        top = self._area.verticalScrollBar().value()
        rows = self._picture.rows_within(top, top + self._area.viewport().height())
        dimensions = tuple(self._order[rows].tolist())
        asked = id(snapshot), self._base.tobytes(), dimensions
        if not dimensions or asked == self._asked:
            return
        self._asked, self._asked_of = asked, snapshot
        z = traversal(self._base, dimensions)
        self._host.decoder.request(TRAVERSAL, snapshot, z, dimensions)

    def _on_decoded(self, kind: str, images: NDArray[np.float32], tag: Any) -> None:
        if kind == TRAVERSAL:
            levels = as_grey_levels(images).reshape(len(tag), len(VALUES), *images.shape[1:])
            self._picture.set_images(dict(zip(tag, levels, strict=True)))

    def _forget(self) -> None:
        self._asked, self._asked_of = (0, b"", ()), None
        self._before = None
        self._order = np.zeros(0, np.intp)
        self._picture.set_order(self._order)

    # What the user does

    def _point_at(self, cell: Cell) -> None:
        frame = self._host.frame()
        if frame.snapshot is None or self._base is None:
            return
        if self._before is None:
            self._before = {"plane": frame.view.plane, "z": frame.view.z}
        self._moved_to = frame.view.at_code(self._code(cell))
        self._host.set_view(**self._moved_to)

    def _go_back(self) -> None:
        before, self._before = self._before, None
        view = self._host.frame().view
        if before is not None and all(getattr(view, name) == value for name, value in self._moved_to.items()):
            self._host.set_view(**before)

    def _keep(self, cell: Cell) -> None:
        """Keep z there: from now on all other rows start from it."""
        if self._base is not None:
            self._point_at(cell)
            self._before = None
            self.update_frame(self._host.frame())

    def _code(self, cell: Cell) -> Array:
        assert self._base is not None, "it was decoded"
        code = self._base.copy()
        code[self._order[cell[0]]] = VALUES[cell[1]]
        return code


def traversal(code: Array, dimensions: tuple[int, ...]) -> Array:
    """Codes in which one number of ``code`` ``(d,)`` takes each of :data:`VALUES`: ``(len(dimensions) · 7, d)``."""
    z = np.repeat(code[None], len(dimensions) * len(VALUES), axis=0)
    z[np.arange(len(z)), np.repeat(dimensions, len(VALUES))] = np.tile(VALUES, len(dimensions))
    return z


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
            "<p>In each row one number of z goes from −3 to 3; all others stay. Point at an image to move z there, "
            "click it to keep that. Arrow keys and Enter do the same.</p>"
        )
        self.setMouseTracking(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self._order: NDArray[np.intp] = np.zeros(0, np.intp)
        self._rows: dict[int, list[QImage]] = {}
        self._code: Array | None = None
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
        return max(12, min(LARGEST_CELL, (self.width() - self.label_width) // len(VALUES)))

    def set_order(self, order: NDArray[np.intp]) -> None:
        """Show these numbers of z, counted from 0, from top to bottom."""
        self._order = order
        self._rows = {key: row for key, row in self._rows.items() if key < len(order)}
        self._fit_height()

    def set_images(self, rows: dict[int, NDArray[np.uint8]]) -> None:
        """Take the images of some numbers of z, ``(7, height, width)`` each, and ``3`` behind that in colour."""
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
        return QSize(self.label_width + 36 * len(VALUES), self.minimumHeight())

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
        first, last = self.place((row, 0)).center().x(), self.place((row, len(VALUES) - 1)).center().x()
        share = (min(max(value, -3.4), 3.4) + 3.0) / 6.0
        x, y = first + share * (last - first), float((row + 1) * self.cell - 1)
        painter.setPen(QPen(color, 2.0))
        painter.drawLine(QPointF(x - 4, y), QPointF(x + 4, y))

    # Events

    def _cell_at(self, place: QPointF) -> Cell | None:
        row, column = int(place.y() // self.cell), int((place.x() - self.label_width) // self.cell)
        there = 0 <= row < len(self._order) and 0 <= column < len(VALUES) and place.x() >= self.label_width
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
            row, column = self._cell or (0, len(VALUES) // 2)
            if self._cell is not None:
                row = min(max(row + down, 0), len(self._order) - 1)
                column = min(max(column + right, 0), len(VALUES) - 1)
            self.reached.emit(row)
            self._go_to((row, column))
        elif key in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and self._cell is not None:
            self.kept.emit(self._cell)
        elif key == Qt.Key.Key_Escape and self._cell is not None:
            self._go_to(None)
        else:
            super().keyPressEvent(event)


class _Values(QWidget):
    """The values of the columns, over the picture."""

    def __init__(self, picture: TraversalPicture) -> None:
        super().__init__()
        self._picture = picture
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setFixedHeight(self.fontMetrics().height())

    def paintEvent(self, _event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setPen(QColor(theme_of(self.palette()).muted))
        for column, value in enumerate(VALUES.tolist()):
            place = self._picture.place((0, column))
            place.setHeight(self.height())
            painter.drawText(place, Qt.AlignmentFlag.AlignCenter, f"{value:.0f}".replace("-", "−"))
