"""Who gets the keys: fields give the focus back, and Tab goes only to what can be seen."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QEvent, QObject, Qt, Slot
from PySide6.QtGui import QKeyEvent, QValidator
from PySide6.QtWidgets import (
    QAbstractSpinBox,
    QApplication,
    QComboBox,
    QDockWidget,
    QDoubleSpinBox,
    QLineEdit,
    QMainWindow,
    QSpinBox,
    QTabBar,
    QWidget,
)

from vaeviewer.ui.settings.number_fields import NumberField

_LEAVE = (Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_Escape)
_ARROWS: dict[int, tuple[float, float]] = {
    Qt.Key.Key_Left: (-1.0, 0.0),
    Qt.Key.Key_Right: (1.0, 0.0),
    Qt.Key.Key_Up: (0.0, 1.0),
    Qt.Key.Key_Down: (0.0, -1.0),
}
_COMMANDS = (
    Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.AltModifier | Qt.KeyboardModifier.MetaModifier
)


def is_command(event: QKeyEvent) -> bool:
    """Whether Ctrl, Alt or Meta is held: then the key is for the window and its menus, not for a panel."""
    return bool(event.modifiers() & _COMMANDS)


def handle_step(event: QKeyEvent) -> tuple[float, float] | None:
    """How far an arrow key moves the handle, in units of z: 0.05, and with Shift 0.5; ``None`` for other keys."""
    if event.key() not in _ARROWS or is_command(event):
        return None
    dx, dy = _ARROWS[event.key()]
    step = 0.5 if event.modifiers() & Qt.KeyboardModifier.ShiftModifier else 0.05
    return step * dx, step * dy


class FieldKeys(QObject):
    """Lets fields keep only the keys they have a use for.

    Enter takes what was typed and gives the focus back; Escape drops it and does so, too. In a number field a space,
    and a point that the number cannot take, are what they are elsewhere in the window.

    Args:
        window: Whose fields, those of its floating docks among them.
        home: Who gets the focus back.
    """

    def __init__(self, window: QMainWindow, home: QWidget) -> None:
        super().__init__(window)
        self._window = window
        self._home = home
        app = QApplication.instance()
        assert isinstance(app, QApplication), "widgets need one"
        app.focusChanged.connect(self._focus_changed)
        for dock in window.findChildren(QDockWidget):
            dock.visibilityChanged.connect(self._dock_came_or_went)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Take keys from the field that has the focus; no other widget is watched."""
        if not isinstance(event, QKeyEvent) or event.type() not in (
            QEvent.Type.ShortcutOverride,
            QEvent.Type.KeyPress,
        ):
            return False
        if is_command(event) or not isinstance(watched, QWidget):
            return False
        leaves = event.key() in _LEAVE and not _in_use(watched)
        if event.type() == QEvent.Type.ShortcutOverride:
            if isinstance(watched, QAbstractSpinBox) and not _can_take(watched, event.text()):
                watched.interpretText()  # whatever the key does must find the number on screen
                event.ignore()
                return True
            if leaves:
                event.accept()
            return leaves
        if leaves and event.key() != Qt.Key.Key_Escape and _has_problem(watched):
            return False  # the field says what is wrong, and keeps the text and the focus
        if leaves:
            self._leave(watched, keep=event.key() != Qt.Key.Key_Escape)
        return leaves

    def _leave(self, field: QWidget, *, keep: bool) -> None:
        if isinstance(field, QSpinBox | QDoubleSpinBox):
            if isinstance(field, NumberField) and not keep:
                field.take_back()
            field.interpretText()
        elif isinstance(field, QLineEdit) and keep:
            field.returnPressed.emit()
        elif isinstance(field, QLineEdit):
            while field.isUndoAvailable():
                field.undo()
        self._home.setFocus(Qt.FocusReason.OtherFocusReason)

    @Slot("QWidget*", "QWidget*")
    def _focus_changed(self, old: QObject | None, new: QObject | None) -> None:
        if old is not None:
            old.removeEventFilter(self)
        if isinstance(new, (QAbstractSpinBox, QLineEdit, QComboBox)) and self._is_ours(new):
            new.installEventFilter(self)

    def _is_ours(self, widget: QWidget) -> bool:
        above: QWidget | None = widget
        while above is not None and above is not self._window:
            if isinstance(above, QWidget) and above.isWindow() and not isinstance(above, QDockWidget):
                return False  # a dialog's fields are its own
            above = above.parentWidget()
        return above is not None

    def _dock_came_or_went(self, visible: bool) -> None:
        focus = QApplication.focusWidget()
        dock = self.sender()
        if not visible and focus is not None and isinstance(dock, QDockWidget) and dock.isAncestorOf(focus):
            self._home.setFocus(Qt.FocusReason.OtherFocusReason)


def next_seen(window: QMainWindow, move: Callable[[], bool]) -> bool:
    """Move the focus until it is somewhere that can be seen.

    Qt counts what lies in a dock behind another one's tab as visible, and the tabs of docks that are all closed but
    one, and would stop there.

    Args:
        window: Whose focus it is.
        move: Moves it on by one and says whether it could.
    """
    tried: set[QWidget] = set()
    while move():
        focus = window.focusWidget()
        if focus is None or focus in tried or not _is_behind(focus):
            return True
        tried.add(focus)
    return False


def _is_behind(widget: QWidget) -> bool:
    if isinstance(widget, QTabBar):
        return widget.visibleRegion().isEmpty()
    above: QWidget | None = widget
    while above is not None and not isinstance(above, QDockWidget):
        above = above.parentWidget()
    return above is not None and above.visibleRegion().isEmpty()


def _has_problem(field: QWidget) -> bool:
    """Whether a field that checks what is typed in it finds something wrong."""
    problem = getattr(field, "problem", None)
    return callable(problem) and bool(problem())


def _in_use(field: QWidget) -> bool:
    """Whether a list of choices is open, which has its own Enter and Escape."""
    return isinstance(field, QComboBox) and field.view().isVisible()


def _can_take(box: QAbstractSpinBox, text: str) -> bool:
    """Whether a space or a point typed now could become part of the number; other keys are the field's own."""
    if text not in (" ", "."):
        return True
    line = box.lineEdit()
    start = line.selectionStart() if line.hasSelectedText() else line.cursorPosition()
    rest = start + len(line.selectedText())
    typed = line.text()[:start] + text + line.text()[rest:]
    state = box.validate(typed, start + 1)[0]
    return text == "." and state != QValidator.State.Invalid
