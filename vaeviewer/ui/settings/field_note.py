"""A sentence beside a field, over whatever lies there: what is wrong with the text in it."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QPoint, Qt, QTimer
from PySide6.QtWidgets import QLabel, QWidget

from vaeviewer.ui.widgets.theme import theme_of

STAYS_MS = 6000
"""How long a sentence stays after its field was left."""

_GAP = 3


class FieldNote(QLabel):
    """A note below the field it is about, in that field's window; nothing moves to make room for it.

    Args:
        window: What it is about lies in there.
    """

    def __init__(self, owner: QWidget) -> None:
        super().__init__(owner)
        self.setObjectName("fieldNote")
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.setMargin(6)
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self._field: QWidget | None = None
        self._leaving = QTimer(self)
        self._leaving.setSingleShot(True)
        self._leaving.setInterval(STAYS_MS)
        self._leaving.timeout.connect(self.hide)
        self.hide()

    def say(self, field: QWidget, sentence: str) -> None:
        """Show ``sentence`` at ``field`` until some seconds after that was left; an empty one ends it."""
        if not sentence:
            if field is self._field:
                self._field = None
                self._leaving.stop()
                self.hide()
            return
        self._field = field
        self.setText(sentence)
        self.setParent(field.window())
        self._apply_theme()
        self.place()
        self.show()
        self.raise_()
        if field.hasFocus():
            self._leaving.stop()
        else:
            self._leaving.start()

    def place(self) -> None:
        """Lie below the field, where that is now, within the window."""
        field, window = self._field, self.parentWidget()
        if field is None or window is None:
            return
        self.setWordWrap(False)
        size = self.sizeHint()
        if size.width() > window.width():
            self.setWordWrap(True)
            size.setWidth(window.width())
            size.setHeight(self.heightForWidth(window.width()))
        below = field.mapTo(window, QPoint(0, field.height() + _GAP))
        self.setGeometry(
            max(0, min(below.x(), window.width() - size.width())), below.y(), size.width(), size.height()
        )

    def changeEvent(self, event: QEvent) -> None:
        """Take over the colours of a new scheme."""
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange and self.isVisible():
            self._apply_theme()

    def _apply_theme(self) -> None:
        theme = theme_of(self.palette())
        style = (
            f"#fieldNote {{ background: {theme.base}; color: {theme.warning};"
            f" border: 1px solid {theme.warning}; border-radius: 4px; }}"
        )
        if style != self.styleSheet():
            self.setStyleSheet(style)
