"""The bar at the top of the window: train, pause, step, stop, reset, speed, progress, live settings."""

from __future__ import annotations

import math

from PySide6.QtCore import QEvent, QSize, Qt, Signal, Slot
from PySide6.QtGui import QColor, QFont, QFontMetrics, QPalette, QResizeEvent
from PySide6.QtWidgets import (
    QBoxLayout,
    QFrame,
    QHBoxLayout,
    QProgressBar,
    QPushButton,
    QSizePolicy,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from vaeviewer.backend.config import Settings, TrainConfig
from vaeviewer.counts import counted
from vaeviewer.session.states import BUTTONS, Action, State
from vaeviewer.ui.settings.button_icons import button_icon
from vaeviewer.ui.settings.live_settings import LiveSettings
from vaeviewer.ui.settings.speed_column import SpeedColumn
from vaeviewer.ui.widgets.labels import ElidedLabel, LiveLabel, tint
from vaeviewer.ui.widgets.theme import Theme, theme_of
from vaeviewer.ui.window.text_size import text_scale

_LARGE = 1.4
"""How much larger the train button's text is, where it is one line."""

_SPACES = str.maketrans("0123456789,", 10 * "\u2007" + "\u2008")  # as wide as what they stand for

_HELP = {
    "step": "Make one gradient step, then pause",
    "stop": "End the run here; its result stays and can be trained further",
    "reset": "Start again from new weights, which the seed decides; the run so far stays on disk",
}

_SOLVED = "Solved exactly and at once: there is nothing to train"

_WHY_DISABLED = {
    (State.READY, "stop"): "nothing is running yet",
    (State.READY, "reset"): "nothing has been trained yet",
    (State.RUNNING, "step"): "pause first",
    (State.RUNNING, "reset"): "pause or stop first",
    (State.FINISHED, "stop"): "the run has already ended",
    (State.SOLVED, "step"): "there is nothing to train",
    (State.SOLVED, "stop"): "there is nothing to train",
    (State.SOLVED, "reset"): "it would come out the same",
    (State.FAILED, "step"): "continue or reset first",
    (State.FAILED, "stop"): "the run has already stopped",
}


class TrainingControls(QWidget):
    """The buttons, the speed, the progress and the settings that may change during a run.

    Signals:
        action_requested: The :class:`Action` of the button that was pressed.
        steps_per_second_changed: The chosen speed, gradient steps per second; 0.0 is full speed.
        live_setting_changed: Name and value of a setting of :class:`TrainConfig` the user changed,
            a moment after the last of a series of steps.
        train_text_changed: What the train button does now, in a few words.
    """

    action_requested = Signal(object)
    steps_per_second_changed = Signal(float)
    live_setting_changed = Signal(str, object)
    train_text_changed = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("trainingControls")
        self.setAccessibleName("Training")
        self._state = State.LOADING
        self._waiting_for = ""
        self._config = TrainConfig()
        self._progress = (0.0, self._config.epochs)
        self._train_text = ""

        self._train = self._build_train_button()
        self._tools = {name: self._build_tool_button(name) for name in ("step", "stop", "reset")}
        self._speed = SpeedColumn()
        self._speed.changed.connect(self.steps_per_second_changed)
        self._live = LiveSettings()
        self._live.setting_changed.connect(self._live_changed)
        self._between = _separator()
        row, buttons, rest = QBoxLayout(QBoxLayout.Direction.LeftToRight, self), QHBoxLayout(), QHBoxLayout()
        row.setContentsMargins(8, 6, 8, 6)
        for layout in (row, buttons, rest):
            layout.setSpacing(6)
        buttons.addWidget(self._train)
        for button in self._tools.values():
            buttons.addWidget(button)
        buttons.addWidget(_separator())
        buttons.addLayout(self._speed)
        buttons.addStretch(1)
        rest.addWidget(self._between)
        rest.addLayout(self._build_progress(), stretch=1)
        rest.addWidget(_separator())
        rest.addWidget(self._live)
        row.addLayout(buttons)
        row.addLayout(rest, stretch=1)
        self._row, self._halves = row, (buttons, rest)

        self._apply_fonts()
        self.set_progress(0.0, TrainConfig().epochs, None)
        self._apply_theme()
        self.set_state(State.LOADING)

    def set_state(self, state: State, waiting_for: str = "") -> None:
        """Give each button what it does in ``state``.

        Args:
            state: The state of the session.
            waiting_for: What a loading session waits for, such as ``"the images"``; shown as text.
        """
        self._state = state
        self._waiting_for = waiting_for
        buttons = BUTTONS[state]
        self._train.setEnabled(buttons.train is not None)
        waiting = f"Waiting for {waiting_for or 'the program to load'}"
        self._name_train()
        for name, button in self._tools.items():
            enabled = self._action(name) is not None
            button.setEnabled(enabled)
            why = (
                waiting[0].lower() + waiting[1:]
                if state is State.LOADING
                else _WHY_DISABLED.get((state, name))
            )
            button.setToolTip(_HELP[name] if enabled else f"{_HELP[name]}: {why}")
        solved, trains = state is State.SOLVED, state not in (State.LOADING, State.SOLVED)
        self._waiting.setText(_SOLVED if solved else f"{waiting}…")
        self._waiting.setVisible(not trains)
        self._bar.setVisible(trains)
        self._left.setVisible(trains)
        for settings in (self._speed, self._live):
            settings.setEnabled(not solved)
        self._show_epoch()
        self._apply_icons(theme_of(self.palette()))

    def set_progress(self, epoch: float, epochs: int, seconds_left: float | None) -> None:
        """Show how far training is.

        Args:
            epoch: Epochs trained so far, fractional; 11.3 is within the twelfth.
            epochs: Epochs the run makes.
            seconds_left: Estimated time to the end, seconds; ``None`` where nothing is known.
        """
        self._bar.setValue(round(1000 * min(1.0, max(0.0, epoch / epochs))))
        self._progress = (epoch, epochs)
        self._show_epoch()
        self._name_train()
        self._left.setText("" if seconds_left is None else f"{duration_text(seconds_left)} left")

    def set_live_settings(self, settings: Settings) -> None:
        """Show the live settings without a signal; what the user is editing stays."""
        self._live.show_settings(settings)
        self._config = settings.train
        self._name_train()

    def set_learning_rate(self, rate: float) -> None:
        """Show the learning rate in force."""
        self._live.show_learning_rate(rate)

    @property
    def train_text(self) -> str:
        """What the train button does now, such as ``"Train 20 more epochs"``."""
        return self._train_text

    def steps_per_second(self) -> float:
        """The chosen speed, gradient steps per second; 0.0 is full speed."""
        return self._speed.steps_per_second()

    def set_steps_per_second(self, speed: float) -> None:
        """Choose the speed nearest to ``speed``; 0.0 is full speed. Emits as by hand."""
        self._speed.set_steps_per_second(speed)

    @Slot()
    def press_train(self) -> None:
        """Do what a click on the train button does: nothing while it is disabled."""
        self._train.click()

    def minimumSizeHint(self) -> QSize:
        """Room for one half, as the halves may stand one above the other."""
        margins = self._row.contentsMargins()
        width = max(half.minimumSize().width() for half in self._halves)
        return QSize(width + margins.left() + margins.right(), super().minimumSizeHint().height())

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Stand in one row where there is room for one."""
        super().resizeEvent(event)
        self._arrange()

    def event(self, event: QEvent) -> bool:
        """Look again how many rows there must be when something needs more room."""
        handled = super().event(event)
        if event.type() == QEvent.Type.LayoutRequest:
            self._arrange()
        return handled

    def changeEvent(self, event: QEvent) -> None:
        """Take over the colours of a new scheme, and another size of text."""
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange:
            self._apply_theme()
        elif event.type() == QEvent.Type.FontChange:
            self._apply_fonts()

    def _show_epoch(self) -> None:
        epoch, epochs = self._progress
        # Single precision may put the end of epoch 12 a hair beyond 12.
        current = max(0, math.ceil(epoch - 1e-5))
        now, all_of_them = f"{current:,}", f"{epochs:,}"
        missing = all_of_them[: max(0, len(all_of_them) - len(now))]
        padding = missing.translate(_SPACES)  # so that nothing moves when the epoch grows a digit
        solved = self._state is State.SOLVED
        self._epoch.setText("Solved" if solved else f"Epoch {now} / {all_of_them}{padding}")

    def _name_train(self) -> None:
        """Say on the train button, in its tooltip and to whoever listens what it does."""
        buttons = BUTTONS[self._state]
        epoch, epochs = self._progress
        left = math.ceil(epochs - epoch - 1e-5)
        text, tip = buttons.train_text, f"Waiting for {self._waiting_for or 'the program to load'}"
        if self._state is State.FINISHED:
            more = left if left > 0 else self._config.epochs
            text = f"Train {counted(more, 'more epoch')}"
        if buttons.train is Action.PAUSE:
            tip = "Pause after this step (Space)"
        elif buttons.train is not None:
            until = epochs if left > 0 else math.ceil(epoch) + self._config.epochs
            tip = f"Train until the end of epoch {until:,} (Space)"
        elif self._state is State.SOLVED:
            tip = _SOLVED
        if tip != self._train.toolTip():
            self._train.setToolTip(tip)
        if text != self._train_text:
            self._train_text = text
            self._train.setText(text.replace(" more", "\nmore"))
            self._train.setAccessibleName(text)
            self._train.setFont(self._train_font())
            self.train_text_changed.emit(text)

    def _arrange(self) -> None:
        margins = self._row.contentsMargins()
        room = self.width() - margins.left() - margins.right()
        needed = sum(half.minimumSize().width() for half in self._halves) + 2 * self._row.spacing()
        one = room >= needed
        direction = QBoxLayout.Direction.LeftToRight if one else QBoxLayout.Direction.TopToBottom
        if self._row.direction() != direction:
            self._row.setDirection(direction)
            self._between.setVisible(one)

    def _action(self, name: str) -> Action | None:
        action: Action | None = getattr(BUTTONS[self._state], name)
        return action

    def _request(self, name: str) -> None:
        action = self._action(name)
        if action is not None:
            self._live.flush()  # an action must find the settings that are on screen
            self.action_requested.emit(action)

    def _live_changed(self, name: str, value: object) -> None:
        self._config = self._config.model_copy(update={name: value})
        self._name_train()
        self.live_setting_changed.emit(name, value)

    def _build_train_button(self) -> QPushButton:
        button = QPushButton()
        button.setObjectName("trainButton")
        button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        button.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Expanding)
        button.clicked.connect(lambda: self._request("train"))
        return button

    def _build_tool_button(self, name: str) -> QToolButton:
        button = QToolButton()
        button.setObjectName(f"{name}Button")
        button.setText(name.capitalize())
        button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextUnderIcon)
        button.setAutoRaise(True)
        button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        button.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Expanding)
        button.clicked.connect(lambda: self._request(name))
        return button

    def _build_progress(self) -> QVBoxLayout:
        self._epoch = LiveLabel()
        self._epoch.setObjectName("epochLabel")
        self._bar = QProgressBar()
        self._bar.setAccessibleName("Progress")
        self._bar.setToolTip("How much of the planned epochs is trained")
        self._bar.setRange(0, 1000)
        self._bar.setTextVisible(False)
        self._bar.setFixedHeight(6)
        self._bar.setMinimumWidth(60)
        self._bar.setMaximumWidth(520)
        self._left = LiveLabel()
        self._waiting = ElidedLabel()
        self._waiting.setObjectName("waitingLabel")
        below = QHBoxLayout()
        below.setSpacing(8)
        below.addWidget(self._bar, stretch=1000)
        below.addWidget(self._left)
        below.addWidget(self._waiting, stretch=1000)
        below.addStretch(1)  # takes what a bar at its full length leaves
        column = QVBoxLayout()
        column.setSpacing(0)
        column.addWidget(self._epoch)
        column.addLayout(below)
        return column

    def _train_font(self) -> QFont:
        """Large, or as usual where the text takes two lines."""
        font = QFont(self.font())
        font.setBold(True)
        font.setPointSizeF(font.pointSizeF() * (1.0 if "\n" in self._train.text() else _LARGE))
        return font

    def _apply_fonts(self) -> None:
        """Two texts are larger than the others."""
        scale = text_scale()
        large = QFont(self.font())
        large.setBold(True)
        large.setPointSizeF(large.pointSizeF() * _LARGE)
        widest = max(QFontMetrics(large).horizontalAdvance(b.train_text) for b in BUTTONS.values())
        self._train.setFont(self._train_font())
        self._train.setIconSize(QSize(20, 20) * scale)
        # Icon and margins; the same in every state, so that nothing jumps.
        self._train.setFixedWidth(widest + 28 + round(20 * scale))
        for button in self._tools.values():
            button.setIconSize(QSize(16, 16) * scale)
        large.setPointSizeF(20.0 * scale)
        large.setFeature(QFont.Tag("tnum"), 1)
        self._epoch.setFont(large)

    def _apply_theme(self) -> None:
        theme = theme_of(self.palette())
        for label in (self._left, self._waiting):
            tint(label, theme.muted)
        self._train.setStyleSheet(_train_style(theme))
        self._bar.setStyleSheet(
            f"QProgressBar {{ background: {theme.grid}; border: none; border-radius: 3px; }}"
            f"QProgressBar::chunk {{ background: {theme.accent}; border-radius: 3px; }}"
        )
        self._speed.set_theme(theme)
        self._apply_icons(theme)

    def _apply_icons(self, theme: Theme) -> None:
        faint = QColor(theme.muted)
        faint.setAlphaF(0.45)
        disabled = faint.name(QColor.NameFormat.HexArgb)
        train = "pause" if BUTTONS[self._state].train is Action.PAUSE else "train"
        self._train.setIcon(button_icon(train, theme.accent_ink, theme.muted))
        for name, button in self._tools.items():
            button.setIcon(button_icon(name, theme.ink, disabled))


def duration_text(seconds: float) -> str:
    """``"0:34"``, ``"12:05"``, ``"1:02:03"``; from a hundred hours on whole hours, ``"120 h"``."""
    whole = max(0, round(seconds))
    hours, minutes = whole // 3600, whole // 60 % 60
    if hours >= 100:
        return f"{hours} h"
    return f"{hours}:{minutes:02}:{whole % 60:02}" if hours else f"{minutes}:{whole % 60:02}"


def _separator() -> QFrame:
    line = QFrame()
    line.setFrameShape(QFrame.Shape.VLine)
    line.setFrameShadow(QFrame.Shadow.Plain)
    line.setForegroundRole(QPalette.ColorRole.Mid)
    return line


def _train_style(theme: Theme) -> str:
    hover = QColor(theme.accent).lighter(112).name()
    pressed = QColor(theme.accent).darker(115).name()
    return (
        f"QPushButton {{ background: {theme.accent}; color: {theme.accent_ink}; border-radius: 6px;"
        f" border: 2px solid {theme.accent}; padding: 4px 8px; }}"
        f"QPushButton:hover {{ background: {hover}; border-color: {hover}; }}"
        f"QPushButton:pressed {{ background: {pressed}; border-color: {pressed}; }}"
        f"QPushButton:focus {{ border-color: {theme.ink}; }}"
        f"QPushButton:disabled {{ background: {theme.grid}; color: {theme.muted};"
        f" border-color: {theme.grid}; }}"
    )
