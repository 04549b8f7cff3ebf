"""Whatever the window was when it was closed, and whatever became of its settings since, it opens again."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from PySide6.QtCore import QByteArray, QSettings, Qt
from PySide6.QtWidgets import QApplication, QDockWidget
from pytestqt.qtbot import QtBot

from vaeviewer import paths
from vaeviewer.backend.config import Settings
from vaeviewer.session.session import Session
from vaeviewer.ui.window.main_window import MainWindow
from vaeviewer.ui.window.menus import Menus
from vaeviewer.ui.window.start_marker import StartMarker
from vaeviewer.ui.window.stored_settings import ForgetfulSettings, open_settings

Change = Callable[[MainWindow], object]


@pytest.fixture
def start(qtbot: QtBot, small: Settings) -> Callable[[], MainWindow]:
    """Shows the window as the program does; its session is never started."""
    made: list[MainWindow] = []

    def start() -> MainWindow:
        window = MainWindow(session := Session(small), open_settings(paths.settings_file()))
        session.setParent(window)
        Menus(window)
        made.append(window)
        window.show()
        QApplication.processEvents()
        return window

    yield start
    for window in made:
        window.close()
        window.deleteLater()


def on_demand(dock: QDockWidget) -> bool:
    return bool(dock.property("onDemand"))


STATES: dict[str, Change] = {
    "maximised": lambda w: w.showMaximized(),
    "full screen": lambda w: w.showFullScreen(),
    "minimised": lambda w: w.showMinimized(),
    "maximised and minimised": lambda w: w.setWindowState(
        Qt.WindowState.WindowMaximized | Qt.WindowState.WindowMinimized
    ),
    "all panels closed": lambda w: [dock.close() for dock in w.docks],
    "all panels floating": lambda w: [dock.setFloating(True) for dock in w.docks],
    "the mathematics as tabs": lambda w: [d.toggleViewAction().trigger() for d in w.docks if on_demand(d)],
    "far off": lambda w: (w.move(9000, 9000), [dock.setFloating(True) for dock in w.docks]),
}


@pytest.mark.slow
@pytest.mark.qt_log_ignore("does not support raise", extend=True)
@pytest.mark.parametrize("state", STATES)
def test_it_opens_as_it_was_closed(start: Callable[[], MainWindow], state: str) -> None:
    first = start()
    STATES[state](first)
    QApplication.processEvents()
    kept = [(dock.isHidden(), dock.isFloating()) for dock in first.docks]
    first.close()
    second = start()
    assert [(dock.isHidden(), dock.isFloating()) for dock in second.docks] == kept
    assert second.isMaximized() is ("maximised" in state)
    assert second.isFullScreen() is (state == "full screen")
    assert not second.isMinimized(), "somebody started it to see it"
    second.close()


@pytest.mark.slow
@pytest.mark.qt_log_ignore("does not support raise", extend=True)
def test_a_panel_on_a_screen_that_is_gone_comes_back(
    start: Callable[[], MainWindow], monkeypatch: pytest.MonkeyPatch
) -> None:
    first = start()
    dock = first.docks[0]
    dock.setFloating(True)
    dock.move(5000, 3000)
    first.close()
    second = start()
    (found,) = [d for d in second.docks if d.objectName() == dock.objectName()]
    assert found.isFloating()
    assert second.screen().availableGeometry().contains(found.frameGeometry().center())


@pytest.mark.slow
def test_every_byte_of_the_layout_counts(
    start: Callable[[], MainWindow], caplog: pytest.LogCaptureFixture
) -> None:
    """One changed byte is enough for Qt to crash, so none may reach it."""
    first = start()
    first.docks[0].close()
    first.close()
    store = open_settings(paths.settings_file())
    state = str(store.value("window/state"))
    store.setValue("window/state", state[:40] + ("0" if state[40] != "0" else "1") + state[41:])
    store.sync()
    with caplog.at_level(logging.WARNING):
        second = start()
    assert not second.docks[0].isHidden()
    assert "layout remembered is damaged" in caplog.text


@pytest.mark.slow
@pytest.mark.parametrize("value", [QByteArray(b"\0\1\2"), "", "x" * 5000, ["a", "b"], 3.5, None])
def test_other_kinds_of_values_are_no_layout(start: Callable[[], MainWindow], value: object) -> None:
    first = start()
    usual = [dock.isHidden() for dock in first.docks]
    first.close()
    store = QSettings(str(paths.settings_file()), QSettings.Format.IniFormat)
    for key in ("geometry", "state", "docks_by_hand", "checksum", "curves"):
        store.setValue(f"window/{key}", value)
    store.sync()
    window = start()
    assert [dock.isHidden() for dock in window.docks] == usual


@pytest.mark.slow
def test_a_layout_that_qt_refuses_gives_way_to_the_first_one(
    start: Callable[[], MainWindow], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    first = start()
    first.docks[0].close()
    first.close()
    for name in ("restoreState", "restoreGeometry"):
        monkeypatch.setattr(MainWindow, name, lambda *_: False)
    with caplog.at_level(logging.WARNING):
        second = start()
    assert not second.docks[0].isHidden()
    assert "could not be restored" in caplog.text


def make_folder(path: Path) -> None:
    path.mkdir()


def make_pipe(path: Path) -> None:
    os.mkfifo(path)


def make_huge(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(2**34)


@pytest.mark.skipif(sys.platform == "win32", reason="no pipes in folders there")
@pytest.mark.parametrize("put", [make_folder, make_pipe, make_huge])
def test_what_is_no_file_of_settings_is_left_alone(
    start: Callable[[], MainWindow], put: Callable[[Path], None]
) -> None:
    put(paths.settings_file())
    before = paths.settings_file().lstat()
    window = start()
    assert isinstance(window._store, ForgetfulSettings)
    window.close()
    after = paths.settings_file().lstat()
    assert (after.st_mode, after.st_size, after.st_ino) == (before.st_mode, before.st_size, before.st_ino)


def test_the_marker_tells_a_crash_from_a_window_that_is_starting(tmp_path: Path) -> None:
    path = tmp_path / "new" / "starting"
    first = StartMarker(path)
    assert not first.found
    assert not StartMarker(path).found, "the first one is alive"
    first.remove()
    assert not path.exists()
    crash = (
        "import os; from vaeviewer.ui.window.start_marker import *; "
        f"m = StartMarker(Path({str(path)!r})); os._exit(1)"
    )
    subprocess.run([sys.executable, "-c", crash], check=False, timeout=60)
    second = StartMarker(path)
    assert second.found
    second.remove()
    third = StartMarker(path)
    assert not third.found
    third.remove()


STARTS = """
import os, random, sys
from pathlib import Path
from mutators import damaged_bytes
from PySide6.QtWidgets import QApplication
from vaeviewer import app, paths
from vaeviewer.ui.curves import metric_plot

