"""Closing the window while its run cannot be saved: no step is lost unsaid."""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFileDialog, QPushButton
from pytestqt.qtbot import QtBot

from vaeviewer.backend.config import Settings, updated
from vaeviewer.backend.runs import atomic_files
from vaeviewer.backend.runs.folder import load_run
from vaeviewer.session.states import Action, State
from vaeviewer.ui.window.main_window import MainWindow

MakeWindow = Callable[[Settings], MainWindow]


class Disk:
    """Full or slow as long as one likes."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.full = False
        self.write_s = 0.0
        real = atomic_files.write

        def write(*arguments: object) -> object:
            time.sleep(self.write_s)
            if self.full:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return real(*arguments)

        monkeypatch.setattr(atomic_files, "write", write)


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Disk:
    return Disk(monkeypatch)


@pytest.fixture
def training(qtbot: QtBot, make_window: MakeWindow, small: Settings, disk: Disk) -> MainWindow:
    """A window whose run is in training, with its beginning on disk."""
    window = make_window(updated(small, epochs=100_000))
    session = window.session
    session.set_steps_per_second(500.0)
    with qtbot.waitSignal(session.saved, timeout=30_000):
        session.request(Action.TRAIN)
    return window


def press(qtbot: QtBot, window: MainWindow, text: str) -> None:
    *_, button = [b for b in window.message.findChildren(QPushButton) if b.text() == text]
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)


def trained(qtbot: QtBot, window: MainWindow, steps: int = 50) -> None:
    qtbot.waitUntil(lambda: window.session.progress is not None and window.session.progress.step > steps)


def last_step(folder: Path) -> int:
    return load_run(folder).checkpoint.snapshot.step


def test_on_a_full_disk_the_window_stays_and_saves_elsewhere(
    qtbot: QtBot, training: MainWindow, disk: Disk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    window, session, folder = training, training.session, training.session.folder
    assert folder is not None
    disk.full = True
    trained(qtbot, window)
    assert not window.close()
    assert window.isVisible()
    assert (
        "The run is not saved: no space left on device. Closing now would lose its last"
        in window.message.text
    )
    qtbot.waitUntil(lambda: session.state is State.PAUSED)
    assert session.snapshot is not None
    step = session.snapshot.step
    assert step > 50
    assert last_step(folder) < step
    assert not window.close(), "asked again, it is as full as before"

    disk.full = False  # elsewhere is another disk
    elsewhere = tmp_path / "elsewhere"
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(elsewhere), ""))
    press(qtbot, window, "Save &elsewhere…")
    qtbot.waitUntil(lambda: session.folder == elsewhere, timeout=10_000)
    assert last_step(elsewhere) == step
    assert window.close()


def test_it_can_be_closed_all_the_same(qtbot: QtBot, training: MainWindow, disk: Disk) -> None:
    disk.full = True
    trained(qtbot, training)
    assert not training.close()
    press(qtbot, training, "Close without &saving")
    assert not training.isVisible()


def test_it_goes_on_where_it_stayed(qtbot: QtBot, training: MainWindow, disk: Disk) -> None:
    session, folder = training.session, training.session.folder
    assert folder is not None
    disk.full = True
    trained(qtbot, training)
    assert not training.close()
    qtbot.waitUntil(lambda: session.state is State.PAUSED)
    assert session.snapshot is not None
    step = session.snapshot.step
    session.request(Action.TRAIN)
    trained(qtbot, training, step + 20)
    disk.full = False
    assert training.close()
    assert last_step(folder) > step + 20


def test_a_slow_save_is_waited_for(qtbot: QtBot, training: MainWindow, disk: Disk) -> None:
    folder = training.session.folder
    assert folder is not None
    trained(qtbot, training)
    disk.write_s = 0.6  # a save writes a few files
    assert not training.close()
    assert training.isVisible()
    assert "closes as soon as the run is saved" in training.message.text
    qtbot.waitUntil(lambda: not training.isVisible(), timeout=20_000)
    assert last_step(folder) > 50


def test_a_slow_save_need_not_be_waited_for(qtbot: QtBot, training: MainWindow, disk: Disk) -> None:
    trained(qtbot, training)
    disk.write_s = 1.0
    assert not training.close()
    press(qtbot, training, "Close without &saving")
    assert not training.isVisible()
    disk.write_s = 0.0
    qtbot.waitUntil(lambda: not training.session._thread._thread.is_alive(), timeout=10_000)
