"""Keeps Python's cyclic garbage collector on the window's thread."""

from __future__ import annotations

import gc

from PySide6.QtCore import QObject, QTimer

CHECK_MS = 500


class CollectsHere(QObject):
    """Collects reference cycles on the thread it is made on, in place of whichever thread allocates.

    A cycle may hold Qt objects, plots that a panel has replaced above all, and their destruction on the training
    thread would end the process.

    Args:
        parent: The window.
    """

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self._was_enabled = gc.isenabled()
        gc.disable()
        self._timer = QTimer(self)
        self._timer.timeout.connect(self._collect)
        self._timer.start(CHECK_MS)

    def end(self) -> None:
        """Leave collecting to Python again."""
        self._timer.stop()
        if self._was_enabled:
            gc.enable()

    def _collect(self) -> None:
        """As Python would: the oldest generation that has more than its threshold, and those younger."""
        due = [
            g for g, (n, most) in enumerate(zip(gc.get_count(), gc.get_threshold(), strict=True)) if n > most
        ]
        if due:
            gc.collect(max(due))
