"""The words beside the curves in a column that scrolls where a panel is low, so that plots keep all of its height."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QObject, QSize, Qt
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QFrame, QScrollArea, QSizePolicy, QStyle, QWidget

LEAST_LINES = 4
"""Lines of text that are always in sight."""

_GAP = 4  # pixels between numbers and the bar


class ReadoutColumn(QScrollArea):
    """As wide as what it holds and, where that scrolls, the bar beside it; as high as there is room.

    Args:
        held: What it holds, which becomes its child.
    """

    def __init__(self, held: QWidget) -> None:
        super().__init__()
        self._held = held
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setWidgetResizable(True)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)  # it follows the focus of what is in it
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Preferred)
        self._bar = 0
        self.setWidget(held)
        self._make_room()

    def sizeHint(self) -> QSize:
        """All of it."""
        hint = self._held.sizeHint()
        return QSize(hint.width() + self._bar, hint.height())

    def minimumSizeHint(self) -> QSize:
        """Its width, and a few lines."""
        whole = self._held.minimumSizeHint()
        return QSize(
            whole.width() + self._bar, min(whole.height(), LEAST_LINES * self.fontMetrics().height())
        )

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Take the room that the bar needs, or give it back."""
        super().resizeEvent(event)
        self._make_room()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Follow what it holds when that needs more or less than before."""
        found = super().eventFilter(watched, event)
        if event.type() == QEvent.Type.LayoutRequest:
            self._make_room()
            self.updateGeometry()
        return found

    def _make_room(self) -> None:
        scrolls = self._held.minimumSizeHint().height() > self.height()
        bar = self.style().pixelMetric(QStyle.PixelMetric.PM_ScrollBarExtent) + _GAP if scrolls else 0
        if bar != self._bar:
            self._bar = bar
            self.updateGeometry()
