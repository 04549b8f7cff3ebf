"""The legend by keys, with many classes, and with names that look like markup."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from helpers_images import make_dataset
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QTextDocument
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QLineEdit, QMainWindow, QPushButton
from pytestqt.qtbot import QtBot

from vaeviewer.backend.data.base import ImageDataset
from vaeviewer.session.view_state import ViewState
from vaeviewer.ui.images.reconstruction_panel import ReconstructionPanel
from vaeviewer.ui.plane.latent_legend import Legend
from vaeviewer.ui.plane.latent_view import LatentView
from vaeviewer.ui.widgets.theme import CLASS_COLORS, class_colors

KEY, SHIFT = Qt.Key, Qt.KeyboardModifier.ShiftModifier


def with_classes(*names: str) -> ImageDataset:
    data = make_dataset(2 * len(names))
    return replace(data, train_labels=np.arange(2 * len(names)) % len(names), class_names=names)


class Stage:
    """A plane in a window, between two buttons."""

    def __init__(self, qtbot: QtBot) -> None:
        self.window = QMainWindow()
        qtbot.addWidget(self.window)
        self.plane = LatentView()
        self.window.setCentralWidget(self.plane)
        self.window.resize(700, 500)
        self.after = QPushButton("after", self.window)
        self.window.show()
        self.hidden: list[frozenset[int]] = []
        self.plane.hidden_classes_changed.connect(self.hidden.append)

    def show_classes(self, *names: str) -> Legend:
        self.plane.set_dataset(with_classes(*names))
        QApplication.processEvents()
        return self.plane._legend

    def listed(self) -> list[str]:
        return self.plane._legend.list.listed()


@pytest.fixture
def stage(qtbot: QtBot) -> Stage:
    return Stage(qtbot)


def keys(
    legend: Legend, *pressed: Qt.Key, held: Qt.KeyboardModifier = Qt.KeyboardModifier.NoModifier
) -> None:
    for key in pressed:
        QTest.keyClick(legend.list, key, held)


def test_the_legend_is_one_stop_for_tab(stage: Stage) -> None:
    legend = stage.show_classes(*"abcdefghij")
    stage.plane.setFocus()
    QTest.keyClick(stage.plane, KEY.Key_Tab)
    choice = stage.window.focusWidget()
    assert choice.objectName() == "colorBy"
    QTest.keyClick(choice, KEY.Key_Tab)
    assert stage.window.focusWidget() is legend.list
    QTest.keyClick(legend.list, KEY.Key_Tab)
    assert stage.window.focusWidget() is stage.after
    QTest.keyClick(stage.after, KEY.Key_Backtab)
    assert stage.window.focusWidget() is legend.list


def test_arrows_choose_a_class_space_and_enter_hide_it_and_with_shift_it_is_alone(stage: Stage) -> None:
    legend = stage.show_classes("a", "b", "c", "d")
    legend.list.setFocus()
    keys(legend, KEY.Key_Down, KEY.Key_Space)
    assert stage.hidden[-1] == {1}
    keys(legend, KEY.Key_Down, KEY.Key_Return)
    assert stage.hidden[-1] == {1, 2}
    keys(legend, KEY.Key_Up, KEY.Key_Enter)
    assert stage.hidden[-1] == {2}
    keys(legend, KEY.Key_End, KEY.Key_Down)
    keys(legend, KEY.Key_Return, held=SHIFT)
    assert stage.hidden[-1] == {0, 1, 2}
    keys(legend, KEY.Key_Space, held=SHIFT)
    assert stage.hidden[-1] == frozenset(), "all come back"
    count = len(stage.hidden)
    keys(legend, KEY.Key_A, KEY.Key_U)
    keys(legend, KEY.Key_Space, held=Qt.KeyboardModifier.AltModifier)
    assert len(stage.hidden) == count, "letters and menus are the window's"


@pytest.mark.parametrize("count", [47, 200])
def test_many_classes_scroll_after_the_keys_and_are_found_by_name(stage: Stage, count: int) -> None:
    names = [f"letter {n:03}" for n in range(count)]
    legend = stage.show_classes(*names)
    search = legend.findChild(QLineEdit, "legendSearch")
    assert search.isVisible()
    legend.list.setFocus()
    keys(legend, KEY.Key_End)
    QApplication.processEvents()
    last = legend.list.visualRect(legend.list.item_of(count - 1).index())
    assert legend.list.viewport().rect().contains(last)
    width = legend.width()
    QTest.keyClicks(legend.list, "R 04")  # a space is no letter here
    assert stage.hidden[-1] == {count - 1}
    keys(legend, KEY.Key_Backspace, KEY.Key_Backspace, KEY.Key_Backspace)
    QTest.keyClicks(legend.list, "046")
    QApplication.processEvents()
    assert stage.listed() == ["letter 046"]
    assert legend.width() == width, "the plane beside it stays where it is"
    keys(legend, KEY.Key_Return, held=SHIFT)
    assert stage.hidden[-1] == frozenset(range(count)) - {46}
    keys(legend, KEY.Key_Escape)
    assert stage.listed() == names
    QTest.mouseClick(search, Qt.MouseButton.LeftButton)
    QTest.keyClicks(search, "nothing")
    assert stage.listed() == []
    keys(legend, KEY.Key_Down, KEY.Key_Space)
    assert len(stage.hidden) == 2, "nothing is there to hide"


def test_few_classes_have_no_search(stage: Stage) -> None:
    legend = stage.show_classes(*"abc")
    assert not legend.findChild(QLineEdit, "legendSearch").isVisible()


@pytest.mark.parametrize("count", [3, 10, 11, 47, 200])
def test_no_two_classes_have_one_colour(count: int) -> None:
    colors = class_colors(count)
    assert len({tuple(color) for color in colors.tolist()}) == count
    assert ["#{:02x}{:02x}{:02x}".format(*color) for color in colors[:10].tolist()] == list(
        CLASS_COLORS[:count]
    )
    if 10 < count < 50:  # so few differ at first sight
        apart = [
            np.abs(colors[a].astype(int) - colors[b]).max()
            for a in range(count)
            for b in range(a % 10, a, 10)
        ]
        assert min(apart) > 20


NAME = "<b>x</b> & y"


def test_a_name_that_looks_like_markup_is_shown_as_it_is(stage: Stage, qtbot: QtBot) -> None:
    stage.show_classes(NAME, "other")
    row = stage.plane._legend.list.item_of(0).index()
    tip = QTextDocument()
    tip.setHtml(stage.plane._legend.list.tip(row))
    assert tip.toPlainText().startswith(f"{NAME}: 2 images")
    # Painted letter by letter: as wide as all its characters.
    shown = stage.plane._legend.list
    area = shown.visualRect(row)
    ink = shown.viewport().grab(area).toImage()
    drawn = [
        x
        for x in range(24, ink.width())
        if any(ink.pixel(x, y) != ink.pixel(23, y) for y in range(ink.height()))
    ]
    assert drawn[-1] - drawn[0] > 0.8 * shown.fontMetrics().horizontalAdvance(NAME)
    stage.plane._hover.card.show_image(0, np.zeros((4, 4), np.uint8), NAME, QPoint(5, 5))
    assert stage.plane._hover.card._text.textFormat() == Qt.TextFormat.PlainText
    panel = ReconstructionPanel()
    qtbot.addWidget(panel)
    panel.show()
    panel.update_frame(None, with_classes(NAME, "other"), ViewState(selected=0))
    title = panel._selected._title
    assert title.text() == f"Class {NAME}, training image 0"
    assert title.textFormat() == Qt.TextFormat.PlainText
