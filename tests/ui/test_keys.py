"""Keys on the whole window: who gets them, and that none has two meanings."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from helpers_window import places, reachable
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import (
    QAbstractButton,
    QAbstractSpinBox,
    QApplication,
    QDockWidget,
    QDoubleSpinBox,
    QMenu,
    QSpinBox,
    QTabBar,
    QWidget,
)
from pytestqt.qtbot import QtBot

from vaeviewer.backend.config import Settings, updated
from vaeviewer.session.states import Action, State
from vaeviewer.ui.curves.metric_plot import MetricPlot
from vaeviewer.ui.window.main_window import MainWindow

pytestmark = pytest.mark.qt_log_ignore(
    "This plugin does not support", extend=True
)  # popups, without a screen


@pytest.fixture
def window(qtbot: QtBot, make_window: Callable[[Settings], MainWindow], small: Settings) -> MainWindow:
    window = make_window(updated(small, epochs=1000))
    window.activateWindow()
    qtbot.waitUntil(window.isActiveWindow)
    return window


def press(*keys: Qt.Key | str, held: Qt.KeyboardModifier = Qt.KeyboardModifier.NoModifier) -> None:
    """Real keys, each to what has the focus by then."""
    for key in keys:
        focus = QApplication.focusWidget()
        assert focus is not None
        if isinstance(key, str):
            QTest.keyClicks(focus, key)
        else:
            QTest.keyClick(focus, key, held)


def field(window: MainWindow, name: str) -> QSpinBox | QDoubleSpinBox:
    """A number field with the focus, after a click, and all of its text selected."""
    box = window.findChild(QAbstractSpinBox, name)
    assert isinstance(box, (QSpinBox, QDoubleSpinBox))
    box.setFocus()
    box.selectAll()
    return box


def test_enter_gives_the_keys_back_to_the_plane(qtbot: QtBot, window: MainWindow) -> None:
    window.plane.setFocus()
    press(Qt.Key.Key_Space)
    assert window.session.state is State.RUNNING
    field(window, "betaBox")
    press("2", Qt.Key.Key_Return)
    assert QApplication.focusWidget() is window.plane
    press(Qt.Key.Key_Space)
    assert window.session.state is State.PAUSED
    assert window.session.settings.model.beta == 2.0


def test_space_in_a_number_field_trains_with_what_stands_there(window: MainWindow) -> None:
    field(window, "epochsBox")
    press("7", Qt.Key.Key_Space)
    assert window.session.state is State.RUNNING
    assert window.session.settings.train.epochs == 7


def test_a_point_is_typed_where_a_number_can_take_it_and_is_a_step_elsewhere(
    qtbot: QtBot, window: MainWindow
) -> None:
    session = window.session
    box = field(window, "betaBox")
    press("0.5")
    assert box.text() == "0.5"
    assert session.state is State.READY
    press(".")
    qtbot.waitUntil(lambda: session.state is State.PAUSED)
    assert (box.text(), box.value()) == ("0.5", 0.5)
    qtbot.waitUntil(lambda: session.progress is not None and session.progress.step == 1)
    box = field(window, "epochsBox")
    press(".")
    qtbot.waitUntil(lambda: session.progress is not None and session.progress.step == 2)
    assert box.text() == "1000"


@pytest.mark.parametrize("name", ["betaBox", "epochsBox"])
def test_escape_leaves_a_number_field_as_it_was(window: MainWindow, name: str) -> None:
    box = field(window, name)
    before = box.text()
    press("33", Qt.Key.Key_Escape)
    assert box.text() == before
    assert QApplication.focusWidget() is window.plane
    window.plane.setFocus()


@pytest.mark.parametrize(("key", "kept"), [(Qt.Key.Key_Escape, False), (Qt.Key.Key_Return, True)])
def test_leaving_the_fields_of_the_settings(window: MainWindow, key: Qt.Key, kept: bool) -> None:
    window.findChild(QDockWidget, "settings-dock").raise_()
    line = window.form.editor("hidden")
    QApplication.processEvents()
    line.setFocus()
    QTest.keyClick(line, Qt.Key.Key_A, Qt.KeyboardModifier.ControlModifier)
    press("64, 16", key)
    assert QApplication.focusWidget() is window.plane
    assert window.form.settings().model.hidden == ((64, 16) if kept else (32,))
    choice = window.form.editor("activation")
    choice.setFocus()
    press(key)
    assert QApplication.focusWidget() is window.plane


def test_alt_and_a_letter_open_a_menu_wherever_the_focus_is(qtbot: QtBot, window: MainWindow) -> None:
    places_tried = 0
    for widget in places(window):
        for letter in "FDVTH":
            widget.setFocus()
            QTest.keyClick(widget, getattr(Qt.Key, f"Key_{letter}"), Qt.KeyboardModifier.AltModifier)
            menu = QApplication.activePopupWidget()
            assert isinstance(menu, QMenu), (widget.objectName(), letter)
            assert menu.title().startswith(f"&{letter}")
            menu.close()
        places_tried += 1
    assert places_tried > 25


def test_f_fits_what_has_the_focus(qtbot: QtBot, window: MainWindow) -> None:
    window.session.request(Action.STEP)
    qtbot.waitUntil(lambda: window.session.state is State.PAUSED)
    plots = window.elbo_terms.findChildren(MetricPlot)
    plots[0].setXRange(0.2, 0.3)
    window.plane._canvas.zoom(3.0, window.plane._canvas.box.rect().center())
    zoomed = window.plane.plane_map()
    for widget in (plots[0], window.elbo_terms.findChild(QAbstractButton, "elbo")):
        plots[0].setXRange(0.2, 0.3)
        widget.setFocus()
        press(Qt.Key.Key_F)
        (low, high), _ = plots[0].getViewBox().viewRange()
        assert (low, high >= 1.0) == (0.0, True)
        assert window.plane.plane_map() == zoomed
    for widget in (window.plane, window.findChild(QAbstractButton, "stepButton")):
        window.plane._canvas.zoom(3.0, window.plane._canvas.box.rect().center())
        assert not window.plane.following
        widget.setFocus()
        press(Qt.Key.Key_F)
        assert window.plane.following


def test_tab_goes_only_where_one_can_see_what_one_types(qtbot: QtBot, window: MainWindow) -> None:
    """Around the whole window, with either panel of the tabs in front."""
    for front, behind in (("reconstructions", "settings"), ("settings", "reconstructions")):
        docks = {name: window.findChild(QDockWidget, f"{name}-dock") for name in (front, behind)}
        docks[front].raise_()
        qtbot.waitUntil(lambda dock=docks[behind]: dock.visibleRegion().isEmpty())
        for key in (Qt.Key.Key_Tab, Qt.Key.Key_Backtab):
            window.plane.setFocus()
            stops: list[QWidget] = []
            while True:
                press(key)
                focus = QApplication.focusWidget()
                assert focus is not None
                if focus is window.plane:
                    break
                assert not focus.visibleRegion().isEmpty(), focus.objectName()
                assert focus not in stops, focus.objectName()
                stops.append(focus)
            assert any(docks[front].isAncestorOf(stop) for stop in stops)
            assert len(stops) > 15


def test_a_field_that_goes_behind_a_tab_loses_the_focus(qtbot: QtBot, window: MainWindow) -> None:
    window.findChild(QDockWidget, "settings-dock").raise_()
    editor = window.form.editor("epochs")
    qtbot.waitUntil(lambda: not editor.visibleRegion().isEmpty())
    editor.setFocus()
    (tabs,) = (bar for bar in window.findChildren(QTabBar) if bar.count() == 2 and bar.isVisible())
    first = tabs.tabRect(0).center()
    QTest.mouseClick(tabs, Qt.MouseButton.LeftButton, pos=QPoint(first))
    qtbot.waitUntil(lambda: not editor.hasFocus())
    assert window.session.settings.train.epochs == 1000


def test_arrow_keys_move_the_handle_in_the_manifold(qtbot: QtBot, window: MainWindow) -> None:
    window.session.request(Action.STEP)
    picture = next(
        w for w in window.manifold.findChildren(QWidget) if w.accessibleName().startswith("Picture")
    )
    qtbot.waitUntil(lambda: window.manifold.picture() is not None)
    picture.setFocus()
    press(Qt.Key.Key_Right)
    press(Qt.Key.Key_Up, held=Qt.KeyboardModifier.ShiftModifier)
    assert window.view.z == pytest.approx((0.05, 0.5))
    for _ in range(10):
        press(Qt.Key.Key_Up, held=Qt.KeyboardModifier.ShiftModifier)
    assert window.view.z == pytest.approx((0.05, 3.0))  # where the picture ends


@pytest.mark.parametrize("message", [False, True])
@pytest.mark.parametrize("hall", [False, True])
def test_no_key_has_two_meanings_wherever_the_focus_is(
    qtbot: QtBot, window: MainWindow, message: bool, hall: bool
) -> None:
    if hall:
        window.lecture_hall.enter()
    if message:
        window.message.show_message("A question.", [("&Keep", lambda: None)], details="details")
    seen: set[str] = set()
    for focus in places(window):
        pressed = reachable(window, focus)
        twice = [key for key, count in pressed.items() if count > 1]
        assert not twice, focus.objectName()
        seen.update(pressed)
    assert {"F", ".", "Ctrl+Q", "Space", "F11"} <= seen
    assert ("Alt+F" in seen) is not hall
    assert ("Esc" in seen) is (message or hall)
    window.lecture_hall.leave()
