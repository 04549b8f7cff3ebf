"""The size of all text in the window: chosen with Ctrl++ and Ctrl+−, remembered, and larger in the lecture hall."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QObject, QSettings, Signal
from PySide6.QtGui import QFont
from PySide6.QtWidgets import QApplication, QMainWindow

from vaeviewer.ui.window.first_size import FRAME

SIZES = (70, 80, 90, 100, 110, 125, 150, 175, 200)
"""Sizes to choose from, percent of the system's."""

NOTE_MS = 3000
"""How long the status bar says which size was chosen."""

_KEY = "window/text_size"
_SCALE, _SYSTEM_FONT = "vaeviewerTextScale", "vaeviewerSystemFont"
"""Properties of the application, as what they say is true of it: a font of its own is part of no window."""


def text_scale() -> float:
    """How large text is, over the system's size; for what sets a size of its own or is painted by hand."""
    app = QApplication.instance()
    scale = app.property(_SCALE) if app is not None else None
    return float(scale) if scale else 1.0


def set_text_scale(scale: float) -> None:
    """Make all text so many times as large as the system has it."""
    app = QApplication.instance()
    assert isinstance(app, QApplication), "widgets need one"
    if scale == text_scale():
        return
    system = app.property(_SYSTEM_FONT)
    if not isinstance(system, QFont):
        system = QFont(app.font())
        app.setProperty(_SYSTEM_FONT, system)
    app.setProperty(_SCALE, scale)
    font = QFont(system)
    if system.pointSizeF() > 0:
        font.setPointSizeF(system.pointSizeF() * scale)
    else:
        font.setPixelSize(round(system.pixelSize() * scale))
    app.setFont(font)
    # Qt tells widgets in a moment; whether they have room must be known now.
    QApplication.sendPostedEvents(None, QEvent.Type.ApplicationFontChange.value)


LEVELS = 4
"""Of layouts within each other, each of which asks the one around it."""


def lay_out(window: QMainWindow) -> None:
    """Let a window know at once how much room its panels need now: they tell by events, level by level."""
    layout = window.layout()
    assert layout is not None, "a main window has one from the first"
    for _ in range(LEVELS):
        QApplication.sendPostedEvents(None, QEvent.Type.LayoutRequest.value)
        layout.activate()


class TextSize(QObject):
    """Sets the application's font, which all widgets follow.

    A size at which the window has no room on its screen is not taken.

    Signals:
        chosen: Another size was.

    Args:
        window: What has to fit; its panels are made already.
        store: Where the size is remembered.
    """

    chosen = Signal()

    def __init__(self, window: QMainWindow, store: QSettings) -> None:
        super().__init__(window)
        self._window = window
        self._store = store
        self._factor = 1.0
        self.percent = _remembered(store)
        self._apply()

    def fit(self) -> None:
        """Go down to what fits, if a larger size was remembered: the screen may be another one now."""
        while self.percent > 100 and not self._fits():
            self.percent = SIZES[SIZES.index(self.percent) - 1]
            self._apply()

    def step(self, by: int) -> None:
        """Go ``by`` sizes up, or down where negative, as far as there are any and they fit."""
        place = min(max(0, SIZES.index(self.percent) + by), len(SIZES) - 1)
        self._choose(SIZES[place])

    def reset(self) -> None:
        """Go back to the system's size."""
        self._choose(100)

    def set_factor(self, factor: float) -> None:
        """Show all text so many times as large as chosen, or as nearly so as fits."""
        for tried in (factor, *(share for share in (1.4, 1.25, 1.1, 1.0) if share < factor)):
            self._factor = tried
            self._apply()
            if self._fits():
                break

    def _choose(self, percent: int) -> None:
        before, self.percent = self.percent, percent
        self._apply()
        note = f"Text {percent} %"
        if percent > before and not self._fits():
            self.percent = before
            self._apply()
            lay_out(self._window)  # which has made room for the larger text
            note = f"Text {before} %: larger has no room on this screen"
        self._store.setValue(_KEY, self.percent)
        self._window.statusBar().showMessage(note, NOTE_MS)
        self.chosen.emit()

    def _apply(self) -> None:
        set_text_scale(self.percent / 100 * self._factor)

    def _fits(self) -> bool:
        lay_out(self._window)
        least, room = self._window.minimumSizeHint(), self._window.screen().availableSize() - FRAME
        return least.width() <= room.width() and least.height() <= room.height()


def _remembered(store: QSettings) -> int:
    """The size chosen before; the system's where none was, or none of ours."""
    try:
        percent = int(str(store.value(_KEY)))
    except ValueError:
        return 100
    return percent if percent in SIZES else 100
