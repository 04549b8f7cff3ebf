from __future__ import annotations

import gc
import threading
import weakref

import pytest
from PySide6.QtCore import QObject
from pytestqt.qtbot import QtBot

from vaeviewer.ui.window.garbage import CollectsHere


class Knot(QObject):
    """A Qt object in a reference cycle, which tells on which thread it is destroyed."""

    def __init__(self, told: list[str]) -> None:
        super().__init__()
        self.itself = self
        weakref.finalize(self, lambda: told.append(threading.current_thread().name))


def test_cycles_are_collected_on_the_windows_thread_alone(qtbot: QtBot) -> None:
    owner, told = QObject(), list[str]()
    gc.enable()
    collector = CollectsHere(owner)
    try:
        Knot(told)

        def allocate() -> None:
            kept = [[] for _ in range(200_000)]  # Python would collect some hundred times meanwhile
            assert kept

        worker = threading.Thread(target=allocate, name="worker")
        worker.start()
        worker.join()
        assert told == []
        # Its own generation comes when enough is new; here a whole collection makes sure of it.
        qtbot.waitUntil(lambda: gc.get_count()[0] < gc.get_threshold()[0], timeout=5000)
        gc.collect()
        assert told == [threading.current_thread().name]
    finally:
        collector.end()
        enabled = gc.isenabled()
        gc.disable()  # as the tests have it
    assert enabled


@pytest.mark.parametrize("enabled", [True, False])
def test_it_leaves_things_as_they_were(qtbot: QtBot, enabled: bool) -> None:
    (gc.enable if enabled else gc.disable)()
    try:
        owner = QObject()
        collector = CollectsHere(owner)
        assert not gc.isenabled()
        collector.end()
        assert gc.isenabled() is enabled
    finally:
        gc.disable()
