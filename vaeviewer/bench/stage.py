"""The real window in an event loop of our own: waiting in it, and watching what it paints."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Any

from PySide6.QtCore import QCoreApplication, QEvent, QEventLoop, QObject, Qt, QTimer, qInstallMessageHandler
from PySide6.QtWidgets import QWidget

from vaeviewer import app
from vaeviewer.backend.config import updated
from vaeviewer.backend.data.base import ImageDataset
from vaeviewer.bench.common import tiled
from vaeviewer.session.states import State
from vaeviewer.ui.window.main_window import MainWindow

WINDOW_SIZE = (1280, 800)
HEARTBEAT_MS = 4
PATIENCE_S = 180.0
"""How long any one thing may take before the measurement is given up."""


def hush_qt() -> None:
    """Keep Qt's remarks about the platform off standard error."""
    qInstallMessageHandler(lambda *_: None)


def wait_until(condition: Callable[[], bool], timeout_s: float = PATIENCE_S, *, poll_ms: int = 5) -> bool:
    """Run the event loop until ``condition`` holds; returns whether it did in time.

    Raises:
        Exception: What ``condition`` raised.
    """
    loop = QEventLoop()
    end = time.perf_counter() + timeout_s
    met = False
    errors: list[Exception] = []

    def look() -> None:
        nonlocal met
        try:
            met = condition()
        except Exception as error:  # Qt would print it and go on waiting
            errors.append(error)
        if met or errors or time.perf_counter() >= end:
            loop.quit()

    timer = precise_timer(look)
    timer.start(poll_ms)
    loop.exec()
    timer.stop()
    if errors:
        raise errors[0]
    return met


def pause(seconds: float) -> None:
    """Run the event loop for so long."""
    loop = QEventLoop()
    timer = precise_timer(loop.quit, single_shot=True)
    timer.start(round(1000 * seconds))
    loop.exec()


def precise_timer(slot: Callable[[], None], *, single_shot: bool = False) -> QTimer:
    """A timer that is right to the millisecond where the machine can."""
    timer = QTimer()
    timer.setTimerType(Qt.TimerType.PreciseTimer)
    timer.setSingleShot(single_shot)
    timer.timeout.connect(slot)
    return timer


def open_window(
    images: int, *, dress: Callable[[ImageDataset], ImageDataset] = lambda dataset: dataset, **changes: Any
) -> MainWindow:
    """The window on screen, ready to train on so many tiled digits with the default preset and ``changes``.

    Args:
        images: How many.
        dress: What is made of the digits first.
        changes: Settings by name.

    Raises:
        RuntimeError: It is not ready in time; the sentence says what the window said.
    """
    hush_qt()
    window = app.create_main_window()
    session = window.session
    problems: list[str] = []
    session.problem.connect(lambda sentence, _details: problems.append(sentence))
    session.settings = updated(session.settings, **changes)
    window.resize(*WINDOW_SIZE)
    window.show()

    def must(condition: Callable[[], bool]) -> None:
        if not wait_until(lambda: condition() or bool(problems)) or problems:
            raise RuntimeError("; ".join(problems) or "the window was not ready in time")

    must(lambda: session.state is State.READY)
    assert session.dataset is not None, "a session that is ready has data"
    dataset = tiled(dress(session.dataset), images)
    session.use_data(dataset, keep_model=False)
    must(lambda: session.dataset is dataset and session.progress is not None)
    return window


def train(window: MainWindow) -> None:
    """Press Train, and wait for the first steps.

    Raises:
        RuntimeError: Nothing happens.
    """
    window.controls.press_train()
    if not wait_until(lambda: steps_taken(window) > 0):
        raise RuntimeError("training does not begin")


def steps_taken(window: MainWindow) -> int:
    """Gradient steps in the history, which training itself writes, ten times a second or more often."""
    history = window.session.history
    rows = history.training.view() if history is not None else ()
    return int(rows.step[-1]) if rows else 0


class PaintWatcher(QObject):
    """Reports when widgets are painted.

    Args:
        widgets: What to watch.
        begins: Called as one of them is about to be painted.
        painted: Called when all that was painted together is on the window's surface.
    """

    _PAINTED = QEvent.Type(QEvent.registerEventType())

    def __init__(
        self, widgets: Iterable[QWidget], begins: Callable[[], None], painted: Callable[[], None]
    ) -> None:
        super().__init__()
        self._begins = begins
        self._painted = painted
        self._pending = False
        for widget in widgets:
            widget.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Note paint events; all events go on to the widget."""
        if event.type() == QEvent.Type.Paint:
            self._begins()
            if not self._pending:
                self._pending = True
                # Delivered before any other event, once the painting under way is done.
                priority = Qt.EventPriority.HighEventPriority.value
                QCoreApplication.postEvent(self, QEvent(self._PAINTED), priority)
        return False

    def event(self, event: QEvent) -> bool:
        """The painting that was under way is done."""
        if event.type() == self._PAINTED:
            self._pending = False
            self._painted()
            return True
        return super().event(event)


class Heartbeat:
    """Beats every 4 ms on the UI thread and keeps by how much each beat was late, ms."""

    def __init__(self) -> None:
        self.late_ms: list[float] = []
        self._last = 0.0
        self._timer = precise_timer(self._beat)

    def start(self) -> None:
        """Begin to beat."""
        self._last = time.perf_counter()
        self._timer.start(HEARTBEAT_MS)

    def stop(self) -> None:
        """Stop, counting a beat that is overdue."""
        self._beat()
        self._timer.stop()

    def _beat(self) -> None:
        now = time.perf_counter()
        self.late_ms.append(max(0.0, 1000 * (now - self._last) - HEARTBEAT_MS))
        self._last = now
