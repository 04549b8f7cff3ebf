"""Values beyond use in the real window: it says so, stays readable, and one press leads back to a healthy run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QAbstractSpinBox, QDoubleSpinBox, QMenu, QPushButton
from pytestqt.qtbot import QtBot

from vaeviewer.backend.config import Settings, updated, value_of
from vaeviewer.backend.data.base import ImageDataset
from vaeviewer.session.states import Action, State
from vaeviewer.ui.curves.metric_plot import MetricPlot
from vaeviewer.ui.window.doctor_notice import KEY
from vaeviewer.ui.window.main_window import MainWindow

BOXES = {"learning_rate": "learningRateBox", "beta": "betaBox"}

PATIENCE_MS = 120_000
"""Beside busy programs a hundred steps may take half a minute; how long is not what is tested."""


def type_value(window: MainWindow, field: str, value: float) -> None:
    box = window.findChild(QAbstractSpinBox, BOXES[field])
    assert box is not None
    box.setFocus()
    box.selectAll()
    QTest.keyClicks(box, f"{value:g}")
    QTest.keyClick(box, Qt.Key.Key_Return)


def answer(window: MainWindow) -> QPushButton:
    """The button that goes back."""
    (button,) = (
        button
        for button in window.message.findChildren(QPushButton)
        if button.isVisible() and button.text().startswith(("&Go back", "&Start again"))
    )
    return button


@pytest.mark.parametrize(("field", "value"), [("learning_rate", 5.0), ("beta", 1000.0)])
def test_a_value_beyond_use_is_told_and_taken_back_by_one_press(
    make_window: Callable[..., MainWindow], small: Settings, qtbot: QtBot, field: str, value: float
) -> None:
    # Fused steps begin when they are compiled, which takes long beside busy programs.
    window = make_window(updated(small, epochs=5000, engine="eager"))
    session, columns = window.session, window.elbo_terms._readout._values.values()
    session.request(Action.TRAIN)
    qtbot.waitUntil(lambda: session.progress is not None and session.progress.step > 60, timeout=PATIENCE_MS)
    widths = [label.width() for label in columns]
    type_value(window, field, value)
    qtbot.waitUntil(lambda: window.message.key == KEY, timeout=PATIENCE_MS)
    assert f"{value:g}" in window.message.text
    qtbot.wait(300)
    assert [label.width() for label in columns] == widths
    assert all(label.fontMetrics().horizontalAdvance(label.text()) <= label.width() for label in columns)
    for plot in window.elbo_terms.findChildren(MetricPlot):
        assert plot.getAxis("left").width() < 100

    qtbot.mouseClick(answer(window), Qt.MouseButton.LeftButton)
    qtbot.waitUntil(
        lambda: value_of(session.settings, field) < value and window.message.key != KEY, timeout=PATIENCE_MS
    )
    assert session.state is State.RUNNING
    box = window.findChild(QDoubleSpinBox, BOXES[field])
    assert box is not None
    assert box.value() == value_of(session.settings, field)  # what is typed is what is used
    again = session.progress.step if session.progress is not None else 0
    qtbot.waitUntil(
        lambda: session.progress is not None and session.progress.step > again + 150, timeout=PATIENCE_MS
    )
    assert window.message.key != KEY
    session.request(Action.PAUSE)
    qtbot.waitUntil(
        lambda: session.history is not None and session.state is State.PAUSED, timeout=PATIENCE_MS
    )
    elbo = session.history.training.view()["elbo"] if session.history is not None else np.empty(0)
    assert elbo.min() > -5000  # what exploded is gone from the curves
    assert elbo[-20:].mean() > -300


def button(window: MainWindow, text: str) -> QPushButton:
    (found,) = (
        button
        for button in window.message.findChildren(QPushButton)
        if button.isVisible() and button.text().replace("&", "").startswith(text)
    )
    return found


@pytest.mark.slow
def test_overfitting_is_told_once_and_one_press_goes_back_to_the_best_epoch(
    make_window: Callable[..., MainWindow], digits: ImageDataset, qtbot: QtBot
) -> None:
    few = replace(digits, train_images=digits.train_images[:100], train_labels=digits.train_labels[:100])
    settings = updated(
        Settings(), hidden=(256, 128), batch_size=50, epochs=2000, learning_rate=5e-3, threads=1
    )
    window = make_window(settings)
    session = window.session
    session.use_data(few, keep_model=False)
    qtbot.waitUntil(lambda: session.dataset is few and session.state is State.READY, timeout=30_000)
    session.request(Action.TRAIN)
    qtbot.waitUntil(lambda: window.message.key == "doctor: overfitting", timeout=120_000)
    assert window.message.text.startswith("Overfitting: the held-out ELBO has fallen for ")
    assert session.state is State.RUNNING
    assert session.history is not None
    elbo = session.history.held_out.view()["elbo"]
    best = int(elbo.argmax())

    qtbot.mouseClick(button(window, f"Go back to epoch {best + 1}"), Qt.MouseButton.LeftButton)
    qtbot.waitUntil(
        lambda: (
            session.state is State.PAUSED
            and session.progress is not None
            and session.progress.epoch == best + 1
        ),
        timeout=30_000,
    )
    assert window.message.key != "doctor: overfitting"
    assert session.snapshot is not None
    assert session.snapshot.epoch == best + 1
    back = session.history.held_out.view()["elbo"]
    assert (len(back), back[-1]) == (best + 1, elbo[best])

    session.request(Action.TRAIN)
    qtbot.waitUntil(
        lambda: session.history is not None and len(session.history.held_out.view()) >= len(elbo) + 10,
        timeout=60_000,
    )
    qtbot.wait(500)
    assert not window.message.isVisible(), "it was told before"


@pytest.mark.qt_log_ignore("propagateSizeHints", "raise", "grabbing the keyboard")  # of a menu, off screen
def test_images_of_one_class_lead_to_the_data_menu(
    make_window: Callable[..., MainWindow], digits: ImageDataset, small: Settings, qtbot: QtBot
) -> None:
    window = make_window(small)
    threes = digits.train_labels == 3
    images = replace(
        digits, train_images=digits.train_images[threes], train_labels=digits.train_labels[threes]
    )
    window.session.use_data(images, keep_model=False)
    qtbot.waitUntil(lambda: window.message.key == "doctor: one class", timeout=30_000)
    assert "are of one class, “3”" in window.message.text
    qtbot.mouseClick(button(window, "Choose other images"), Qt.MouseButton.LeftButton)
    bar = window.menuBar()
    assert bar.activeAction().text() == "&Data"
    menu = bar.activeAction().menu()
    assert isinstance(menu, QMenu)
    menu.close()
    window.session.request(Action.TRAIN)
    qtbot.waitUntil(lambda: window.session.state is State.FINISHED, timeout=30_000)
    qtbot.wait(300)
    assert not window.message.isVisible(), "it was told before"
