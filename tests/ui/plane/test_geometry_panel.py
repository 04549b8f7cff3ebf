"""The geometry panel in the window: two handles, two ways between them, their morphs, and the map behind the points."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from PySide6.QtCore import QEvent, QPointF, Qt
from PySide6.QtGui import QMouseEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QCheckBox, QLabel, QPushButton, QWidget
from pytestqt.qtbot import QtBot

from vaeviewer.backend.config import Settings, updated
from vaeviewer.session.states import Action, State
from vaeviewer.ui.plane.geometry_panel import GeometryPanel
from vaeviewer.ui.plane.magnification import shades_of
from vaeviewer.ui.window.main_window import MainWindow

MakeWindow = Callable[[Settings], MainWindow]


def shown(qtbot: QtBot, window: MainWindow) -> GeometryPanel:
    dock = next(dock for dock in window.docks if dock.property("panel") == "geometry")
    assert not dock.isVisible()
    dock.toggleViewAction().trigger()
    qtbot.waitUntil(lambda: window.findChild(GeometryPanel) is not None)
    panel = window.findChild(GeometryPanel)
    assert isinstance(panel, GeometryPanel)
    return panel


def texts(panel: QWidget) -> list[str]:
    strips = [panel.findChild(QWidget, name) for name in ("straightWay", "shortestWay")]
    return [label.text() for strip in strips if strip is not None for label in strip.findChildren(QLabel)]


def mouse(window: MainWindow, kind: QEvent.Type, at: QPointF) -> None:
    viewport = window.plane.viewport()
    left = Qt.MouseButton.LeftButton
    held = Qt.MouseButton.NoButton if kind == QEvent.Type.MouseButtonRelease else left
    event = QMouseEvent(kind, at, viewport.mapToGlobal(at), left, held, Qt.KeyboardModifier.NoModifier)
    QApplication.sendEvent(viewport, event)


@pytest.mark.parametrize("family", ["vae", "autoencoder"])
def test_two_handles_have_two_ways_between_them(
    qtbot: QtBot, make_window: MakeWindow, small: Settings, family: str
) -> None:
    window = make_window(updated(small, family=family))
    window.session.request(Action.TRAIN)
    qtbot.waitUntil(lambda: window.session.state is State.FINISHED, timeout=30_000)
    panel = shown(qtbot, window)
    window.set_view(z=(-1.0, 0.5))
    window.plane.setFocus()
    QTest.keyClick(window.plane, Qt.Key.Key_M)
    assert window.view.second == pytest.approx((-1.0, 0.5))
    QTest.keyClick(window.plane, Qt.Key.Key_M)
    assert window.view.second is None, "once more takes it away"
    strips = [panel.findChild(QWidget, name) for name in ("straightWay", "shortestWay")]
    assert not any(strip.isVisible() for strip in strips if strip is not None), "there are no ways"
    QTest.keyClick(window.plane, Qt.Key.Key_M)
    window.set_view(z=(1.5, -1.0))
    qtbot.waitUntil(lambda: "Geodesic: " in texts(panel)[1], timeout=20_000)
    straight, shortest = (float(text.split(": ")[1].split(",")[0]) for text in texts(panel))
    assert 0 < shortest <= straight
    note = panel.findChild(QLabel, "geometryNote")
    assert isinstance(note, QLabel)
    assert ("Fisher" in note.text()) == (family == "vae")
    assert ("pixel distances" in note.text()) == (family == "autoencoder")
    way = window.plane.second._way
    assert way is not None
    np.testing.assert_allclose(way[[0, -1]], [(-1.0, 0.5), (1.5, -1.0)], atol=1e-5)

    at, to = window.plane.viewport_position(-1.0, 0.5), window.plane.viewport_position(-0.5, 1.0)
    mouse(window, QEvent.Type.MouseButtonPress, at)
    mouse(window, QEvent.Type.MouseMove, to)
    mouse(window, QEvent.Type.MouseButtonRelease, to)
    assert window.view.second == pytest.approx((-0.5, 1.0), abs=0.02)
    assert window.view.z == (1.5, -1.0)
    remove = panel.findChild(QPushButton, "geometryUnmark")
    assert isinstance(remove, QPushButton)
    qtbot.waitUntil(remove.isEnabled)
    qtbot.mouseClick(remove, Qt.MouseButton.LeftButton)
    assert window.view.second is None
    assert window.plane.second._way is None


def test_the_map_comes_with_its_box_and_takes_turns_with_the_images(
    qtbot: QtBot, make_window: MakeWindow, small: Settings
) -> None:
    window = make_window(small)
    panel = shown(qtbot, window)
    box, plain = panel.findChild(QCheckBox, "geometryMap"), window.plane.grab().toImage()
    assert isinstance(box, QCheckBox)
    box.click()
    assert window.view.behind == "magnification"
    qtbot.waitUntil(lambda: window.plane.backdrop.image is not None, timeout=20_000)
    assert window.plane.backdrop.scale.title == "magnification √det G"
    assert window.plane.grab().toImage() != plain
    window.plane.setFocus()
    QTest.keyClick(window, Qt.Key.Key_U)
    assert window.view.behind == "images"
    qtbot.waitUntil(lambda: not box.isChecked())
    assert not window.plane.backdrop.scale.isVisible()


def test_shades_go_by_the_logarithm_and_survive_what_is_not_positive() -> None:
    values = np.array([[1.0, 10.0, 100.0], [0.0, np.nan, 10.0]], np.float32)
    shades, _ = shades_of(values)
    assert shades[0, 0] < 0.05
    assert shades[0, 1] == pytest.approx(0.5, abs=0.05)
    assert shades[0, 2] > 0.95
    assert shades[1, 0] == 0.0
    assert np.isnan(shades[1, 1])
    assert np.isnan(shades_of(np.zeros((2, 2), np.float32))[0]).all()


def test_a_flat_map_has_the_middle_shade_and_not_that_of_high_ridges() -> None:
    shades, ends = shades_of(np.full((2, 2), 80.0, np.float32))
    np.testing.assert_allclose(shades, 0.5, atol=1e-3)
    assert ends == ("≤ 25", "≥ 250")
