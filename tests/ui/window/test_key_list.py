"""F1: a window of its own with all keys, and all that there are."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QAction, QKeySequence, QShortcut
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from vaeviewer.backend.config import Settings
from vaeviewer.ui.plane.latent_keys import OWN_KEYS
from vaeviewer.ui.window.key_list import KeyList
from vaeviewer.ui.window.main_window import MainWindow

pytestmark = pytest.mark.qt_log_ignore(
    "This plugin does not support", extend=True
)  # raise(), without a screen


@pytest.fixture
def window(qtbot: QtBot, make_window: Callable[[Settings], MainWindow], small: Settings) -> MainWindow:
    window = make_window(small)
    window.activateWindow()
    qtbot.waitUntil(window.isActiveWindow)
    window.plane.setFocus()
    return window


def shown(qtbot: QtBot, window: MainWindow) -> KeyList:
    QTest.keyClick(QApplication.focusWidget() or window, Qt.Key.Key_F1)
    (dialog,) = window.findChildren(KeyList)
    qtbot.waitUntil(dialog.isActiveWindow)
    return dialog


def test_it_lists_every_key_there_is(qtbot: QtBot, window: MainWindow) -> None:
    text = shown(qtbot, window).text.toPlainText().replace("−", "-")
    listed = {
        word for line in text.splitlines() for word in (line.strip(), *re.split(" or |, ", line.strip()))
    }
    actions = [a for a in window.findChildren(QAction) if a.shortcuts()]
    keys = [key for action in actions for key in action.shortcuts()]
    keys += [key for shortcut in window.findChildren(QShortcut) for key in shortcut.keys()]  # noqa: SIM118
    names = {key.toString(QKeySequence.SequenceFormat.NativeText).replace("Esc", "Escape") for key in keys}
    assert len(names) > 15
    assert names <= listed
    for action in actions:
        assert action.text().replace("&", "").rstrip("…") in text
    for own in (*OWN_KEYS, Qt.Key.Key_Escape):  # keys that the plane takes itself
        name = {
            Qt.Key.Key_Return: "Enter",
            Qt.Key.Key_Enter: "Enter",
            Qt.Key.Key_Escape: "Escape",
            Qt.Key.Key_Plus: "+ and -",
            Qt.Key.Key_Minus: "+ and -",
            Qt.Key.Key_Equal: "+ and -",
        }.get(own) or QKeySequence(own).toString()
        assert name in listed, name


def test_it_stops_nothing_and_escape_closes_it(qtbot: QtBot, window: MainWindow) -> None:
    dialog = shown(qtbot, window)
    assert not dialog.isModal()
    window.activateWindow()
    qtbot.waitUntil(window.isActiveWindow)
    window.plane.setFocus()
    QTest.keyClick(window.plane, Qt.Key.Key_Right)
    assert window.view.z == pytest.approx((0.05, 0.0))
    assert shown(qtbot, window) is dialog  # not a second one
    QTest.keyClick(dialog.text, Qt.Key.Key_Escape)
    qtbot.waitUntil(lambda: not window.findChildren(KeyList))
