"""PySide6 6.12.0 on Python < 3.12 loses a reference to None and True at every emit and processEvents, and then the
interpreter aborts. This counts them."""

from __future__ import annotations

import sys

from PySide6.QtCore import QCoreApplication, QObject, Signal
from pytestqt.qtbot import QtBot


class Emitter(QObject):
    fired = Signal(object)


def test_signals_and_events_keep_none_and_true_alive(qtbot: QtBot) -> None:
    emitter = Emitter()
    emitter.fired.connect(lambda value: value)
    before = [sys.getrefcount(None), sys.getrefcount(True)]
    for _ in range(1_000):
        emitter.fired.emit(None)
        emitter.fired.emit(True)
        QCoreApplication.processEvents()
    after = [sys.getrefcount(None), sys.getrefcount(True)]
    assert all(abs(b - a) < 50 for a, b in zip(before, after, strict=True))
