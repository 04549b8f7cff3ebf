"""The lecture hall (F11): full screen, the plane, the decoded image and the curves, all large, everything by keys."""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtCore import QEvent, QObject, QSize, Qt, QTimer
from PySide6.QtGui import QKeySequence, QShortcut
from PySide6.QtWidgets import QMainWindow, QToolBar, QWidget

from vaeviewer.ui.plane.latent_view import LatentView
from vaeviewer.ui.window.dock_layout import DockLayout
from vaeviewer.ui.window.message_bar import MessageBar
from vaeviewer.ui.window.text_size import TextSize, lay_out

FACTOR = 1.6
"""How many times larger text, points and the handle are."""

BACK_MS = 1000
"""A window manager gives a window its former size back within this time, or does not."""


@dataclass(frozen=True)
class _Before:
    """What to come back to."""

    state: Qt.WindowState
    size: QSize
    bars: tuple[QWidget, ...]


class LectureHall(QObject):
    """Turns a main window into what the last row can read, and back.

    Args:
        window: The window.
        docks: Its docks.
        text: The size of its text.
        plane: Where points and handle are.
        message: Whose Escape comes first.
    """

    def __init__(
        self,
        window: QMainWindow,
        docks: DockLayout,
        text: TextSize,
        plane: LatentView,
        message: MessageBar,
    ) -> None:
        super().__init__(window)
        self._window, self._docks, self._text, self._plane = window, docks, text, plane
        self._message = message
        self._before: _Before | None = None
        self._escape = QShortcut(QKeySequence(Qt.Key.Key_Escape), window)
        self._escape.activated.connect(self.leave)
        self._escape.setEnabled(False)
        self._returning: QSize | None = None
        self._give_up = QTimer(self)
        self._give_up.setSingleShot(True)
        self._give_up.setInterval(BACK_MS)
        self._give_up.timeout.connect(self._is_back)
        message.installEventFilter(self)

    @property
    def active(self) -> bool:
        """Whether the window shows itself to a lecture hall."""
        return self._before is not None

    def toggle(self) -> None:
        """Enter, or leave."""
        if self.active:
            self.leave()
        else:
            self.enter()

    def enter(self) -> None:
        """Fill the screen with plane, decoded image and curves."""
        if self.active:
            return
        self._is_back()
        window = self._window
        bars = (window.menuBar(), window.statusBar(), *window.findChildren(QToolBar))
        self._before = _Before(
            state=window.windowState(),
            size=window.size(),
            bars=tuple(bar for bar in bars if not bar.isHidden()),
        )
        self._docks.enter_hall()
        for bar in self._before.bars:
            bar.hide()
        self._text.set_factor(FACTOR)
        self._docks.fit()  # to the larger text
        self._plane.set_mark_scale(FACTOR)
        window.setWindowState(window.windowState() | Qt.WindowState.WindowFullScreen)
        self._plane.setFocus(Qt.FocusReason.OtherFocusReason)
        self._see_to_escape()

    def leave(self) -> None:
        """Make everything as it was before."""
        before, self._before = self._before, None
        if before is None:
            return
        self._see_to_escape()
        for bar in before.bars:
            bar.show()
        self._text.set_factor(1.0)
        self._plane.set_mark_scale(1.0)
        self._docks.leave_hall()
        lay_out(self._window)  # else it would be held to be as large as the hall's panels
        self._window.setWindowState(before.state)
        if self._window.size() != before.size:  # the window manager takes its time
            self._returning = before.size
            self._window.installEventFilter(self)
            self._give_up.start()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Leave Escape to a message, and arrange the docks again once the window is as large as before."""
        kind = event.type()
        if watched is self._message and kind in (QEvent.Type.Show, QEvent.Type.Hide):
            self._see_to_escape()
        elif watched is self._window and kind == QEvent.Type.Resize and self._returning is not None:
            QTimer.singleShot(0, self, self._arrange_if_back)
        return False

    def _see_to_escape(self) -> None:
        self._escape.setEnabled(self.active and self._message.isHidden())

    def _arrange_if_back(self) -> None:
        window, size = self._window, self._returning
        if size is None:
            return
        if window.size() == size:
            self._is_back()
            self._docks.leave_hall()
        elif window.windowState() == Qt.WindowState.WindowNoState:
            window.resize(size)

    def _is_back(self) -> None:
        self._returning = None
        self._give_up.stop()
        self._window.removeEventFilter(self)
