"""Exceptions that nobody caught: logged with their trace and shown once each, whatever thread they come from."""

from __future__ import annotations

import logging
import sys
import threading
import time
import traceback
from dataclasses import dataclass
from types import TracebackType

from PySide6.QtCore import QObject, Qt, QTimer, Signal

from vaeviewer.ui.window.main_window import MainWindow

log = logging.getLogger(__name__)

UPDATE_MS = 500
"""The count of an error that keeps coming is brought up to date at most this often."""

QUIET_SECONDS = 10.0
"""An error whose message was put away is shown again only after it has not come for so long."""

KEY = "unexpected"
"""Key of the message: of several errors the newest is shown."""

MAX_KINDS = 200
"""Errors told apart; from there on all others count as one."""


@dataclass
class _Seen:
    """One error, told by its type and the line that raised it."""

    sentence: str
    details: str
    count: int = 0
    last: float = 0.0
    returned: bool = True

    @property
    def text(self) -> str:
        times = f" ({self.count:,} times)" if self.count > 1 else ""
        return f"Something unexpected went wrong{times}: {self.sentence}. The program goes on."


class ErrorReporter(QObject):
    """Puts a window's uncaught exceptions into its message bar and the log, and leaves the program running.

    An exception that comes again and again, as from a paint event, is one message with a count, and is logged
    the first, the tenth, the hundredth … time.

    Args:
        window: Where messages appear; the reporter becomes its child.
    """

    _caught = Signal()
    _interrupted = Signal()

    def __init__(self, window: MainWindow) -> None:
        super().__init__(window)
        self._window = window
        self._lock = threading.Lock()
        self._seen: dict[tuple[object, ...], _Seen] = {}
        self._newest: _Seen | None = None
        self._shown: _Seen | None = None
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.timeout.connect(self._show_newest)
        # Queued: exceptions come from any thread and from the middle of a paint event.
        queued = Qt.ConnectionType.QueuedConnection
        self._caught.connect(self._on_caught, queued)
        self._interrupted.connect(window.close, queued)

    def install(self) -> None:
        """Become the place where Python and Qt report exceptions that nobody caught."""
        sys.excepthook = self.report
        threading.excepthook = self._report_from_thread
        sys.unraisablehook = self._log_unraisable

    def report(self, kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        """Take note of an exception; may be called on any thread."""
        if issubclass(kind, KeyboardInterrupt):
            self._interrupted.emit()
            return
        with self._lock:
            seen = self._find(kind, error, trace)
            seen.count += 1
            now = time.monotonic()
            seen.returned = seen.returned or now - seen.last > QUIET_SECONDS
            seen.last = now
            self._newest = seen
            count = seen.count
        if count == 1:
            log.error("nobody caught this\n%s", seen.details)
        elif str(count).strip("0") == "1":
            log.error("for the %dth time: %s", count, seen.sentence)
        self._caught.emit()

    def _find(self, kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> _Seen:
        last = trace
        while last is not None and last.tb_next is not None:
            last = last.tb_next
        place = (last.tb_frame.f_code.co_filename, last.tb_lineno) if last is not None else ()
        key: tuple[object, ...] = (kind, *place)
        if key not in self._seen and len(self._seen) >= MAX_KINDS:
            key = ()
        if key not in self._seen:
            lines = str(error).strip().splitlines() or ["no more is known"]
            details = "".join(traceback.format_exception(kind, error, trace))
            self._seen[key] = _Seen(f"{kind.__name__}, {lines[0].rstrip('.')}", details)
        return self._seen[key]

    def _report_from_thread(self, args: threading.ExceptHookArgs) -> None:
        if args.exc_value is not None:
            self.report(args.exc_type, args.exc_value, args.exc_traceback)

    def _log_unraisable(self, args: sys.UnraisableHookArgs) -> None:
        """What went wrong in clean-up concerns no user."""
        trace = traceback.format_exception(args.exc_type, args.exc_value, args.exc_traceback)
        log.error("%s %r\n%s", args.err_msg or "ignored in", args.object, "".join(trace))

    def _on_caught(self) -> None:
        if not self._timer.isActive():
            self._show_newest()

    def _show_newest(self) -> None:
        with self._lock:
            seen, self._newest = self._newest, None
            if seen is None:
                return
            text, returned = seen.text, seen.returned
            seen.returned = False
        if returned:
            self._shown = seen
            self._window.session.problem.emit(text, seen.details, KEY, False)
        elif seen is self._shown:
            self._window.message.set_text(KEY, text)
        self._timer.start(UPDATE_MS)
