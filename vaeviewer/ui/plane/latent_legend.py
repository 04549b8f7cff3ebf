"""The legend of the latent plane: a slim column that names the classes, hides them and singles them out."""

from __future__ import annotations

from collections.abc import Set

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QEvent, QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import (
    QColor,
    QFocusEvent,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
    QResizeEvent,
)
from PySide6.QtWidgets import QFrame, QLineEdit, QScrollArea, QSizePolicy, QToolButton, QVBoxLayout, QWidget

from vaeviewer.ui.widgets.plain_text import plain_tip
from vaeviewer.ui.widgets.theme import theme_of
from vaeviewer.ui.window.focus_keys import is_command

SEARCHED_FROM = 20
"""With so many classes there is a field to search them by name."""

_LONGEST_NAME = 120  # logical pixels; longer names are cut, their tool tip has them whole
_SWATCH = 10  # logical pixels
_MARGIN = (2, 6)  # to the sides, above and below
_ENTER = (Qt.Key.Key_Return, Qt.Key.Key_Enter)
_STEPS: dict[int, int] = {
    Qt.Key.Key_Up: -1,
    Qt.Key.Key_Down: 1,
    Qt.Key.Key_PageUp: -10,
    Qt.Key.Key_PageDown: 10,
    Qt.Key.Key_Home: -1_000_000,
    Qt.Key.Key_End: 1_000_000,
}
_HELP = (
    "Click: hide or show them. Double-click: show only these.\n"
    "Keys: arrows, Space or Enter to hide or show, with Shift to show only these."
)


class ClassButton(QToolButton):
    """A class's swatch and name. Checked: its points are shown.

    The name is painted here and is not the button's text, in which an ampersand would make a key of the next letter.

    Args:
        name: Of the class, plain text.
        color: Of its points.
    """

    soloed = Signal(bool)
    """Only this class is wanted; true when a double-click's first half has toggled it."""

    def __init__(self, name: str, color: QColor) -> None:
        super().__init__()
        self.name = name
        self.setCheckable(True)
        self.setChecked(True)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)  # the legend has it
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setAutoRaise(True)  # repaints as the mouse comes and goes
        self._color = color
        self._current = False

    def set_current(self, current: bool) -> None:
        """Whether keys go to this one."""
        if current != self._current:
            self._current = current
            self.update()

    def sizeHint(self) -> QSize:
        """Room for the swatch and the name."""
        metrics = self.fontMetrics()
        text = min(metrics.horizontalAdvance(self.name), _LONGEST_NAME)
        return QSize(text + _SWATCH + 22, metrics.height() + 7)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """With Ctrl or Shift a click singles the class out instead of toggling it."""
        modifiers = Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.ShiftModifier
        if event.button() == Qt.MouseButton.LeftButton and event.modifiers() & modifiers:
            event.accept()
            self.soloed.emit(False)
            return
        super().mousePressEvent(event)

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        """Single the class out."""
        event.accept()
        if event.button() == Qt.MouseButton.LeftButton:
            self.soloed.emit(True)

    def paintEvent(self, event: QPaintEvent) -> None:
        """A disc as in the plane, hollow when hidden, then the name."""
        theme = theme_of(self.palette())
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        frame = QRectF(self.rect()).adjusted(1, 1, -1, -1)
        if self.underMouse():
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(QColor(theme.grid))
            painter.drawRoundedRect(frame, 4, 4)
        if self._current:
            painter.setPen(QPen(QColor(theme.accent), 1.5))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRoundedRect(frame, 4, 4)
        painter.setPen(QPen(self._color if self.isChecked() else QColor(theme.muted), 1.5))
        painter.setBrush(self._color if self.isChecked() else Qt.BrushStyle.NoBrush)
        painter.drawEllipse(QPointF(7 + _SWATCH / 2, self.height() / 2), _SWATCH / 2 - 1, _SWATCH / 2 - 1)
        painter.setPen(QColor(theme.ink if self.isChecked() else theme.muted))
        area = self.rect().adjusted(13 + _SWATCH, 0, -5, 0)
        name = self.fontMetrics().elidedText(self.name, Qt.TextElideMode.ElideMiddle, area.width() + 1)
        painter.drawText(area, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft, name)


