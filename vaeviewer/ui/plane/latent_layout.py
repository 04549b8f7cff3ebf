"""How often the plane is laid out anew while points move: its range, and the places of the classes' names."""

from __future__ import annotations

import time
from collections.abc import Callable

from PySide6.QtCore import QObject, QTimer
from PySide6.QtWidgets import QWidget

LAYOUT_MS = 400  # between two layouts while points move …
CALM_LAYOUT_MS = 1200  # … and after one that changed nothing


class LayoutPace(QObject):
    """Lays out now and then, and never while the plane is hidden.

    Args:
        plane: Its parent.
        lay_out: Chooses the range and the places of the names for the points; says whether either changed.
    """

    def __init__(self, plane: QWidget, lay_out: Callable[[], bool]) -> None:
        super().__init__(plane)
        self._plane = plane
        self._lay_out = lay_out
        self._pending = True
        self._laid_out_at = float("-inf")
        self._calm = False  # neither range nor names moved lately
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(LAYOUT_MS)
        self._timer.timeout.connect(self.catch_up)

    def now(self) -> None:
        """Lay out; later, if the plane is not visible now."""
        self._pending = not self._plane.isVisible()
        if not self._pending:
            self._calm = not self._lay_out()

    def soon(self) -> None:
        """Lay out now, but not again at once: the points move several times as often.

        Points that come later than that bring the layout along, so that both are painted at once; the timer is for
        the last ones.
        """
        now = time.perf_counter()
        if now - self._laid_out_at >= (CALM_LAYOUT_MS if self._calm else LAYOUT_MS) / 1000:
            self._laid_out_at = now
            self._timer.stop()
            self.now()
        else:
            self._pending = True
            self._timer.start()

    def catch_up(self) -> None:
        """Lay out if that was put off."""
        if self._pending and self._plane.isVisible():
            self.now()
