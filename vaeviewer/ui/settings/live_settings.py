"""Small editors of the settings that may change while training runs."""

from __future__ import annotations

from itertools import pairwise

from pydantic.fields import FieldInfo
from PySide6.QtCore import QEvent, QSignalBlocker, QTimer, Signal
from PySide6.QtGui import QFont, QMoveEvent
from PySide6.QtWidgets import QGridLayout, QLabel, QWidget

from vaeviewer.backend.config import Settings, fields, live_fields, value_of
from vaeviewer.ui.settings.field_note import FieldNote
from vaeviewer.ui.settings.number_fields import (
    NumberField,
    number_field,
    number_text,
    number_value,
    set_number,
)
from vaeviewer.ui.settings.without_effect import without_effect
from vaeviewer.ui.widgets.labels import LiveLabel, tint
from vaeviewer.ui.widgets.theme import theme_of

FIRST = ("epochs", "learning_rate")
"""The settings edited here whatever the family, before its own."""

DEBOUNCE_MS = 200
"""How long a changed value must rest before it is sent, so that a held arrow key changes a setting once."""


class LiveSettings(QWidget):
    """Editors in one row of the settings that may change: epochs, learning rate, and the family's own, such as β.

    Signals:
        setting_changed: Name and value of a setting that the user changed.
    """

    setting_changed = Signal(str, object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._family = ""
        self._pending: dict[str, int | float] = {}
        self._debounce = QTimer(self)
        self._debounce.setSingleShot(True)
        self._debounce.setInterval(DEBOUNCE_MS)
        self._debounce.timeout.connect(self.flush)
        self._captions: dict[str, QLabel] = {}
        self._boxes: dict[str, NumberField] = {}
        self._fields: dict[str, FieldInfo] = {}
        self._note = FieldNote(self)
        self._rate_now = LiveLabel()
        self._rate_now.setObjectName("rateNow")
        self._rate_now.setToolTip("The learning rate of the next step, to which the schedule has scaled it")
        self._apply_font()
        self._grid = grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setHorizontalSpacing(8)
        grid.setVerticalSpacing(2)
        grid.addWidget(self._rate_now, 2, FIRST.index("learning_rate"))
        self.show_settings(Settings())

    def show_settings(self, settings: Settings) -> None:
        """Show the live settings that do something, without a signal; what the user is editing stays."""
        if settings.model.family != self._family:
            self._family = settings.model.family
            live = live_fields(settings)
            found = {
                n: info for _, n, info in fields(settings) if n in live and info.annotation in (int, float)
            }
            self._build({name: found[name] for name in (*FIRST, *(n for n in found if n not in FIRST))})
        for name, box in self._boxes.items():
            value = value_of(settings, name)
            if name not in self._pending and not _being_typed(box) and box.value() != value:
                with QSignalBlocker(box):
                    set_number(box, value)
            for widget in (self._captions[name], box):
                widget.setVisible(not without_effect(name, settings))

    def show_learning_rate(self, rate: float) -> None:
        """Say which learning rate is in force, where the schedule makes it another one than the field shows."""
        self._rate_now.setText(rate_text(rate, self._boxes["learning_rate"].value()))

    def flush(self) -> None:
        """Send changed values now rather than in a moment."""
        self._debounce.stop()
        pending, self._pending = self._pending, {}
        for name, value in pending.items():
            self.setting_changed.emit(name, value)

    def changeEvent(self, event: QEvent) -> None:
        """Take over the colours of a new scheme, and another size of text."""
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange:
            self._apply_theme()
        elif event.type() == QEvent.Type.FontChange:
            self._apply_font()

    def moveEvent(self, event: QMoveEvent) -> None:
        """A note goes along with its field."""
        super().moveEvent(event)
        self._note.place()

    def _build(self, wanted: dict[str, FieldInfo]) -> None:
        """Make an editor for each setting of the family, in place of those of another; the first ones stay."""
        for name in self._fields.keys() - set(FIRST):
            self._boxes[name].blockSignals(True)  # what was being typed there is of the family before
            self._note.say(self._boxes[name], "")
            for widget in (self._boxes.pop(name), self._captions.pop(name)):
                self._grid.removeWidget(widget)
                widget.hide()
                widget.deleteLater()
            self._pending.pop(name, None)
        for column, (name, info) in enumerate(wanted.items()):
            if name not in self._boxes:
                self._add_field(column, name, info)
        for before, after in pairwise(wanted):
            QWidget.setTabOrder(self._boxes[before], self._boxes[after])
        self._fields = wanted
        self._apply_theme()

    def _add_field(self, column: int, name: str, info: FieldInfo) -> None:
        box = number_field(info)
        first, *rest = name.split("_")
        box.setObjectName(first + "".join(part.capitalize() for part in rest) + "Box")
        box.setAccessibleName(info.title or name)
        box.setToolTip(info.description or "")
        box.valueChanged.connect(lambda: self._changed(name))
        box.refused.connect(lambda sentence: self._note.say(box, sentence))
        caption = QLabel(info.title or name)
        caption.setBuddy(box)
        caption.setToolTip(info.description or "")
        self._grid.addWidget(caption, 0, column)
        self._grid.addWidget(box, 1, column)
        self._captions[name] = caption
        self._boxes[name] = box

    def _changed(self, name: str) -> None:
        self._pending[name] = number_value(self._boxes[name], self._fields[name])
        self._debounce.start()

    def _apply_font(self) -> None:
        font = QFont(self.font())
        font.setPointSizeF(font.pointSizeF() * 0.9)
        self._rate_now.setFont(font)

    def _apply_theme(self) -> None:
        for label in (*self._captions.values(), self._rate_now):
            tint(label, theme_of(self.palette()).muted)


def rate_text(rate: float, chosen: float) -> str:
    """``"now 0.00214"``; empty where the learning rate in force is the one chosen."""
    return "" if abs(rate - chosen) <= 1e-3 * chosen else f"now {number_text(float(f'{rate:.3g}'))}"


def _being_typed(box: NumberField) -> bool:
    """Whether the text of a field is not, or not yet, its value."""
    return box.hasFocus() and box.cleanText() != box.textFromValue(box.value())
