"""A user who does anything in any order: random actions on a real window, and what went wrong at which."""

from __future__ import annotations

import logging
import random
import sys
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

from PySide6.QtCore import (
    QCoreApplication,
    QEvent,
    QMessageLogContext,
    QObject,
    QPoint,
    QPointF,
    Qt,
    QTimer,
    QtMsgType,
    qInstallMessageHandler,
)
from PySide6.QtGui import QAction, QMouseEvent, QWheelEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import (
    QAbstractSpinBox,
    QApplication,
    QComboBox,
    QDialog,
    QDockWidget,
    QFileDialog,
    QLineEdit,
    QMenu,
    QPushButton,
    QSlider,
    QWidget,
)

from vaeviewer.session.states import Action
from vaeviewer.ui.curves.metric_plot import MetricPlot
from vaeviewer.ui.window.awaited import Awaited
from vaeviewer.ui.window.main_window import MainWindow

_LEFT_OUT = ("quit", "mnist", "fashion", "open a window")
"""Menu entries that end the program, or go to the network."""

_WITHOUT_A_SCREEN = ("propagateSizeHints", "This plugin does not support")
"""What Qt warns of because there is no screen."""

_BUTTONS = (Qt.MouseButton.LeftButton,) * 4 + (Qt.MouseButton.MiddleButton, Qt.MouseButton.RightButton)
_PLAIN, _SHIFT = Qt.KeyboardModifier.NoModifier, Qt.KeyboardModifier.ShiftModifier
_CONTROL, _ALT = Qt.KeyboardModifier.ControlModifier, Qt.KeyboardModifier.AltModifier
_KEYS = [
    *((key, _PLAIN) for key in (Qt.Key.Key_Space, Qt.Key.Key_Period, Qt.Key.Key_Return, Qt.Key.Key_Escape)),
    *((key, _PLAIN) for key in (Qt.Key.Key_Tab, Qt.Key.Key_Backtab, Qt.Key.Key_Home, Qt.Key.Key_End)),
    *((key, _PLAIN) for key in (Qt.Key.Key_Left, Qt.Key.Key_Right, Qt.Key.Key_Up, Qt.Key.Key_Down)),
    *((key, _SHIFT) for key in (Qt.Key.Key_Left, Qt.Key.Key_Right, Qt.Key.Key_Up, Qt.Key.Key_Down)),
    *((key, _PLAIN) for key in (Qt.Key.Key_PageUp, Qt.Key.Key_PageDown, Qt.Key.Key_Plus, Qt.Key.Key_Minus)),
    *((key, _PLAIN) for key in (Qt.Key.Key_F, Qt.Key.Key_U, Qt.Key.Key_N, Qt.Key.Key_P, Qt.Key.Key_H)),
    *((key, _PLAIN) for key in (Qt.Key.Key_1, Qt.Key.Key_9, Qt.Key.Key_E, Qt.Key.Key_Backspace)),
    *((key, _PLAIN) for key in (Qt.Key.Key_F1, Qt.Key.Key_F11, Qt.Key.Key_F10, Qt.Key.Key_Delete)),
    *((key, _CONTROL) for key in (Qt.Key.Key_R, Qt.Key.Key_S, Qt.Key.Key_N, Qt.Key.Key_O, Qt.Key.Key_E)),
    *((key, _CONTROL) for key in (Qt.Key.Key_Period, Qt.Key.Key_Plus, Qt.Key.Key_Minus, Qt.Key.Key_0)),
    *((key, _ALT) for key in (Qt.Key.Key_F, Qt.Key.Key_D, Qt.Key.Key_V, Qt.Key.Key_T, Qt.Key.Key_H)),
]
_NUMBERS = (
    "1",
    "5",
    "10",
    "0",
    "0.003",
    "1e-5",
    "100",
    "1000",
    "0.1",
    "-3",
    "9999999999",
    "",
    "abc",
    "1e400",
)


