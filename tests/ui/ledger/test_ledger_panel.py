"""The ledger in the real window: asked for, sorted, filtered, selected from, saved."""

from __future__ import annotations

import csv
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QAction, QGuiApplication, QTextDocument
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QDockWidget, QFileDialog
from pytestqt.qtbot import QtBot

from tests.helpers_images import make_dataset
from vaeviewer.analysis.ledger import Ledger
from vaeviewer.backend.config import Settings, updated
from vaeviewer.backend.data.base import ImageDataset
from vaeviewer.backend.training.evaluation import metrics_by_image
from vaeviewer.session.states import Action
from vaeviewer.ui.ledger.columns import Column
from vaeviewer.ui.ledger.ledger_panel import LedgerPanel
from vaeviewer.ui.ledger.table_model import IMAGE, LedgerModel
from vaeviewer.ui.ledger.table_view import LedgerTable
from vaeviewer.ui.window.main_window import MainWindow

MakeWindow = Callable[[Settings], MainWindow]


def opened(qtbot: QtBot, window: MainWindow) -> LedgerPanel:
    """The panel as the View menu opens it, with its numbers."""
    dock = window.findChild(QDockWidget, "ledger-dock")
    assert window._frames.ledger.known is None, "nothing is computed that nobody sees"
    entry: QAction = dock.toggleViewAction()
    entry.trigger()
    qtbot.waitUntil(lambda: window._frames.ledger.known is not None, timeout=20_000)
    panel = window.findChild(LedgerPanel)
    assert panel is not None
    assert panel.isVisible()
    return panel


def key_of(window: MainWindow) -> str:
    snapshot = window.session.snapshot
    return "" if snapshot is None else snapshot.family.key


