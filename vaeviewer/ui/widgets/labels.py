"""Labels whose text changes many times a second, one that makes way for its neighbours, and text in a colour."""

from __future__ import annotations

import math

from PySide6.QtCore import QEvent, QRect, QSize, Qt
from PySide6.QtGui import (
    QAccessible,
    QColor,
    QEnterEvent,
    QFocusEvent,
    QFontMetricsF,
    QPainter,
    QPaintEvent,
    QPalette,
)
from PySide6.QtWidgets import QApplication, QLabel, QSizePolicy, QWidget

from vaeviewer.ui.widgets.plain_text import plain_tip


class LiveLabel(QLabel):
    """One line of plain text that changes many times a second.

    A ``QLabel`` asks for a new layout of the whole window at every change of its text, which costs more than all
    else that a drag does. This one paints what it is told and asks only when it needs more room, or far less.

    Args:
        text: What to show at first.
        parent: The parent widget.
        padding: Empty pixels to the left and the right. (A frame's own margins are lost when its font changes.)
        shrinks: Whether a text that there is no room for gives way to a shorter one, or ends in "…", rather than
            making the window wider.
    """

    def __init__(
        self, text: str = "", parent: QWidget | None = None, *, padding: int = 0, shrinks: bool = False
    ) -> None:
        super().__init__(parent)
        self._padding = padding
        self._shrinks = shrinks
        self._text = ""
        self._shorter: tuple[str, ...] = ()
        self._room = 0
        self.setAutoFillBackground(True)  # else all that lies behind is painted anew each time
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.setText(text)

    def setText(self, text: str, *shorter: str) -> None:
        """Show ``text``, or where it shrinks the first of the shorter ones that there is room for."""
        if text == self._text:
            return
        self._text, self._shorter = text, shorter
        if QAccessible.isActive():
            super().setText(text)  # what a screen reader reads
        width = self._text_width()
        if not 0.6 * self._room <= width <= self._room:
            self._room = width
            self.updateGeometry()
        self.update()

    def changeEvent(self, event: QEvent) -> None:
        """Take the room that another font needs."""
        super().changeEvent(event)
        if event.type() == QEvent.Type.FontChange:
            self._room = self._text_width()

    def clear(self) -> None:
        """Show nothing."""
        self.setText("")

    def text(self) -> str:
        """What is shown."""
        return self._text

    @property
    def is_cut(self) -> bool:
        """Whether there is no room for all of the text."""
        return self._text_width() > self._area().width()

    def sizeHint(self) -> QSize:
        """Room for the text, and for those before it that were a little longer."""
        width = max(self._room, self._text_width())
        return QSize(width + 2 * self._padding, self.fontMetrics().height())

    def minimumSizeHint(self) -> QSize:
        """As much, unless the text may be shortened."""
        hint = self.sizeHint()
        return QSize(0, hint.height()) if self._shrinks else hint

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw the text."""
        painter = QPainter(self)
        painter.setPen(self.palette().color(self.foregroundRole()))
        area, text = self._area(), self._text
        if self._shrinks:
            metrics, width = self.fontMetrics(), area.width()
            fitting = (t for t in (text, *self._shorter) if metrics.horizontalAdvance(t) <= width)
            last = self._shorter[-1] if self._shorter else text
            text = next(fitting, None) or metrics.elidedText(last, Qt.TextElideMode.ElideRight, width)
        painter.drawText(area, int(self.alignment()), text)

    def _area(self) -> QRect:
        return self.rect().adjusted(self._padding, 0, -self._padding, 0)

    def _text_width(self) -> int:
        return math.ceil(QFontMetricsF(self.font()).horizontalAdvance(self._text))


class ElidedLabel(LiveLabel):
    """One line of plain text; what does not fit ends in "…" and is read in full in the tooltip."""

    def __init__(self, text: str = "", parent: QWidget | None = None) -> None:
        super().__init__(text, parent, shrinks=True)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw the text, and say all of it in the tooltip where it is cut."""
        super().paintEvent(event)
        tip = plain_tip(self.text()) if self.is_cut else ""
        if tip != self.toolTip():
            self.setToolTip(tip)


class NumberLabel(QLabel):
    """A number that changes many times a second, and that the mouse can select.

    It is as large as the longest one so far, as a label of fixed size asks for no new layout; see :class:`LiveLabel`.
    Text that can be selected is a whole document to Qt, so it is one only while the mouse may select it.

    Args:
        longest: Texts to make room for from the start.
    """

    def __init__(self, *longest: str) -> None:
        super().__init__()
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        self.setAutoFillBackground(True)  # else all that lies behind is painted anew each time
        self._longest = longest
        self._make_room()

    def setText(self, text: str) -> None:
        """Show ``text``."""
        if text == self.text():
            return
        if self.fontMetrics().horizontalAdvance(text) > self.width() - 2:
            self._longest = (text,)
            self._make_room()
        super().setText(text)

    def enterEvent(self, event: QEnterEvent) -> None:
        """Let the mouse select the text."""
        super().enterEvent(event)
        self.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)

    def leaveEvent(self, event: QEvent) -> None:
        """Go back to mere text, unless some is selected, or there is a menu to copy it with."""
        super().leaveEvent(event)
        self._let_go()

    def focusOutEvent(self, event: QFocusEvent) -> None:
        """What was selected is no longer wanted."""
        super().focusOutEvent(event)
        if not self.underMouse():
            self._let_go()

    def changeEvent(self, event: QEvent) -> None:
        """Take the size that another font needs."""
        super().changeEvent(event)
        if event.type() == QEvent.Type.FontChange:
            self._make_room()

    def _let_go(self) -> None:
        if not self.hasSelectedText() and QApplication.activePopupWidget() is None:
            self.setTextInteractionFlags(Qt.TextInteractionFlag.NoTextInteraction)

    def _make_room(self) -> None:
        metrics = self.fontMetrics()
        # At some sizes a text is a pixel higher than its font says.
        height = metrics.size(0, self._longest[0]).height()
        self.setFixedSize(max(map(metrics.horizontalAdvance, self._longest)) + 2, height)


def tint(widget: QWidget, color: str) -> None:
    """Write ``widget``'s text in ``color``, ``#rrggbb``; all else follows the palette around it."""
    # A fresh palette: a copy of the widget's own would hold on to every colour of the present scheme.
    palette = QPalette()
    for role in (QPalette.ColorRole.WindowText, QPalette.ColorRole.Text):
        palette.setColor(role, QColor(color))
    widget.setPalette(palette)
