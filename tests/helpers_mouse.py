"""Real mouse events."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QEvent, QPointF, Qt
from PySide6.QtGui import QMouseEvent
from PySide6.QtWidgets import QApplication, QWidget


def mouse(
    widget: QWidget, kind: QEvent.Type, at: QPointF, button: Qt.MouseButton, held: Qt.MouseButton
) -> None:
    event = QMouseEvent(kind, at, widget.mapToGlobal(at), button, held, Qt.KeyboardModifier.NoModifier)
    QApplication.sendEvent(widget, event)


def drag(widget: QWidget, path: list[QPointF], between: Callable[[], None] = lambda: None) -> None:
    """A press, real moves with the left button held, and a release."""
    left, none = Qt.MouseButton.LeftButton, Qt.MouseButton.NoButton
    mouse(widget, QEvent.Type.MouseButtonPress, path[0], left, left)
    for point in path[1:]:
        mouse(widget, QEvent.Type.MouseMove, point, none, left)
        between()
    mouse(widget, QEvent.Type.MouseButtonRelease, path[-1], left, none)
