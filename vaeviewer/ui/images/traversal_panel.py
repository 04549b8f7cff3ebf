"""The traversal panel: what each number of z does to the image, one row a number."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import Qt, QTimer
from PySide6.QtGui import (
    QHideEvent,
    QShowEvent,
)
from PySide6.QtWidgets import QFrame, QLabel, QScrollArea, QVBoxLayout, QWidget

from vaeviewer.analysis.dimensions import COLUMNS, dimensions_of, traversal_values
from vaeviewer.analysis.latent_plane import Array
from vaeviewer.backend.snapshot import PosteriorTable, Snapshot
from vaeviewer.ui.images.traversal_picture import Cell, TraversalPicture, ValueHeadings
from vaeviewer.ui.panel import Frame, Host

TRAVERSAL = "traversal"
"""The kind of what it asks a GridDecoder for."""

FOLLOW_MS = 120
"""Between two requests while the handle is dragged."""


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
        self._asked: tuple[int, bytes, tuple[int, ...], int] = (0, b"", (), 0)
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
        self._header = ValueHeadings(self._picture)
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
            follows_normal = snapshot.family.capabilities.follows_normal
            values = traversal_values(table, follows_normal=follows_normal)
            if not np.array_equal(values, self._picture.values):
                self._picture.set_values(values)
                self._header.update()
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
        y = self._host.frame().view.y
        values = self._picture.values
        asked = id(snapshot), self._base.tobytes() + values.tobytes(), dimensions, y
        if not dimensions or asked == self._asked:
            return
        self._asked, self._asked_of = asked, snapshot
        z = traversal(self._base, dimensions, values)
        self._host.decoder.request(TRAVERSAL, snapshot, z, (dimensions, values), y)

    def _on_decoded(self, kind: str, images: NDArray[np.uint8], tag: Any) -> None:
        if kind == TRAVERSAL and np.array_equal(tag[1], self._picture.values):
            rows = images.reshape(-1, COLUMNS, *images.shape[1:])
            self._picture.set_images(dict(zip(tag[0], rows, strict=True)))

    def _forget(self) -> None:
        self._asked, self._asked_of = (0, b"", (), 0), None
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
        code[self._order[cell[0]]] = self._picture.values[cell[1]]
        return code


def traversal(code: Array, dimensions: tuple[int, ...], values: Array) -> Array:
    """Codes in which one number of ``code`` ``(d,)`` takes each of the values, ``(rows, d)``."""
    z = np.repeat(code[None], len(dimensions) * len(values), axis=0)
    z[np.arange(len(z)), np.repeat(dimensions, len(values))] = np.tile(values, len(dimensions))
    return z
