"""Some images of each class in rows, with the names of the classes before them; only what is seen is drawn."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from PySide6.QtCore import QEvent, QPoint, QRect, QSize, Qt
from PySide6.QtGui import QColor, QHelpEvent, QKeyEvent, QPainter, QPaintEvent, QResizeEvent
from PySide6.QtWidgets import QAbstractScrollArea, QAbstractSlider, QFrame, QToolTip, QWidget

from vaeviewer.counts import counted
from vaeviewer.ui.data.samples import ClassSamples
from vaeviewer.ui.widgets.pictures import to_qimage
from vaeviewer.ui.widgets.plain_text import plain_tip
from vaeviewer.ui.widgets.theme import class_colors, theme_of

COMFORTABLE = 56
"""Small images are enlarged to about this many pixels."""
LARGEST = 96
"""Larger images are reduced to this many pixels."""
MARGIN, GAP, SWATCH = 8, 4, 8
NAMES = 150
"""Room for names of classes, pixels, at most."""

_KEYS = {
    Qt.Key.Key_PageUp: QAbstractSlider.SliderAction.SliderPageStepSub,
    Qt.Key.Key_PageDown: QAbstractSlider.SliderAction.SliderPageStepAdd,
    Qt.Key.Key_Home: QAbstractSlider.SliderAction.SliderToMinimum,
    Qt.Key.Key_End: QAbstractSlider.SliderAction.SliderToMaximum,
}


@dataclass(frozen=True)
class _Plan:
    """Where things go, pixels: each class takes ``lines`` lines of ``columns`` images, and ``row`` from the next."""

    cell: QSize
    names: int
    columns: int
    lines: int
    row: int


class ContactSheet(QAbstractScrollArea):
    """Shows the samples of any number of classes and scrolls."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("contactSheet")
        self.setAccessibleName("Images of each class, as the model will see them")
        self.setFrameShape(QFrame.Shape.StyledPanel)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._classes: tuple[ClassSamples, ...] = ()
        self._image = QSize(1, 1)
        self._plan = _Plan(QSize(1, 1), 0, 1, 1, 1)

    def set_classes(self, classes: Sequence[ClassSamples]) -> None:
        """Show these, from the first on."""
        self._classes = tuple(classes)
        self._colors = class_colors(len(classes))
        if classes:
            height, width = classes[0].images.shape[1:3]
            self._image = QSize(width, height)
        self._arrange()
        self.verticalScrollBar().setValue(0)
        self.viewport().update()

    @property
    def rows_seen(self) -> range:
        """The classes of which something can be seen."""
        top, row = self.verticalScrollBar().value() - MARGIN, self._plan.row
        first = max(0, top // row)
        return range(first, min(len(self._classes), (top + self.viewport().height()) // row + 1))

    def sizeHint(self) -> QSize:
        """A few classes with eight small images each."""
        return QSize(640, 480)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Place more or fewer images beside each other."""
        super().resizeEvent(event)
        self._arrange()

    def changeEvent(self, event: QEvent) -> None:
        """Make room for letters of another size."""
        super().changeEvent(event)
        if event.type() == QEvent.Type.FontChange:
            self._arrange()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Scroll by pages and to the ends, too."""
        action = _KEYS.get(Qt.Key(event.key()))
        if action is None:
            super().keyPressEvent(event)
        else:
            self.verticalScrollBar().triggerAction(action)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw the classes that are seen."""
        theme = theme_of(self.palette())
        painter = QPainter(self.viewport())
        painter.fillRect(event.rect(), QColor(theme.canvas))
        for row in self.rows_seen:
            top = MARGIN + row * self._plan.row - self.verticalScrollBar().value()
            samples = self._classes[row]
            if samples.title:
                self._draw_name(painter, samples, top, QColor(*self._colors[row].tolist()))
            if not len(samples.images):
                painter.setPen(QColor(theme.muted))
                text = "no image to train on" if samples.count else "no image"
                painter.drawText(self._names_width() + MARGIN, top + self.fontMetrics().ascent(), text)
            for number, index in enumerate(self._chosen(samples)):
                place = self._place(top, number)
                shown = to_qimage(samples.images[index])
                smaller = place.width() * self.devicePixelRatioF() < shown.width()
                painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform, smaller)
                painter.fillRect(place.adjusted(-1, -1, 1, 1), QColor(theme.border))
                painter.drawImage(place, shown)

    def viewportEvent(self, event: QEvent) -> bool:
        """Say which file an image is of."""
        if isinstance(event, QHelpEvent) and event.type() == QEvent.Type.ToolTip:
            QToolTip.showText(event.globalPos(), plain_tip(self.text_at(event.pos())), self.viewport())
            return True
        return super().viewportEvent(event)

    def text_at(self, point: QPoint) -> str:
        """What lies at a point of the viewport: a file, the whole name of a class, or nothing."""
        for row in self.rows_seen:
            top = MARGIN + row * self._plan.row - self.verticalScrollBar().value()
            if not top <= point.y() < top + self._plan.row:
                continue
            samples = self._classes[row]
            if point.x() < self._names_width():
                return f"{samples.title}: {counted(samples.count, 'image')}" if samples.title else ""
            for number, index in enumerate(self._chosen(samples) if samples.files else ()):
                if self._place(top, number).contains(point):
                    return samples.files[index]
        return ""

    def _chosen(self, samples: ClassSamples) -> list[int]:
        """Which of a class's samples are drawn: as many as there is room for, evenly spread."""
        count = len(samples.images)
        shown = min(count, self._plan.columns * self._plan.lines)
        return [number * count // shown for number in range(shown)]

    def _draw_name(self, painter: QPainter, samples: ClassSamples, top: int, color: QColor) -> None:
        theme, metrics = theme_of(self.palette()), self.fontMetrics()
        painter.fillRect(MARGIN, top + (metrics.height() - SWATCH) // 2, SWATCH, SWATCH, color)
        left, room = MARGIN + SWATCH + GAP, self._plan.names
        for line, (text, ink) in enumerate(
            ((samples.title, theme.ink), (counted(samples.count, "image"), theme.muted))
        ):
            painter.setPen(QColor(ink))
            shown = metrics.elidedText(text, Qt.TextElideMode.ElideRight, room)
            painter.drawText(left, top + metrics.ascent() + line * metrics.height(), shown)

    def _place(self, top: int, number: int) -> QRect:
        """Where an image of the class that begins at ``top`` is drawn."""
        line, column = divmod(number, self._plan.columns)
        cell = self._plan.cell
        left = MARGIN + self._names_width() + column * (cell.width() + GAP)
        return QRect(QPoint(left, top + line * (cell.height() + GAP)), cell)

    def _names_width(self) -> int:
        return MARGIN + SWATCH + GAP + self._plan.names if self._plan.names else 0

    def _arrange(self) -> None:
        """Choose how many images stand beside and below each other: few classes have more than a line each."""
        if not self._classes:
            self.verticalScrollBar().setRange(0, 0)
            return
        metrics, cell = self.fontMetrics(), _cell(self._image, self.devicePixelRatioF())
        names = 0
        if self._classes[0].title:
            texts = [text for c in self._classes for text in (c.title[:40], counted(c.count, "image"))]
            longest = max(map(metrics.horizontalAdvance, sorted(texts, key=len)[-20:]))
            names = min(longest, NAMES * metrics.height() // 16) + MARGIN
        left = MARGIN + (MARGIN + SWATCH + GAP + names if names else 0)
        columns = max(1, (self.viewport().width() - left - MARGIN + GAP) // (cell.width() + GAP))
        needed = math.ceil(max(len(c.images) for c in self._classes) / columns)
        step, height = cell.height() + GAP, self.viewport().height() - MARGIN
        lines = (
            needed if len(self._classes) == 1 else max(1, min(needed, height // len(self._classes) // step))
        )
        row = max(lines * step, 2 * metrics.height() if names else 0) + GAP
        self._plan = _Plan(cell, names, columns, lines, row)
        bar, total = self.verticalScrollBar(), MARGIN + len(self._classes) * row
        bar.setRange(0, max(0, total - self.viewport().height()))
        bar.setPageStep(self.viewport().height())
        bar.setSingleStep(row if row < self.viewport().height() else step)


def _cell(image: QSize, ratio: float) -> QSize:
    """How large an image is drawn, logical pixels: enlarged by a whole factor of device pixels, or reduced."""
    longest = max(image.width(), image.height())
    if longest > LARGEST * ratio:
        return image.scaled(LARGEST, LARGEST, Qt.AspectRatioMode.KeepAspectRatio).expandedTo(QSize(1, 1))
    factor = max(1, round(COMFORTABLE * ratio / longest)) / ratio
    return QSize(max(1, round(image.width() * factor)), max(1, round(image.height() * factor)))
