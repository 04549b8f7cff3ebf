"""SamplesPanel: the same codes, decoded again and again while training goes on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QColor, QImage, QPainter, QPaintEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from vaeviewer.analysis.latent_plane import Array
from vaeviewer.analysis.prior import prior_codes
from vaeviewer.backend.snapshot import Snapshot
from vaeviewer.ui.panel import Frame, Host
from vaeviewer.ui.widgets.pictures import to_qimage
from vaeviewer.ui.widgets.theme import theme_of

SAMPLES = "samples over time"
"""The kind of what it asks a GridDecoder for."""

COLUMNS = 8
"""Codes that are followed."""

MOST_ROWS = 24
"""Times that are kept; with more, every other one is forgotten."""

_LATER = "While it trains, later images of the same codes come below."

_GAP = 2
_MARGIN = 8
_LEAST_CELL = 22  # logical pixels: so many times are shown as have rows of this height


@dataclass(frozen=True)
class Row:
    """What the codes decoded to at a step: uint8 images ``(COLUMNS, *image_shape)``."""

    step: int
    images: NDArray[np.uint8]


class SamplesPanel(QWidget):
    """Rows are times, the newest at the bottom; columns are codes drawn once from the prior.

    Of a family without an encoder it keeps times while nobody looks, too, as nothing else shows how it came here.

    Args:
        host: The window.
    """

    def __init__(self, host: Host) -> None:
        super().__init__()
        self.setObjectName("samples")
        self.setAccessibleName("Samples over time")
        self.setToolTip(
            "<p>Each column is one code z, drawn from the prior once, and each row a time: what the decoder made of it "
            "then. The last row is the model as it is now.</p>"
        )
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self._host = host
        self._codes: Array | None = None
        self._asked_of: Snapshot | None = None
        self._hint = self._later = ""
        self._pictures: dict[int, list[QImage]] = {}  # by step
        self.rows: list[Row] = []
        host.decoder.forgotten.connect(self._forget)

    def set_hint(self, text: str) -> None:
        """What the panel waits for, shown while there is nothing else."""
        self._hint = text
        self.update()

    def update_frame(self, frame: Frame) -> None:
        """Ask for what the codes decode to now."""
        snapshot = frame.snapshot
        if snapshot is None or snapshot is self._asked_of:
            return
        if snapshot.family.capabilities.encodes and not self.isVisible():
            return
        self._asked_of = snapshot
        self._later = _LATER if snapshot.family.capabilities.trains else ""
        names = () if frame.dataset is None else frame.dataset.class_names
        choices, codes = len(snapshot.family.class_names(snapshot.model, names)), self._codes

        def job(model: Snapshot) -> tuple[Array, Row]:
            z = prior_codes(model, COLUMNS) if codes is None else codes
            y = np.arange(COLUMNS) % choices if choices else None
            return z, Row(model.step, model.decode_levels(z, y))

        self._host.decoder.ask(SAMPLES, snapshot, job, self._take)

    def sizeHint(self) -> QSize:
        """As wide as high."""
        return QSize(250, 250)

    def minimumSizeHint(self) -> QSize:
        """Two rows."""
        return QSize(120, 80)

    def shown(self) -> list[Row]:
        """The times that there is room for: the first, the newest, and some evenly in between."""
        cell = max(_LEAST_CELL, self._width_of_a_cell())
        room = max(1, int((self.height() - 2 * _MARGIN + _GAP) // (cell + _GAP)))
        if len(self.rows) <= room:
            return self.rows
        return [self.rows[round(place)] for place in np.linspace(len(self.rows) - 1, 0, room)][::-1]

    def paintEvent(self, event: QPaintEvent) -> None:
        """Images with the step of each row beside them."""
        theme, painter = theme_of(self.palette()), QPainter(self)
        painter.setPen(QColor(theme.muted))
        if not self.rows:
            painter.drawText(
                self.rect(), int(Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap), self._hint
            )
            return
        label, cell, shown = self._width_of_labels(), self._width_of_a_cell(), self.shown()
        flags = int(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        for number, row in enumerate(shown):
            top = _MARGIN + number * (cell + _GAP)
            painter.drawText(QRectF(_MARGIN, top, label - 6, cell), flags, f"{row.step:,}")
            for column, picture in enumerate(self._drawn(row)):
                place = QRectF(_MARGIN + label + column * (cell + _GAP), top, cell, cell)
                painter.drawImage(place, picture)
        if len(self.rows) == 1:
            below = QRectF(self.rect()).adjusted(_MARGIN, 2 * _MARGIN + cell, -_MARGIN, -_MARGIN)
            painter.drawText(
                below, int(Qt.AlignmentFlag.AlignHCenter | Qt.TextFlag.TextWordWrap), self._later
            )

    def _take(self, answer: tuple[Array, Row]) -> None:
        self._codes, row = answer
        earlier = [other for other in self.rows if other.step < row.step]  # training may have gone back
        if len(earlier) == len(self.rows) and not self._worth_keeping():
            earlier.pop()
        if len(earlier) >= MOST_ROWS:
            earlier = earlier[::2]
        self.rows = [*earlier, row]
        kept = {other.step for other in earlier}
        self._pictures = {step: drawn for step, drawn in self._pictures.items() if step in kept}
        self.update()

    def _worth_keeping(self) -> bool:
        """Whether the newest row is as far from the one before as the others are from each other."""
        steps = [row.step for row in self.rows]
        return len(steps) < 3 or steps[-1] - steps[-2] >= (steps[-2] - steps[0]) / (len(steps) - 2)

    def _forget(self) -> None:
        self.rows, self._pictures, self._codes, self._asked_of = [], {}, None, None
        self.update()

    def _drawn(self, row: Row) -> list[QImage]:
        found = self._pictures.get(row.step)
        if found is None:
            found = self._pictures[row.step] = [to_qimage(image) for image in row.images]
        return found

    def _width_of_labels(self) -> int:
        return max(self.fontMetrics().horizontalAdvance(f"{row.step:,}") for row in self.rows) + 10

    def _width_of_a_cell(self) -> float:
        label = self._width_of_labels() if self.rows else 0
        return max(8.0, (self.width() - 2 * _MARGIN - label - (COLUMNS - 1) * _GAP) / COLUMNS)
