"""Export, from the menu to the file, with the real window."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from helpers_images import pixels_of
from PySide6.QtCore import QObject, Qt, QTimer, QUrl, Slot
from PySide6.QtGui import QAction, QDesktopServices, QImage
from PySide6.QtWidgets import QFileDialog, QPushButton
from pytestqt.qtbot import QtBot
from saboteur import SmallDisk

from vaeviewer.analysis.manifold import mosaic
from vaeviewer.backend.config import Settings
from vaeviewer.ui.window.main_window import MainWindow

MakeWindow = Callable[..., MainWindow]


class Opened(QObject):
    """Takes what would be opened on the desktop."""

    def __init__(self) -> None:
        super().__init__()
        self.urls: list[QUrl] = []

    @Slot(QUrl)
    def take(self, url: QUrl) -> None:
        self.urls.append(url)


@pytest.fixture
def desktop() -> Iterator[Opened]:
    opened = Opened()
    QDesktopServices.setUrlHandler("file", opened, "take")
    yield opened
    QDesktopServices.unsetUrlHandler("file")


@pytest.fixture
def window(qtbot: QtBot, make_window: MakeWindow, small: Settings) -> MainWindow:
    window = make_window(small)
    qtbot.waitUntil(lambda: window.manifold.picture() is not None, timeout=20_000)
    return window


def press(qtbot: QtBot, window: MainWindow, text: str) -> None:
    (button,) = [b for b in window.message.findChildren(QPushButton) if b.text() == text and b.isVisible()]
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)


def told(qtbot: QtBot, window: MainWindow) -> str:
    """What is said once the file is written, or is not."""
    qtbot.waitUntil(lambda: bool(window.message.text) and not window.message.work.active, timeout=20_000)
    return window.message.text


def export(window: MainWindow, monkeypatch: pytest.MonkeyPatch, name: Path) -> None:
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(name), ""))
    (entry,) = [a for a in window.findChildren(QAction) if a.text() == "&Export manifold…"]
    entry.trigger()


@pytest.mark.parametrize(
    ("typed", "written"),
    [("mani", "mani.png"), ("mani.v2", "mani.v2.png"), ("mani.PNG", "mani.PNG"), ("<b>mani", "<b>mani.png")],
)
def test_an_export_says_where_it_went(
    qtbot: QtBot,
    window: MainWindow,
    desktop: Opened,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    typed: str,
    written: str,
) -> None:
    picture = window.manifold.picture()
    assert picture is not None
    export(window, monkeypatch, tmp_path / typed)
    assert told(qtbot, window) == f"Exported: {written}, in {tmp_path}"
    assert [path.name for path in tmp_path.iterdir()] == [written]
    assert (pixels_of(QImage(str(tmp_path / written)))[..., 0] == picture).all()
    press(qtbot, window, "Sho&w folder")
    assert desktop.urls == [QUrl.fromLocalFile(str(tmp_path))]
    assert not window.message.text


def test_a_file_that_the_dialog_did_not_ask_about_is_asked_about(
    qtbot: QtBot, window: MainWindow, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "mani.png").write_bytes(b"mine")
    export(window, monkeypatch, tmp_path / "mani")
    assert "Replace it?" in window.message.text
    press(qtbot, window, "&Keep it")
    assert (tmp_path / "mani.png").read_bytes() == b"mine"
    export(window, monkeypatch, tmp_path / "mani")
    press(qtbot, window, "&Replace")
    assert told(qtbot, window).startswith("Exported: mani.png")
    assert not QImage(str(tmp_path / "mani.png")).isNull()


@pytest.mark.parametrize("place", ["nowhere/mani.png", "n" * 300, "full/mani.png"])
def test_an_export_that_fails_says_why_and_leaves_nothing(
    qtbot: QtBot, window: MainWindow, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, place: str
) -> None:
    (tmp_path / "full").mkdir()
    SmallDisk(monkeypatch, tmp_path / "full", 100)
    export(window, monkeypatch, tmp_path / place)
    assert told(qtbot, window).endswith("choose another place.")
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_the_decoded_image_is_saved_the_same_way(
    qtbot: QtBot, window: MainWindow, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(tmp_path / "seven"), ""))
    window.decoded.save_action.trigger()
    assert told(qtbot, window) == f"Exported: seven.png, in {tmp_path}"
    assert not QImage(str(tmp_path / "seven.png")).isNull()
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: ("", ""))
    window.decoded.save_action.trigger()
    assert [path.name for path in tmp_path.iterdir()] == ["seven.png"]


def test_a_large_export_holds_nothing_up_and_closing_waits_for_it(
    qtbot: QtBot, window: MainWindow, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    images = np.random.default_rng(0).integers(0, 256, (400, 128, 128), np.uint8)
    window.manifold.show_images(images)
    times: list[float] = []
    pulse = QTimer(window)
    pulse.timeout.connect(lambda: times.append(time.perf_counter()))
    pulse.start(5)
    qtbot.waitUntil(lambda: bool(times))
    times.append(time.perf_counter())
    export(window, monkeypatch, tmp_path / "first.png")
    seen: list[str] = []
    window.message.work.changed.connect(lambda: seen.append(window.message.work.text))
    assert told(qtbot, window) == f"Exported: first.png, in {tmp_path}"
    took = times[-1] - times[1]
    assert np.diff(times).max() < 0.5 * took
    assert "Writing first.png…" in seen
    assert not window.message.work.active
    export(window, monkeypatch, tmp_path / "second.png")
    window.close()
    assert (pixels_of(QImage(str(tmp_path / "second.png")))[..., 0] == mosaic(images, 20)).all()