def click_title(panel: LedgerPanel, key: str) -> None:
    header = panel.table.horizontalHeader()
    section = 1 + [column.key for column in panel.table.entries_model.columns].index(key)
    at = header.sectionViewportPosition(section) + header.sectionSize(section) // 2
    QTest.mouseClick(
        header.viewport(), Qt.MouseButton.LeftButton, pos=QPoint(at, header.viewport().height() // 2)
    )


def column_of(panel: LedgerPanel, key: str) -> np.ndarray:
    assert panel.ledger is not None
    return panel.ledger.column(key)[panel.table.entries_model.entries]


def test_every_image_has_the_numbers_that_evaluation_finds_and_titles_sort_them(
    qtbot: QtBot, make_window: MakeWindow, small: Settings
) -> None:
    window = make_window(small)
    panel = opened(qtbot, window)
    ledger, snapshot = panel.ledger, window.session.snapshot
    assert ledger is not None
    assert snapshot is not None
    assert len(ledger) == 700
    for held_out, rows in ((False, slice(0, 600)), (True, slice(600, 700))):
        found = list(metrics_by_image(snapshot, ledger.dataset, 512, held_out=held_out))
        elbo = np.concatenate([values["elbo"] for _, values in found])
        np.testing.assert_allclose(ledger.values["elbo"][rows], elbo, rtol=1e-5)

    worst = column_of(panel, "elbo")
    assert (np.diff(worst) >= 0).all(), "the worst come first"
    assert panel.ends.strips[0].images[0].entry == panel.table.entries_model.entries[0]
    assert panel.ends.strips[1].images[0].entry == panel.table.entries_model.entries[-1]
    click_title(panel, "kl")
    assert (np.diff(column_of(panel, "kl")) <= 0).all()
    click_title(panel, "kl")
    assert (np.diff(column_of(panel, "kl")) >= 0).all()
    panel.table.setFocus()
    panel.table.setCurrentIndex(panel.table.entries_model.index(0, 3))  # the class
    qtbot.keyClick(panel.table, Qt.Key.Key_Return)
    assert (np.diff(column_of(panel, "class")) >= 0).all()


def test_filters_say_what_they_leave_and_what_they_cannot_read(
    qtbot: QtBot, make_window: MakeWindow, small: Settings
) -> None:
    window = make_window(small)
    panel = opened(qtbot, window)
    filters, model = panel.filters, panel.table.entries_model
    filters.set_box.setFocus()
    qtbot.keyClicks(filters.set_box, "H")
    assert len(model.entries) == 100
    assert "100 of 700 images" in panel.note.text()
    filters.class_box.setCurrentIndex(4)
    filters.class_box.activated.emit(4)
    assert set(column_of(panel, "class")) == {3}
    middle = float(np.median(column_of(panel, "elbo")))
    filters.high.setText(f"{middle:.2f}".replace("-", "−"))  # as it is shown; QTest has no key for it
    qtbot.keyClick(filters.high, Qt.Key.Key_Return)
    few = column_of(panel, "elbo")
    assert 0 < len(few) < 100
    assert few.max() <= middle + 0.01
    filters.low.setFocus()
    qtbot.keyClicks(filters.low, "much")
    qtbot.keyClick(filters.low, Qt.Key.Key_Return)
    assert panel.note.text().startswith("“much” is no number")
    assert len(model.entries) == len(few), "and counts for nothing"


def test_a_click_takes_the_plane_to_an_image_held_out_or_not(
    qtbot: QtBot, make_window: MakeWindow, small: Settings
) -> None:
    window = make_window(small)
    panel = opened(qtbot, window)
    snapshot, ledger = window.session.snapshot, panel.ledger
    assert snapshot is not None
    assert ledger is not None
    entries = panel.table.entries_model.entries
    QTest.mouseClick(panel.ends.strips[0], Qt.MouseButton.LeftButton, pos=QPoint(8, 8))
    for number in range(12):  # by the keys, down the table
        entry = int(entries[number])
        codes = snapshot.encode(ledger.image(entry)[None])
        assert codes is not None
        np.testing.assert_allclose(window.view.z, codes[0][0], atol=1e-4)
        if ledger.is_held_out(entry):
            assert window.view.selected is None
            np.testing.assert_array_equal(window.view.own_image, ledger.image(entry))
        else:
            assert window.view.selected == ledger.row(entry)
            assert window.view.own_image is None
        assert panel.table.currentIndex().row() == number
        panel.table.setFocus()
        qtbot.keyClick(panel.table, Qt.Key.Key_Down)
    seen = {ledger.is_held_out(int(entry)) for entry in entries[:12]}
    assert seen == {False, True}, "there are some of either among the worst"

    window.plane.image_selected.emit(17)
    assert entries[panel.table.currentIndex().row()] == 17, "what is selected elsewhere is marked here"
    window.plane.image_selected.emit(-1)
    assert not panel.table.selectionModel().hasSelection()


def test_numbers_are_of_one_step_until_newer_ones_are_asked_for(
    qtbot: QtBot, make_window: MakeWindow, small: Settings
) -> None:
    window = make_window(updated(small, epochs=1))
    panel = opened(qtbot, window)
    assert not panel.refresh.isEnabled()
    first = panel.ledger
    window.session.request(Action.TRAIN)
    qtbot.waitUntil(panel.refresh.isEnabled, timeout=30_000)
    assert panel.ledger is first
    assert "of step 0" in panel.note.text()
    qtbot.waitUntil(
        lambda: window.session.snapshot is not None and window.session.snapshot.step == 12, timeout=30_000
    )
    panel.table.setFocus()
    qtbot.keyClick(panel.table, Qt.Key.Key_F5)
    qtbot.waitUntil(lambda: panel.ledger is not None and panel.ledger.step == 12, timeout=30_000)
    assert "of step 12" in panel.note.text()

    panel.color.click()
    assert window.view.color_by == "metric:elbo"
    scale = window.plane._colors.column.scale
    qtbot.waitUntil(scale.isVisible)
    assert window.plane._colors._metrics.share is None, "the plane takes them from the ledger"
    assert panel.ledger is not None
    np.testing.assert_array_equal(window.plane._colors._values, panel.ledger.values["elbo"][:600])


def test_behind_anothers_tab_it_lives_through_another_model(
    qtbot: QtBot, make_window: MakeWindow, small: Settings
) -> None:
    window = make_window(small)
    panel = opened(qtbot, window)
    window.findChild(QDockWidget, "aggregate-posterior-dock").toggleViewAction().trigger()
    qtbot.waitUntil(lambda: not panel.isVisible())
    for family in ("autoencoder", "vae"):  # an error in between fails the test
        window.session.use_settings(updated(small, family=family))
        qtbot.waitUntil(lambda key=family: key_of(window) == key, timeout=20_000)
    window.findChild(QDockWidget, "ledger-dock").toggleViewAction().trigger()
    qtbot.waitUntil(lambda: panel.ledger is not None and panel._computed.known is not None, timeout=20_000)
    assert len(column_of(panel, "elbo"))


def test_the_rows_shown_are_saved_and_copied(
    qtbot: QtBot, make_window: MakeWindow, small: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    window = make_window(small)
    panel = opened(qtbot, window)
    panel.filters.set_box.setCurrentIndex(2)
    panel.filters.set_box.activated.emit(2)
    file = tmp_path / "worst.csv"
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(file), ""))
    qtbot.mouseClick(panel.save, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: "Saved: worst.csv" in panel.note.text())
    with file.open(newline="") as opened_file:
        rows = list(csv.DictReader(opened_file))
    assert [row["set"] for row in rows] == ["held out"] * 100
    np.testing.assert_allclose([float(row["elbo"]) for row in rows], column_of(panel, "elbo"), rtol=1e-6)
    np.testing.assert_array_equal([int(row["row"]) for row in rows], column_of(panel, "row"))
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(tmp_path / "no" / "where.csv"), ""))
    qtbot.mouseClick(panel.save, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: "could not be written" in panel.note.text())

    panel.table.setFocus()
    panel.table.selectRow(1)
    qtbot.keyClick(panel.table, Qt.Key.Key_C, Qt.KeyboardModifier.ControlModifier)
    head, line = QGuiApplication.clipboard().text().splitlines()
    assert dict(zip(head.split("\t"), line.split("\t"), strict=True))["elbo"] == rows[1]["elbo"]
    assert panel.note.text().startswith("Copied: 1 row · ")


