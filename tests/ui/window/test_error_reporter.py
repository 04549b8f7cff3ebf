"""Exceptions that nobody caught, really raised in slots, timers, paint events and threads."""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import Callable, Iterator

import pytest
from PySide6.QtCore import QCoreApplication, QEvent, QSettings, Qt, QTimer
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QApplication, QPushButton
from pytestqt.qtbot import QtBot

from vaeviewer import paths
from vaeviewer.backend.config import Settings
from vaeviewer.session.session import Session
from vaeviewer.ui.window import error_reporter
from vaeviewer.ui.window.error_reporter import ErrorReporter
from vaeviewer.ui.window.main_window import MainWindow
from vaeviewer.ui.window.menus import Menus
from vaeviewer.ui.window.text_dialog import TextDialog


@pytest.fixture
def window(qtbot: QtBot, small: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[MainWindow]:
    """A shown window that hears of errors; its session is never started."""
    for module, name in ((sys, "excepthook"), (threading, "excepthook"), (sys, "unraisablehook")):
        monkeypatch.setattr(module, name, getattr(module, name))  # put back after the test
    session = Session(small)
    made = MainWindow(session, QSettings(str(paths.settings_file()), QSettings.Format.IniFormat))
    session.setParent(made)
    Menus(made)
    ErrorReporter(made).install()
    made.show()
    yield made
    made.close()
    made.deleteLater()
    QCoreApplication.sendPostedEvents(
        made, QEvent.Type.DeferredDelete.value
    )  # by Qt, while Python still knows it


def dialogs() -> list[TextDialog]:
    return [w for w in QApplication.topLevelWidgets() if isinstance(w, TextDialog) and w.isVisible()]


def click(window: MainWindow, qtbot: QtBot, text: str) -> None:
    (button,) = [b for b in window.findChildren(QPushButton) if b.text() == text and b.isVisible()]
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)


def in_slot(window: MainWindow, fail: Callable[[], None]) -> None:
    window.controls.steps_per_second_changed.connect(lambda _rate: fail())
    window.controls.steps_per_second_changed.emit(3.0)


def in_timer(_window: MainWindow, fail: Callable[[], None]) -> None:
    QTimer.singleShot(0, fail)


def in_thread(_window: MainWindow, fail: Callable[[], None]) -> None:
    thread = threading.Thread(target=fail)
    thread.start()
    thread.join()


@pytest.mark.parametrize("raise_in", [in_slot, in_timer, in_thread])
def test_an_exception_is_told_and_logged(
    qtbot: QtBot,
    window: MainWindow,
    caplog: pytest.LogCaptureFixture,
    raise_in: Callable[[MainWindow, Callable[[], None]], None],
) -> None:
    def fail() -> None:
        raise KeyError("what was wanted")

    raise_in(window, fail)
    qtbot.waitUntil(lambda: "Something unexpected" in window.message.text, timeout=1000)
    assert "KeyError, 'what was wanted'. The program goes on." in window.message.text
    assert "in fail" in caplog.text
    assert "Traceback" in caplog.text

    click(window, qtbot, "Detai&ls…")
    (dialog,) = dialogs()
    assert not dialog.isModal()
    assert "in fail" in dialog.text.toPlainText()
    qtbot.mouseClick(dialog.findChildren(QPushButton)[0], Qt.MouseButton.LeftButton)
    assert "in fail" in QGuiApplication.clipboard().text()
    dialog.close()


def test_what_fails_again_and_again_is_one_message_with_a_count(
    qtbot: QtBot, window: MainWindow, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(error_reporter, "UPDATE_MS", 20)
    told: list[str] = []
    window.session.problem.connect(lambda sentence, _details: told.append(sentence))
    failures = 0

    # A timer: that a paint event may fail, too, is tested in a process of its own, as PySide keeps its exception.
    def fail() -> None:
        nonlocal failures
        failures += 1
        raise ValueError("always")

    timer = QTimer(window)
    timer.timeout.connect(fail)

    def fail_until(count: int) -> None:
        timer.start(1)
        qtbot.waitUntil(lambda: failures >= count, timeout=20_000)
        timer.stop()

    fail_until(30)
    qtbot.waitUntil(lambda: f"({failures} times)" in window.message.text, timeout=1000)
    assert len(told) == 1
    records = [r for r in caplog.records if r.name == error_reporter.__name__ and r.levelno >= logging.ERROR]
    assert len(records) == 2  # the first and the tenth
    click(window, qtbot, "Dis&miss")
    fail_until(60)
    qtbot.wait(50)
    assert window.message.text == "", "what was put away stays away while it goes on"
    monkeypatch.setattr(error_reporter, "QUIET_SECONDS", 0.0)
    fail_until(failures + 1)
    qtbot.waitUntil(lambda: "times)" in window.message.text, timeout=1000)


@pytest.mark.slow
def test_errors_of_one_line_count_together_and_others_apart(qtbot: QtBot, window: MainWindow) -> None:
    told: list[str] = []
    window.session.problem.connect(lambda sentence, _details: told.append(sentence))
    for text in ("one", "two"):
        QTimer.singleShot(0, lambda text=text: int(text))
    qtbot.waitUntil(lambda: "(2 times)" in window.message.text, timeout=2000)
    QTimer.singleShot(0, lambda: [].pop())
    qtbot.waitUntil(lambda: "IndexError" in window.message.text, timeout=2000)
    assert len(told) == 2


def test_the_log_is_shown(qtbot: QtBot, window: MainWindow) -> None:
    log_file = paths.log_dir() / "vaeviewer.log"
    log_file.parent.mkdir(parents=True)
    log_file.write_text("what happened\n", encoding="utf-8")
    help_menu = window.menuBar().actions()[-1].menu()
    (entry,) = [action for action in help_menu.actions() if action.text() == "Show &log"]
    entry.trigger()
    (dialog,) = dialogs()
    assert dialog.text.toPlainText() == "what happened\n"
    assert not dialog.isModal()
    dialog.close()
