"""The whole window with a real model in training, driven by real mouse and key events."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from conftest import same_arrays
from helpers_mouse import drag
from PySide6.QtCore import QPointF, Qt
from PySide6.QtWidgets import QApplication, QLabel, QMenu, QPushButton, QToolButton, QWidget
from pytestqt.qtbot import QtBot

from vaeviewer.backend.config import Settings, updated
from vaeviewer.backend.data.base import ImageDataset
from vaeviewer.backend.training import loop
from vaeviewer.backend.training.trainer import Trainer
from vaeviewer.session.states import BUTTONS, Action, State
from vaeviewer.ui.window.main_window import MainWindow

MakeWindow = Callable[[Settings], MainWindow]


@pytest.fixture
def make(make_window: MakeWindow) -> MakeWindow:
    return make_window


def button(window: MainWindow, name: str) -> QPushButton | QToolButton:
    found = window.findChild(QWidget, name)
    assert isinstance(found, (QPushButton, QToolButton))
    return found


def spiral(window: MainWindow, count: int) -> list[QPointF]:
    t = np.linspace(0, 6 * np.pi, count)
    r = np.linspace(0.2, 2.5, count)
    return [
        window.plane.viewport_position(float(a), float(b))
        for a, b in zip(r * np.cos(t), r * np.sin(t), strict=True)
    ]


def test_dragging_while_it_trains(
    qtbot: QtBot, make: MakeWindow, small: Settings, digits: ImageDataset, caplog: pytest.LogCaptureFixture
) -> None:
    """Hundreds of moves while it trains: images change on the way, and the weights are those of an undisturbed run."""
    settings = updated(small, epochs=60)
    window = make(settings)
    session = window.session
    seen: set[bytes] = set()
    steps: set[int] = set()
    problems: list[str] = []
    session.problem.connect(lambda sentence, details: problems.append(sentence))

    def look() -> None:
        QApplication.processEvents()
        steps.add(session.progress.step if session.progress else 0)
        picture = window.decoded.grab().toImage()  # by name: its bits are gone with it
        seen.add(picture.constBits().tobytes())

    with caplog.at_level(logging.WARNING):
        qtbot.mouseClick(button(window, "trainButton"), Qt.MouseButton.LeftButton)
        assert session.state is State.RUNNING
        for _ in range(10):
            drag(window.plane.viewport(), spiral(window, 300), look)
            # On a busy machine training gets a turn less often, on a fast one moves outrun what is decoded.
            if len(steps) > 5 and len(seen) > 50:
                break
        qtbot.waitUntil(lambda: session.state is State.FINISHED, timeout=60_000)
    assert len(seen) > 50
    assert len(steps) > 5
    assert window.view.z == pytest.approx((2.5, 0.0), abs=0.3)  # the plane may fit itself meanwhile
    assert not problems
    assert not caplog.records
    quiet = Trainer(digits, settings)
    loop.train(quiet, go_on=lambda: True, after_block=lambda: None)
    session.drain()
    assert session.snapshot is not None
    assert same_arrays(quiet.snapshot().weights, session.snapshot.weights)


@pytest.mark.parametrize("state", State)
def test_buttons_follow_the_table(qtbot: QtBot, make: MakeWindow, small: Settings, state: State) -> None:
    window = make(small)
    window.session.state_changed.emit(state)
    expected = BUTTONS[state]
    train = button(window, "trainButton")
    text = "Train 2 more epochs" if state is State.FINISHED else expected.train_text
    assert train.text().replace("\n", " ") == text
    assert train.isEnabled() is (expected.train is not None)
    for name, action in (
        ("stepButton", expected.step),
        ("stopButton", expected.stop),
        ("resetButton", expected.reset),
    ):
        assert button(window, name).isEnabled() is (action is not None), name


def test_a_lesson_with_the_buttons(qtbot: QtBot, make: MakeWindow, small: Settings) -> None:
    window = make(updated(small, epochs=1000))
    session = window.session
    left = Qt.MouseButton.LeftButton
    qtbot.mouseClick(button(window, "stepButton"), left)
    qtbot.waitUntil(lambda: session.progress is not None and session.progress.step == 1)
    assert session.state is State.PAUSED
    qtbot.mouseClick(button(window, "trainButton"), left)
    qtbot.waitUntil(lambda: session.progress is not None and session.progress.step > 3)
    qtbot.mouseClick(button(window, "trainButton"), left)
    assert session.state is State.PAUSED
    qtbot.mouseClick(button(window, "stopButton"), left)
    qtbot.waitUntil(lambda: session.state is State.FINISHED)
    qtbot.mouseClick(button(window, "resetButton"), left)
    qtbot.waitUntil(lambda: session.snapshot is not None and session.snapshot.step == 0)
    assert session.state is State.READY


def test_space_trains_unless_a_field_has_the_focus(qtbot: QtBot, make: MakeWindow, small: Settings) -> None:
    window = make(updated(small, epochs=1000))
    window.activateWindow()
    qtbot.waitUntil(window.isActiveWindow)
    window.docks[1].raise_()
    layers = window.form.editor("hidden")
    layers.setFocus()
    qtbot.waitUntil(layers.hasFocus)
    qtbot.keyClick(QApplication.focusWidget(), Qt.Key.Key_Space)
    assert window.session.state is State.READY
    window.plane.setFocus()
    qtbot.keyClick(QApplication.focusWidget(), Qt.Key.Key_Space)
    assert window.session.state is State.RUNNING
    qtbot.keyClick(QApplication.focusWidget(), Qt.Key.Key_Space)
    assert window.session.state is State.PAUSED


def test_arrow_keys_move_the_handle(qtbot: QtBot, make: MakeWindow, small: Settings) -> None:
    window = make(small)
    window.plane.setFocus()
    qtbot.keyClick(window.plane, Qt.Key.Key_Right)
    qtbot.keyClick(window.plane, Qt.Key.Key_Up, Qt.KeyboardModifier.ShiftModifier)
    assert window.view.z == pytest.approx((0.05, 0.5))


def test_clicking_a_point_selects_its_image(qtbot: QtBot, make: MakeWindow, small: Settings) -> None:
    window = make(updated(small, epochs=5))
    window.session.request(Action.TRAIN)
    qtbot.waitUntil(lambda: window.session.state is State.FINISHED, timeout=30_000)
    snapshot = window.session.snapshot
    assert snapshot is not None
    assert snapshot.posterior is not None
    # The loneliest point that is surely in sight.
    loc = snapshot.posterior.loc
    inside = np.flatnonzero(np.abs(loc).max(1) < 2.5)
    apart = np.linalg.norm(loc[:, None] - loc[None, inside], axis=-1)
    apart[inside, np.arange(len(inside))] = np.inf
    row = int(inside[apart.min(0).argmax()])
    z = tuple(map(float, snapshot.posterior.loc[row]))
    window.plane.fit()
    qtbot.wait(50)
    at = window.plane.viewport_position(*z)
    drag(window.plane.viewport(), [at, at])
    assert window.view.selected == row
    assert window.view.z == pytest.approx(z)


def test_panels_follow_training_and_the_view(qtbot: QtBot, make: MakeWindow, small: Settings) -> None:
    window = make(updated(small, epochs=40))
    panels = (window.manifold, window.reconstructions, window.elbo_terms)
    before = [panel.grab().toImage() for panel in panels]
    window.session.request(Action.TRAIN)
    qtbot.waitUntil(lambda: window.session.state is State.FINISHED, timeout=30_000)

    def all_changed() -> bool:
        return all(panel.grab().toImage() != old for panel, old in zip(panels, before, strict=True))

    qtbot.waitUntil(all_changed, timeout=10_000)
    plain = window.plane.grab().toImage()
    window.set_view(behind="images")
    qtbot.waitUntil(lambda: window.plane.grab().toImage() != plain, timeout=10_000)


def test_new_data_with_a_trained_model_are_offered(
    qtbot: QtBot, make: MakeWindow, small: Settings, digits: ImageDataset
) -> None:
    window = make(small)
    window.session.request(Action.TRAIN)
    qtbot.waitUntil(lambda: window.session.state is State.FINISHED, timeout=30_000)
    window.session.load_data("mnist-10k")
    qtbot.waitUntil(lambda: "Loaded" in window.message.text)
    keep = next(b for b in window.message.findChildren(QPushButton) if "Keep" in b.text())
    qtbot.mouseClick(keep, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: window.session.dataset is not digits, timeout=30_000)
    qtbot.waitUntil(lambda: window.session.snapshot is not None and window.session.snapshot.step == 24)
    qtbot.waitUntil(lambda: not window.message.text)


def test_new_data_are_not_offered_to_a_model_that_is_tied_to_its_own(
    qtbot: QtBot, make: MakeWindow, small: Settings
) -> None:
    window = make(updated(small, family="mean-field", epochs=1))
    window.session.request(Action.TRAIN)
    qtbot.waitUntil(lambda: window.session.state is State.FINISHED, timeout=30_000)
    window.session.load_data("mnist-10k")
    qtbot.waitUntil(lambda: "need a new" in window.message.text)
    answers = [b.text() for b in window.message.findChildren(QPushButton) if b.isVisible()]
    assert not any("Keep" in text for text in answers)
    assert any("&anew" in text for text in answers)


def test_an_exception_in_a_slot_is_shown(qtbot: QtBot, make: MakeWindow, small: Settings) -> None:
    window = make(small)
    window.session.problem.emit("something went wrong.", "Traceback …", "problem", False)
    assert window.message.text == "Something went wrong."
    window.session.request(Action.TRAIN)
    qtbot.waitUntil(lambda: window.session.state is State.FINISHED, timeout=30_000)


def test_everything_has_a_tooltip_and_a_name(qtbot: QtBot, make: MakeWindow, small: Settings) -> None:
    window = make(small)
    for name in (
        "mainWindow",
        "latentPlane",
        "decodedImage",
        "reconstructions",
        "manifold",
        "elboTerms",
        "trainingControls",
        "trainButton",
        "stepButton",
        "stopButton",
        "resetButton",
    ):
        found = window if name == "mainWindow" else window.findChild(QWidget, name)
        assert found is not None, name
    for kind in (QPushButton, QToolButton):
        for widget in window.findChildren(kind):
            if widget.isVisible() and widget.text() and not widget.objectName().startswith("qt_"):
                assert widget.toolTip(), f"{widget.objectName()} {widget.text()}"


def test_saving_names_the_place(qtbot: QtBot, make: MakeWindow, small: Settings, tmp_path: Path) -> None:
    window = make(small)
    with qtbot.waitSignal(window.session.saved):
        window.session.save(tmp_path / "lesson")
    assert "lesson" in window.windowTitle()
    assert (tmp_path / "lesson" / "manifest.json").exists()


def test_no_letter_opens_two_entries_of_a_menu(make: MakeWindow, small: Settings) -> None:
    window = make(small)
    window.message.show_message("A question.", [("&Keep", lambda: None)], details="details")
    bar = [action.text() for action in window.menuBar().actions()]
    bar += [b.text() for b in window.message.findChildren(QPushButton)]
    tops = [top.menu() for top in window.menuBar().actions()]
    on_demand = window.menuBar().findChildren(QMenu, "onDemand")
    menus = [[a.text() for a in menu.actions() if a.text()] for menu in (*tops, *on_demand)]
    for texts in [bar, *menus]:
        letters = [text[text.index("&") + 1].lower() for text in texts]  # each has one
        assert len(set(letters)) == len(letters), texts


def test_escape_closes_a_message(qtbot: QtBot, make: MakeWindow, small: Settings) -> None:
    window = make(small)
    window.activateWindow()
    qtbot.waitUntil(window.isActiveWindow)
    window.plane.setFocus()
    window.set_view(selected=3)
    window.show_problem("something is worth knowing.")
    assert window.message.text == "Something is worth knowing."
    qtbot.keyClick(window.plane, Qt.Key.Key_Escape)
    assert window.message.text == ""
    assert window.view.selected == 3
    qtbot.keyClick(window.plane, Qt.Key.Key_Escape)
    assert window.view.selected is None


def test_what_an_event_took_from_the_mailbox_is_drawn(
    qtbot: QtBot, make: MakeWindow, small: Settings
) -> None:
    window = make(small)
    session = window.session
    session.request(Action.TRAIN)
    qtbot.waitUntil(lambda: session.state is State.FINISHED, timeout=30_000)
    label = window.findChild(QLabel, "stepStatus")
    assert label is not None
    qtbot.waitUntil(lambda: label.text() == "step 24")
    window._frames.stop()  # the event comes first
    session.request(Action.RESET)
    qtbot.waitUntil(lambda: session.progress is not None and session.progress.step == 0)
    window._frames.draw_due()
    assert label.text() == "step 0"