QApplication(["vaeviewer"])
rng, count, file = random.Random(int(sys.argv[1])), int(sys.argv[2]), paths.settings_file()

def start():
    window = app.create_main_window()
    window.first_shown.disconnect()  # no session: a window alone
    window.show()
    QApplication.processEvents()
    assert window.isVisible() and window.centralWidget().isVisible()
    return window

window = start()
window.docks[2].setFloating(True)
window.docks[1].close()
window.docks[-1].show()
window.showMaximized()
QApplication.processEvents()
window.close()
whole = file.read_bytes()
assert b"state=" in whole
for number in range(count):
    file.write_bytes(damaged_bytes(rng, whole))
    window = start()
    window.close()
    window.deleteLater()
    QApplication.processEvents()
print(number + 1, "opened")
sys.stdout.flush()
os._exit(0)
"""


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_damaged_settings_never_keep_it_from_opening(
    tmp_path: Path, exhaustive: bool, figures: list[str]
) -> None:
    """1,500 in all; in processes of their own, as what is wrong here ends one and each keeps its windows."""
    batches, count = (60, 25) if exhaustive else (1, 12)
    tests = str(Path(__file__).parent.parent)
    for seed in range(batches):
        home = tmp_path / str(seed)
        home.mkdir()
        done = subprocess.run(
            [sys.executable, "-c", STARTS, str(seed), str(count)],
            env={
                **os.environ,
                "QT_QPA_PLATFORM": "offscreen",
                "VAEVIEWER_HOME": str(home),
                "PYTHONPATH": os.pathsep.join([tests, os.environ.get("PYTHONPATH", "")]),
            },
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )
        assert (done.returncode, done.stdout) == (0, f"{count} opened\n"), done.stderr
    if exhaustive:
        figures.append(f"damaged settings: {batches * count:,} starts, all open")
