"""Loads and fetches data sets on a thread of their own, so that neither the window nor training waits."""

from __future__ import annotations

import threading
import time
from pathlib import Path

from PySide6.QtCore import QObject, Signal

from vaeviewer.backend.data import load_dataset
from vaeviewer.errors import UserError


class DataLoader(QObject):
    """One load at a time; a newer one replaces what is under way.

    Signals:
        loaded(ImageDataset): The data set asked for last.
        failed(str): A sentence that says why there is none.
        progress(int, int): Bytes fetched and bytes in all (0: unknown); ``(-1, -1)`` when a fetch ended.
    """

    loaded = Signal(object)
    failed = Signal(str)
    progress = Signal(int, int)

    _ended = Signal(int, object, str)
    _fetched = Signal(int, int, int)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.last_key = ""
        self._number = 0
        self._cancelled = threading.Event()
        self._threads: list[threading.Thread] = []
        self._closed = False
        self._ended.connect(self._on_ended)
        self._fetched.connect(self._on_fetched)

    def load(self, key: str, folder: Path | None) -> None:
        """Start loading; the answer comes as a signal."""
        if self._closed:
            return
        self.cancel()
        self._number += 1
        self.last_key = key
        self._cancelled = threading.Event()
        thread = threading.Thread(
            target=self._load, args=(self._number, key, folder, self._cancelled), name="data", daemon=True
        )
        # One that was given up may still be on its way out.
        self._threads = [*(thread for thread in self._threads if thread.is_alive()), thread]
        thread.start()

    def cancel(self) -> None:
        """Give up what is under way; it answers with ``failed`` or not at all."""
        self._cancelled.set()

    def close(self, timeout_s: float) -> bool:
        """Cancel and wait; returns whether every thread ended in time. Nothing is answered any more."""
        self._closed = True
        self.cancel()
        end = time.perf_counter() + timeout_s
        for thread in self._threads:
            thread.join(max(0.0, end - time.perf_counter()))
        return not any(thread.is_alive() for thread in self._threads)

    def _load(self, number: int, key: str, folder: Path | None, cancelled: threading.Event) -> None:
        def report(done: int, total: int) -> None:
            if not cancelled.is_set() and not self._closed:
                self._fetched.emit(number, done, total)

        dataset, sentence = None, ""
        try:
            dataset = load_dataset(key, folder, progress=report, cancelled=cancelled.is_set)
        except UserError as error:
            sentence = str(error)
        except Exception as error:  # a load never takes the window down; the sentence says what it was
            sentence = f"the images could not be loaded: {type(error).__name__}: {error}"
        if not self._closed:
            self._ended.emit(number, dataset, sentence)

    def _on_fetched(self, number: int, done: int, total: int) -> None:
        if number == self._number:
            self.progress.emit(done, total)

    def _on_ended(self, number: int, dataset: object, sentence: str) -> None:
        if number != self._number or self._closed:
            return
        self.progress.emit(-1, -1)
        if dataset is not None:
            self.loaded.emit(dataset)
        else:
            self.failed.emit(sentence)
