"""The "?" of each panel: it explains, by mouse and by keys, and docks float and close as before."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QAbstractButton, QApplication, QDockWidget, QLabel, QSlider
from pytestqt.qtbot import QtBot

from vaeviewer.backend.config import Settings
from vaeviewer.backend.models import registry
from vaeviewer.session.states import State
from vaeviewer.ui.settings.speed_column import SPEEDS
from vaeviewer.ui.settings.training_controls import TrainingControls
from vaeviewer.ui.window.explanations import EXPLANATIONS, TERMS, explanation_of, rich_text, terms_of
from vaeviewer.ui.window.family_page import page_text
from vaeviewer.ui.window.main_window import MainWindow
from vaeviewer.ui.window.panel_help import DockHelp, HelpButton, HelpPopup
from vaeviewer.ui.window.panels import PANELS

MakeWindow = Callable[[Settings], MainWindow]
VAE = Settings().family

# Of popups, without a screen.
pytestmark = pytest.mark.qt_log_ignore("This plugin does not support", extend=True)


def popup() -> HelpPopup:
    found = QApplication.activePopupWidget()
    assert isinstance(found, HelpPopup)
    return found


def text(name: str) -> QLabel:
    label = popup().findChild(QLabel, name)
    assert isinstance(label, QLabel)
    return label


def test_every_link_leads_to_a_term_and_every_term_is_one_sentence() -> None:
    links = {
        key
        for title in EXPLANATIONS
        for key in re.findall(r'href="(\w+)"', rich_text(explanation_of(title, VAE)))
    }
    assert links == TERMS.keys()
    for sentence in TERMS.values():
        assert sentence.endswith(".")
    for explanation in EXPLANATIONS.values():
        for sentence in (explanation.see, explanation.attempt, explanation.formula):
            assert sentence.endswith(".")


@pytest.mark.parametrize("key", registry.families())
def test_a_hat_is_over_its_letter(key: str) -> None:
    """Upright, DejaVu Sans has the hat of x far above it, in the line before; in italics it is where it belongs."""
    family = registry.family(key)
    texts = [rich_text(explanation_of(title, family)) for title in EXPLANATIONS]
    texts += [page_text(family), *terms_of(family).values(), *(metric.help for metric in family.metrics)]
    for sentence in texts:
        assert "\u0302" not in re.sub(r"<i>[^<]*</i>", "", sentence)


def test_each_panel_has_its_own(qtbot: QtBot, make_window: MakeWindow, small: Settings) -> None:
    window = make_window(small)
    buttons = window.findChildren(HelpButton)
    explained = {panel.title: panel.explanation for panel in PANELS if panel.explanation is not None}
    assert sorted(button.accessibleName() for button in buttons) == sorted(f"What is {t}?" for t in explained)
    assert explained.keys() >= EXPLANATIONS.keys()
    for button in buttons:
        title = button.accessibleName().removeprefix("What is ").removesuffix("?")
        if not button.isVisible() or button.visibleRegion().isEmpty():
            continue  # behind another one's tab
        qtbot.mouseClick(button, Qt.MouseButton.LeftButton)
        assert text("helpText").text() == rich_text(explained[title](VAE))
        screen = (
            button.screen().geometry().adjusted(-3, -3, 3, 3)
        )  # without a real one, frames are shifted a little
        assert screen.contains(popup().geometry())
        QTest.keyClick(popup(), Qt.Key.Key_Escape)
        assert QApplication.activePopupWidget() is None


def test_a_term_is_explained_below_by_keys_alone(
    qtbot: QtBot, make_window: MakeWindow, small: Settings
) -> None:
    window = make_window(small)
    window.activateWindow()
    qtbot.waitUntil(window.isActiveWindow)
    window.plane.setFocus()
    QTest.keyClick(window.plane, Qt.Key.Key_F1, Qt.KeyboardModifier.ShiftModifier)
    qtbot.waitUntil(lambda: QApplication.activePopupWidget() is not None)
    assert text("helpText").text() == rich_text(explanation_of("Latent plane", VAE))
    assert not text("helpTerm").isVisible()
    before = popup().height()
    for _ in range(2):  # to the first link: q(z|x)
        QTest.keyClick(text("helpText"), Qt.Key.Key_Tab)
        QTest.keyClick(text("helpText"), Qt.Key.Key_Return)
        if text("helpTerm").isVisible():
            break
    assert text("helpTerm").text() == TERMS["posterior"]
    assert popup().height() > before
    for label in (text("helpText"), text("helpTerm")):
        assert label.height() >= label.heightForWidth(label.width())
    QTest.keyClick(popup(), Qt.Key.Key_Escape)
    assert QApplication.activePopupWidget() is None
    assert window.plane.hasFocus()


def test_the_buttons_of_a_dock_stay_as_they_were(
    qtbot: QtBot, make_window: MakeWindow, small: Settings
) -> None:
    window = make_window(small)
    dock = next(d for d in window.docks if d.windowTitle() == "Manifold")
    assert isinstance(dock, QDockWidget)
    help_button = dock.findChild(DockHelp)
    beside = dock.findChild(QAbstractButton, "qt_dockwidget_floatbutton")
    close = dock.findChild(QAbstractButton, "qt_dockwidget_closebutton")
    assert help_button is not None
    for floating in (False, True, False):
        if dock.isFloating() != floating:
            qtbot.mouseClick(beside, Qt.MouseButton.LeftButton)
            qtbot.waitUntil(lambda floating=floating: dock.isFloating() == floating)
        dock.resize(dock.width() + 20, dock.height())
        qtbot.waitUntil(
            lambda: (
                0 < (dock.width() if beside.isHidden() else beside.x()) - help_button.geometry().right() < 12
            )
        )
        assert dock.rect().contains(help_button.geometry())
        assert help_button.isVisible()
        if not beside.isHidden():
            assert not help_button.geometry().intersects(beside.geometry().united(close.geometry()))
    qtbot.mouseClick(close, Qt.MouseButton.LeftButton)
    assert not dock.isVisible()


@pytest.mark.parametrize("position", range(len(SPEEDS)))
def test_a_click_in_the_sliders_groove_goes_there(qtbot: QtBot, position: int) -> None:
    controls = TrainingControls()
    qtbot.addWidget(controls)
    controls.resize(1280, 60)
    with qtbot.waitExposed(controls):
        controls.show()
    slider = controls.findChild(QSlider, "speedSlider")
    assert slider is not None
    slider.setValue(0 if position > 4 else len(SPEEDS) - 1)
    at = QPoint(round(7 + (slider.width() - 14) * position / (len(SPEEDS) - 1)), slider.height() // 2)
    QTest.mouseClick(slider, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, at)
    assert controls.steps_per_second() == SPEEDS[position]


def test_space_in_a_floating_panel_trains_and_does_not_open_its_help(
    qtbot: QtBot, make_window: MakeWindow, small: Settings
) -> None:
    window = make_window(small)
    dock = window.findChild(QDockWidget, "posterior-lens-dock")
    assert isinstance(dock, QDockWidget)
    dock.toggleViewAction().trigger()
    dock.setFloating(True)
    dock.activateWindow()
    qtbot.waitUntil(dock.isActiveWindow)
    QTest.keyClick(QApplication.focusWidget() or dock, Qt.Key.Key_Space)
    assert QApplication.activePopupWidget() is None
    qtbot.waitUntil(lambda: window.session.state in (State.RUNNING, State.FINISHED), timeout=10_000)
