"""What is painted in a plot of metrics: its curves, the marks on them, and the best of these.

All in one item that paints in the plot's logical pixels. pyqtgraph's items, one per curve and one per set of marks,
take several times as long for what they could do besides.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QFont, QFontMetricsF, QPainter, QPen, QPolygonF
from PySide6.QtWidgets import QGraphicsItem, QStyleOptionGraphicsItem, QWidget

from vaeviewer.backend.models.interface import Metrics
from vaeviewer.ui.curves.plotting import arrayToQPolygonF, pg
from vaeviewer.ui.widgets.theme import Theme

KINDS = ("raw", "smooth", "held_out")
"""Of curves, from back to front: rows of batches, their means, and held-out images."""

PIXELS_PER_MARK = 12
"""Held-out values that lie closer than this are drawn as a line alone."""

MARK_ROWS = 3
"""Labels of changes that would overlap go a row lower, and below the last row they are left out."""

_MARK_SIZE = 5.0
_BEST_RADIUS = 6.0
_LABEL_GAP = 3.0
_FAR = 1e6  # pixels away, beyond which it makes no difference

Line = tuple[NDArray[np.float64], NDArray[np.float64]]
"""x and y, ``(n,)``, in units of the plot."""


def metric_colors(metrics: Metrics, theme: Theme) -> dict[str, str]:
    """The colours of a family's metrics, by key."""
    return {metric.key: theme.curve(position) for position, metric in enumerate(metrics)}


