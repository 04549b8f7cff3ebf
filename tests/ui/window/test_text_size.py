"""The size of text: chosen by keys, followed by everything, remembered, and never too large for the screen."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress

import pytest
from helpers_window import cut_short
from PySide6.QtCore import QEvent, QSettings, QSize, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QAbstractButton, QApplication, QLabel, QMainWindow, QWidget
from pytestqt.exceptions import TimeoutError  # noqa: A004
from pytestqt.qtbot import QtBot

from vaeviewer import paths
from vaeviewer.backend.config import Settings
from vaeviewer.ui.curves.metric_plot import MetricPlot
from vaeviewer.ui.widgets.scrolled import Scrolled
from vaeviewer.ui.window.main_window import MainWindow
from vaeviewer.ui.window.text_size import SIZES, TextSize, set_text_scale, text_scale

CTRL = Qt.KeyboardModifier.ControlModifier


@pytest.fixture(autouse=True)
def the_usual_size(qapp: QApplication) -> Iterator[None]:
    """The font belongs to the whole program: the tests after these want the one they know."""
    yield
    set_text_scale(1.0)


@pytest.fixture
def window(qtbot: QtBot, make_window: Callable[[Settings], MainWindow], small: Settings) -> MainWindow:
    window = make_window(small)
    window.activateWindow()
    qtbot.waitUntil(window.isActiveWindow)
    window.plane.setFocus()
    return window


@pytest.fixture
def slim(window: MainWindow) -> MainWindow:
    """With the curves alone below the plane, so that larger text has room on the smallest screens, too."""
    for dock in window.docks[:4]:
        dock.close()
    return window


def text_heights(window: MainWindow) -> dict[str, float]:
    """How high the letters of everything are."""
    widgets = [w for w in window.findChildren(QWidget) if isinstance(w, (QAbstractButton, QLabel))]
    heights = {f"{i} {w.objectName()}": w.fontMetrics().height() for i, w in enumerate(widgets)}
    for number, plot in enumerate(window.elbo_terms.findChildren(MetricPlot)):
        heights[f"axis {number}"] = plot.getAxis("left").style["tickFont"].pointSizeF()
    heights["plane's axis"] = window.plane._canvas.getAxis("left").style["tickFont"].pixelSize()
    heights["names"] = window.plane._marks_item._path("z₁", small=False).boundingRect().height()
    return heights


def test_every_text_grows_and_shrinks_and_goes_back(slim: MainWindow) -> None:
    window = slim
    usual = text_heights(window)
    for key, scale in ((Qt.Key.Key_Plus, 1.1), (Qt.Key.Key_Minus, 1.0), (Qt.Key.Key_Minus, 0.9)):
        QTest.keyClick(window.plane, key, CTRL)
        for name, height in text_heights(window).items():
            assert height == pytest.approx(scale * usual[name], abs=1.6), (name, scale)  # whole pixels
    QTest.keyClick(window.plane, Qt.Key.Key_0, CTRL)
    assert text_heights(window) == usual


@pytest.mark.parametrize("percent", [70, 80, 100, 110, 125, 150, 200])
def test_nothing_is_cut_short(qtbot: QtBot, window: MainWindow, percent: int) -> None:
    """At every size that fits the screen, in the smallest window it then may be."""
    if percent in (110, 125, 150):
        for dock in window.docks[:4]:
            dock.close()
    window.text_size.step(SIZES.index(percent) - SIZES.index(100))
    window.resize(window.minimumSizeHint())
    with suppress(TimeoutError):
        qtbot.waitUntil(lambda: not cut_short(window), timeout=2000)
    assert not cut_short(window)


def test_panels_at_the_sides_grow_with_the_text(qtbot: QtBot, window: MainWindow) -> None:
    for dock in window.docks[2:4]:
        dock.close()
    window.resize(1120, 800)
    area = window.docks[0].widget()
    assert isinstance(area, Scrolled)
    before = area.whole_width()
    for _ in range(2):
        QTest.keyClick(window.plane, Qt.Key.Key_Plus, CTRL)
    qtbot.waitUntil(lambda: area.whole_width() > max(before, 0.22 * window.width()))
    qtbot.waitUntil(lambda: area.width() >= area.whole_width())
    assert not area.horizontalScrollBar().isVisible()


def test_a_size_without_room_on_the_screen_is_not_taken(slim: MainWindow) -> None:
    window = slim
    for _ in SIZES:
        QTest.keyClick(window.plane, Qt.Key.Key_Plus, CTRL)
    least, room = window.minimumSizeHint(), window.screen().availableSize()
    assert least.width() <= room.width()
    assert least.height() <= room.height()
    largest = window.text_size.percent
    if largest < SIZES[-1]:
        assert "no room" in window.statusBar().currentMessage()
    assert text_scale() == largest / 100
    for _ in SIZES:
        QTest.keyClick(window.plane, Qt.Key.Key_Minus, CTRL)
    assert window.text_size.percent == SIZES[0]


def test_the_size_is_remembered(
    slim: MainWindow, make_window: Callable[[Settings], MainWindow], small: Settings
) -> None:
    window = slim
    usual = window.fontMetrics().height()
    QTest.keyClick(window.plane, Qt.Key.Key_Plus, CTRL)
    assert window.text_size.percent == 110
    larger = window.fontMetrics().height()
    assert larger > usual
    window.close()
    again = make_window(small)
    assert again.text_size.percent == 110
    assert again.fontMetrics().height() == larger


@pytest.mark.parametrize("value", ["", "garbage", "105", "-3", "1e9", "110.5", None, ["100", "110"], b"\xff"])
def test_what_is_remembered_may_be_anything(qtbot: QtBot, value: object) -> None:
    store = QSettings(str(paths.settings_file()), QSettings.Format.IniFormat)
    store.setValue("window/text_size", value)
    window = QMainWindow()
    qtbot.addWidget(window)
    assert TextSize(window, store).percent == 100


def test_the_controls_stand_in_two_rows_where_one_is_too_narrow(qtbot: QtBot, window: MainWindow) -> None:
    controls = window.controls
    window.resize(1200, 750)
    QApplication.sendPostedEvents(None, QEvent.Type.LayoutRequest.value)
    one = controls.height()
    window.resize(QSize(820, 750))
    qtbot.waitUntil(lambda: controls.height() > one)
    assert not cut_short(window)
    window.resize(1200, 750)
    qtbot.waitUntil(lambda: controls.height() == one)
