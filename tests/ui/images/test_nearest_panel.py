"""The nearest images, in the real window, while the handle moves."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QDockWidget
from pytestqt.qtbot import QtBot

from vaeviewer.backend.config import Settings, updated
from vaeviewer.session.nearest_images import COUNT
from vaeviewer.session.states import Action, State
from vaeviewer.ui.images.image_strip import ImageStrip, Shown
from vaeviewer.ui.images.nearest_panel import NearestPanel
from vaeviewer.ui.window.main_window import MainWindow

MakeWindow = Callable[[Settings], MainWindow]


def opened(qtbot: QtBot, window: MainWindow) -> NearestPanel:
    window.findChild(QDockWidget, "nearest-images-dock").toggleViewAction().trigger()
    qtbot.waitUntil(lambda: window.findChild(NearestPanel) is not None)
    panel = window.findChild(NearestPanel)
    assert panel is not None
    qtbot.waitUntil(lambda: panel.nearest.found_there is not None, timeout=20_000)
    return panel


def test_images_near_the_handle_follow_it_and_far_out_the_decoder_extrapolates(
    qtbot: QtBot, make_window: MakeWindow, small: Settings
) -> None:
    window = make_window(small)
    window.session.request(Action.TRAIN)
    qtbot.waitUntil(lambda: window.session.state is State.FINISHED, timeout=30_000)
    panel = opened(qtbot, window)
    snapshot, data = window.session.snapshot, window.session.dataset
    assert snapshot is not None
    assert snapshot.posterior is not None
    assert data is not None
    for row in (3, 41, 500):
        z1, z2 = snapshot.posterior.loc[row].tolist()
        window.plane.handle_moved.emit(z1 + 0.5, z2)  # on the way there
        window.plane.handle_moved.emit(z1, z2)
        qtbot.waitUntil(lambda row=row: panel.in_codes.images[0].entry == row, timeout=5_000)
        assert panel.in_codes.images[0].caption == "0.000"
        picture = snapshot.decode(np.array([[z1, z2]], np.float32))[0]
        apart = ((data.train_images / 255.0 - picture) ** 2).sum((1, 2))
        assert [image.entry for image in panel.in_pixels.images] == np.argsort(apart)[:COUNT].tolist()
        assert panel.verdict.text().startswith("Images lie here")

    QTest.mouseClick(panel.in_pixels, Qt.MouseButton.LeftButton, pos=QPoint(8, 8))
    assert window.view.selected == panel.in_pixels.images[0].entry
    window.plane.handle_moved.emit(30.0, 30.0)
    qtbot.waitUntil(lambda: "extrapolates" in panel.verdict.text(), timeout=5_000)


def test_a_model_that_sees_classes_is_compared_with_images_of_the_class_it_decodes(
    qtbot: QtBot, make_window: MakeWindow, small: Settings
) -> None:
    window = make_window(updated(small, family="conditional"))
    panel = opened(qtbot, window)
    data = window.session.dataset
    assert data is not None
    for y in (4, 7):
        window.set_view(y=y)
        qtbot.waitUntil(
            lambda y=y: {int(data.train_labels[image.entry]) for image in panel.in_codes.images} == {y},
            timeout=5_000,
        )
        assert {int(data.train_labels[image.entry]) for image in panel.in_pixels.images} == {y}


def test_without_codes_images_are_compared_by_their_pixels_alone(
    qtbot: QtBot, make_window: MakeWindow, small: Settings
) -> None:
    window = make_window(updated(small, family="gan"))
    panel = opened(qtbot, window)
    qtbot.waitUntil(lambda: len(panel.in_pixels.images) == COUNT)
    assert not panel.in_codes.isVisible()
    assert panel.verdict.text() == ""


def test_a_high_row_of_images_is_no_single_large_one(qtbot: QtBot) -> None:
    strip = ImageStrip("Nearest")
    qtbot.addWidget(strip)
    strip.resize(240, 400)
    strip.show_images([Shown(row, np.zeros((28, 28), np.uint8), "4.15") for row in range(12)])
    assert strip.fitting() >= 3