class _Errors(logging.Handler):
    """Collects what is logged as an error, whatever thread it comes from."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.texts.append(record.getMessage())


class Monkey(QObject):
    """Acts on a window, and keeps what it did last.

    Args:
        window: A shown window with a ready session.
        seed: Of what it does.
        folders: Of idx files to switch between; some may be none.
        place: Where it may write.

    Attributes:
        errors: What was logged as an error, warned of by Qt, or caught by nobody.
        longest: The longest that the window was busy at a stretch, s of its thread's own time, and the action it was
            at. What it waits for a processor is training's.
    """

    def __init__(self, window: MainWindow, seed: int, folders: list[Path], place: Path) -> None:
        super().__init__()
        self._window, self._seed = window, seed
        self._random = random.Random(seed)
        self._aside = random.Random(seed)  # for dialogs, which come when they come
        self._folders = folders
        self._place = place
        self._handler = _Errors()
        self._last: deque[str] = deque(maxlen=12)
        self.longest = (0.0, "")
        self._acting = False
        self._qt_before: Callable[..., object] | None = None
        self._actions: list[tuple[int, Callable[[], str]]] = [
            (16, self._drag),
            (8, self._click),
            (8, self._wheel),
            (20, self._press_key),
            (8, self._choose_from_menu),
            (4, self._resize),
            (5, self._move_dock),
            (8, self._type_setting),
            (5, self._choose_in_combo),
            (8, self._request),
            (4, self._press_push_button),
            (4, self._answer_message),
            (3, self._move_slider),
            (2, self._switch_data),
            (2, self._use_run),
            (2, self._zoom_curves),
            (2, self._close_other_windows),
            (6, self._wait),
        ]

    @property
    def errors(self) -> list[str]:
        return self._handler.texts

    def act(self, times: int) -> None:
        """Do so many things; stops at the first error."""
        weights, doings = zip(*self._actions, strict=True)
        logging.getLogger().addHandler(self._handler)
        before, sys.excepthook = sys.excepthook, self._caught
        self._qt_before = qInstallMessageHandler(self._on_qt_message)
        self._acting = True
        self._answer_dialog()
        try:
            for number in range(times):
                (doing,) = self._random.choices(doings, weights)
                self._last.append(f"{number}: {doing.__name__.strip('_')}")
                began = time.thread_time()
                words = doing()
                self._turn()
                self._last[-1] += f" {words}"
                self._note(time.thread_time() - began)
                assert not self.errors, self.story()
        finally:
            self._acting = False
            sys.excepthook = before
            qInstallMessageHandler(self._qt_before)
            logging.getLogger().removeHandler(self._handler)

    def story(self) -> str:
        """The seed, what was done last, and what went wrong."""
        return "\n".join([f"seed {self._seed}, in the end:", *self._last, *self.errors])

    def _caught(self, kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        logging.getLogger("vaeviewer").error("nobody caught this", exc_info=error)
        import traceback

        self._handler.texts.append("".join(traceback.format_exception(kind, error, trace)))

    def _on_qt_message(self, kind: QtMsgType, context: QMessageLogContext, text: str) -> None:
        if kind != QtMsgType.QtDebugMsg and not any(words in text for words in _WITHOUT_A_SCREEN):
            self._handler.texts.append(text)
        if self._qt_before is not None:
            self._qt_before(kind, context, text)

    def open_mathematics(self) -> None:
        """Open the panels that nobody sees at first, each as a window of its own, so that all are seen at once."""
        for waiting in self._window.findChildren(Awaited):
            dock = waiting.parent()
            while not isinstance(dock, QDockWidget):
                dock = dock.parent()
            dock.setFloating(True)
            dock.resize(self._random.randrange(250, 700), self._random.randrange(250, 600))
            dock.show()
            self._turn()

    def _turn(self) -> None:
        QCoreApplication.processEvents()
        QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)

    # Where

    def _spot(self) -> tuple[QWidget, QPoint]:
        """A random place of a random visible window, and the widget there; plane and mathematics more often."""
        made = [panel for panel in self._window.findChildren(Awaited) if panel.in_front]
        if made and self._random.random() < 0.3:
            panel = self._random.choice(made)
            at = self._inside(panel)
            child = panel.childAt(at) or panel
            self._above = panel
            return child, child.mapFrom(panel, at)
        if self._random.random() < 0.3 and self._window.plane.isVisible():
            target = self._window.plane.viewport()
            return target, self._inside(target)
        tops = [
            w for w in QApplication.topLevelWidgets() if w.isVisible() and w.width() > 2 and w.height() > 2
        ]
        top = self._window if self._random.random() < 0.8 or not tops else self._random.choice(tops)
        at = self._inside(top)
        child = top.childAt(at)
        if child is None or not _alive(child):
            child = top
        self._above = top  # Python's object for the child may go with that of its parent
        return child, child.mapFrom(top, at)

    def _inside(self, widget: QWidget) -> QPoint:
        return QPoint(
            self._random.randrange(max(1, widget.width())), self._random.randrange(max(1, widget.height()))
        )

    def _visible(self, kind: type[QWidget]) -> QWidget | None:
        found = [w for w in self._window.findChildren(kind) if w.isVisible() and w.isEnabled()]
        return self._random.choice(found) if found else None

    # What

    def _drag(self) -> str:
        widget, start = self._spot()
        button = self._random.choice(_BUTTONS)
        places = [start, *(self._inside(widget) for _ in range(self._random.randrange(6)))]
        modifiers = self._random.choice([_PLAIN, _PLAIN, _PLAIN, _SHIFT, _CONTROL])
        _mouse(widget, QEvent.Type.MouseButtonPress, start, button, button, modifiers)
        for place in places:
            if not _alive(widget):
                return "of a widget that went"
            _mouse(widget, QEvent.Type.MouseMove, place, Qt.MouseButton.NoButton, button, modifiers)
            if self._random.random() < 0.5:
                self._turn()
        if _alive(widget):
            _mouse(
                widget, QEvent.Type.MouseButtonRelease, places[-1], button, Qt.MouseButton.NoButton, modifiers
            )
        return f"{button.name} over {_name(widget)} by {[p.toTuple() for p in places]}"

    def _click(self) -> str:
        widget, place = self._spot()
        name = _name(widget)
        if self._random.random() < 0.2:
            QTest.mouseDClick(widget, Qt.MouseButton.LeftButton, pos=place)
        else:
            QTest.mouseClick(widget, Qt.MouseButton.LeftButton, pos=place)
        return f"{name} at {place.toTuple()}"

    def _wheel(self) -> str:
        widget, place = self._spot()
        delta = self._random.choice([120, -120, 120, -120, 1200, -1200, 30, -12_000])
        modifiers = self._random.choice([_PLAIN, _PLAIN, _CONTROL, _SHIFT])
        event = QWheelEvent(
            QPointF(place),
            QPointF(widget.mapToGlobal(place)),
            QPoint(),
            QPoint(0, delta),
            Qt.MouseButton.NoButton,
            modifiers,
            Qt.ScrollPhase.NoScrollPhase,
            False,
        )
        QApplication.sendEvent(widget, event)
        return f"{delta} over {_name(widget)}"

    def _press_key(self) -> str:
        key, modifiers = self._random.choice(_KEYS)
        target = QApplication.focusWidget() or self._window
        name = _name(target)
        QTest.keyClick(target, key, modifiers)
        return f"{key.name} with {modifiers.name} in {name}"

    def _choose_from_menu(self) -> str:
        entries = [entry for menu in self._window.menuBar().actions() for entry in _entries(menu)]
        entries = [
            e for e in entries if not any(word in e.text().replace("&", "").lower() for word in _LEFT_OUT)
        ]
        if not entries:
            return "with nothing in it"
        entry = self._random.choice(entries)
        text = entry.text()
        entry.trigger()
        return text

    def _resize(self) -> str:
        window, how = self._window, self._random.randrange(8)
        if how == 0:
            window.showMaximized()
        elif how == 1:
            window.showFullScreen()
        elif how == 2:
            window.showMinimized()
            self._turn()
            window.showNormal()
        elif how == 3:
            window.showNormal()
        else:
            window.resize(self._random.randrange(300, 2200), self._random.randrange(200, 1400))
        return f"{how}"

    def _move_dock(self) -> str:
        dock = self._random.choice(self._window.findChildren(QDockWidget))
        how = self._random.randrange(5)
        if how == 0:
            dock.setFloating(not dock.isFloating())
        elif how == 1:
            dock.close()
        elif how in (2, 3):
            dock.show()
            dock.raise_()
        elif dock.isFloating():
            dock.resize(self._random.randrange(60, 1200), self._random.randrange(60, 900))
        return f"{how} {dock.windowTitle()}"

    def _type_setting(self) -> str:
        field = self._visible(self._random.choice([QAbstractSpinBox, QAbstractSpinBox, QLineEdit]))
        if field is None:
            return "nowhere"
        text, name = self._random.choice(_NUMBERS), _name(field)
        field.setFocus()
        QTest.keyClick(field, Qt.Key.Key_A, _CONTROL)
        QTest.keyClicks(field, text)
        QTest.keyClick(field, self._random.choice([Qt.Key.Key_Return, Qt.Key.Key_Tab, Qt.Key.Key_Escape]))
        return f"{text!r} into {name}"

    def _choose_in_combo(self) -> str:
        box = self._visible(QComboBox)
        if not isinstance(box, QComboBox):
            return "nowhere"
        places = (box.model().index(row, box.modelColumn()) for row in range(box.count()))
        rows = [place.row() for place in places if place.flags() & Qt.ItemFlag.ItemIsEnabled]  # no headings
        if not rows:
            return "nowhere"
        box.setCurrentIndex(self._random.choice(rows))
        box.activated.emit(box.currentIndex())
        return f"{_name(box)} {box.currentText()}"

    def _request(self) -> str:
        action = self._random.choice([Action.TRAIN, Action.TRAIN, *Action])
        self._window.session.request(action)
        return action.name

    def _press_push_button(self) -> str:
        button = self._visible(QPushButton)
        if not isinstance(button, QPushButton):
            return "nowhere"
        text = button.text()
        QTest.mouseClick(button, Qt.MouseButton.LeftButton)
        return text

    def _answer_message(self) -> str:
        buttons = [b for b in self._window.message.findChildren(QPushButton) if b.isVisible()]
        if not buttons:
            return "where there is none"
        button = self._random.choice(buttons)
        text = button.text()
        QTest.mouseClick(button, Qt.MouseButton.LeftButton)
        return text

    def _move_slider(self) -> str:
        slider = self._visible(QSlider)
        if not isinstance(slider, QSlider):
            return "nowhere"
        slider.setValue(self._random.randint(slider.minimum(), slider.maximum()))
        return f"{_name(slider)} {slider.value()}"

    def _switch_data(self) -> str:
        folder = self._random.choice(self._folders)
        self._window.session.load_data("folder", folder)
        return folder.name

    def _use_run(self) -> str:
        folder, how = self._place / f"run-{self._random.randrange(3)}", self._random.randrange(3)
        if how:
            self._window.session.open_run(folder)
        else:
            self._window.session.save(folder)
        return f"{'open' if how else 'save'} {folder.name}"

    def _zoom_curves(self) -> str:
        self._window.elbo_terms.set_options({"y": "loss", "log": self._random.random() < 0.7})
        plot = self._visible(MetricPlot)
        if plot is None:
            return "nowhere"
        delta = self._random.choice([-12_000, -1200, 1200, 12_000])
        for _ in range(20):
            viewport = plot.viewport()
            at = QPointF(self._inside(viewport))
            event = QWheelEvent(
                at,
                QPointF(viewport.mapToGlobal(at.toPoint())),
                QPoint(),
                QPoint(0, delta),
                Qt.MouseButton.NoButton,
                _PLAIN,
                Qt.ScrollPhase.NoScrollPhase,
                False,
            )
            QApplication.sendEvent(viewport, event)
        return f"{delta}"

    def _close_other_windows(self) -> str:
        for other in QApplication.topLevelWidgets():
            if isinstance(other, QDialog) and other.isVisible():
                other.close()
        return ""

    def _wait(self) -> str:
        seconds = self._random.choice([0.0, 0.01, 0.03, 0.1, 0.3])
        end = time.perf_counter() + seconds
        while time.perf_counter() < end:
            began = time.thread_time()
            self._turn()
            self._note(time.thread_time() - began)
            time.sleep(0.001)
        return f"{seconds} s"

    def _note(self, busy: float) -> None:
        if busy > self.longest[0]:
            self.longest = busy, " after ".join(list(self._last)[:-3:-1])

    def _answer_dialog(self) -> None:
        """Answer what waits for an answer, also within the answer to another, and close what has popped up."""
        if self._acting:
            QTimer.singleShot(30, self, self._answer_dialog)
        popup = QApplication.activePopupWidget()
        if popup is not None:
            if self._aside.random() < 0.5:
                popup.close()
            else:
                QTest.keyClick(popup, Qt.Key.Key_Escape)
            return
        dialog = QApplication.activeModalWidget()
        if isinstance(dialog, QFileDialog) and self._aside.random() < 0.6:
            chosen = self._aside.choice([*self._folders, self._place / "picture", self._place / "run-0"])
            dialog.selectFile(str(chosen))
            dialog.accept()
        if isinstance(dialog, QDialog) and dialog.isVisible():
            dialog.reject()


def _mouse(
    widget: QWidget,
    kind: QEvent.Type,
    at: QPoint,
    button: Qt.MouseButton,
    held: Qt.MouseButton,
    modifiers: Qt.KeyboardModifier,
) -> None:
    event = QMouseEvent(kind, QPointF(at), QPointF(widget.mapToGlobal(at)), button, held, modifiers)
    QApplication.sendEvent(widget, event)


def _entries(action: QAction) -> list[QAction]:
    """The entries that can be chosen in a menu and those below it."""
    menu = action.menu()
    if not isinstance(menu, QMenu):
        return [action] if action.isEnabled() and not action.isSeparator() else []
    menu.aboutToShow.emit()
    return [entry for child in menu.actions() for entry in _entries(child)]


def _alive(widget: QWidget) -> bool:
    from shiboken6 import isValid

    return isValid(widget)


def _name(widget: QWidget) -> str:
    return f"{type(widget).__name__} {widget.objectName()}".rstrip()
