"""log p(x) and the gap in the real window: they come behind the others, sort, colour the plane, and can be given up."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QDockWidget, QLabel
from pytestqt.qtbot import QtBot

from tests.ui.ledger.test_ledger_panel import click_title, column_of, opened
from vaeviewer.analysis.evidence import evidence
from vaeviewer.backend.config import Settings, updated
from vaeviewer.session.states import Action, State
from vaeviewer.ui.ledger.ledger_panel import LedgerPanel
from vaeviewer.ui.ledger.table_model import IMAGE
from vaeviewer.ui.plane.lens_panel import LensPanel
from vaeviewer.ui.window.main_window import MainWindow

MakeWindow = Callable[[Settings], MainWindow]
LOG_PX, GAP = "exact_log_px", "exact_gap"


def titles(panel: LedgerPanel) -> list[str]:
    return [column.title for column in panel.table.entries_model.columns]


def known(panel: LedgerPanel) -> bool:
    return panel.ledger is not None and GAP in panel.ledger.values


def test_they_follow_sort_and_colour_the_plane(
    qtbot: QtBot, make_window: MakeWindow, small: Settings
) -> None:
    window = make_window(updated(small, epochs=1))
    window.session.request(Action.TRAIN)
    qtbot.waitUntil(lambda: window.session.state is State.FINISHED, timeout=30_000)
    panel = opened(qtbot, window)
    assert panel.exact.isChecked()
    assert titles(panel)[-2:] == ["log p(x)", "Gap"]
    assert panel.table.entries_model.text(0, GAP) == "", "it is not known yet"
    assert "log p(x): " in panel.note.text()
    qtbot.waitUntil(lambda: known(panel), timeout=30_000)
    ledger, snapshot = panel.ledger, window.session.snapshot
    assert ledger is not None
    assert snapshot is not None
    entry = 607
    alone = evidence(snapshot, ledger.image(entry)[None])
    assert alone is not None
    assert ledger.values[LOG_PX][entry] == pytest.approx(alone.log_px[0], abs=0.01)
    assert ledger.values[GAP].min() > -0.1

    text = panel.table.entries_model.text(entry, GAP)
    assert text == f"{ledger.values[GAP][entry]:.2f}".replace("-", "−"), "as many digits as are right"
    click_title(panel, GAP)
    assert (np.diff(column_of(panel, GAP)) <= 0).all(), "the worst come first"
    qtbot.mouseClick(panel.color, Qt.MouseButton.LeftButton)
    colors = window.plane._colors
    assert window.view.color_by == f"ledger:{GAP}"
    assert colors.column.choice.currentText() == "Gap"
    assert colors.column.scale.isVisible()
    np.testing.assert_array_equal(colors._values, ledger.values[GAP][:600])
    assert colors.value_text(3).startswith("Gap ")

    assert window.session.request(Action.TRAIN)  # an epoch more: there are newer numbers to have
    qtbot.waitUntil(lambda: window.session.state is State.FINISHED, timeout=30_000)
    qtbot.mouseClick(panel.refresh, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: panel.ledger is not None and panel.ledger.step == 24, timeout=30_000)
    assert colors._values is None, "no colours of an older model"
    assert "ledger computes" in colors.column.scale.findChild(QLabel, "scaleNote").text()
    qtbot.waitUntil(lambda: known(panel), timeout=30_000)
    assert panel.ledger is not None
    np.testing.assert_array_equal(colors._values, panel.ledger.values[GAP][:600])

    qtbot.mouseClick(panel.exact, Qt.MouseButton.LeftButton, pos=QPoint(8, panel.exact.height() // 2))
    assert not panel.exact.isChecked()
    assert GAP not in [column.key for column in panel.table.entries_model.columns]
    assert (np.diff(column_of(panel, "elbo")) >= 0).all(), "in order of what is still there"
    assert colors.column.choice.currentText() == "Class"
    qtbot.keyClick(panel.exact, Qt.Key.Key_Space)
    assert known(panel), "what was computed is there again"


def test_filters_stay_while_columns_come_and_go(
    qtbot: QtBot, make_window: MakeWindow, small: Settings
) -> None:
    panel = opened(qtbot, make_window(small))
    filters = panel.filters
    filters.set_box.setFocus()
    qtbot.keyClicks(filters.set_box, "H")
    filters.low.setFocus()
    qtbot.keyClicks(filters.low, "-9000")
    qtbot.keyClick(filters.low, Qt.Key.Key_Return)
    for _ in range(2):
        panel.exact.setFocus()
        qtbot.keyClick(panel.exact, Qt.Key.Key_Space)
        assert filters.set_box.currentText() == "Held out"
        assert (filters.column_box.currentText(), filters.low.text()) == ("ELBO", "-9000")
        assert len(panel.table.entries_model.entries) == 100


def test_where_they_cannot_be_had_a_sentence_says_why(
    qtbot: QtBot, make_window: MakeWindow, small: Settings
) -> None:
    panel = opened(qtbot, make_window(updated(small, latent_dim=3)))
    assert not panel.exact.isEnabled()
    assert not panel.exact.isChecked()
    assert "3 latent dimensions" in panel.exact.toolTip()
    assert titles(panel)[-1] == "KL"
    assert "log p(x)" not in panel.note.text()


def test_a_held_out_image_is_the_one_that_other_panels_show(
    qtbot: QtBot, make_window: MakeWindow, small: Settings
) -> None:
    window = make_window(small)
    panel = opened(qtbot, window)
    window.findChild(QDockWidget, "posterior-lens-dock").toggleViewAction().trigger()
    lens, title = window.findChild(LensPanel), window.findChild(QLabel, "selectedTitle")
    assert lens is not None
    assert title is not None
    filters, table = panel.filters, panel.table
    filters.set_box.setFocus()
    for key, kind in ((Qt.Key.Key_End, "held-out"), (Qt.Key.Key_Up, "training")):
        qtbot.keyClick(filters.set_box, key)
        cell = table.visualRect(table.entries_model.index(2, IMAGE)).center()
        QTest.mouseClick(table.viewport(), Qt.MouseButton.LeftButton, pos=cell)
        entry = int(table.entries_model.entries[2])
        assert panel.ledger is not None
        assert panel.ledger.is_held_out(entry) == (kind == "held-out")
        row = panel.ledger.row(entry)
        name = f"class {panel.ledger.label(entry)}"
        assert title.text() == f"{name.capitalize()}, {kind} image {row}"
        qtbot.waitUntil(lambda: lens.follower.lens is not None, timeout=20_000)
        assert lens._title.text() == f"{kind.capitalize()} image {row}, {name}"
        dock = window.findChild(QDockWidget, "ledger-dock")
        for _ in range(2):
            dock.toggleViewAction().trigger()
        filters.set_box.setFocus()
        assert table.currentIndex().row() == 2, "it is marked when the ledger is opened again"
    assert window.view.held_out is None
