from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from helpers_layouts import Layouts
from PySide6.QtCore import Qt
from PySide6.QtGui import QFontInfo
from PySide6.QtTest import QTest
from PySide6.QtWidgets import (
    QAbstractButton,
    QCheckBox,
    QComboBox,
    QDoubleSpinBox,
    QLabel,
    QLineEdit,
    QMainWindow,
    QPushButton,
    QSlider,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)
from pytestqt.qtbot import QtBot

from vaeviewer.backend.config import Settings, updated
from vaeviewer.session.states import BUTTONS, Action, State
from vaeviewer.ui.settings.number_fields import ScientificSpinBox
from vaeviewer.ui.settings.space_shortcut import install_space_shortcut
from vaeviewer.ui.settings.speed_column import SPEEDS
from vaeviewer.ui.settings.training_controls import TrainingControls, duration_text
from vaeviewer.ui.widgets.theme import DARK, LIGHT, build_palette
from vaeviewer.ui.window.focus_keys import FieldKeys


@pytest.fixture
def controls(qtbot: QtBot) -> TrainingControls:
    widget = TrainingControls()
    qtbot.addWidget(widget)
    widget.resize(1280, 60)
    with qtbot.waitExposed(widget):
        widget.show()
    return widget


def button(controls: TrainingControls, name: str) -> QAbstractButton:
    found = controls.findChild(QAbstractButton, f"{name}Button")
    assert found is not None
    return found


def child(controls: QWidget, kind: type[Any], name: str) -> Any:
    found = controls.findChild(kind, name)
    assert found is not None
    return found


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("name", ["train", "step", "stop", "reset"])
def test_each_button_does_in_each_state_what_the_table_says(
    controls: TrainingControls, qtbot: QtBot, state: State, name: str
) -> None:
    asked: list[Action] = []
    controls.action_requested.connect(asked.append)
    controls.set_state(state)
    expected = getattr(BUTTONS[state], name)
    pressed = button(controls, name)
    assert pressed.isEnabled() == (expected is not None)
    text = "Train 20 more epochs" if state is State.FINISHED else BUTTONS[state].train_text
    assert button(controls, "train").text().replace("\n", " ") == text
    qtbot.mouseClick(pressed, Qt.MouseButton.LeftButton)
    assert asked == ([] if expected is None else [expected])
    assert pressed.toolTip()
    if expected is None and name != "train":
        assert ": " in pressed.toolTip(), "says why it is disabled"


def test_loading_says_what_it_waits_for(controls: TrainingControls) -> None:
    controls.set_state(State.LOADING, "PyTorch")
    label = child(controls, QLabel, "waitingLabel")
    assert label.isVisible()
    assert "PyTorch" in label.text()
    assert "PyTorch" in button(controls, "train").toolTip()
    controls.set_state(State.READY)
    assert not label.isVisible()


def test_a_clicked_button_does_not_take_the_focus(controls: TrainingControls, qtbot: QtBot) -> None:
    controls.set_state(State.PAUSED)
    for name in ("train", "step", "stop", "reset"):
        assert button(controls, name).focusPolicy() == Qt.FocusPolicy.TabFocus


@pytest.mark.parametrize(
    ("epoch", "epochs", "text"),
    [
        (0.0, 50, "Epoch 0 / 50"),
        (0.01, 50, "Epoch 1 / 50"),
        (11.3, 50, "Epoch 12 / 50"),
        (12.0, 50, "Epoch 12 / 50"),
        (12.000001, 50, "Epoch 12 / 50"),
        (50.0, 50, "Epoch 50 / 50"),
        (1200.5, 20_000, "Epoch 1,201 / 20,000"),
    ],
)
def test_the_epoch_is_the_one_being_trained(
    controls: TrainingControls, epoch: float, epochs: int, text: str
) -> None:
    controls.set_progress(epoch, epochs, None)
    label = child(controls, QLabel, "epochLabel")
    assert label.text().rstrip("\u2007") == text


def test_the_rate_in_force_grows_with_the_text(controls: TrainingControls) -> None:
    label = child(controls, QLabel, "rateNow")
    before, font = label.font().pointSizeF(), controls.font()
    font.setPointSizeF(1.5 * font.pointSizeF())
    controls.setFont(font)
    assert label.font().pointSizeF() == pytest.approx(1.5 * before)


def test_the_epoch_is_large_and_does_not_move(controls: TrainingControls) -> None:
    label = child(controls, QLabel, "epochLabel")
    assert label.font().bold()
    assert QFontInfo(label.font()).pointSizeF() >= 20
    widths = set()
    for epoch in (1, 8, 11, 44, 100):
        controls.set_progress(epoch, 100, 34.0)
        widths.add(label.sizeHint().width())
    assert len(widths) == 1


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0:00"), (34.2, "0:34"), (59.7, "1:00"), (725, "12:05"), (3723, "1:02:03"), (432_000, "120 h")],
)
def test_durations(seconds: float, text: str) -> None:
    assert duration_text(seconds) == text


