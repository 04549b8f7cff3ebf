"""Loads, reads and fetches data sets on a thread of their own, so that neither the window nor training waits."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from PySide6.QtCore import QObject, Signal

from vaeviewer.backend.data import load_dataset
from vaeviewer.backend.training.affinity import let_the_window_go_first
from vaeviewer.errors import FetchError, UserError

RATE_AFTER_S = 1.0
"""How long a download is watched before it is said how long it takes."""


Unit = Literal["bytes", "images"]

Work = Callable[[Callable[[int, int], None], Callable[[], bool]], object]
"""Done on the thread: is given whom to tell how much of how much is done, and whom to ask whether to stop."""


@dataclass(frozen=True)
class Fetched:
    """How far a download, or the reading of files, has come.

    Attributes:
        done: Bytes there, or images read; files that are looked at first count twice.
        total: In all.
        seconds_left: At the pace so far, or ``None`` where that is not known yet.
        unit: What is counted.
    """

    done: int
    total: int
    seconds_left: float | None
    unit: Unit = "bytes"


class DataLoader(QObject):
    """One load at a time; a newer one replaces what is under way.

    Signals:
        loaded(object): What was asked for last: an ImageDataset, or what the work given to :meth:`start` returned.
        failed(str, bool): A sentence that says why there is none, and whether that is for want of a server.
        progress(Fetched): How far it has come.
        ended(): What was asked for last is there, has failed, or was given up.
    """

    loaded = Signal(object)
    failed = Signal(str, bool)
    progress = Signal(object)
    ended = Signal()

    _ended = Signal(int, object, str, bool)
    _fetched = Signal(int, int, int)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.last_key = ""
        self.last_folder: Path | None = None
        self._number = 0
        self._active = False
        self._unit: Unit = "bytes"
        self._began: tuple[float, int] | None = None
        self._cancelled = threading.Event()
        self._threads: list[threading.Thread] = []
        self._closed = False
        self._ended.connect(self._on_ended)
        self._fetched.connect(self._on_fetched)

    def load(self, key: str, folder: Path | None) -> None:
        """Start loading a data set; the answer comes as a signal."""
        self.last_key, self.last_folder = key, folder
        self.start(
            lambda report, cancelled: load_dataset(key, folder, progress=report, cancelled=cancelled),
            "images" if key == "folder" else "bytes",
        )

    def start(self, work: Work, unit: Unit = "images") -> None:
        """Start some work; what it returns comes as a signal, and ``unit`` is what its progress counts."""
        if self._closed:
            return
        self.cancel()
        self._active, self._began, self._unit = True, None, unit
        self._cancelled = threading.Event()
        thread = threading.Thread(
            target=self._work, args=(self._number, work, self._cancelled), name="data", daemon=True
        )
        # One that was given up may still be on its way out.
        self._threads = [*(thread for thread in self._threads if thread.is_alive()), thread]
        thread.start()

    def cancel(self) -> None:
        """Give up what is under way: nothing is heard of it any more, also where its thread waits for a server."""
        self._cancelled.set()
        self._number += 1
        self._end()

    def close(self, timeout_s: float) -> bool:
        """Cancel and wait; returns whether every thread ended in time. Nothing is answered any more."""
        self._closed = True
        self.cancel()
        end = time.perf_counter() + timeout_s
        for thread in self._threads:
            thread.join(max(0.0, end - time.perf_counter()))
        return not any(thread.is_alive() for thread in self._threads)

    def _work(self, number: int, work: Work, cancelled: threading.Event) -> None:
        def report(done: int, total: int) -> None:
            if not cancelled.is_set() and not self._closed:
                self._fetched.emit(number, done, total)

        let_the_window_go_first()
        result, sentence, not_fetched = None, "", False
        try:
            result = work(report, cancelled.is_set)
        except UserError as error:
            sentence, not_fetched = str(error), isinstance(error, FetchError)
        except Exception as error:  # a load never takes the window down; the sentence says what it was
            sentence = f"the images could not be loaded: {type(error).__name__}: {error}"
        if not self._closed:
            self._ended.emit(number, result, sentence, not_fetched)

    def _on_fetched(self, number: int, done: int, total: int) -> None:
        if number != self._number:
            return
        now = time.perf_counter()
        if self._began is None:
            self._began = now, done
        began, before = self._began
        known = now - began >= RATE_AFTER_S and done > before
        left = (total - done) * (now - began) / (done - before) if known else None
        self.progress.emit(Fetched(done, total, left, self._unit))

    def _on_ended(self, number: int, result: object, sentence: str, not_fetched: bool) -> None:
        if number != self._number or self._closed:
            return
        self._end()
        if result is not None:
            self.loaded.emit(result)
        else:
            self.failed.emit(sentence, not_fetched)

    def _end(self) -> None:
        was_active, self._active = self._active, False
        if was_active and not self._closed:
            self.ended.emit()
