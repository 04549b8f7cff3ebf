"""Space trains and pauses, wherever the focus has no use of its own for it."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QObject, Qt, Slot
from PySide6.QtGui import QKeySequence, QShortcut
from PySide6.QtWidgets import (
    QAbstractButton,
    QAbstractItemView,
    QApplication,
    QComboBox,
    QLineEdit,
    QPlainTextEdit,
    QTextEdit,
    QWidget,
)

_KEEPS_SPACE = (
    QLineEdit,
    QTextEdit,
    QPlainTextEdit,
    QComboBox,
    QAbstractButton,
    QAbstractItemView,
)


def install_space_shortcut(window: QWidget, callback: Callable[[], None]) -> QShortcut:
    """Make Space call ``callback`` anywhere in ``window`` except where the focus has its own use for it.

    Text fields, combo boxes, lists, check boxes and buttons keep their Space; a number has no use for one. The
    shortcut is switched with the focus, since Qt hands Space to a shortcut before it asks a button or combo box.

    Args:
        window: The window whose shortcut it is; it owns the returned object.
        callback: Called once per press; holding the key does not repeat it.
    """
    shortcut = _SpaceShortcut(window)
    shortcut.activated.connect(callback)
    return shortcut


class _SpaceShortcut(QShortcut):
    def __init__(self, window: QWidget) -> None:
        super().__init__(QKeySequence(Qt.Key.Key_Space), window)
        self.setAutoRepeat(False)
        self.setWhatsThis("Train, Pause, Resume")
        app = QApplication.instance()
        if isinstance(app, QApplication):
            app.focusChanged.connect(self._focus_changed)
        self._focus_changed(None, QApplication.focusWidget())

    @Slot("QWidget*", "QWidget*")
    def _focus_changed(self, old: QObject | None, new: QObject | None) -> None:
        self.setEnabled(not isinstance(new, _KEEPS_SPACE))