class CurvesItem(QGraphicsItem):
    """Curves by kind and metric, a ring around the best point, and lines where settings changed."""

    def __init__(self, view: pg.ViewBox) -> None:
        super().__init__(view)
        self._view = view
        self._pens: dict[tuple[str, str], QPen] = {}
        self._ink = QColor()
        self.lines: Mapping[tuple[str, str], Line] = {}
        self.best: tuple[float, float] | None = None
        self._changes: tuple[tuple[float, str], ...] = ()
        self._muted, self._ground = QColor(), QColor()
        self._polygons: dict[tuple[str, str], QPolygonF] | None = None  # of the lines in the present range
        self._rect = QRectF(view.rect())
        view.sigRangeChanged.connect(self._range_changed)
        view.sigResized.connect(self._range_changed)

    def set_theme(self, theme: Theme, colors: Mapping[str, str]) -> None:
        """Take the colours of a scheme, and those of the metrics by key."""
        self._ink, self._muted = QColor(theme.ink), QColor(theme.muted)
        self._ground = QColor(theme.canvas)
        self._ground.setAlphaF(0.85)
        for key, name in colors.items():
            color = QColor(name)
            # Opaque, as its many strokes over each other would add up to the full colour.
            faint = _mixed(color, QColor(theme.canvas), 0.28 if theme.dark else 0.22)
            self._pens["raw", key] = QPen(faint, 1.0)
            self._pens["smooth", key] = QPen(color, 1.0)
            self._pens["held_out", key] = QPen(color, 2.0)
        self.update()

    def show_lines(self, lines: Mapping[tuple[str, str], Line]) -> None:
        """Draw these curves, by kind and metric, and no others; in their order, those at the back first."""
        self.lines, self._polygons = lines, None
        self.update()

    def show_best(self, point: tuple[float, float] | None) -> None:
        """Draw a ring around ``(x, y)``, or none."""
        if point != self.best:
            self.best = point
            self.update()

    def show_changes(self, changes: tuple[tuple[float, str], ...]) -> None:
        """Draw a vertical line with a label at each ``x`` where a setting changed; x in rising order."""
        if changes != self._changes:
            self._changes = changes
            self.update()

    def change_labels(self, metrics: QFontMetricsF) -> list[tuple[float, QRectF | None, str]]:
        """Where the lines of the changes in view stand, in pixels, and the room of their labels, if there is any."""
        placed: list[tuple[float, QRectF | None, str]] = []
        row_ends = [-math.inf] * MARK_ROWS
        xs = np.array([x for x, _ in self._changes])
        for x, (_, text) in zip(self._pixels(xs, np.zeros(len(xs)))[0], self._changes, strict=True):
            if not 0 <= x <= self._rect.width():
                continue
            width = metrics.horizontalAdvance(text)
            left = x + _LABEL_GAP if x + _LABEL_GAP + width <= self._rect.width() else x - _LABEL_GAP - width
            row = next((row for row, end in enumerate(row_ends) if end < left), None)
            room = None
            if row is not None and left >= 0:
                room = QRectF(left, row * metrics.height(), width, metrics.height())
                row_ends[row] = max(float(x), left + width) + _LABEL_GAP
            placed.append((float(x), room, text))
        return placed

    def boundingRect(self) -> QRectF:
        """The whole view, which nobody has to measure."""
        return self._rect

    def paint(
        self, painter: QPainter, option: QStyleOptionGraphicsItem, widget: QWidget | None = None
    ) -> None:
        """Everything, from back to front."""
        if self._rect.isEmpty():
            return
        labels = self._paint_changes(painter)
        if self._polygons is None:
            self._polygons = {
                key: arrayToQPolygonF(*self._pixels(*line))
                for key, line in self.lines.items()
                if len(line[0])
            }
        for key, polygon in self._polygons.items():
            kind = key[0]
            painter.setRenderHint(QPainter.RenderHint.Antialiasing, kind != "raw")
            painter.setPen(self._pens[key])
            painter.drawPolyline(polygon)
            alone = polygon.size() == 1 and kind != "raw"  # a first step, of which there is no line yet
            if alone or (kind == "held_out" and polygon.size() <= self._rect.width() / PIXELS_PER_MARK):
                mark = QPen(self._pens[key].color(), _MARK_SIZE, c=Qt.PenCapStyle.RoundCap)
                painter.setPen(mark)  # with which a point is a disc
                painter.drawPoints(polygon)
        if self.best is not None:
            x, y = (float(values[0]) for values in self._pixels(*(np.array([at]) for at in self.best)))
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            painter.setPen(QPen(self._ink, 2.0))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawEllipse(QPointF(x, y), _BEST_RADIUS, _BEST_RADIUS)
        painter.setFont(self._small(painter))
        painter.setPen(self._muted)
        for room, text in labels:  # before the curves, on ground of their own
            painter.fillRect(room, self._ground)
            painter.drawText(room, Qt.AlignmentFlag.AlignCenter, text)

    def _paint_changes(self, painter: QPainter) -> list[tuple[QRectF, str]]:
        """Draw the lines where settings changed; returns the labels, which go on top."""
        if not self._changes:
            return []
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)
        painter.setPen(QPen(self._muted, 1.0))
        placed = self.change_labels(QFontMetricsF(self._small(painter)))
        for x, _, _ in placed:
            painter.drawLine(QPointF(round(x), 0), QPointF(round(x), self._rect.height()))
        return [(room, text) for _, room, text in placed if room is not None]

    def _small(self, painter: QPainter) -> QFont:
        font = QFont(painter.font())
        font.setPointSizeF(font.pointSizeF() * 0.85)
        return font

    def _pixels(self, x: NDArray[np.float64], y: NDArray[np.float64]) -> Line:
        (left, right), (bottom, top) = self._view.viewRange()
        across = (x - left) * (self._rect.width() / (right - left))
        down = (top - y) * (self._rect.height() / (top - bottom))
        return np.clip(across, -_FAR, _FAR), np.clip(down, -_FAR, _FAR)

    def _range_changed(self) -> None:
        rect = QRectF(self._view.rect())
        if rect != self._rect:
            self.prepareGeometryChange()
            self._rect = rect
        self._polygons = None
        self.update()


def _mixed(color: QColor, canvas: QColor, share: float) -> QColor:
    """``share`` of a colour on the canvas, opaque."""
    red, green, blue = (
        round(share * part + (1 - share) * other)
        for part, other in (
            (color.red(), canvas.red()),
            (color.green(), canvas.green()),
            (color.blue(), canvas.blue()),
        )
    )
    return QColor(red, green, blue)
