"""A drag by real mouse events, and how long the decoded image takes to follow it."""

from __future__ import annotations

import math
import time
from typing import Any

from PySide6.QtCore import QEvent, QPointF, Qt
from PySide6.QtGui import QMouseEvent
from PySide6.QtWidgets import QApplication

from vaeviewer.backend.snapshot import Snapshot
from vaeviewer.bench.common import percentile
from vaeviewer.bench.stage import PaintWatcher, pause, precise_timer
from vaeviewer.session.grid_decoder import Ask, Deliver, Job
from vaeviewer.ui.images.image_widget import ImageWidget
from vaeviewer.ui.window.main_window import MainWindow

PIXELS_PER_S = 400.0
"""How fast the mouse goes."""


class Drag:
    """Moves the mouse round and round in the latent plane with the left button down.

    Each image painted is one measurement, from the oldest move that it is the first to show: where moves come
    faster than images, all but the newest have waited.

    Attributes:
        moves: Moves made.
        entered: When each entered the plane, by ``time.perf_counter``.
        latencies_ms: From a move's entering the plane to the image's being painted.
        from_hand_ms: The same from when the move was due: what came late as the event loop was busy waited longer.
    """

    def __init__(self, window: MainWindow, moves_per_s: int) -> None:
        self.latencies_ms: list[float] = []
        self.from_hand_ms: list[float] = []
        self._viewport = window.plane.viewport()
        self._decoded = window.decoded
        self._period = 1 / moves_per_s
        self._timer = precise_timer(self._move, single_shot=True)
        self._due: list[float] = []  # by move
        self.entered: list[float] = []
        self._begin = 0.0
        self._in_image = 0  # moves that the newest decoded image knows of, …
        self._being_painted = 0  # … the one being painted, …
        self._on_screen = 0  # … and the one on the screen
        image = self._decoded.findChild(ImageWidget)
        assert image is not None, "the view shows an image"
        self._watcher = PaintWatcher([image], begins=self._note_image, painted=self._painted)
        self._ask: Ask = getattr(self._decoded, "_ask")  # noqa: B009 -- nobody else has to listen in

    @property
    def moves(self) -> int:
        """Moves made so far."""
        return len(self.entered)

    def start(self) -> None:
        """Press and begin to move."""
        setattr(self._decoded, "_ask", self._listen)  # noqa: B010
        self._send(QEvent.Type.MouseButtonPress, self._place(0), Qt.MouseButton.LeftButton)
        self._begin = time.perf_counter()
        self._timer.start(0)

    def stop(self) -> None:
        """Release; what has not been painted yet is not counted."""
        self._timer.stop()
        self._watcher.deleteLater()
        self._send(QEvent.Type.MouseButtonRelease, self._place(self.moves), Qt.MouseButton.LeftButton)
        setattr(self._decoded, "_ask", self._ask)  # noqa: B010

    def _move(self) -> None:
        now = time.perf_counter()  # moves that come due meanwhile wait until the event loop has had its turn
        due = self._begin + self.moves * self._period
        while due <= now:
            self._due.append(due)
            place = self._place(self.moves)
            self.entered.append(time.perf_counter())
            self._send(QEvent.Type.MouseMove, place, Qt.MouseButton.NoButton)
            due = self._begin + self.moves * self._period
        self._timer.start(max(0, math.ceil(1000 * (due - time.perf_counter()))))

    def _place(self, move: int) -> QPointF:
        """A point of a rosette about the middle of the plane, never the same one twice in a row."""
        width, height = self._viewport.width(), self._viewport.height()
        radius = 0.3 * min(width, height)
        angle = PIXELS_PER_S * self._period * move / radius
        r = radius * (0.7 + 0.3 * math.sin(0.37 * angle))
        return QPointF(0.5 * width + r * math.cos(angle), 0.5 * height + r * math.sin(angle))

    def _send(self, kind: QEvent.Type, place: QPointF, button: Qt.MouseButton) -> None:
        held = (
            Qt.MouseButton.NoButton if kind == QEvent.Type.MouseButtonRelease else Qt.MouseButton.LeftButton
        )
        on_screen = self._viewport.mapToGlobal(place)
        event = QMouseEvent(kind, place, on_screen, button, held, Qt.KeyboardModifier.NoModifier)
        QApplication.sendEvent(self._viewport, event)

    def _listen(self, kind: str, snapshot: Snapshot, job: Job, deliver: Deliver) -> None:
        moves = self.moves  # those that the image asked for here knows of, whenever it comes

        def note(answer: Any) -> None:
            self._in_image = moves
            deliver(answer)

        self._ask(kind, snapshot, job, note)

    def _note_image(self) -> None:
        self._being_painted = self._in_image

    def _painted(self) -> None:
        if self._being_painted > self._on_screen:
            now = time.perf_counter()
            self.latencies_ms.append(1000 * (now - self.entered[self._on_screen]))
            self.from_hand_ms.append(1000 * (now - self._due[self._on_screen]))
            self._on_screen = self._being_painted


def follow(window: MainWindow, moves_per_s: int, seconds: float) -> dict[str, Any]:
    """A drag of so long, and how the decoded image followed it."""
    drag = Drag(window, moves_per_s)
    drag.start()
    pause(seconds)
    drag.stop()
    return {
        "p50_ms": percentile(drag.latencies_ms, 50),
        "p99_ms": percentile(drag.latencies_ms, 99),
        "from_hand_p50_ms": percentile(drag.from_hand_ms, 50),
        "from_hand_p99_ms": percentile(drag.from_hand_ms, 99),
        "moves_per_s": drag.moves / seconds,
        "images_per_s": len(drag.latencies_ms) / seconds,
    }