class Legend(QWidget):
    """All classes, one below the other; scrolls where there are more than fit, and finds them by name.

    For Tab it is one stop, wherever in it the keys go. Where there is a field to search, letters typed go there.
    """

    hidden_changed = Signal(object)
    """``frozenset`` of the classes the user wants hidden."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("latentLegend")
        self.setAccessibleName("Classes")
        self.setAccessibleDescription(
            "Arrow keys go from class to class; Space or Enter hides or shows one, with Shift it is shown alone."
        )
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Expanding)
        self._search = QLineEdit()
        self._search.setObjectName("legendSearch")
        self._search.setAccessibleName("Search classes")
        self._search.setPlaceholderText("Search")
        self._search.setClearButtonEnabled(True)
        self._search.setFocusPolicy(Qt.FocusPolicy.ClickFocus)
        self._search.textChanged.connect(self._find)
        self.area = QScrollArea()
        self.area.setFrameShape(QFrame.Shape.NoFrame)
        self.area.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.area.setWidgetResizable(True)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(
            1, 0, 0, 0
        )  # else nothing is seen of what has the focus, by Qt's own measure
        layout.setSpacing(0)
        layout.addWidget(self._search)
        layout.addWidget(self.area, 1)
        self._buttons: list[ClassButton] = []
        self._current = 0
        self._hidden: frozenset[int] = frozenset()
        self._before_click: frozenset[int] = frozenset()
        self.setVisible(False)

    def set_classes(
        self, names: tuple[str, ...], colors: NDArray[np.uint8], labels: NDArray[np.int64]
    ) -> None:
        """List these classes, all shown.

        Args:
            names: A name per class.
            colors: RGB, uint8, shape ``(classes, 3)``.
            labels: Class of each image, shape ``(n,)``; tool tips say how many each class has.
        """
        column = QWidget()
        layout = QVBoxLayout(column)
        layout.setContentsMargins(*_MARGIN, *_MARGIN)
        layout.setSpacing(0)
        self._buttons, self._current = [], 0
        self._hidden = frozenset()
        self._search.clear()
        self._search.setVisible(len(names) >= SEARCHED_FROM)
        counts = np.bincount(labels, minlength=len(names))
        for number, (name, color) in enumerate(zip(names, colors.tolist(), strict=True)):
            button = ClassButton(name, QColor(*color))
            button.setObjectName(f"legendClass{number}")
            button.setAccessibleName(f"Show class {name}")
            button.setToolTip(plain_tip(f"{name}: {counts[number]:,} images\n{_HELP}"))
            button.clicked.connect(lambda _=False, n=number: self._toggle(n))
            button.soloed.connect(lambda after, n=number: self._solo(n, after))
            self._buttons.append(button)
            layout.addWidget(button)
        layout.addStretch(1)
        self.area.setWidget(column)  # deletes the previous column
        self.updateGeometry()
        self.setVisible(bool(names))

    def sizeHint(self) -> QSize:
        """As wide as the names, and a scroll bar where one is needed."""
        hints = [button.sizeHint() for button in self._buttons]  # also of those that a search left out
        if not hints:
            return QSize(0, 0)
        width = max(hint.width() for hint in hints) + 2 * _MARGIN[0] + 1
        height = sum(hint.height() for hint in hints) + 2 * _MARGIN[1]
        scrolls = height > self.area.height()
        if len(hints) >= SEARCHED_FROM:
            width = max(width, self.fontMetrics().horizontalAdvance("Search") + 40)
        return QSize(width + (self.area.verticalScrollBar().sizeHint().width() if scrolls else 0), height)

    def minimumSizeHint(self) -> QSize:
        """The width that is wanted; fewer entries may be in view."""
        return QSize(self.sizeHint().width(), 60)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """A scroll bar may come or go."""
        super().resizeEvent(event)
        self.updateGeometry()

    def set_hidden(self, hidden: Set[int]) -> None:
        """Show which classes are hidden; emits nothing."""
        self._hidden = frozenset(hidden)
        for number, button in enumerate(self._buttons):
            button.setChecked(number not in self._hidden)

    # Keys

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Go from class to class, hide and show them, or search."""
        if not self._uses(event):
            super().keyPressEvent(event)
        elif event.key() in _STEPS:
            listed = self._listed()
            if listed:
                place = listed.index(self._current) if self._current in listed else 0
                self._go_to(listed[min(max(0, place + _STEPS[event.key()]), len(listed) - 1)])
        elif event.key() in (*_ENTER, Qt.Key.Key_Space):
            if self._current in self._listed():
                if event.modifiers() & Qt.KeyboardModifier.ShiftModifier:
                    self._solo(self._current, False)
                else:
                    self._toggle(self._current)
        elif event.key() == Qt.Key.Key_Escape:
            self._search.clear()
        elif event.key() == Qt.Key.Key_Backspace:
            self._search.setText(self._search.text()[:-1])
        else:
            self._search.setText(self._search.text() + event.text())

    def event(self, event: QEvent) -> bool:
        """Keep the keys used here from being taken as the window's shortcuts."""
        if (
            isinstance(event, QKeyEvent)
            and event.type() == QEvent.Type.ShortcutOverride
            and self._uses(event)
        ):
            event.accept()
            return True
        return super().event(event)

    def focusInEvent(self, event: QFocusEvent) -> None:
        """Show which class the keys are for."""
        super().focusInEvent(event)
        self._go_to(self._current)

    def focusOutEvent(self, event: QFocusEvent) -> None:
        """Keys go elsewhere."""
        super().focusOutEvent(event)
        self._go_to(self._current)

    def _uses(self, event: QKeyEvent) -> bool:
        key = event.key()
        if is_command(event):
            return False
        if key in _STEPS or key in (*_ENTER, Qt.Key.Key_Space):
            return True
        if key in (Qt.Key.Key_Escape, Qt.Key.Key_Backspace):
            return bool(self._search.text())
        return len(self._buttons) >= SEARCHED_FROM and event.text().isprintable() and event.text() != ""

    def _go_to(self, number: int) -> None:
        self._current = number
        for other, button in enumerate(self._buttons):
            button.set_current(other == number and self.hasFocus())
        if number < len(self._buttons):
            self.area.ensureWidgetVisible(self._buttons[number], 0, 20)

    def _listed(self) -> list[int]:
        """Numbers of the classes that the search has left."""
        return [number for number, button in enumerate(self._buttons) if not button.isHidden()]

    def _find(self, text: str) -> None:
        """List only the classes whose names hold a text."""
        wanted = text.strip().casefold()
        for button in self._buttons:
            button.setVisible(wanted in button.name.casefold())
        listed = self._listed()
        if listed:
            self._go_to(self._current if self._current in listed else listed[0])

    # Choosing

    def _toggle(self, number: int) -> None:
        self._before_click = self._hidden
        self._go_to(number)
        self._choose(self._hidden ^ {number})

    def _solo(self, number: int, after_click: bool) -> None:
        """Only this class; all again where it already was the only one."""
        before = self._before_click if after_click else self._hidden
        alone = frozenset(range(len(self._buttons))) - {number}
        self._choose(frozenset() if before == alone else alone)

    def _choose(self, hidden: frozenset[int]) -> None:
        self.set_hidden(hidden)
        self.hidden_changed.emit(hidden)
