"""One setting in the form: its label, its editor, and what is said below it."""

from __future__ import annotations

from pydantic.fields import FieldInfo
from PySide6.QtCore import Qt
from PySide6.QtGui import QPalette
from PySide6.QtWidgets import QLabel, QVBoxLayout, QWidget

from vaeviewer.backend.models.fields import marked
from vaeviewer.ui.settings.editors import build_editor
from vaeviewer.ui.settings.number_fields import NumberField
from vaeviewer.ui.widgets.labels import tint
from vaeviewer.ui.widgets.theme import Theme


class SettingRow:
    """Widgets of one setting, all made from its field.

    Args:
        group: Of the settings it belongs to.
        name: Of the setting.
        info: Its field.
        theme: Its colours.

    Attributes:
        group: As given.
        info: As given.
        editor: What is typed or chosen in.
        note: Why the editor is greyed.
        error: What is wrong with the text in it.
        field: Holds these three, one above the other.
        column: Their layout.
        label: Stands before the field.
    """

    def __init__(self, group: str, name: str, info: FieldInfo, theme: Theme) -> None:
        self.group, self.info = group, info
        self._theme = theme
        self.editor = build_editor(name, info)
        self.editor.widget.setObjectName(name)
        self.editor.widget.setAccessibleName(info.title or name)
        self.note, self.error = QLabel(), QLabel()
        for text in (self.note, self.error):
            text.setWordWrap(True)
            text.setTextFormat(Qt.TextFormat.PlainText)
            text.hide()
        self.field = QWidget()
        self.column = QVBoxLayout(self.field)
        self.column.setContentsMargins(0, 0, 0, 0)
        self.column.setSpacing(2)
        for widget in (self.editor.widget, self.note, self.error):
            self.column.addWidget(widget)
        self.label = QLabel(info.title or name)
        self.label.setBuddy(self.editor.widget)

    @property
    def live(self) -> bool:
        """Whether it may change during a run."""
        return marked(self.info, "live")

    @property
    def advanced(self) -> bool:
        """Whether few need it."""
        return marked(self.info, "advanced")

    def mark(self, error: str) -> None:
        """Say what is wrong with the text in the editor; an empty sentence says that nothing is."""
        self.error.setText(error)
        self.error.setVisible(bool(error))
        # After it was left, a number field shows its last value again.
        widget = self.editor.widget
        if error and (widget.hasFocus() or not isinstance(widget, NumberField)):
            tint(widget, self._theme.warning)
        else:
            widget.setPalette(QPalette())

    def set_theme(self, theme: Theme) -> None:
        """Take the colours of a scheme."""
        self._theme = theme
        tint(self.note, theme.muted)
        tint(self.error, theme.warning)
        self.mark(self.error.text())
