"""Labels: one line that makes way for its neighbours, two that change many times a second, and text in a colour."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QSize, Qt
from PySide6.QtGui import QAccessible, QColor, QPainter, QPaintEvent, QPalette
from PySide6.QtWidgets import QLabel, QSizePolicy, QWidget


class ElidedLabel(QLabel):
    """One line of plain text; what does not fit ends in "…" and is read in full in the tooltip."""

    def __init__(self, text: str = "", parent: QWidget | None = None) -> None:
        super().__init__(text, parent)
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    def minimumSizeHint(self) -> QSize:
        """As narrow as the layout likes."""
        return QSize(0, super().minimumSizeHint().height())

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw the text, shortened to the width at hand."""
        painter = QPainter(self)
        painter.setPen(self.palette().color(self.foregroundRole()))
        area = self.contentsRect()
        shown = self.fontMetrics().elidedText(self.text(), Qt.TextElideMode.ElideRight, area.width())
        painter.drawText(area, int(self.alignment() | Qt.AlignmentFlag.AlignVCenter), shown)
        painter.end()
        self.setToolTip(self.text() if shown != self.text() else "")


class LiveLabel(QLabel):
    """One line of plain text that changes many times a second.

    A ``QLabel`` asks for a new layout of the whole window at every change of its text, which costs more than all
    else that a drag does. This one paints what it is told and asks only when it needs more room, or far less.

    Args:
        text: What to show at first.
        parent: The parent widget.
        padding: Empty pixels to the left and the right. (A frame's own margins are lost when its font changes.)
        shrinks: Whether the text ends in "…" where there is no room for it, rather than making the window wider.
    """

    def __init__(
        self, text: str = "", parent: QWidget | None = None, *, padding: int = 0, shrinks: bool = False
    ) -> None:
        super().__init__(parent)
        self._padding = padding
        self._shrinks = shrinks
        self._text = ""
        self._room = 0
        self.setAutoFillBackground(True)  # else all that lies behind is painted anew each time
        self.setText(text)

    def setText(self, text: str) -> None:
        """Show ``text``."""
        if text == self._text:
            return
        self._text = text
        if QAccessible.isActive():
            super().setText(text)  # what a screen reader reads
        width = self._text_width()
        if not 0.6 * self._room <= width <= self._room:
            self._room = width
            self.updateGeometry()
        self.update()

    def clear(self) -> None:
        """Show nothing."""
        self.setText("")

    def text(self) -> str:
        """What is shown."""
        return self._text

    def sizeHint(self) -> QSize:
        """Room for the text, and for those before it that were a little longer."""
        width = max(self._room, self._text_width())
        return QSize(width + 1 + 2 * self._padding, self.fontMetrics().height())

    def minimumSizeHint(self) -> QSize:
        """As much, unless the text may be shortened."""
        hint = self.sizeHint()
        return QSize(0, hint.height()) if self._shrinks else hint

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw the text."""
        painter = QPainter(self)
        painter.setPen(self.palette().color(self.foregroundRole()))
        area, text = self.rect().adjusted(self._padding, 0, -self._padding, 0), self._text
        if self._shrinks:
            text = self.fontMetrics().elidedText(text, Qt.TextElideMode.ElideRight, area.width())
        painter.drawText(area, int(self.alignment()), text)

    def _text_width(self) -> int:
        return self.fontMetrics().horizontalAdvance(self._text)


class NumberLabel(QLabel):
    """A number that changes many times a second, and that the mouse can select.

    It is as large as the longest one so far, as a label of fixed size asks for no new layout; see :class:`LiveLabel`.

    Args:
        longest: A text to make room for from the start.
    """

    def __init__(self, longest: str) -> None:
        super().__init__()
        self.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        self.setAutoFillBackground(True)  # else all that lies behind is painted anew each time
        self._longest = longest
        self._make_room()

    def setText(self, text: str) -> None:
        """Show ``text``."""
        if text == self.text():
            return
        if self.fontMetrics().horizontalAdvance(text) > self.width() - 2:
            self._longest = text
            self._make_room()
        super().setText(text)

    def changeEvent(self, event: QEvent) -> None:
        """Take the size that another font needs."""
        super().changeEvent(event)
        if event.type() == QEvent.Type.FontChange:
            self._make_room()

    def _make_room(self) -> None:
        metrics = self.fontMetrics()
        self.setFixedSize(metrics.horizontalAdvance(self._longest) + 2, metrics.height())


def tint(widget: QWidget, color: str) -> None:
    """Write ``widget``'s text in ``color``, ``#rrggbb``; all else follows the palette around it."""
    # A fresh palette: a copy of the widget's own would hold on to every colour of the present scheme.
    palette = QPalette()
    for role in (QPalette.ColorRole.WindowText, QPalette.ColorRole.Text):
        palette.setColor(role, QColor(color))
    widget.setPalette(palette)
