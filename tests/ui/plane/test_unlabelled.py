"""Images without labels in the plane: looked at, hovered, selected and walked along, by real events."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from helpers_images import pixels_of
from PySide6.QtCore import QEvent, QPointF, Qt
from PySide6.QtGui import QMouseEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QLabel
from pytestqt.qtbot import QtBot
from test_latent_view import make_dataset, make_snapshot, ring

from vaeviewer.backend.data.base import ImageDataset
from vaeviewer.session.view_state import ViewState
from vaeviewer.ui.images.reconstruction_panel import ReconstructionPanel
from vaeviewer.ui.plane.latent_hover import card_text
from vaeviewer.ui.plane.latent_view import LatentView


def unlabelled(count: int = 12) -> ImageDataset:
    return replace(make_dataset(count), train_labels=np.zeros(count, np.int64), class_names=())


def hover(view: LatentView, at: QPointF) -> None:
    viewport, none = view.viewport(), Qt.MouseButton.NoButton
    where = QPointF(viewport.mapToGlobal(at.toPoint()))
    held = Qt.KeyboardModifier.NoModifier
    QApplication.sendEvent(viewport, QMouseEvent(QEvent.Type.MouseMove, at, where, none, none, held))


def test_points_without_labels_are_drawn_hovered_and_chosen(qtbot: QtBot) -> None:
    view = LatentView()
    qtbot.addWidget(view)
    view.resize(640, 560)
    view.set_dataset(unlabelled())
    with qtbot.waitExposed(view):
        view.show()
    empty = pixels_of(view.viewport().grab().toImage())
    view.update_frame(make_snapshot(ring(12)), ViewState())
    assert (pixels_of(view.viewport().grab().toImage()) != empty).any()
    hover(view, view.viewport_position(*map(float, ring(12)[4])))
    qtbot.waitUntil(view._hover.card.isVisible)
    number, density = view._hover.card._text.text().split("\n")
    assert number == "image 4"
    assert density.startswith("Density ")
    chosen: list[int] = []
    view.image_selected.connect(chosen.append)
    view.setFocus()
    QTest.keyClick(view, Qt.Key.Key_Return)
    assert len(chosen) == 1
    assert view._marks_item._classes == (), "there is no class to name"


def test_a_card_says_class_number_and_file_with_the_middle_of_long_names_left_out() -> None:
    files = tuple(f"dogs/{'x' * 80}/{n}.png" for n in range(12))
    data = replace(make_dataset(12, names=("a", "b" * 90 + "tail", "c")), train_files=files)
    first, second = card_text(data, 1).split("\n")
    assert first.startswith("bbb")
    assert first.endswith("tail  ·  image 1")
    assert second.startswith("dogs/xx")
    assert second.endswith("xx/1.png")
    assert max(len(first), len(second)) < 55
    assert card_text(unlabelled(), 3) == "image 3"


def test_a_selected_image_without_a_label_is_no_class(qtbot: QtBot) -> None:
    panel = ReconstructionPanel()
    qtbot.addWidget(panel)
    panel.show()
    panel.update_frame(None, unlabelled(), ViewState(selected=0))
    title = panel.findChild(QLabel, "selectedTitle")
    assert isinstance(title, QLabel)
    assert title.text() == "Training image 0"
