"""The chooser of the kind of model with as many as there may be: by keys, and whole on a small screen."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from own_families import TwoPlayers
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from vaeviewer.backend.models import registry
from vaeviewer.backend.models.interface import KIN
from vaeviewer.ui.settings.family_box import FamilyBox

pytestmark = pytest.mark.qt_log_ignore(
    "This plugin does not support", extend=True
)  # popups, without a screen


@pytest.fixture
def box(qtbot: QtBot) -> Iterator[FamilyBox]:
    """With fifteen or more families, three of a kin or so."""
    added = []
    for number in range(max(0, 15 - len(registry.families()))):
        kind = type(
            f"Kind{number}", (TwoPlayers,), {"key": f"kind-{number}", "kin": [*KIN][number % len(KIN)]}
        )
        added.append(kind())
        registry.register(added[-1])
    box = FamilyBox()
    qtbot.addWidget(box)
    box.resize(220, box.sizeHint().height())
    box.show()
    yield box
    for family in added:
        registry.unregister(family.key)


def test_keys_go_through_all_of_them_and_past_the_headings(box: FamilyBox) -> None:
    box.setFocus()
    box.setCurrentIndex(box.findData("vae"))
    seen = [box.currentData()]
    for _ in range(len(registry.families()) - 1):
        QTest.keyClick(box, Qt.Key.Key_Down)
        seen.append(box.currentData())
    assert seen == [*registry.families()]
    assert [box.itemText(i) for i in range(box.count()) if box.itemData(i) is None] == [*KIN.values()]


def test_all_are_in_sight_with_their_sentences(qtbot: QtBot, box: FamilyBox) -> None:
    box.showPopup()
    view = box.view()
    qtbot.waitUntil(view.isVisible)
    window = view.window()
    assert window.height() <= 760, "it fits a screen of 1280 × 800"
    assert view.visualRect(box.model().index(box.count() - 1, 0)).bottom() <= view.viewport().height()
    for row in range(box.count()):
        sentence = box.itemData(row, Qt.ItemDataRole.UserRole + 1)
        if sentence and len(sentence) <= 110:
            assert view.fontMetrics().horizontalAdvance(sentence) < view.viewport().width()
    QTest.keyClick(view, Qt.Key.Key_Escape)
    qtbot.waitUntil(lambda: not view.isVisible())
