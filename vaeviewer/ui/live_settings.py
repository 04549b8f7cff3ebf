"""Small editors of the settings that may change while training runs."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QSignalBlocker, QTimer, Signal
from PySide6.QtWidgets import QDoubleSpinBox, QGridLayout, QLabel, QSpinBox, QWidget

from vaeviewer.backend.config import TrainConfig
from vaeviewer.ui.labels import tint
from vaeviewer.ui.number_fields import ScientificSpinBox, number_field, number_value, set_number
from vaeviewer.ui.theme import theme_of

LIVE_FIELDS = {"epochs": "epochsBox", "learning_rate": "learningRateBox", "beta": "betaBox"}
"""The settings edited here, and the object name of each editor."""

DEBOUNCE_MS = 200
"""How long a changed value must rest before it is sent, so that a held arrow key changes a setting once."""


class LiveSettings(QWidget):
    """Editors of epochs, learning rate and β in one row.

    Signals:
        setting_changed: Name and value of a setting of :class:`TrainConfig` that the user changed.
    """

    setting_changed = Signal(str, object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._pending: dict[str, int | float] = {}
        self._debounce = QTimer(self)
        self._debounce.setSingleShot(True)
        self._debounce.setInterval(DEBOUNCE_MS)
        self._debounce.timeout.connect(self.flush)
        self._captions: list[QLabel] = []
        self._boxes: dict[str, QSpinBox | QDoubleSpinBox] = {}
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setHorizontalSpacing(8)
        grid.setVerticalSpacing(2)
        for column, name in enumerate(LIVE_FIELDS):
            self._add_field(grid, column, name)
        self._apply_theme()
        self.show_settings(TrainConfig())

    def show_settings(self, config: TrainConfig) -> None:
        """Show the live settings of ``config`` without a signal; what the user is editing stays."""
        for name, box in self._boxes.items():
            value = getattr(config, name)
            if name not in self._pending and not _being_typed(box) and box.value() != value:
                with QSignalBlocker(box):
                    set_number(box, value)

    def flush(self) -> None:
        """Send changed values now rather than in a moment."""
        self._debounce.stop()
        pending, self._pending = self._pending, {}
        for name, value in pending.items():
            self.setting_changed.emit(name, value)

    def changeEvent(self, event: QEvent) -> None:
        """Take over the colours of a new scheme."""
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange:
            self._apply_theme()

    def _add_field(self, grid: QGridLayout, column: int, name: str) -> None:
        info = TrainConfig.model_fields[name]
        box = number_field(info)
        box.setObjectName(LIVE_FIELDS[name])
        box.setAccessibleName(info.title or name)
        box.setToolTip(info.description or "")
        box.valueChanged.connect(lambda: self._changed(name))
        caption = QLabel(info.title or name)
        caption.setBuddy(box)
        caption.setToolTip(info.description or "")
        grid.addWidget(caption, 0, column)
        grid.addWidget(box, 1, column)
        self._captions.append(caption)
        self._boxes[name] = box

    def _changed(self, name: str) -> None:
        self._pending[name] = number_value(self._boxes[name], TrainConfig.model_fields[name])
        self._debounce.start()

    def _apply_theme(self) -> None:
        for caption in self._captions:
            tint(caption, theme_of(self.palette()).muted)


def _being_typed(box: QSpinBox | QDoubleSpinBox) -> bool:
    """Whether the text of a field is not, or not yet, its value."""
    if isinstance(box, QSpinBox | ScientificSpinBox) and box.hasFocus():
        return box.cleanText() != box.textFromValue(box.value())  # type: ignore[arg-type]  # each its own type
    return False
