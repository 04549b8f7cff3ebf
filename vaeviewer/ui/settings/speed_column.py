"""How fast training goes: a slider from one gradient step a second to full speed, under what it says."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QLabel, QVBoxLayout

from vaeviewer.ui.settings.groove_slider import GrooveSlider
from vaeviewer.ui.settings.number_fields import ignore_wheel_unless_focused
from vaeviewer.ui.widgets.labels import tint
from vaeviewer.ui.widgets.theme import Theme

SPEEDS = (1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 0.0)
"""Steps per second at each position of the speed slider; 0 is full speed."""


class SpeedColumn(QVBoxLayout):
    """Caption, chosen speed and slider.

    Signals:
        changed: The chosen speed, gradient steps per second; 0.0 is full speed.
    """

    changed = Signal(float)

    def __init__(self) -> None:
        super().__init__()
        self._slider = slider = GrooveSlider(Qt.Orientation.Horizontal)
        slider.setObjectName("speedSlider")
        slider.setAccessibleName("Training speed")
        slider.setRange(0, len(SPEEDS) - 1)
        slider.setValue(len(SPEEDS) - 1)
        slider.setPageStep(1)
        slider.setMinimumWidth(110)
        slider.setMaximumWidth(170)
        slider.setToolTip("From one gradient step a second, left, to full speed, right")
        ignore_wheel_unless_focused(slider)
        self._caption = QLabel("Speed")
        self._text = QLabel("full speed")
        self._text.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        slider.valueChanged.connect(self._moved)
        top = QHBoxLayout()
        top.addWidget(self._caption)
        top.addSpacing(8)
        top.addWidget(self._text, stretch=1)
        self.setSpacing(2)
        self.addLayout(top)
        self.addWidget(slider)

    def steps_per_second(self) -> float:
        """The chosen speed, gradient steps per second; 0.0 is full speed."""
        return SPEEDS[self._slider.value()]

    def set_steps_per_second(self, speed: float) -> None:
        """Move the slider to the position nearest to ``speed``; 0.0 is full speed. Emits as by hand."""
        slow = SPEEDS[:-1]
        nearest = min(range(len(slow)), key=lambda i: abs(slow[i] - speed))
        self._slider.setValue(nearest if speed > 0 else len(slow))

    def set_theme(self, theme: Theme) -> None:
        """Take the colours of a scheme."""
        tint(self._caption, theme.muted)
        self._slider.setStyleSheet(_slider_style(theme))

    def _moved(self) -> None:
        speed = self.steps_per_second()
        text = "full speed" if speed == 0 else "1 step/s" if speed == 1 else f"{speed:.0f} steps/s"
        self._text.setText(text)
        self.changed.emit(speed)


def _slider_style(theme: Theme) -> str:
    return (
        f"QSlider::groove:horizontal {{ background: {theme.border}; height: 4px; border-radius: 2px; }}"
        f"QSlider::sub-page:horizontal {{ background: {theme.accent}; border-radius: 2px; }}"
        f"QSlider::handle:horizontal {{ background: {theme.base}; border: 2px solid {theme.accent};"
        " width: 10px; margin: -5px 0; border-radius: 7px; }"
        f"QSlider::handle:horizontal:focus {{ background: {theme.accent}; border-color: {theme.ink}; }}"
    )
