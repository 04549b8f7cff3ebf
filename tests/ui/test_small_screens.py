"""The window fits its screen: a small one, and whatever runs, images and classes are called."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from PySide6.QtWidgets import QApplication, QScrollArea
from pytestqt.qtbot import QtBot

from vaeviewer.backend.config import Settings
from vaeviewer.backend.data.base import ImageDataset
from vaeviewer.session.states import Action, State
from vaeviewer.ui.window.main_window import MainWindow

MakeWindow = Callable[[Settings], MainWindow]

LONG = "Handwritten_digits_of_the_second_seminar_group_" * 3


@pytest.mark.qt_log_ignore("does not support raise", extend=True)
def test_all_can_be_reached_on_960_by_540(qtbot: QtBot, make_window: MakeWindow, small: Settings) -> None:
    """A screen of 1920×1080 at twice the size, less a window's title and a panel of the desktop."""
    window = make_window(small)
    window.resize(958, 492)
    qtbot.wait(50)
    assert (window.width(), window.height()) == (958, 492)
    for dock in window.docks:
        dock.show()
        dock.raise_()
        QApplication.processEvents()  # makes a panel that waited to be wanted …
        QApplication.processEvents()  # … and gives it its room
        area = dock.widget()
        assert isinstance(area, QScrollArea)
        panel = area.widget()
        # One made just now is laid out in the events that follow.
        qtbot.waitUntil(lambda panel=panel: panel.height() >= panel.minimumSizeHint().height())  # type: ignore[misc]
        for bar in (area.verticalScrollBar(), area.horizontalScrollBar()):
            bar.setValue(bar.maximum())
        corner = area.widget().mapTo(area.viewport(), area.widget().rect().bottomRight())
        assert area.viewport().rect().contains(corner), dock.windowTitle()
        least = area.widget().minimumSizeHint()
        assert area.widget().height() >= least.height()
        assert area.widget().width() >= least.width()


def test_long_names_leave_the_window_as_wide_as_it_was(
    qtbot: QtBot, make_window: MakeWindow, small: Settings, digits: ImageDataset, tmp_path: Path
) -> None:
    window = make_window(small)
    session = window.session
    qtbot.wait(50)
    least, before = window.minimumSizeHint().width(), window.size()
    named = replace(digits, name=LONG, class_names=tuple(f"{LONG} {i}" for i in range(10)))
    session.use_data(named, keep_model=False)
    qtbot.waitUntil(lambda: session.dataset is named and session.state is State.READY, timeout=10_000)
    folder = tmp_path / LONG[:110]
    session.save(folder)
    qtbot.waitUntil(lambda: session.folder == folder, timeout=10_000)
    session.request(Action.STEP)
    qtbot.waitUntil(lambda: session.state is State.PAUSED)
    window.set_view(selected=3, z=(0.5, 0.5))
    qtbot.wait(100)
    assert window.minimumSizeHint().width() == least
    assert window.size() == before
    window.resize(least, before.height())
    assert window.width() == least
