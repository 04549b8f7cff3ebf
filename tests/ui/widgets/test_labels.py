"""Labels that change many times a second."""

from __future__ import annotations

from helpers_layouts import Layouts
from PySide6.QtCore import Qt
from PySide6.QtGui import QFont
from PySide6.QtWidgets import QHBoxLayout, QLineEdit, QWidget
from pytestqt.qtbot import QtBot

from vaeviewer.ui.widgets.labels import ElidedLabel, LiveLabel, NumberLabel


def test_it_asks_for_a_layout_only_when_it_needs_more_room_or_far_less(qtbot: QtBot) -> None:
    window = QWidget()
    label = LiveLabel("step 1,000")
    QHBoxLayout(window).addWidget(label)
    qtbot.addWidget(window)
    window.show()
    qtbot.waitExposed(window)
    qtbot.wait(20)
    layouts = Layouts(window)
    for step in range(1_001, 1_010):
        label.setText(f"step {step:,}")
        qtbot.wait(1)
    assert layouts.number == 0
    assert label.text() == "step 1,009"
    narrow = label.sizeHint().width()
    for text, wanted in (("step 1,000,000,000", 1), ("", 2)):
        label.setText(text)
        qtbot.waitUntil(lambda wanted=wanted: layouts.number >= wanted)
    assert label.sizeHint().width() < narrow


def test_its_padding_outlives_another_font(qtbot: QtBot) -> None:
    bare, padded = LiveLabel("speed"), LiveLabel("speed", padding=8)
    for label in (bare, padded):
        qtbot.addWidget(label)
        font = QFont(label.font())
        font.setPointSizeF(2 * font.pointSizeF())
        label.setFont(font)
        label.show()
    assert padded.sizeHint().width() == bare.sizeHint().width() + 16
    image = padded.grab().toImage()
    blank = image.pixel(0, 0)
    assert all(image.pixel(x, y) == blank for x in range(7) for y in range(image.height()))


def test_one_that_shrinks_claims_no_room(qtbot: QtBot) -> None:
    label = LiveLabel("not saved: the disk is full", shrinks=True)
    qtbot.addWidget(label)
    assert label.minimumSizeHint().width() == 0
    assert label.sizeHint().width() > 50


def test_what_is_cut_is_read_in_the_tooltip(qtbot: QtBot) -> None:
    label = ElidedLabel("Overfitting since epoch 12? Best there: −102.33")
    qtbot.addWidget(label)
    label.resize(60, 20)
    label.show()
    qtbot.waitUntil(lambda: label.toolTip() == label.text())
    label.resize(600, 20)
    qtbot.waitUntil(lambda: label.toolTip() == "")


def test_a_number_can_be_selected_while_the_mouse_is_there(qtbot: QtBot) -> None:
    window = QWidget()
    number, other = NumberLabel("−1,234.56"), QLineEdit()
    layout = QHBoxLayout(window)
    layout.addWidget(number)
    layout.addWidget(other)
    qtbot.addWidget(window)
    window.show()
    qtbot.waitExposed(window)
    number.setText("−103.70")

    outside = other.mapTo(window, other.rect().center())
    qtbot.mouseMove(window, outside)
    qtbot.mouseMove(number, number.rect().center())
    qtbot.mouseDClick(number, Qt.MouseButton.LeftButton, pos=number.rect().center())
    selected = number.selectedText()
    assert selected, "a double click selects"
    qtbot.mouseMove(other, other.rect().center())
    assert number.selectedText() == selected, "which outlives the mouse, so that Ctrl+C copies it"
    qtbot.mouseClick(other, Qt.MouseButton.LeftButton)
    number.setText("−103.60")
    qtbot.mouseDClick(number, Qt.MouseButton.LeftButton, pos=number.rect().center())
    assert number.text() == "−103.60"


def test_one_that_shrinks_shows_the_longest_text_that_fits(qtbot: QtBot) -> None:
    whole, short = "farther out than 39 % of the prior's codes", "farther out than 39 %"
    label = LiveLabel(shrinks=True)
    qtbot.addWidget(label)
    label.setText(whole, short)

    def looks(text: str) -> bool:
        """Whether it looks like a label with only this text."""
        other = LiveLabel(text)
        qtbot.addWidget(other)
        other.resize(label.size())
        return label.grab().toImage() == other.grab().toImage()

    metrics = label.fontMetrics()
    for text in (whole, short):
        label.resize(metrics.horizontalAdvance(text) + 2, 30)
        assert looks(text)
    assert label.text() == whole
