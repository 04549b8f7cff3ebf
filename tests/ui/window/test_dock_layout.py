"""Docks in the real window: where they lie, grow and are found again."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest
from helpers_mouse import drag
from PySide6.QtCore import QPointF
from PySide6.QtWidgets import QApplication, QDockWidget, QTabBar
from pytestqt.qtbot import QtBot

from vaeviewer.backend.config import Settings
from vaeviewer.ui.window.main_window import MainWindow

MakeWindow = Callable[[Settings], MainWindow]

AT_FIRST = 5
"""Docks that are shown for two latent dimensions; those after them are for more."""


@pytest.fixture
def make(make_window: MakeWindow) -> MakeWindow:
    return make_window


def test_the_layout_is_remembered(qtbot: QtBot, make: MakeWindow, small: Settings) -> None:
    first = make(small)
    first.docks[0].hide()
    first.close()
    second = make(small)
    assert not second.docks[0].isVisible()
    second.reset_layout()
    assert second.docks[0].isVisible() or second.docks[1].isVisible()


def test_a_resize_in_the_middle_of_another_arrangement_is_no_trouble(
    make: MakeWindow, small: Settings
) -> None:
    window = make(small)
    window._layout._remove()
    window._layout.fit()  # as a resize does; Qt warns of docks that are nowhere, which fails a test
    window.reset_layout()
    assert not any(dock.isHidden() for dock in window.docks[:AT_FIRST])


@pytest.mark.qt_log_ignore("does not support raise", extend=True)
def test_no_tabs_of_a_layout_before_are_left_behind(make: MakeWindow, small: Settings) -> None:
    def tab_bars(window: MainWindow) -> int:
        QApplication.processEvents()
        bars = window.findChildren(QTabBar)
        return sum(bar.isVisible() and bar.count() > 0 and bar.x() >= 0 for bar in bars)

    first = make(small)
    assert tab_bars(first) == 1
    first.reset_layout()
    assert tab_bars(first) == 1
    on_demand = first.findChild(QDockWidget, "aggregate-posterior-dock")
    assert isinstance(on_demand, QDockWidget)
    on_demand.toggleViewAction().trigger()
    assert tab_bars(first) == 2, "those at the bottom have one"
    on_demand.close()
    assert tab_bars(first) == 1
    first.docks[0].setFloating(True)
    first.docks[2].close()
    first.reset_layout()
    assert tab_bars(first) == 1
    assert not any(dock.isFloating() for dock in first.docks)
    assert [dock.isHidden() for dock in first.docks] == [at >= AT_FIRST for at in range(len(first.docks))]
    first.close()
    assert tab_bars(make(small)) == 1


@pytest.mark.qt_log_ignore("does not support raise", extend=True)
def test_tabs_at_the_bottom_take_no_room_from_the_curves(
    qtbot: QtBot, make: MakeWindow, small: Settings
) -> None:
    window = make(small)
    curves = window.findChild(QDockWidget, "elbo-terms-dock")
    ledger = window.findChild(QDockWidget, "ledger-dock")
    assert isinstance(curves, QDockWidget)
    assert isinstance(ledger, QDockWidget)
    QApplication.processEvents()
    before = window.elbo_terms.height()
    ledger.toggleViewAction().trigger()
    qtbot.waitUntil(lambda: not ledger.visibleRegion().isEmpty() and curves.visibleRegion().isEmpty())
    curves.raise_()
    qtbot.waitUntil(lambda: not curves.visibleRegion().isEmpty() and window.elbo_terms.height() == before)


def test_docks_grow_with_the_window_until_dragged(qtbot: QtBot, make: MakeWindow, small: Settings) -> None:
    window = make(small)
    window.reset_layout()
    decoded = window.findChild(QDockWidget, "decoded-image-dock")
    assert decoded is not None
    narrow = decoded.width()
    window.resize(1900, 1050)
    qtbot.waitUntil(lambda: decoded.width() > narrow + 80)
    edge = QPointF(decoded.x() - 2, decoded.y() + decoded.height() / 2)
    assert window.childAt(edge.toPoint()) is None
    drag(window, [edge, edge + QPointF(30, 0), edge + QPointF(60, 0)])
    by_hand = decoded.width()
    window.resize(1600, 900)
    qtbot.wait(50)
    assert abs(decoded.width() - by_hand) <= 2


@pytest.mark.qt_log_ignore("does not support raise", extend=True)
def test_a_panel_behind_anothers_tab_comes_to_the_front_from_the_menu_and_closes_when_it_is_there(
    make: MakeWindow, small: Settings
) -> None:
    window = make(small)
    lens, draw = (window.findChild(QDockWidget, f"{name}-dock") for name in ("posterior-lens", "draw"))
    assert isinstance(lens, QDockWidget)
    assert isinstance(draw, QDockWidget)
    in_front: dict[QDockWidget, bool] = {}
    for dock in (lens, draw):
        dock.visibilityChanged.connect(partial(in_front.__setitem__, dock))
        dock.toggleViewAction().trigger()
        QApplication.processEvents()
    assert in_front == {lens: False, draw: True}
    assert lens.toggleViewAction().isChecked(), "it is there, behind"
    lens.toggleViewAction().trigger()
    QApplication.processEvents()
    assert in_front == {lens: True, draw: False}
    assert lens.toggleViewAction().isChecked()
    lens.toggleViewAction().trigger()
    QApplication.processEvents()
    assert lens.isHidden()
    assert not lens.toggleViewAction().isChecked()


@pytest.mark.qt_log_ignore("does not support raise", extend=True)
def test_a_panel_taken_from_behind_anothers_tab_closes(make: MakeWindow, small: Settings) -> None:
    behind = make(small).docks[1]
    behind.setFloating(True)
    QApplication.processEvents()
    assert behind.close()
    assert behind.isHidden()


def test_titles_of_tabs_are_whole_however_many_there_are(make: MakeWindow, small: Settings) -> None:
    window = make(small)
    for dock in window.docks:
        if dock.isHidden():
            dock.toggleViewAction().trigger()
    QApplication.processEvents()
    bars = [bar for bar in window.findChildren(QTabBar) if bar.isVisible() and bar.count() > 3]
    assert bars
    for bar in bars:
        for tab in range(bar.count()):
            assert bar.tabRect(tab).width() > bar.fontMetrics().horizontalAdvance(bar.tabText(tab))
