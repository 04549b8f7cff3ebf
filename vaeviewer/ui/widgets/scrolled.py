"""A panel in less room than it needs: it scrolls, so that all of it can be reached."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QSize, Qt, Signal
from PySide6.QtGui import QMoveEvent, QResizeEvent
from PySide6.QtWidgets import QAbstractScrollArea, QFrame, QLabel, QScrollArea, QWidget

LEAST = QSize(90, 70)
"""Room that a panel always has, pixels."""


class Scrolled(QScrollArea):
    """Holds a panel; as large as that would like, and hardly ever in the way of a smaller window.

    Args:
        panel: The panel, which becomes its child. It shrinks to its smallest size before anything scrolls.

    Signals:
        placed: It has another place or size, as when the title above it has.
    """

    placed = Signal()

    def __init__(self, panel: QWidget) -> None:
        super().__init__()
        self._panel = panel
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setWidgetResizable(True)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)  # it follows the focus of what is in it
        self.setSizePolicy(panel.sizePolicy())
        self._room = _Room(panel)
        self.setWidget(self._room)

    def say(self, sentence: str) -> None:
        """Show a sentence in the panel's place, plain text; with an empty one the panel again."""
        self._room.label.setText(sentence)
        self._room.label.setVisible(bool(sentence))
        self._panel.setVisible(not sentence)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Tell of it."""
        super().resizeEvent(event)
        self.placed.emit()

    def moveEvent(self, event: QMoveEvent) -> None:
        """Tell of it."""
        super().moveEvent(event)
        self.placed.emit()

    def sizeHint(self) -> QSize:
        """The panel's."""
        return self._panel.sizeHint()

    def whole_height(self) -> int:
        """Pixels from which on nothing scrolls up and down."""
        return max(self.sizeHint().height(), self._room.minimumSizeHint().height())

    def whole_width(self) -> int:
        """Pixels from which on nothing scrolls sideways."""
        return self._room.minimumSizeHint().width()

    def minimumSizeHint(self) -> QSize:
        """So little that a window fits a small screen with any number of panels."""
        return self._panel.minimumSizeHint().boundedTo(LEAST)


class _Room(QWidget):
    """A panel filling it. A layout would not do: with text that wraps in it, a panel would scroll before it shrinks."""

    def __init__(self, panel: QWidget) -> None:
        super().__init__()
        self._panel = panel
        panel.setParent(self)
        self.label = QLabel(self)
        self.label.setObjectName("whyNot")
        self.label.setTextFormat(Qt.TextFormat.PlainText)
        self.label.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.label.setWordWrap(True)
        self.label.setMargin(12)
        self.label.hide()

    def minimumSizeHint(self) -> QSize:
        """The panel's, and room for all lines of its texts that wrap, of which a layout's own hint knows nothing."""
        hint = self._panel.minimumSizeHint()
        for label in self._panel.findChildren(QLabel):
            if (
                label.wordWrap()
                and label.text()
                and label.isVisibleTo(self._panel)
                and not self._scrolls(label)
            ):
                lines = label.heightForWidth(label.width()) - label.minimumSizeHint().height()
                hint.setHeight(hint.height() + max(0, lines))
        return hint

    def _scrolls(self, label: QLabel) -> bool:
        """Whether it lies in what scrolls by itself, where its lines need no room here."""
        widget: QWidget | None = label
        while widget is not None and widget is not self:
            if isinstance(widget, QAbstractScrollArea):
                return True
            widget = widget.parentWidget()
        return False

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._panel.resize(self.size())
        self.label.resize(self.size())
        if event.size().width() != event.oldSize().width():
            self.updateGeometry()  # texts that wrap have other lines now

    def event(self, event: QEvent) -> bool:
        """Tell the scroll area when the panel needs more or less than before, as with other metrics."""
        if event.type() == QEvent.Type.LayoutRequest:
            self.updateGeometry()
        return super().event(event)
