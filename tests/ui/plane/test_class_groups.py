"""Groups of many classes: found by their names, folded, hidden at once, and fast."""

from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QLabel
from pytestqt.qtbot import QtBot

from vaeviewer.ui.plane.class_groups import groups_of
from vaeviewer.ui.plane.latent_legend import Legend
from vaeviewer.ui.widgets.theme import DARK, build_palette, class_colors

KEY = Qt.Key
BREEDS = tuple(f"{kind}/breed {n}" for kind in ("cat", "dog", "owl") for n in range(15))


def test_what_stands_before_a_mark_groups_else_the_first_letter() -> None:
    assert [(g.title, len(g.members), g.names[0]) for g in groups_of(BREEDS)] == [
        ("cat", 15, "breed 0"),
        ("dog", 15, "breed 0"),
        ("owl", 15, "breed 0"),
    ]
    words = [f"{first}{n}x" for first in "abcde" for n in range(20)]
    assert [g.title for g in groups_of(words)] == list("ABCDE")
    assert all(not g.title for g in groups_of([f"letter {n}" for n in range(200)])), "one group is none"
    assert all(not g.title for g in groups_of(BREEDS[:30])), "few need none"


@given(st.lists(st.text(max_size=6), max_size=60))
def test_each_class_is_in_one_group(names: list[str]) -> None:
    members = [number for group in groups_of(names) for number in group.members]
    assert sorted(members) == list(range(len(names)))


@pytest.fixture
def legend(qtbot: QtBot) -> Legend:
    legend = Legend()
    qtbot.addWidget(legend)
    legend.resize(200, 400)
    legend.set_classes(BREEDS, class_colors(45), np.arange(90) % 45)
    legend.show()
    legend.list.setFocus()
    return legend


def test_a_group_is_hidden_shown_folded_and_singled_out(legend: Legend) -> None:
    hidden: list[frozenset[int]] = []
    legend.hidden_changed.connect(hidden.append)
    dogs = frozenset(range(15, 30))
    entries = legend.list
    QTest.keyClick(entries, KEY.Key_Home)
    QTest.keyClick(entries, KEY.Key_Left)
    assert entries.listed()[:2] == ["cat", "dog"], "the cats are folded"
    QTest.keyClick(entries, KEY.Key_Down)
    QTest.keyClick(entries, KEY.Key_Space)
    assert hidden[-1] == dogs
    QTest.keyClick(entries, KEY.Key_Down)
    QTest.keyClick(entries, KEY.Key_Return)
    assert hidden[-1] == dogs - {15}, "one of them comes back"
    QTest.keyClick(entries, KEY.Key_Up)
    QTest.keyClick(entries, KEY.Key_Space)
    assert hidden[-1] == dogs, "a group of which some are shown is hidden whole"
    QTest.keyClick(entries, KEY.Key_Space)
    assert hidden[-1] == frozenset()
    QTest.keyClick(entries, KEY.Key_Space, Qt.KeyboardModifier.ShiftModifier)
    assert hidden[-1] == frozenset(range(45)) - dogs
    arrow = entries.visualRect(entries._groups[0].index()).center()
    QTest.mouseClick(entries.viewport(), Qt.MouseButton.LeftButton, pos=QPoint(5, arrow.y()))
    assert entries.listed()[1] == "breed 0", "unfolded"
    assert len(hidden) == 5
    QTest.mouseClick(entries.viewport(), Qt.MouseButton.LeftButton, pos=arrow)
    assert hidden[-1] == frozenset(range(30, 45)), "hidden whole comes back whole"


def test_a_search_goes_by_the_whole_name_and_says_where_there_is_none(legend: Legend) -> None:
    QTest.keyClicks(legend.list, "dog/breed")
    QTest.keyClick(legend.list, KEY.Key_Backspace)
    nothing = legend.findChild(QLabel, "legendNothing")
    assert isinstance(nothing, QLabel)
    assert legend.list.listed()[0] == "dog"
    assert len(legend.list.listed()) == 16
    assert not nothing.isVisible()
    QTest.keyClicks(legend.list, "zzz")
    assert legend.list.listed() == []
    assert nothing.isVisible()
    QTest.keyClick(legend.list, KEY.Key_Escape)
    assert len(legend.list.listed()) == 48


def test_a_thousand_classes_are_listed_and_take_another_scheme_at_once(
    qtbot: QtBot, figures: list[str]
) -> None:
    legend = Legend()
    qtbot.addWidget(legend)
    legend.resize(160, 700)
    legend.show()
    names = tuple(f"{chr(97 + n % 26)}{n} something" for n in range(1000))
    start = time.perf_counter()
    legend.set_classes(names, class_colors(1000), np.arange(5000) % 1000)
    QApplication.processEvents()
    listed = time.perf_counter()
    legend.setPalette(build_palette(DARK))
    QApplication.processEvents()
    turned = time.perf_counter()
    legend.set_hidden(frozenset(range(999)))
    QApplication.processEvents()
    hidden = time.perf_counter()
    spent = listed - start, turned - listed, hidden - turned
    milliseconds = " / ".join(f"{1000 * seconds:.0f}" for seconds in spent)
    figures.append(
        f"legend of 1,000 classes: listed / another scheme / all but one hidden in {milliseconds} ms"
    )
    assert max(spent) < 0.5  # some milliseconds where nothing else runs
