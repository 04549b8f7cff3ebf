"""In the legend's place where points are coloured by numbers: the palette, what its ends stand for, and notes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QImage, QPainter, QPaintEvent, QPalette, QPen
from PySide6.QtWidgets import QLabel, QPushButton, QSizePolicy, QVBoxLayout, QWidget

from vaeviewer.ui.plane.color_scale import Scale, number_text
from vaeviewer.ui.widgets.theme import theme_of
from vaeviewer.ui.window.text_size import text_scale

_WIDTH = 12  # of the bar, logical pixels
_HEIGHT = 180


class _Bar(QWidget):
    """The palette from bottom to top, with the numbers at both ends and in the middle."""

    def __init__(self) -> None:
        super().__init__()
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        self._colors: NDArray[np.uint8] = np.zeros((0, 3), np.uint8)
        self.texts: tuple[str, str, str] = ("", "", "")

    def show_scale(self, colors: NDArray[np.uint8], texts: tuple[str, str, str]) -> None:
        if colors is not self._colors or texts != self.texts:
            self._colors, self.texts = colors, texts
            self.update()

    def sizeHint(self) -> QSize:
        return QSize(round(90 * text_scale()), _HEIGHT)

    def minimumSizeHint(self) -> QSize:
        return QSize(round(60 * text_scale()), 70)

    def paintEvent(self, event: QPaintEvent) -> None:
        if not len(self._colors):
            return
        theme, metrics = theme_of(self.palette()), self.fontMetrics()
        painter = QPainter(self)
        half = metrics.height() / 2
        bar = QRectF(0.5, half, _WIDTH, min(self.height(), _HEIGHT) - 2 * half)
        column = np.ascontiguousarray(self._colors[::-1])
        image = QImage(column.tobytes(), 1, len(column), 3, QImage.Format.Format_RGB888)
        painter.drawImage(bar, image)
        painter.setPen(QPen(QColor(theme.border), 1.0))
        painter.drawRect(bar)
        painter.setPen(QColor(theme.ink))
        for text, y in zip(self.texts, (bar.bottom(), bar.center().y(), bar.top()), strict=True):
            area = QRectF(_WIDTH + 7, y - half, self.width() - _WIDTH - 7, 2 * half)
            painter.drawText(area, int(Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft), text)


class ScaleBar(QWidget):
    """What colours stand for; or a sentence on why there are none yet.

    Signals:
        all_wanted: The user wants to see the hidden classes again.
    """

    all_wanted = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("colorScale")
        self.setAccessibleName("Colour scale")
        self._bar = _Bar()
        self._unit = _text("scaleUnit", muted=False)
        self._note = _text("scaleNote")
        self._hidden = _text("scaleHidden")
        self._all = QPushButton("Show all")
        self._all.setObjectName("scaleShowAll")
        self._all.clicked.connect(self.all_wanted)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(8, 6, 4, 6)
        layout.setSpacing(6)
        for widget in (self._unit, self._bar, self._note, self._hidden, self._all):
            layout.addWidget(widget)
        layout.addStretch(1)
        self.show_hidden(0, 0)

    def show_scale(
        self, scale: Scale | None, colors: NDArray[np.uint8], unit: str, notes: tuple[str, ...]
    ) -> None:
        """Show a scale, or only notes where there is none yet.

        Args:
            scale: What the ends stand for.
            colors: From low to high, RGB, ``(k, 3)``.
            unit: Of the numbers.
            notes: Sentences below.
        """
        self._bar.setVisible(scale is not None)
        self._unit.setVisible(scale is not None and bool(unit))
        if scale is not None:
            low, high = number_text(scale.low), number_text(scale.high)
            middle = "" if scale.low == scale.high else number_text((scale.low + scale.high) / 2)
            ends = f"≤ {low}" if scale.cut_low else low, f"≥ {high}" if scale.cut_high else high
            self._bar.show_scale(colors, (ends[0], middle, ends[1]))
            self.setAccessibleDescription(f"From {ends[0]} to {ends[1]} {unit}".strip())
            if scale.missing:
                notes = (*notes, f"{scale.missing:,} without a value, grey")
        else:
            self.setAccessibleDescription("")
        _say(self._unit, unit)
        _say(self._note, "\n".join(notes))
        self._note.setVisible(bool(notes))

    def show_hidden(self, hidden: int, classes: int) -> None:
        """Say how many classes are hidden, and how to see them again."""
        _say(self._hidden, f"{hidden:,} of {classes:,} classes hidden" if hidden else "")
        self._hidden.setVisible(hidden > 0)
        self._all.setVisible(hidden > 0)


def _text(name: str, *, muted: bool = True) -> QLabel:
    label = QLabel()
    label.setObjectName(name)
    label.setTextFormat(Qt.TextFormat.PlainText)
    label.setWordWrap(True)
    label.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
    if muted:
        label.setForegroundRole(QPalette.ColorRole.PlaceholderText)
    return label


def _say(label: QLabel, text: str) -> None:
    if label.text() != text:
        label.setText(text)
