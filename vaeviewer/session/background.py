"""Runs pieces of work, one after the other, away from the thread that draws."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from typing import Any, TypeVar

from PySide6.QtCore import QObject, Qt, Signal, Slot

Result = TypeVar("Result")


class Background(QObject):
    """One thread for short work such as reading files.

    The thread starts with the first piece of work and ends with :meth:`close`, which the owner must call.
    """

    _done = Signal(object, object)
    _broke = Signal(object)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._work: queue.SimpleQueue[tuple[Callable[[], Any], Callable[[Any], None]] | None] = (
            queue.SimpleQueue()
        )
        self._posting = threading.Lock()
        self._closed = False
        self._thread: threading.Thread | None = None
        # Slots of this object, queued: results are handed over on the thread it lives on.
        self._done.connect(self._hand_over, Qt.ConnectionType.QueuedConnection)
        self._broke.connect(self._raise, Qt.ConnectionType.QueuedConnection)

    def run(self, work: Callable[[], Result], then: Callable[[Result], None]) -> None:
        """Do ``work`` after what was asked for before; ``then`` gets its result on this object's thread.

        What ``work`` raises is raised again there. After :meth:`close` nothing more is done.
        """
        if self._closed:
            return
        self._work.put((work, then))
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="background", daemon=True)
            self._thread.start()

    def close(self, timeout_s: float) -> bool:
        """Drop all work and end the thread; returns whether it ended within ``timeout_s`` seconds."""
        with self._posting:
            self._closed = True
        self._work.put(None)
        if self._thread is None:
            return True
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def _run(self) -> None:
        while (item := self._work.get()) is not None and not self._closed:
            work, then = item
            try:
                result = work()
            except Exception as error:  # the thread lives on; who reports errors listens on the other one
                self._post(self._broke, error)
            else:
                self._post(self._done, then, result)

    def _post(self, signal: Any, *values: object) -> None:
        with self._posting:  # once close() has returned, this object may be destroyed
            if not self._closed:
                signal.emit(*values)

    @Slot(object, object)
    def _hand_over(self, then: Callable[[Any], None], result: Any) -> None:
        if not self._closed:
            then(result)

    @Slot(object)
    def _raise(self, error: Exception) -> None:
        if not self._closed:
            raise error
