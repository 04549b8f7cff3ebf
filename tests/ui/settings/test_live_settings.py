"""Settings that change while it trains, in the window: what they do and what is said of them."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QCoreApplication, QEvent, QPoint, Qt
from PySide6.QtGui import QAction
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QAbstractSpinBox, QLabel, QPushButton, QWidget
from pytestqt.qtbot import QtBot

from vaeviewer.backend.config import Settings, updated
from vaeviewer.backend.data import load_dataset
from vaeviewer.session.states import Action, State
from vaeviewer.ui.curves.metric_plot import MetricPlot
from vaeviewer.ui.settings.field_note import FieldNote
from vaeviewer.ui.settings.live_settings import LiveSettings
from vaeviewer.ui.window.main_window import MainWindow

MakeWindow = Callable[[Settings], MainWindow]


def type_into(window: MainWindow, name: str, text: str) -> QAbstractSpinBox:
    box = window.controls.findChild(QWidget, name)
    assert isinstance(box, QAbstractSpinBox)
    box.setFocus()
    box.selectAll()
    QTest.keyClicks(box, text)
    QTest.keyClick(box, Qt.Key.Key_Return)
    return box


def label(window: MainWindow, name: str) -> QLabel:
    found = window.controls.findChild(QLabel, name)
    assert isinstance(found, QLabel)
    return found


def train_text(window: MainWindow) -> str:
    button = window.findChild(QPushButton, "trainButton")
    assert button is not None
    entry = next(a for a in window.findChildren(QAction) if a.text().startswith("&Train "))
    text = button.text().replace("\n", " ")
    assert (button.accessibleName(), entry.text()) == (text, f"&{text}")
    return text


def test_fewer_epochs_than_trained_end_with_this_one(
    qtbot: QtBot, make_window: MakeWindow, small: Settings
) -> None:
    window = make_window(updated(small, epochs=1000))
    session = window.session
    window.controls.set_steps_per_second(100.0)  # 12 steps an epoch
    session.request(Action.TRAIN)
    qtbot.waitUntil(lambda: session.progress is not None and session.progress.epoch > 2.1, timeout=30_000)
    type_into(window, "epochsBox", "1")
    qtbot.waitUntil(lambda: session.state is State.FINISHED, timeout=30_000)
    assert session.snapshot is not None
    assert session.snapshot.epoch == int(session.snapshot.epoch) >= 3
    last = math.ceil(session.snapshot.epoch)
    qtbot.waitUntil(lambda: label(window, "epochLabel").text().strip("\u2007") == f"Epoch {last} / {last}")
    assert train_text(window) == "Train 1 more epoch"
    type_into(window, "epochsBox", str(last + 5))
    qtbot.waitUntil(lambda: train_text(window) == "Train 5 more epochs")
    type_into(window, "epochsBox", "2")
    qtbot.waitUntil(lambda: train_text(window) == "Train 2 more epochs")
    window.controls.set_steps_per_second(0.0)
    window.controls.press_train()
    qtbot.waitUntil(
        lambda: session.state is State.FINISHED and session.snapshot.epoch == last + 2, timeout=30_000
    )


def test_paused_a_run_with_nothing_left_to_do_is_finished(
    qtbot: QtBot, make_window: MakeWindow, small: Settings
) -> None:
    window = make_window(updated(small, epochs=30, batch_size=600))  # one step an epoch
    session = window.session
    for _ in range(2):
        session.request(Action.STEP)
    qtbot.waitUntil(lambda: session.snapshot is not None and session.snapshot.step == 2, timeout=30_000)
    assert session.state is State.PAUSED
    type_into(window, "epochsBox", "1")
    qtbot.waitUntil(lambda: session.state is State.FINISHED, timeout=30_000)
    qtbot.waitUntil(lambda: train_text(window) == "Train 1 more epoch")


def test_the_learning_rate_in_force_is_shown_under_its_field(
    qtbot: QtBot, make_window: MakeWindow, small: Settings
) -> None:
    window = make_window(updated(small, epochs=4, schedule="cosine", learning_rate=0.004))
    now = label(window, "rateNow")
    assert now.text() == ""
    window.controls.set_steps_per_second(20.0)  # slowly enough for a busy machine to draw some
    window.session.request(Action.TRAIN)
    seen: set[str] = set()
    qtbot.waitUntil(
        lambda: seen.add(now.text()) or window.session.state is State.FINISHED,
        timeout=30_000,
    )
    qtbot.waitUntil(lambda: now.text() == "now 4e-5")  # where the cosine ends: a hundredth
    assert len(seen) > 2
    box = window.controls.findChild(QWidget, "learningRateBox")
    assert now.mapTo(window, QPoint()).y() >= box.mapTo(window, QPoint(0, box.height())).y()


def test_a_value_out_of_range_is_told_of_beside_its_field(
    qtbot: QtBot, make_window: MakeWindow, small: Settings
) -> None:
    window = make_window(small)
    window.activateWindow()
    qtbot.waitUntil(window.isActiveWindow)
    before = window.session.settings
    box = type_into(window, "learningRateBox", "99")
    note = window.findChild(FieldNote)
    assert isinstance(note, FieldNote)
    assert (box.text(), note.isVisible()) == ("99", True)
    assert note.text() == "Learning rate must be at most 10, but is 99."
    assert window.rect().contains(note.geometry())
    below = box.mapTo(window, QPoint(0, box.height()))
    assert 0 <= note.y() - below.y() < 10
    assert note.geometry().left() <= below.x() <= note.geometry().right()
    QTest.keyClick(box, Qt.Key.Key_Backspace)
    assert not note.isVisible(), "9 may be"
    type_into(window, "learningRateBox", "0")
    assert note.text() == "Learning rate must be more than 0, but is 0."
    window.plane.setFocus()
    assert box.text() == "0.003"
    assert note.text() == "Learning rate must be more than 0, but is 0; it stays 0.003."
    qtbot.wait(300)
    assert window.session.settings == before


def test_a_note_goes_with_a_field_that_another_family_has_not(
    qtbot: QtBot, make_window: MakeWindow, small: Settings
) -> None:
    window = make_window(small)
    window.activateWindow()
    qtbot.waitUntil(window.isActiveWindow)
    type_into(window, "betaBox", "-7")
    note = window.findChild(FieldNote)
    assert isinstance(note, FieldNote)
    assert note.isVisible()
    live = window.findChild(LiveSettings)
    assert isinstance(live, LiveSettings)
    live.show_settings(updated(small, family="denoising"))
    assert not note.isVisible()
    QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
    live.move(live.x() + 1, live.y())  # as when the window is laid out again
    assert not note.isVisible()


def test_the_advanced_group_is_remembered(qtbot: QtBot, make_window: MakeWindow, small: Settings) -> None:
    for opened in (False, True, False):
        window = make_window(small)
        assert window.form.advanced_open == opened
        window.form.set_advanced_open(not opened)
        window.close()


def test_changes_are_marked_in_the_curves_also_of_a_run_opened_again(
    qtbot: QtBot, make_window: MakeWindow, small: Settings, tmp_path: Path
) -> None:
    def marks(window: MainWindow) -> list[str]:
        return [
            text for plot in window.elbo_terms.findChildren(MetricPlot) for _, text in plot._item._changes
        ]

    window = make_window(updated(small, epochs=1000))
    session = window.session
    session.use_data(load_dataset(), keep_model=False)  # which are found again
    qtbot.waitUntil(lambda: session.dataset is not None and len(session.dataset.train_images) == 9000)
    session.request(Action.STEP)
    qtbot.waitUntil(lambda: session.snapshot is not None and session.snapshot.step == 1, timeout=30_000)
    type_into(window, "betaBox", "4")
    qtbot.waitUntil(lambda: marks(window) == ["β 4"] * 2, timeout=10_000)
    type_into(window, "learningRateBox", "0.001")
    qtbot.waitUntil(lambda: marks(window) == ["β 4, rate 0.001"] * 2, timeout=10_000)
    type_into(window, "epochsBox", "999")  # which the curves say anyhow
    folder = tmp_path / "run"
    session.save(folder)
    qtbot.waitUntil(lambda: session.folder == folder, timeout=30_000)
    session.request(Action.RESET)
    qtbot.waitUntil(lambda: session.folder is None, timeout=30_000)
    qtbot.waitUntil(lambda: marks(window) == [])
    session.open_run(folder)
    qtbot.waitUntil(lambda: marks(window) == ["β 4, rate 0.001"] * 2, timeout=30_000)
    (x, _), *_ = window.elbo_terms.findChildren(MetricPlot)[0]._item._changes
    assert x == 1.0


def test_what_has_no_effect_is_not_there(qtbot: QtBot) -> None:
    """A GAN's two penalties are for one objective each, which is chosen between runs."""
    row = LiveSettings()
    qtbot.addWidget(row)
    row.show()
    for objective, there in (("wasserstein", "Gradient penalty"), ("non-saturating", "R1")):
        row.show_settings(updated(Settings(), family="gan", objective=objective))
        captions = {label.text() for label in row.findChildren(QLabel) if label.isVisible()}
        assert captions & {"R1", "Gradient penalty"} == {there}
        boxes = {box.accessibleName() for box in row.findChildren(QAbstractSpinBox) if box.isVisible()}
        assert boxes & {"R1", "Gradient penalty"} == {there}