def test_the_speed_goes_from_one_step_a_second_to_full(controls: TrainingControls) -> None:
    slider = child(controls, QSlider, "speedSlider")
    heard: list[float] = []
    controls.steps_per_second_changed.connect(heard.append)
    assert controls.steps_per_second() == 0.0
    slider.setFocus()
    QTest.keyClick(slider, Qt.Key.Key_Home)
    assert heard == [1.0]
    for _ in range(len(SPEEDS) - 1):
        QTest.keyClick(slider, Qt.Key.Key_Right)
    assert heard == [1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 0.0]


@pytest.mark.slow
def test_a_typed_live_setting_is_sent_once_on_enter(controls: TrainingControls, qtbot: QtBot) -> None:
    heard: list[tuple[str, object]] = []
    controls.live_setting_changed.connect(lambda name, value: heard.append((name, value)))
    box = child(controls, QSpinBox, "epochsBox")
    box.setFocus()
    box.selectAll()
    QTest.keyClicks(box, "75")
    qtbot.wait(300)
    assert heard == []
    with qtbot.waitSignal(controls.live_setting_changed, timeout=2000):
        QTest.keyClick(box, Qt.Key.Key_Return)
    assert heard == [("epochs", 75)]


def test_a_held_arrow_sends_only_where_it_ends(controls: TrainingControls, qtbot: QtBot) -> None:
    heard: list[tuple[str, object]] = []
    controls.live_setting_changed.connect(lambda name, value: heard.append((name, value)))
    box = child(controls, ScientificSpinBox, "learningRateBox")
    box.setFocus()
    with qtbot.waitSignal(controls.live_setting_changed, timeout=2000):
        for _ in range(4):
            QTest.keyClick(box, Qt.Key.Key_Down)
    assert heard == [("learning_rate", 2e-4)]


def test_an_action_finds_the_settings_on_screen(controls: TrainingControls, qtbot: QtBot) -> None:
    order: list[object] = []
    controls.live_setting_changed.connect(lambda name, value: order.append((name, value)))
    controls.action_requested.connect(order.append)
    controls.set_state(State.READY)
    QTest.keyClick(child(controls, ScientificSpinBox, "betaBox"), Qt.Key.Key_Up)
    qtbot.mouseClick(button(controls, "train"), Qt.MouseButton.LeftButton)
    assert order == [("beta", 2.0), Action.TRAIN]


def test_showing_live_settings_is_silent_and_leaves_what_is_being_typed(
    controls: TrainingControls, qtbot: QtBot
) -> None:
    box = child(controls, QSpinBox, "epochsBox")
    box.setFocus()
    qtbot.waitUntil(box.hasFocus)
    box.selectAll()
    QTest.keyClicks(box, "7")
    with qtbot.assertNotEmitted(controls.live_setting_changed, wait=300):
        controls.set_live_settings(updated(Settings(), epochs=33, learning_rate=1e-5, beta=0.5))
    assert box.cleanText() == "7"
    assert child(controls, QDoubleSpinBox, "learningRateBox").text() == "1e-5"
    assert child(controls, QDoubleSpinBox, "betaBox").text() == "0.5"


@pytest.mark.parametrize("width", [1024, 1280, 1900])
def test_nothing_is_clipped(controls: TrainingControls, qtbot: QtBot, width: int) -> None:
    controls.set_progress(3.0, 1000, 4000.0)
    controls.set_state(State.FINISHED)
    assert controls.minimumSizeHint().width() <= width
    controls.resize(width, controls.height())
    QTest.qWait(0)
    for widget in controls.findChildren(QWidget):
        if widget.isVisible() and isinstance(widget, QAbstractButton | QLabel):
            assert widget.width() >= widget.minimumSizeHint().width(), widget.objectName()


def test_another_epoch_lays_out_nothing(controls: TrainingControls, qtbot: QtBot) -> None:
    controls.set_state(State.RUNNING)
    controls.set_progress(0.5, 30, 59.0)
    qtbot.wait(50)
    layouts = Layouts(controls)
    for epoch in (1.5, 9.5, 10.5, 29.5):
        controls.set_progress(epoch, 30, 59.0)
        qtbot.wait(5)
    assert layouts.number == 0
    controls.set_progress(29.5, 30_000, 59.0)
    qtbot.waitUntil(lambda: layouts.number > 0)


def test_the_tab_key_goes_through_everything_from_left_to_right(
    controls: TrainingControls, qtbot: QtBot
) -> None:
    controls.activateWindow()
    controls.set_state(State.PAUSED)
    button(controls, "train").setFocus()
    seen = []
    for _ in range(8):
        focused = controls.focusWidget()
        assert focused is not None
        seen.append(focused.objectName())
        QTest.keyClick(focused, Qt.Key.Key_Tab)
    assert seen == [
        *("trainButton", "stepButton", "stopButton", "resetButton"),
        *("speedSlider", "epochsBox", "learningRateBox", "betaBox"),
    ]


