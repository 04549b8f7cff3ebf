"""What the window says of its run: saved, not saved and why, read-only. Each through a real save."""

from __future__ import annotations

import errno
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QAction, QColor, QPalette
from PySide6.QtWidgets import QFileDialog, QLabel, QPushButton
from pytestqt.qtbot import QtBot

from vaeviewer import paths
from vaeviewer.backend.config import Settings, updated
from vaeviewer.backend.runs import atomic_files
from vaeviewer.backend.training.engines.fused import engine
from vaeviewer.native import object_code
from vaeviewer.session.states import Action, State
from vaeviewer.ui.runs.run_status import RunStatus, cause, duration
from vaeviewer.ui.widgets.labels import LiveLabel
from vaeviewer.ui.widgets.theme import theme_of
from vaeviewer.ui.window.main_window import MainWindow

MakeWindow = Callable[..., MainWindow]

HOLD = """
import sys
from pathlib import Path
from vaeviewer.backend.runs.lock import RunLock
lock = RunLock(Path(sys.argv[1]))
lock.acquire()
print("held", flush=True)
sys.stdin.read()
"""


def saved_label(window: MainWindow) -> QLabel:
    label = window.findChild(QLabel, "savedStatus")
    assert label is not None
    return label


def ink(label: QLabel) -> QColor:
    return label.palette().color(QPalette.ColorRole.WindowText)


def entry(window: MainWindow, text: str) -> QAction:
    (found,) = [action for action in window.findChildren(QAction) if action.text() == text]
    return found


def saves_often(window: MainWindow) -> None:
    window.session._thread.run_keeper._save_seconds = 0.05


def test_the_words_follow_the_run(qtbot: QtBot, make_window: MakeWindow, small: Settings) -> None:
    window = make_window(updated(small, epochs=100_000))
    session, label = window.session, saved_label(window)
    assert (label.text(), window.isWindowModified()) == ("", False)
    session.request(Action.TRAIN)
    qtbot.waitUntil(lambda: re.fullmatch(r"saved \d s ago", label.text()) is not None, timeout=30_000)
    first = label.text()
    qtbot.waitUntil(lambda: label.text() not in ("", first), timeout=30_000)
    assert re.fullmatch(r"saved \d s ago", label.text())
    assert session.folder is not None
    assert window.windowTitle() == f"{session.folder.name}[*] · 600 digits · vaeviewer"
    assert window.isWindowModified()
    assert str(session.folder) in label.toolTip()
    session.request(Action.PAUSE)
    qtbot.waitUntil(lambda: label.text() == "saved", timeout=30_000)
    qtbot.waitUntil(lambda: not window.isWindowModified())
    before = session.folder
    session.request(Action.RESET)
    qtbot.waitUntil(lambda: session.folder is None, timeout=30_000)
    qtbot.waitUntil(lambda: label.text() == "")
    assert window.windowTitle() == "600 digits[*] · vaeviewer"
    assert (before / "manifest.json").exists()


@pytest.mark.skipif(not object_code.available(), reason="no compiler is installed")
def test_it_says_when_steps_are_fused(
    qtbot: QtBot, make_window: MakeWindow, small: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "FUSED_FROM", 4)
    window = make_window(updated(small, epochs=100_000, precision="float32"))
    label = window.findChild(QLabel, "deviceStatus")
    assert label is not None
    assert label.text() == "CPU, 1 thread"
    assert "float32" in label.toolTip()
    window.session.request(Action.TRAIN)
    qtbot.waitUntil(lambda: label.text() == "CPU, 1 thread, fast mode", timeout=60_000)
    assert "few passes" in label.toolTip()
    code = window.session._thread._driver.trainer.engine._code  # type: ignore[union-attr]
    monkeypatch.setattr(code, "not_kept", "/<b>shared</b> belongs to another user")
    qtbot.waitUntil(lambda: "each start, as /&lt;b&gt;shared" in label.toolTip(), timeout=30_000)
    window.session.request(Action.PAUSE)
    qtbot.waitUntil(lambda: window.session.state is State.PAUSED, timeout=30_000)
    assert label.text() == "CPU, 1 thread, fast mode"
    window.session.request(Action.RESET)
    qtbot.waitUntil(lambda: label.text() == "CPU, 1 thread", timeout=30_000)


