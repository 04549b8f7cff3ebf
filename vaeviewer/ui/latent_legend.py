"""The legend of the latent plane: a slim column that names the classes, hides them and singles them out."""

from __future__ import annotations

from collections.abc import Set

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QEvent, QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPen, QResizeEvent
from PySide6.QtWidgets import QFrame, QScrollArea, QSizePolicy, QToolButton, QVBoxLayout, QWidget

from vaeviewer.ui.plain_text import plain_tip
from vaeviewer.ui.theme import theme_of

_LONGEST_NAME = 120  # logical pixels; longer names are cut, their tool tip has them whole
_SWATCH = 10  # logical pixels
_KEYS_USED = (Qt.Key.Key_Space, Qt.Key.Key_Return, Qt.Key.Key_Enter)


class ClassButton(QToolButton):
    """A class's swatch and name. Checked: its points are shown."""

    soloed = Signal(bool)
    """Only this class is wanted; true when a double-click's first half has toggled it."""

    def __init__(self, name: str, color: QColor) -> None:
        super().__init__()
        self.setCheckable(True)
        self.setChecked(True)
        self.setText(name)
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setAutoRaise(True)  # repaints as the mouse comes and goes
        self._color = color

    def sizeHint(self) -> QSize:
        """Room for the swatch and the name."""
        metrics = self.fontMetrics()
        text = min(metrics.horizontalAdvance(self.text()), _LONGEST_NAME)
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

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Enter singles the class out; Space toggles it, as for any button."""
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self.soloed.emit(False)
        else:
            super().keyPressEvent(event)

    def event(self, event: QEvent) -> bool:
        """Keep the keys used here from being taken as the window's shortcuts."""
        if (
            isinstance(event, QKeyEvent)
            and event.type() == QEvent.Type.ShortcutOverride
            and event.key() in _KEYS_USED
            and not event.modifiers()
        ):
            event.accept()
            return True
        return super().event(event)

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
        if self.hasFocus():
            painter.setPen(QPen(QColor(theme.accent), 1.5))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRoundedRect(frame, 4, 4)
        painter.setPen(QPen(self._color if self.isChecked() else QColor(theme.muted), 1.5))
        painter.setBrush(self._color if self.isChecked() else Qt.BrushStyle.NoBrush)
        painter.drawEllipse(QPointF(7 + _SWATCH / 2, self.height() / 2), _SWATCH / 2 - 1, _SWATCH / 2 - 1)
        painter.setPen(QColor(theme.ink if self.isChecked() else theme.muted))
        area = self.rect().adjusted(13 + _SWATCH, 0, -5, 0)
        name = self.fontMetrics().elidedText(self.text(), Qt.TextElideMode.ElideMiddle, area.width() + 1)
        painter.drawText(area, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft, name)


class Legend(QScrollArea):
    """All classes, one below the other; scrolls where there are more than fit."""

    hidden_changed = Signal(object)
    """``frozenset`` of the classes the user wants hidden."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("latentLegend")
        self.setAccessibleName("Classes")
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Expanding)
        self.setWidgetResizable(True)
        self._buttons: list[ClassButton] = []
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
        layout.setContentsMargins(2, 6, 2, 6)
        layout.setSpacing(0)
        self._buttons = []
        self._hidden = frozenset()
        counts = np.bincount(labels, minlength=len(names))
        for number, (name, color) in enumerate(zip(names, colors.tolist(), strict=True)):
            button = ClassButton(name, QColor(*color))
            button.setObjectName(f"legendClass{number}")
            button.setAccessibleName(f"Show class {name}")
            help_text = "Click: hide or show them. Double-click: show only these."
            button.setToolTip(plain_tip(f"{name}: {counts[number]:,} images\n{help_text}"))
            button.clicked.connect(lambda _=False, n=number: self._toggle(n))
            button.soloed.connect(lambda after, n=number: self._solo(n, after))
            self._buttons.append(button)
            layout.addWidget(button)
        layout.addStretch(1)
        self.setWidget(column)  # deletes the previous column
        self.updateGeometry()
        self.setVisible(bool(names))

    def sizeHint(self) -> QSize:
        """As wide as the names, and a scroll bar where one is needed."""
        column = self.widget()
        if column is None:
            return QSize(0, 0)
        size = column.sizeHint()
        scrolls = size.height() > self.height()
        return size + QSize(self.verticalScrollBar().sizeHint().width() if scrolls else 0, 0)

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

    def _toggle(self, number: int) -> None:
        self._before_click = self._hidden
        self._choose(self._hidden ^ {number})

    def _solo(self, number: int, after_click: bool) -> None:
        """Only this class; all again where it already was the only one."""
        before = self._before_click if after_click else self._hidden
        alone = frozenset(range(len(self._buttons))) - {number}
        self._choose(frozenset() if before == alone else alone)

    def _choose(self, hidden: frozenset[int]) -> None:
        self.set_hidden(hidden)
        self.hidden_changed.emit(hidden)