def test_colours_follow_the_scheme(controls: TrainingControls) -> None:
    for theme in (DARK, LIGHT):
        controls.setPalette(build_palette(theme))
        assert theme.accent in button(controls, "train").styleSheet()


class Bench(QMainWindow):
    """A window with one of each kind of widget, and a count of what Space did."""

    def __init__(self) -> None:
        super().__init__()
        self.trained = 0
        page = QWidget()
        layout = QVBoxLayout(page)
        self.controls = TrainingControls()
        self.controls.set_state(State.READY)
        self.by_kind: dict[str, QWidget] = {
            "spin": QSpinBox(),
            "double": QDoubleSpinBox(),
            "scientific": ScientificSpinBox(),
            "combo": QComboBox(),
            "editable combo": QComboBox(editable=True),
            "line": QLineEdit(),
            "check": QCheckBox("Check"),
            "push": QPushButton("Push"),
            "slider": QSlider(Qt.Orientation.Horizontal),
            "plain": QWidget(focusPolicy=Qt.FocusPolicy.StrongFocus),
        }
        layout.addWidget(self.controls)
        for widget in self.by_kind.values():
            layout.addWidget(widget)
        self.setCentralWidget(page)
        self.shortcut = install_space_shortcut(self, self._train)
        FieldKeys(self, self.by_kind["plain"])

    def _train(self) -> None:
        self.trained += 1


@pytest.fixture
def bench(qtbot: QtBot) -> Iterator[Bench]:
    window = Bench()
    qtbot.addWidget(window)
    with qtbot.waitActive(window):
        window.show()
        window.activateWindow()
    yield window
    combo = window.by_kind["combo"]
    assert isinstance(combo, QComboBox)
    combo.hidePopup()


def press_space(bench: Bench, qtbot: QtBot, kind: str) -> QWidget:
    widget = bench.by_kind[kind]
    widget.setFocus()
    qtbot.waitUntil(widget.hasFocus)
    QTest.keyClick(widget, Qt.Key.Key_Space)
    return widget


@pytest.mark.parametrize("kind", ["slider", "plain", "spin", "double", "scientific"])
def test_space_trains_where_nothing_else_uses_it(bench: Bench, qtbot: QtBot, kind: str) -> None:
    press_space(bench, qtbot, kind)
    assert bench.trained == 1


@pytest.mark.parametrize("kind", ["combo", "editable combo", "line"])
def test_space_in_a_field_belongs_to_the_field(bench: Bench, qtbot: QtBot, kind: str) -> None:
    press_space(bench, qtbot, kind)
    assert bench.trained == 0


def test_space_is_typed_into_a_line(bench: Bench, qtbot: QtBot) -> None:
    line = press_space(bench, qtbot, "line")
    assert isinstance(line, QLineEdit)
    assert line.text() == " "


@pytest.mark.qt_log_ignore("This plugin does not support", extend=True)  # popups, without a screen
def test_space_opens_a_combo_box(bench: Bench, qtbot: QtBot) -> None:
    combo = bench.by_kind["combo"]
    assert isinstance(combo, QComboBox)
    combo.addItems(["a", "b"])
    press_space(bench, qtbot, "combo")
    qtbot.waitUntil(combo.view().isVisible)
    assert bench.trained == 0


def test_space_ticks_a_check_box(bench: Bench, qtbot: QtBot) -> None:
    check = press_space(bench, qtbot, "check")
    assert isinstance(check, QCheckBox)
    assert check.isChecked()
    assert bench.trained == 0


def test_space_presses_the_button_that_has_the_focus(bench: Bench, qtbot: QtBot) -> None:
    pushed: list[bool] = []
    push = bench.by_kind["push"]
    assert isinstance(push, QPushButton)
    push.clicked.connect(lambda: pushed.append(True))
    press_space(bench, qtbot, "push")
    assert len(pushed) == 1
    assert bench.trained == 0


def test_space_on_the_train_button_trains_once(bench: Bench, qtbot: QtBot) -> None:
    asked: list[Action] = []
    bench.controls.action_requested.connect(asked.append)
    train = button(bench.controls, "train")
    train.setFocus()
    qtbot.waitUntil(train.hasFocus)
    QTest.keyClick(train, Qt.Key.Key_Space)
    assert asked == [Action.TRAIN]
    assert bench.trained == 0


def test_pressing_train_by_the_shortcut_does_nothing_while_disabled(controls: TrainingControls) -> None:
    asked: list[Action] = []
    controls.action_requested.connect(asked.append)
    controls.set_state(State.LOADING)
    controls.press_train()
    assert asked == []
    controls.set_state(State.RUNNING)
    controls.press_train()
    assert asked == [Action.PAUSE]
