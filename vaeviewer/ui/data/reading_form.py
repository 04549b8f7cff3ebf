"""The choices in reading images: size, colour, background and the others, as a form."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from PySide6.QtCore import QEvent, QSignalBlocker, Signal
from PySide6.QtGui import QColor, QIcon, QPainter, QPixmap
from PySide6.QtWidgets import QComboBox, QFormLayout, QLabel, QLineEdit, QSizePolicy, QWidget

from vaeviewer.backend.data.reading import FIELDS, Reading, parse_reading
from vaeviewer.backend.data.report import LoadReport
from vaeviewer.errors import DataError
from vaeviewer.ui.settings.editors import CHOICE_TEXT, Editor, build_editor
from vaeviewer.ui.settings.number_fields import NumberField, ignore_wheel_unless_focused
from vaeviewer.ui.widgets.labels import tint
from vaeviewer.ui.widgets.plain_text import breakable
from vaeviewer.ui.widgets.theme import theme_of

BACKGROUNDS = ("#ffffff", "#808080", "#000000")
"""White, grey and black, to choose from; any other can be typed."""

_TEXTS: Mapping[str, Mapping[Any, str]] = {
    "channels": {"auto": "Automatic", "grey": "Grey", "colour": "Colour"},
    "fit": {"crop": "Crop to fill", "pad": "Pad to fit"},
    "levels": {"type": "As they are", "data": "Stretched to the data's range"},
}


class ReadingForm(QWidget):
    """An editor for each choice, and a sentence below them where one cannot be used.

    Signals:
        changed(Reading): The user chose otherwise.
    """

    changed = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._reading = Reading()
        self._editors: dict[str, Editor] = {}
        form = QFormLayout(self)
        form.setContentsMargins(0, 0, 0, 0)
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        form.setRowWrapPolicy(QFormLayout.RowWrapPolicy.DontWrapRows)
        for name, info in FIELDS.items():
            editor = self._editors[name] = _editor(name)
            editor.widget.setObjectName(name)
            editor.widget.setAccessibleName(info.title or name)
            label = QLabel(info.title or name)
            label.setBuddy(editor.widget)
            for widget in (label, editor.widget):
                widget.setToolTip(info.description or "")
            form.addRow(label, editor.widget)
            editor.on_commit(self._commit)
            if isinstance(editor.widget, NumberField):
                editor.widget.refused.connect(self._say)
        self._problem = QLabel()
        self._problem.setObjectName("readingProblem")
        self._problem.setWordWrap(True)
        self._problem.hide()
        form.addRow(self._problem)
        self.set_reading(self._reading)
        self._tint()

    @property
    def reading(self) -> Reading:
        """The newest choices that can be used."""
        return self._reading

    def set_reading(self, reading: Reading) -> None:
        """Show these choices, without a signal."""
        self._reading = reading
        for name, editor in self._editors.items():
            with QSignalBlocker(editor.widget):
                editor.write(getattr(reading, name))
        self._say("")

    def set_found(self, report: LoadReport) -> None:
        """Say in the empty field which size the images have got."""
        size = self._editors["size"].widget
        assert isinstance(size, QLineEdit)
        size.setPlaceholderText(f"Automatic: {report.height}x{report.width}")

    def editor(self, name: str) -> QWidget:
        """The input widget of a choice."""
        return self._editors[name].widget

    def changeEvent(self, event: QEvent) -> None:
        """Take over the colours of a new scheme."""
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange:
            self._tint()

    def _commit(self) -> None:
        try:
            reading = parse_reading(**{name: editor.read() for name, editor in self._editors.items()})
        except DataError as error:
            self._say(str(error))
            return
        changed = reading != self._reading
        self.set_reading(reading)
        if changed:
            self.changed.emit(reading)

    def _say(self, sentence: str) -> None:
        self._problem.setText(breakable(sentence[:1].upper() + sentence[1:]))
        self._problem.setVisible(bool(sentence))

    def _tint(self) -> None:
        tint(self._problem, theme_of(self.palette()).warning)


def _editor(name: str) -> Editor:
    if name == "size":
        return _size_editor()
    if name == "background":
        return _background_editor()
    return build_editor(name, FIELDS[name], _TEXTS.get(name, CHOICE_TEXT))


def _size_editor() -> Editor:
    line = QLineEdit()
    line.setPlaceholderText("Automatic")
    return Editor(
        line,
        read=lambda: line.text().strip() or None,
        write=lambda size: line.setText("" if size is None else f"{size[0]}x{size[1]}"),
        on_commit=line.editingFinished.connect,
    )


def _background_editor() -> Editor:
    box = QComboBox()
    box.setEditable(True)
    box.setInsertPolicy(QComboBox.InsertPolicy.NoInsert)
    box.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
    for color in BACKGROUNDS:
        swatch = QPixmap(16, 16)
        swatch.fill(QColor("#808080"))  # a frame, which white needs on white
        painter = QPainter(swatch)
        painter.fillRect(1, 1, 14, 14, QColor(color))
        painter.end()
        box.addItem(QIcon(swatch), color)
    ignore_wheel_unless_focused(box)
    line = box.lineEdit()
    assert line is not None, "it is editable"

    def connect(told: Callable[[], None]) -> None:
        box.activated.connect(told)
        line.editingFinished.connect(told)

    return Editor(box, read=lambda: line.text().strip().lower(), write=box.setEditText, on_commit=connect)
