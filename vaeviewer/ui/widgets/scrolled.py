"""A panel in less room than it needs: it scrolls, so that all of it can be reached."""

from __future__ import annotations

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QFrame, QScrollArea, QWidget

LEAST = QSize(90, 70)
"""Room that a panel always has, pixels."""


class Scrolled(QScrollArea):
    """Holds a panel; as large as that would like, and hardly ever in the way of a smaller window.

    Args:
        panel: The panel, which becomes its child. It shrinks to its smallest size before anything scrolls.
    """

    def __init__(self, panel: QWidget) -> None:
        super().__init__()
        self._panel = panel
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setWidgetResizable(True)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)  # it follows the focus of what is in it
        self.setSizePolicy(panel.sizePolicy())
        self.setWidget(_Room(panel))

    def sizeHint(self) -> QSize:
        """The panel's."""
        return self._panel.sizeHint()

    def minimumSizeHint(self) -> QSize:
        """So little that a window fits a small screen with any number of panels."""
        return self._panel.minimumSizeHint().boundedTo(LEAST)


class _Room(QWidget):
    """A panel filling it. A layout would not do: with text that wraps in it, a panel would scroll before it shrinks."""

    def __init__(self, panel: QWidget) -> None:
        super().__init__()
        self._panel = panel
        panel.setParent(self)

    def minimumSizeHint(self) -> QSize:
        return self._panel.minimumSizeHint()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._panel.resize(self.size())
