"""A run whose images are no longer where it says: the window asks for the new place and remembers it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import run_folders
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFileDialog, QPushButton
from pytestqt.qtbot import QtBot
from small_images import write_idx_folder

from vaeviewer import app
from vaeviewer.backend.config import Settings
from vaeviewer.backend.runs.folder import read_manifest
from vaeviewer.backend.training.trainer import Trainer
from vaeviewer.session.states import State
from vaeviewer.ui.window.main_window import MainWindow

MakeWindow = Callable[[Settings], MainWindow]


@pytest.fixture
def moved(tmp_path: Path, small: Settings) -> tuple[Path, Path]:
    """A run of two steps, and where its images are now."""
    before, now = tmp_path / "before", tmp_path / "now"
    trainer = Trainer(write_idx_folder(before, train=100), small)
    for _ in range(2):
        trainer.step()
    trainer.finish_block()
    run_folders.save(trainer, tmp_path / "run")
    before.rename(now)
    return tmp_path / "run", now


def test_the_window_asks_where_they_are(
    qtbot: QtBot,
    make_window: MakeWindow,
    small: Settings,
    moved: tuple[Path, Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run, now = moved
    window = make_window(small)
    session = window.session
    session.open_run(run)
    qtbot.waitUntil(lambda: "before" in window.message.text, timeout=10_000)
    assert session.state is State.READY, "what was open stays"
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_: str(now))
    *_, button = [b for b in window.message.findChildren(QPushButton) if b.text() == "&Find the images…"]
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: session.folder == run, timeout=10_000)
    qtbot.waitUntil(lambda: session.state is State.PAUSED)
    assert session.snapshot is not None
    assert session.snapshot.step == 2
    assert not window.message.text
    qtbot.waitUntil(lambda: read_manifest(run).data.source.path == str(now), timeout=10_000)


def test_other_images_are_said_to_be_others(
    qtbot: QtBot, make_window: MakeWindow, small: Settings, moved: tuple[Path, Path]
) -> None:
    run, now = moved
    labels = now / "train-labels-idx1-ubyte"
    labels.write_bytes(labels.read_bytes()[:-2] + b"\1\0")
    window = make_window(small)
    window.session.open_run(run, now)
    qtbot.waitUntil(lambda: "differs from the data of the run" in window.message.text, timeout=10_000)


@pytest.fixture
def opened(qtbot: QtBot, moved: tuple[Path, Path]) -> Iterator[MainWindow]:
    run, now = moved
    window = app.create_main_window(run, now)
    window.show()
    yield window
    window.close()
    window.deleteLater()


def test_the_command_line_may_say_where_they_are(
    qtbot: QtBot, opened: MainWindow, moved: tuple[Path, Path]
) -> None:
    qtbot.waitUntil(lambda: opened.session.folder == moved[0], timeout=30_000)
    qtbot.waitUntil(lambda: opened.session.state is State.PAUSED)
    assert not opened.message.text
