"""The dimensions panel: how much each number of z carries, and which two of them the plane shows."""

from __future__ import annotations

from typing import Any

import numpy as np
from PySide6.QtCore import QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QShowEvent
from PySide6.QtWidgets import QFrame, QScrollArea, QVBoxLayout, QWidget

from vaeviewer.analysis.dimensions import Dimensions, dimensions_of
from vaeviewer.analysis.latent_plane import Axes
from vaeviewer.backend.snapshot import PosteriorTable
from vaeviewer.session.plane_choice import choose_axes, with_axis
from vaeviewer.ui.curves.value_axis import number_label
from vaeviewer.ui.panel import Frame, Host
from vaeviewer.ui.plane.axis_names import dimension_name
from vaeviewer.ui.widgets.labels import LiveLabel
from vaeviewer.ui.widgets.theme import theme_of
from vaeviewer.ui.window.focus_keys import is_command

_TIP = (
    "<p>The numbers of z, those that carry most first. Click one to show it along the plane's horizontal axis, with "
    "Shift along the vertical one; or go there with the arrow keys and press Enter, or Shift+Enter.</p>"
)

_INACTIVE = "inactive"
"""Stands in the place of the figure."""


class DimensionsPanel(QWidget):
    """A bar for each number of z: its KL, or the variance where codes are points; inactive ones are grey.

    Args:
        host: The window.
    """

    def __init__(self, host: Host) -> None:
        super().__init__()
        self.setObjectName("dimensions")
        self.setAccessibleName("Dimensions")
        self._host = host
        self._posterior: PosteriorTable | None = None
        self._summary = LiveLabel(shrinks=True)
        self._summary.setObjectName("dimensionsSummary")
        self.bars = DimensionBars()
        self.bars.chosen.connect(self._choose)
        area = QScrollArea()
        area.setFrameShape(QFrame.Shape.NoFrame)
        area.setWidgetResizable(True)
        area.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        area.setWidget(self.bars)
        self.bars.reached.connect(lambda row: area.ensureVisible(0, self.bars.middle(row), 0, 40))
        layout = QVBoxLayout(self)
        layout.setContentsMargins(8, 6, 8, 8)
        layout.addWidget(self._summary)
        layout.addWidget(area, 1)

    def update_frame(self, frame: Frame) -> None:
        """Show a frame; while hidden, nothing."""
        snapshot = frame.snapshot
        if not self.isVisible():
            return
        if snapshot is None or snapshot.posterior is None:
            self._posterior = None
            self._summary.clear()
            self.bars.show_figures(None)
            return
        if snapshot.posterior is not self._posterior:
            self._posterior = snapshot.posterior
            figures = dimensions_of(self._posterior)
            self._summary.setText(summary(figures))
            self.bars.show_figures(figures)
        self.bars.show_axes(frame.view.axes if snapshot.model.latent_dim > 1 else None)

    def showEvent(self, event: QShowEvent) -> None:
        """Catch up with what changed while hidden."""
        super().showEvent(event)
        self.update_frame(self._host.frame())

    def _choose(self, dimension: int, vertical: bool) -> None:
        """Take it as an axis; the other stays, or where it has this one already, they change places."""
        frame = self._host.frame()
        snapshot = frame.snapshot
        if snapshot is None or snapshot.model.latent_dim < 3:
            return
        self._host.set_view(
            **choose_axes(frame.view, snapshot, with_axis(frame.view.axes, dimension, vertical))
        )


def summary(figures: Dimensions) -> str:
    """How many are active, and what the bars are."""
    count, active = len(figures.variance), int(figures.active.sum())
    what = (
        "variance of the code"
        if figures.kl is None
        else f"KL {number_label(float(figures.kl.sum()), 1)} nats in all"
    )
    return f"{active} of {count} active; {what}"


