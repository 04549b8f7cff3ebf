from __future__ import annotations

from PySide6.QtWidgets import QCheckBox, QLabel, QVBoxLayout, QWidget
from pytestqt.qtbot import QtBot

from vaeviewer.ui.widgets.scrolled import Scrolled


def test_a_panel_that_needs_more_than_before_scrolls_and_is_not_squeezed(qtbot: QtBot) -> None:
    panel = QWidget()
    layout = QVBoxLayout(panel)
    layout.addWidget(QCheckBox("ELBO"))
    area = Scrolled(panel)
    qtbot.addWidget(area)
    area.resize(200, 100)
    area.show()
    bar = area.verticalScrollBar()
    assert bar.maximum() == 0
    boxes = [QCheckBox(f"metric {number}") for number in range(9)]
    for box in boxes:
        layout.addWidget(box)
    qtbot.waitUntil(lambda: bar.maximum() > 0)
    assert all(box.height() >= box.minimumSizeHint().height() for box in boxes)
    for box in boxes:
        layout.removeWidget(box)
        box.deleteLater()
    qtbot.waitUntil(lambda: bar.maximum() == 0)


def test_a_text_that_wraps_keeps_all_its_lines(qtbot: QtBot) -> None:
    panel, note = QWidget(), QLabel("Lengths in the Fisher information metric of p(x|z). " * 4)
    note.setWordWrap(True)
    layout = QVBoxLayout(panel)
    for number in range(3):
        layout.addWidget(QCheckBox(f"choice {number}"))
    layout.addWidget(note)
    area = Scrolled(panel)
    qtbot.addWidget(area)
    area.resize(260, 120)
    area.show()
    for width in (260, 200, 320):
        area.resize(width, 120)
        qtbot.waitUntil(lambda: note.height() >= note.heightForWidth(note.width()))
        assert area.verticalScrollBar().maximum() > 0
    area.resize(320, 500)
    qtbot.waitUntil(lambda: area.verticalScrollBar().maximum() == 0)