def test_a_single_image_is_no_plural(
    qtbot: QtBot, make_window: MakeWindow, small: Settings, digits: ImageDataset
) -> None:
    window = make_window(small)
    alone = replace(
        digits,
        train_images=digits.train_images[:1],
        train_labels=digits.train_labels[:1],
        held_out_images=digits.held_out_images[:0],
        held_out_labels=digits.held_out_labels[:0],
    )
    window.session.use_data(alone, keep_model=False)
    qtbot.waitUntil(lambda: window.session.dataset is alone, timeout=10_000)
    assert "1 image ·" in opened(qtbot, window).note.text()


def test_seventy_thousand_rows_are_sorted_and_painted_in_a_fifth_of_a_second(
    qtbot: QtBot, figures: list[str]
) -> None:
    rng = np.random.default_rng(0)
    data = make_dataset(train=60_000, held_out=10_000, shape=(4, 4))
    keys = ("elbo", "reconstruction", "kl")
    ledger = Ledger(data, {key: rng.normal(-100, 30, 70_000).astype(np.float32) for key in keys})
    panel_columns = tuple(Column(key, key.title()) for key in ("set", "row", "class", *keys))
    from vaeviewer.analysis.ledger import Wanted, in_order

    table = LedgerTable()
    qtbot.addWidget(table)
    table.resize(900, 400)
    table.show()
    qtbot.waitExposed(table)
    slowest = []
    for key in (column.key for column in panel_columns):
        times = []
        for descending in (False, True, False):
            start = time.perf_counter()
            entries = in_order(ledger, Wanted("all", None, "elbo", -150.0).entries(ledger), key, descending)
            table.show_entries(ledger, panel_columns, entries, (key, descending), 5)
            table.viewport().repaint()
            times.append(time.perf_counter() - start)
        slowest.append(min(times))
    figures.append(f"ledger, 70,000 rows: sorted and painted in {1e3 * max(slowest):.0f} ms")
    assert max(slowest) < 0.2


def test_thumbnails_are_the_images(qtbot: QtBot) -> None:
    data = make_dataset(train=40, shape=(28, 28))
    bright = replace(
        data,
        train_images=np.where(np.arange(40)[:, None, None] == 3, 255, data.train_images * 0).astype("u1"),
    )
    table = LedgerTable()
    qtbot.addWidget(table)
    table.resize(400, 300)
    columns = (Column("row", "Row"),)
    table.show_entries(Ledger(bright), columns, np.array([1, 3, 2]), ("row", False), None)
    table.show()
    qtbot.waitExposed(table)
    picture = table.viewport().grab().toImage()
    lights = [
        picture.pixelColor(table.visualRect(table.entries_model.index(row, IMAGE)).center()).lightness()
        for row in range(3)
    ]
    assert lights == [0, 255, 0]


def test_a_class_that_looks_like_markup_is_named_as_it_is(qapp: QApplication) -> None:
    data = replace(make_dataset(), class_names=("<b>x</b>", "bag", "coat"))
    model = LedgerModel()
    model.show_ledger(Ledger(data), (Column("class", "Class"),), np.array([0, 1]))
    tip = QTextDocument()
    tip.setHtml(str(model.index(0, 1).data(Qt.ItemDataRole.ToolTipRole)))
    assert tip.toPlainText() == "training image 0, class <b>x</b>"
