"""The whole program, used once by keyboard alone: every event here is a key, sent to what has the focus by then."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import Qt, QTimer
from PySide6.QtGui import QImage
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QFileDialog, QLineEdit
from pytestqt.qtbot import QtBot

from vaeviewer.backend.config import Settings, updated
from vaeviewer.session.states import State
from vaeviewer.ui.window.main_window import MainWindow

Key, Held = Qt.Key, Qt.KeyboardModifier


def press(key: Qt.Key | str, held: Qt.KeyboardModifier = Held.NoModifier) -> None:
    target = QApplication.activePopupWidget() or QApplication.focusWidget()
    assert target is not None
    if isinstance(key, str):
        QTest.keyClicks(target, key)
    else:
        QTest.keyClick(target, key, held)


def tab_to(window: MainWindow, name: str, most: int = 60) -> None:
    """Tab until the widget of that name has the focus."""
    for _ in range(most):
        press(Key.Key_Tab)
        focus = QApplication.focusWidget()
        assert focus is not None
        if focus.objectName() == name:
            return
    pytest.fail(f"Tab never came to {name}")


@pytest.mark.qt_log_ignore("This plugin does not support", extend=True)  # popups, without a screen
def test_start_train_change_beta_pause_select_drag_export_quit(
    qtbot: QtBot,
    make_window: Callable[[Settings], MainWindow],
    small: Settings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    window = make_window(updated(small, epochs=5000))
    session = window.session
    window.activateWindow()
    qtbot.waitUntil(window.isActiveWindow)
    assert QApplication.focusWidget() is window.plane  # keys work from the start

    press(Key.Key_Space)
    assert session.state is State.RUNNING
    qtbot.waitUntil(lambda: session.snapshot is not None and session.snapshot.step > 50, timeout=20_000)

    tab_to(window, "betaBox")
    press("2")
    press(Key.Key_Return)
    assert QApplication.focusWidget() is window.plane
    qtbot.waitUntil(lambda: session.settings.model.beta == 2.0)

    press(Key.Key_Space)
    assert session.state is State.PAUSED
    qtbot.waitUntil(lambda: session.snapshot is not None and session.snapshot.step == session.progress.step)

    shown = window.plane._points.posterior
    assert shown is not None
    loc = shown.loc
    press(Key.Key_Return)
    row = window.view.selected
    assert row is not None
    assert row == int(np.square(loc).sum(axis=1).argmin())  # the nearest to where the handle was
    press(Key.Key_N)
    assert window.view.selected not in (None, row)

    z = window.view.z
    before = window.decoded.grab().toImage()
    for _ in range(8):
        press(Key.Key_Right)
    press(Key.Key_Up, Held.ShiftModifier)
    assert window.view.z == pytest.approx((z[0] + 0.4, z[1] + 0.5), abs=1e-6)
    qtbot.waitUntil(lambda: window.decoded.grab().toImage() != before)

    # Export: the dialog is Qt's own, as the system's takes its keys from nobody else.
    monkeypatch.setattr(QFileDialog, "getSaveFileName", qt_dialog(QFileDialog.getSaveFileName))
    target = tmp_path / "all of it.png"
    QTimer.singleShot(300, lambda: type_name(target))
    press(Key.Key_F, Held.AltModifier)
    press(Key.Key_E)
    qtbot.waitUntil(target.exists)
    assert QImage(str(target)).width() == 20 * 28

    QTest.qWait(50)
    window.activateWindow()  # as a window manager does after a dialog; without a screen there is none
    qtbot.waitUntil(lambda: QApplication.focusWidget() is not None)
    press(Key.Key_Q, Held.ControlModifier)
    assert not window.isVisible()


def qt_dialog(ask: Callable[..., tuple[str, str]]) -> Callable[..., tuple[str, str]]:
    """The same question, never asked by the system's own dialog."""
    return lambda *args, **kw: ask(*args, **kw, options=QFileDialog.Option.DontUseNativeDialog)


def type_name(target: Path, tries: int = 20) -> None:
    """Type where to save into the file dialog, once that has the focus."""
    dialog = QApplication.activeModalWidget()
    if not isinstance(QApplication.focusWidget(), QLineEdit):
        if tries:
            QTimer.singleShot(100, lambda: type_name(target, tries - 1))
        elif dialog is not None:
            dialog.close()  # and the test fails, for want of a file
        return
    press(Key.Key_A, Held.ControlModifier)
    press(str(target))
    press(Key.Key_Return)