class DimensionBars(QWidget):
    """The bars, longest first."""

    chosen = Signal(int, bool)
    """A number of z, counted from 0, and whether it is for the vertical axis."""
    reached = Signal(int)
    """Keys went to this row, which should be in sight."""

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("dimensionBars")
        self.setAccessibleName("Bars of the dimensions")
        self.setToolTip(_TIP)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self._figures: Dimensions | None = None
        self._order: list[int] = []
        self._axes: Axes | None = None
        self._row = 0

    @property
    def row_height(self) -> int:
        """Of one bar, logical pixels."""
        return self.fontMetrics().height() + 6

    @property
    def order(self) -> list[int]:
        """The numbers of z, counted from 0, from top to bottom."""
        return self._order

    def show_figures(self, figures: Dimensions | None) -> None:
        """Take the figures of all dimensions."""
        self._figures = figures
        self._order = [] if figures is None else figures.order.tolist()
        self._row = min(self._row, max(0, len(self._order) - 1))
        self.setMinimumHeight(len(self._order) * self.row_height)
        self.setAccessibleDescription("" if figures is None else summary(figures))
        self.update()

    def show_axes(self, axes: Axes | None) -> None:
        """Mark the dimensions that the plane shows."""
        if axes != self._axes:
            self._axes = axes
            self.update()

    def middle(self, row: int) -> int:
        """The height of a row's middle."""
        return row * self.row_height + self.row_height // 2

    def sizeHint(self) -> QSize:
        """Room for a few bars."""
        return QSize(220, 10 * self.row_height)

    def paintEvent(self, event: QPaintEvent) -> None:
        """The bars in sight."""
        if self._figures is None:
            return
        painter = QPainter(self)
        theme, height = theme_of(self.palette()), self.row_height
        metrics = self.fontMetrics()
        name_width = metrics.horizontalAdvance("→ z₂₅₆ ")
        text_width = max(map(metrics.horizontalAdvance, ("00.00", _INACTIVE))) + 8
        room = max(10.0, self.width() - name_width - text_width)
        size, active = self._figures.size, self._figures.active
        largest = max(float(np.max(size, initial=0.0)), 1e-9)
        first, last = event.rect().top() // height, event.rect().bottom() // height + 1
        for row in range(max(0, first), min(len(self._order), last)):
            dimension = self._order[row]
            top = row * height
            ink = QColor(theme.ink if active[dimension] else theme.muted)
            axis = self._axes.index(dimension) if self._axes and dimension in self._axes else None
            painter.setPen(QColor(theme.accent) if axis is not None else ink)
            middle = Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignRight
            mark = "" if axis is None else "→ " if axis == 0 else "↑ "
            painter.drawText(0, top, name_width - 6, height, middle, f"{mark}{dimension_name(dimension)}")
            length = room * max(0.0, float(size[dimension])) / largest
            bar = QRectF(name_width, top + 3, max(1.0, length), height - 6)
            painter.fillRect(bar, QColor(theme.curve(1) if active[dimension] else theme.border))
            painter.setPen(ink)
            text = number_label(float(size[dimension]), 2) if active[dimension] else _INACTIVE
            place = QRectF(bar.right() + 5, top, self.width() - bar.right() - 5, height)
            painter.drawText(place, int(Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft), text)
        if self.hasFocus() and self._order:
            painter.setPen(QColor(theme.accent))
            painter.drawRect(0, self._row * height, self.width() - 1, height - 1)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Take what was clicked as an axis."""
        row = int(event.position().y() // self.row_height)
        if event.button() == Qt.MouseButton.LeftButton and 0 <= row < len(self._order):
            self._row = row
            shift = bool(event.modifiers() & Qt.KeyboardModifier.ShiftModifier)
            self.chosen.emit(self._order[row], shift)
            self.update()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Up and Down go from bar to bar, Enter takes one as an axis."""
        key = event.key()
        if is_command(event) or not self._order:
            super().keyPressEvent(event)
        elif key in (Qt.Key.Key_Up, Qt.Key.Key_Down):
            self._row = min(max(self._row + (1 if key == Qt.Key.Key_Down else -1), 0), len(self._order) - 1)
            self.reached.emit(self._row)
            self.update()
        elif key in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            shift = bool(event.modifiers() & Qt.KeyboardModifier.ShiftModifier)
            self.chosen.emit(self._order[self._row], shift)
        else:
            super().keyPressEvent(event)

    def focusInEvent(self, event: Any) -> None:
        """Mark the bar the keys are at."""
        super().focusInEvent(event)
        self.update()

    def focusOutEvent(self, event: Any) -> None:
        """The keys go elsewhere."""
        super().focusOutEvent(event)
        self.update()
