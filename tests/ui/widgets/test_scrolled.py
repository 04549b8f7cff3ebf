from __future__ import annotations

from PySide6.QtWidgets import QCheckBox, QVBoxLayout, QWidget
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
