"""What holds of every panel holds of those that wait in View > Show the mathematics, each in front in its turn."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import suppress

import numpy as np
import pytest
from helpers_mouse import drag
from helpers_window import cut_short, places, reachable
from PySide6.QtCore import QPointF, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QAbstractButton, QApplication, QDockWidget, QLabel, QMenu, QTableView
from pytestqt.exceptions import TimeoutError  # noqa: A004
from pytestqt.qtbot import QtBot

from vaeviewer.backend.config import Settings, updated
from vaeviewer.session.states import Action, State
from vaeviewer.ui.draw.canvas import Canvas
from vaeviewer.ui.images.image_strip import ImageStrip
from vaeviewer.ui.window.awaited import Awaited
from vaeviewer.ui.window.main_window import MainWindow
from vaeviewer.ui.window.text_size import SIZES, set_text_scale

pytestmark = pytest.mark.qt_log_ignore(
    "This plugin does not support", extend=True
)  # popups, without a screen


@pytest.fixture
def window(
    qtbot: QtBot, make_window: Callable[[Settings], MainWindow], small: Settings
) -> Iterator[MainWindow]:
    window = make_window(small)
    window.activateWindow()
    qtbot.waitUntil(window.isActiveWindow)
    window.session.request(Action.TRAIN)
    qtbot.waitUntil(lambda: window.session.state is State.FINISHED, timeout=30_000)
    window.set_view(selected=3, second=(1.0, 1.0))
    yield window
    set_text_scale(1.0)


def each_in_front(qtbot: QtBot, window: MainWindow) -> Iterator[QDockWidget]:
    """The panels on demand, one after the other, as the menu opens them."""
    for dock in window.docks:
        if dock.property("onDemand"):
            dock.toggleViewAction().trigger()
            qtbot.waitUntil(lambda dock=dock: dock.widget().findChild(Awaited).in_front, timeout=30_000)
            yield dock


def test_no_key_has_two_meanings_and_all_can_be_reached(qtbot: QtBot, window: MainWindow) -> None:
    for dock in each_in_front(qtbot, window):
        stops = [place for place in places(window) if dock.isAncestorOf(place)]
        for stop in stops:
            stop.setFocus()
            twice = [key for key, count in reachable(window, stop).items() if count > 1]
            assert not twice, (dock.windowTitle(), stop.objectName())
            QTest.keyClick(stop, Qt.Key.Key_F, Qt.KeyboardModifier.AltModifier)
            menu = QApplication.activePopupWidget()
            assert isinstance(menu, QMenu), stop.objectName()
            menu.close()
        for button in dock.widget().findChildren(QAbstractButton):
            if button.isVisible() and button.text():
                assert button.toolTip(), (dock.windowTitle(), button.text())


@pytest.mark.parametrize("percent", [100, 125])
def test_nothing_is_cut_short(qtbot: QtBot, window: MainWindow, percent: int) -> None:
    window.text_size.step(SIZES.index(percent) - SIZES.index(100))
    window.resize(window.minimumSizeHint())
    for dock in each_in_front(qtbot, window):
        with suppress(TimeoutError):
            qtbot.waitUntil(lambda: not cut_short(window), timeout=2000)
        assert not cut_short(window), dock.windowTitle()


def test_numbers_that_explode_are_short(
    qtbot: QtBot, make_window: Callable[[Settings], MainWindow], small: Settings
) -> None:
    window = make_window(updated(small, epochs=1000, learning_rate=10.0))
    window.session.request(Action.TRAIN)
    qtbot.waitUntil(lambda: least_elbo(window) < -1e8, timeout=30_000)
    window.session.request(Action.PAUSE)
    qtbot.waitUntil(lambda: window.session.state is State.PAUSED, timeout=30_000)
    row = int(np.argmax(np.abs(window.session.snapshot.posterior.loc).sum(1)))
    window.set_view(selected=row, second=(1.0, 1.0))
    told = set[str]()
    for dock in each_in_front(qtbot, window):
        for sheet in dock.findChildren(Canvas):
            drag(sheet, [QPointF(60, y) for y in (30, 50, 70, 90)])
        qtbot.waitUntil(lambda dock=dock: re.search(r"\d", " ".join(texts(dock))) is not None, timeout=20_000)  # type: ignore[misc]
        qtbot.wait(200)
        told.update(texts(dock))
        for table in dock.findChildren(QTableView):
            assert fits(table)
    assert len(told) > 20
    assert [text for text in told if re.search(r"\d(,?\d){7}", text)] == []
    assert any("× 10" in text for text in told), "they do explode"


def least_elbo(window: MainWindow) -> float:
    history = window.session.history
    return 0.0 if history is None else float(history.training.view()["elbo"].min(initial=0.0))


def texts(dock: QDockWidget) -> set[str]:
    """All that stands in a panel."""
    found = {label.text() for label in dock.findChildren(QLabel) if label.isVisible()}
    found |= {image.caption for strip in dock.findChildren(ImageStrip) for image in strip.images}
    for table in dock.findChildren(QTableView):
        model = table.model()
        rows, columns = min(20, model.rowCount()), model.columnCount()
        found |= {model.index(r, c).data() or "" for r in range(rows) for c in range(1, columns)}
    return found


def fits(table: QTableView) -> bool:
    """Whether no cell of a table is wider than its column."""
    model, metrics = table.model(), table.fontMetrics()
    return all(
        metrics.horizontalAdvance(model.index(row, column).data() or "") < table.columnWidth(column)
        for row in range(model.rowCount())
        for column in range(1, model.columnCount())
    )