def test_it_says_that_fast_mode_is_being_prepared(
    qtbot: QtBot,
    make_window: MakeWindow,
    small: Settings,
    slow_compiler: Callable[[], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(engine, "FUSED_FROM", 2)
    window = make_window(updated(small, epochs=100_000))
    label = window.findChild(QLabel, "deviceStatus")
    assert label is not None
    window.session.request(Action.TRAIN)
    preparing = "CPU, 1 thread, preparing fast mode (only once)"
    qtbot.waitUntil(lambda: label.text() == preparing, timeout=60_000)
    slow_compiler()
    qtbot.waitUntil(lambda: label.text() == "CPU, 1 thread, fast mode", timeout=60_000)


def test_without_a_folder_it_is_not_saved_yet(qtbot: QtBot, make_window: MakeWindow, small: Settings) -> None:
    window = make_window(small)
    window.session.forget_run()
    window.session.request(Action.STEP)
    qtbot.waitUntil(lambda: saved_label(window).text() == "not saved yet", timeout=30_000)
    assert window.isWindowModified()


def replaced_by_a_file(folder: Path, _patch: pytest.MonkeyPatch) -> Callable[[], object]:
    folder.rename(folder.with_name("gone"))  # at once: a save under way would keep it from being removed
    folder.write_text("in the way")
    return folder.unlink


def full_disk(_folder: Path, patch: pytest.MonkeyPatch) -> Callable[[], object]:
    def full(*_: object) -> NoReturn:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    patch.setattr(atomic_files, "sync", full)
    return patch.undo


def read_only_folder(_folder: Path, patch: pytest.MonkeyPatch) -> Callable[[], object]:
    def refuse(*_: object) -> NoReturn:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    patch.setattr(atomic_files, "create", refuse)  # a superuser, who may write everywhere, runs this too
    return patch.undo


@pytest.mark.parametrize(
    ("break_it", "words"),
    [
        (replaced_by_a_file, "the folder is a file, not a folder"),
        (full_disk, "no space left on device"),
        (read_only_folder, "permission denied"),
    ],
)
def test_a_failed_save_is_told_and_taken_back(
    qtbot: QtBot,
    make_window: MakeWindow,
    small: Settings,
    monkeypatch: pytest.MonkeyPatch,
    break_it: Callable[[Path, pytest.MonkeyPatch], Callable[[], object]],
    words: str,
) -> None:
    window = make_window(updated(small, epochs=100_000), saves_often)
    session, label, message = window.session, saved_label(window), window.message
    plain = ink(label)
    failures: list[str] = []
    session.save_failed.connect(failures.append)
    session.request(Action.TRAIN)
    qtbot.waitUntil(lambda: (session.saved_step or 0) > 0, timeout=30_000)
    folder = session.folder
    assert folder is not None
    with monkeypatch.context() as patch:
        mend = break_it(folder, patch)
        qtbot.waitUntil(lambda: label.text() == f"not saved: {words}", timeout=30_000)
        assert ink(label) == QColor(theme_of(window.palette()).warning)
        assert label.toolTip() == session.save_problem
        assert message.text.startswith(str(folder))
        assert message.text.endswith("Saving is tried again; training is not held up.")
        # Put away, it stays away as long as saving fails.
        (dismiss,) = [b for b in message.findChildren(QPushButton) if b.text() == "Dis&miss"]
        dismiss.click()
        count = len(failures)
        qtbot.waitUntil(lambda: len(failures) > count, timeout=30_000)
        assert not message.text
        assert session.state is State.RUNNING
        mend()
        qtbot.waitUntil(lambda: label.text().startswith("saved"), timeout=30_000)
    assert ink(label) == plain
    assert "not saved" not in label.toolTip()


def test_a_message_of_a_failed_save_goes_with_the_failure(
    qtbot: QtBot, make_window: MakeWindow, small: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    window = make_window(small)
    session, message = window.session, window.message
    with monkeypatch.context() as patch:
        full_disk(tmp_path, patch)
        session.request(Action.STEP)
        qtbot.waitUntil(lambda: "no space left" in message.text, timeout=30_000)
    patch_target = str(tmp_path / "roomy")
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (patch_target, ""))
    (elsewhere,) = [b for b in message.findChildren(QPushButton) if b.text() == "Save &elsewhere…"]
    elsewhere.click()
    qtbot.waitUntil(lambda: session.folder == tmp_path / "roomy", timeout=30_000)
    assert not message.text
    qtbot.waitUntil(lambda: saved_label(window).text() == "saved")
    assert "roomy" in window.statusBar().currentMessage()


def test_a_run_open_elsewhere_is_read_only_and_goes_on_as_another(
    qtbot: QtBot, make_window: MakeWindow, small: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = make_window(small)
    first.session.load_data("mnist-10k")
    qtbot.waitUntil(
        lambda: first.session.dataset is not None and len(first.session.dataset.train_images) > 600,
        timeout=20_000,
    )
    folder = tmp_path / "shared"
    first.session.save(folder)
    qtbot.waitUntil(lambda: first.session.folder == folder, timeout=30_000)

    second = make_window(small)
    session, message = second.session, second.message
    session.open_run(folder)
    qtbot.waitUntil(lambda: bool(session.read_only), timeout=20_000)
    assert message.text.startswith(
        "“shared” is read-only here: the folder is open in another window or command. Trained further, "
    )
    assert second.windowTitle().startswith("shared (read-only)[*] · ")
    qtbot.waitUntil(lambda: saved_label(second).text() == "read-only")
    assert str(paths.runs_dir()) in saved_label(second).toolTip()

    asked: list[str] = []
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *args: asked.append(args[1]) or ("", ""))
    entry(second, "&Save run").trigger()
    assert asked == ["Save run as a new folder"]

    session.request(Action.STEP)
    qtbot.waitUntil(lambda: not session.read_only, timeout=20_000)
    assert session.folder is not None
    assert session.folder.parent == paths.runs_dir()
    assert not message.text
    assert "read-only" not in second.windowTitle()
    assert f"new run, {session.folder.name}" in second.statusBar().currentMessage()


def test_a_run_open_in_another_process_is_read_only(
    qtbot: QtBot, make_window: MakeWindow, small: Settings
) -> None:
    window = make_window(small)
    window.session.load_data("mnist-10k")
    qtbot.waitUntil(
        lambda: window.session.dataset is not None and len(window.session.dataset.train_images) > 600,
        timeout=20_000,
    )
    folder = paths.runs_dir() / "shared"
    window.session.save(folder)
    qtbot.waitUntil(lambda: window.session.folder == folder, timeout=30_000)
    window.session.new_run()
    qtbot.waitUntil(lambda: window.session.folder is None, timeout=30_000)
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        window.session.open_run(folder)
        qtbot.waitUntil(lambda: bool(window.session.read_only), timeout=20_000)
        assert "read-only here" in window.message.text
        process.communicate("")
    window.session.open_run(folder)
    qtbot.waitUntil(lambda: not window.session.read_only, timeout=20_000)
    qtbot.waitUntil(lambda: not window.message.text)


def test_a_name_with_qts_mark_is_shown_as_it_is(
    qtbot: QtBot, make_window: MakeWindow, small: Settings, tmp_path: Path
) -> None:
    window = make_window(small)
    with qtbot.waitSignal(window.session.saved):
        window.session.save(tmp_path / "odd[*]name")
    assert window.windowTitle().startswith("odd[*][*]name[*] · ")


def test_a_narrow_window_stays_narrow(qtbot: QtBot, make_window: MakeWindow, small: Settings) -> None:
    window = make_window(small)
    before = window.minimumSizeHint().width()
    status = window.findChild(RunStatus)
    assert status is not None
    window.session.save_problem = "a reason that takes very many words to tell " * 5
    window.session.save_failed.emit(window.session.save_problem)
    assert saved_label(window).text().startswith("not saved: a reason")
    assert window.minimumSizeHint().width() == before


def test_causes_and_durations_are_short() -> None:
    folder = Path("/runs/odd; name")
    said = f"{folder}: the run was not saved: no space left on device; free some space on that disk, or …."
    assert cause(said, folder) == "no space left on device"
    assert cause(f"{folder} cannot be written (permission denied); choose another folder.", folder) == (
        "the folder cannot be written (permission denied)"
    )
    assert cause("something else.", None) == "something else"
    assert [duration(s) for s in (0.2, 59.4, 61, 3600)] == ["0 s", "59 s", "1 min", "60 min"]


@pytest.mark.parametrize(
    "text", ["saved 4 s ago", "saved 10 s ago", "not saved: no space left on device", "a"]
)
def test_a_status_with_room_is_not_shortened(qtbot: QtBot, text: str) -> None:
    label = LiveLabel(text, shrinks=True)
    qtbot.addWidget(label)
    label.show()
    for size in range(70, 160):  # tenths of a point
        font = label.font()
        font.setPointSizeF(size / 10)
        label.setFont(font)
        shown = label.fontMetrics().elidedText(text, Qt.TextElideMode.ElideRight, label.sizeHint().width())
        assert shown == text, font.pointSizeF()
