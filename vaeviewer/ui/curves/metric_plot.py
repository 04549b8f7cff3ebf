"""One plot of metrics that share an axis: their curves, thinned to the pixels at hand, and the cursor's line."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
from PySide6.QtCore import QEvent, QPointF, Qt, Signal
from PySide6.QtGui import QColor, QFocusEvent, QFont, QFontMetrics, QPainter, QPaintEvent
from PySide6.QtWidgets import QWidget

from vaeviewer.ui.curves.curve_data import Column, every_pixel, extremes, rows_within, telling_range
from vaeviewer.ui.curves.curves_item import KINDS, CurvesItem
from vaeviewer.ui.curves.plotting import pg
from vaeviewer.ui.curves.value_axis import ValueAxis
from vaeviewer.ui.widgets.drops import refuse_drops
from vaeviewer.ui.widgets.theme import Theme, theme_of

_AXIS_WIDTH = 46
"""Of the vertical axis, pixels, unless its numbers need more …"""

_AXIS_STEP = 8
"""… which then comes in such steps, so that the curves do not shift with every digit."""

_ENDLESS = 1e12
"""How far before anything was fitted."""

_FARTHEST = 10.0
"""How far out one can zoom and pan, over the fitted range …"""

_NEAREST = 1e-5
"""… and how far in along the vertical axis, also of numbers that have hardly more digits."""


@dataclass(frozen=True)
class MetricCurves:
    """What is drawn of one metric, as ``(x, y)`` with y already on the chosen scale; ``None`` is hidden."""

    raw: tuple[Column, Column] | None
    smooth: tuple[Column, Column] | None
    held_out: tuple[Column, Column] | None


class MetricPlot(pg.PlotWidget):  # type: ignore[misc]  # pyqtgraph ships no types
    """A plot that fits itself to its curves until the user zooms or drags it.

    Args:
        keys: The metrics that it can show.
        from_zero: Whether its vertical axis begins at 0 rather than where the curves do.
        parent: The parent widget.

    Signals:
        cursor_moved: x under the cursor, or ``None`` when the cursor leaves.
        zoomed: The user moved the view; its new left and right end.
        reset_requested: The user asked to see everything again.
    """

    cursor_moved = Signal(object)
    zoomed = Signal(float, float)
    reset_requested = Signal()

    def __init__(self, keys: tuple[str, ...], *, from_zero: bool, parent: QWidget | None = None) -> None:
        self._y_axis = ValueAxis("left", 26)
        self._x_axis = ValueAxis("bottom", 64)
        super().__init__(parent, axisItems={"left": self._y_axis, "bottom": self._x_axis})
        self.keys = keys
        self._from_zero = from_zero
        self._log = False
        self._whole = False
        self._x_ends = (0.0, 1.0)
        self._x_width: float | None = None
        self._y_range: tuple[float, float] | None = None
        self._fitted = True
        self._busy = False
        self._curves: Mapping[str, MetricCurves] = {}

        self.setFrameShape(self.Shape.NoFrame)
        self.setMenuEnabled(False)
        refuse_drops(self)
        self.hideButtons()
        self.showGrid(x=False, y=True, alpha=0.9)
        self._y_axis.setWidth(_AXIS_WIDTH)
        self._x_axis.setStyle(hideOverlappingLabels=30)  # 0 may reach below the other axis
        self._set_fonts()
        for axis in (self._x_axis, self._y_axis):
            axis.setStyle(tickLength=0, tickTextOffset=4)
            axis.setCacheMode(axis.CacheMode.DeviceCoordinateCache)  # its letters take longer than the curves
        view = self.getViewBox()
        view.setDefaultPadding(0.0)
        view.disableAutoRange()
        view.setLimits(xMin=-_ENDLESS, xMax=_ENDLESS, yMin=-_ENDLESS, yMax=_ENDLESS)  # until there are curves
        view.sigRangeChangedManually.connect(self._moved_by_user)
        view.sigXRangeChanged.connect(self._draw)
        view.sigYRangeChanged.connect(self._make_room)
        view.sigResized.connect(self._make_room)
        view.sigResized.connect(self._draw)
        self.scene().sigMouseMoved.connect(self._mouse_moved)
        self.scene().sigMouseClicked.connect(self._mouse_clicked)

        self._item = CurvesItem(view)
        self._cursor = pg.InfiniteLine(angle=90, movable=False)
        self._cursor.hide()
        self.addItem(self._cursor, ignoreBounds=True)

    def apply_theme(self, theme: Theme, colors: Mapping[str, str]) -> None:
        """Use the colours of ``theme``, and for its metrics those in ``colors``, by key."""
        self.setBackground(theme.canvas)
        for axis in (self._x_axis, self._y_axis):
            axis.setPen(theme.grid)
            axis.setTextPen(theme.muted)
        self._cursor.setPen(pg.mkPen(theme.muted, width=1))
        self._item.set_theme(theme, {key: colors[key] for key in self.keys})

    def paintEvent(self, event: QPaintEvent) -> None:
        """The plot, in a frame while it has the keys: F fits it then."""
        super().paintEvent(event)
        if self.hasFocus():
            with QPainter(self.viewport()) as painter:
                painter.setPen(QColor(theme_of(self.palette()).accent))
                painter.drawRect(self.viewport().rect().adjusted(0, 0, -1, -1))

    def focusInEvent(self, event: QFocusEvent) -> None:
        """Show the frame."""
        super().focusInEvent(event)
        self.viewport().update()

    def focusOutEvent(self, event: QFocusEvent) -> None:
        """Take the frame away."""
        super().focusOutEvent(event)
        self.viewport().update()

    def set_curves(
        self,
        curves: Mapping[str, MetricCurves],
        *,
        log: bool,
        x_ends: tuple[float, float],
        whole: bool = True,
    ) -> None:
        """Draw ``curves``, by the key of their metric.

        Args:
            curves: What to draw; metrics left out are hidden.
            log: Whether y are decimal logarithms.
            x_ends: Left and right end of the fitted view.
            whole: Whether x counts, so that there is nothing between two whole numbers.
        """
        self._curves, self._x_ends = curves, x_ends
        if (log, whole) != (self._log, self._whole):
            self._log, self._whole = log, whole
            self._y_axis.set_log(log)
            self._x_axis.set_whole(whole)
            self.fit()  # a zoom on another scale would miss the curves
            self._make_room()
            return
        if self._fitted:
            self._fit()
        self._draw()

    def set_best(self, point: tuple[float, float] | None) -> None:
        """Mark the best held-out value at ``(x, y)``, or nothing."""
        self._item.show_best(point)

    def set_changes(self, changes: tuple[tuple[float, str], ...]) -> None:
        """Mark where settings changed, each with a label; x in rising order."""
        self._item.show_changes(changes)

    def set_cursor(self, x: float | None) -> None:
        """Show the cursor's line at ``x``, or hide it."""
        self._cursor.setVisible(x is not None)
        if x is not None:
            self._cursor.setValue(x)

    def fit(self) -> None:
        """Show everything again, and follow the curves from now on."""
        self._fitted = True
        self._x_width = self._y_range = None
        self._fit()
        self._draw()

    def show_x(self, low: float, high: float) -> None:
        """Show the same stretch as a plot in which the user zoomed."""
        self._fitted = False
        with self._own_change():
            self.setXRange(low, high, padding=0)
        self._draw()

    def leaveEvent(self, event: QEvent) -> None:
        """The cursor's line goes with the cursor."""
        super().leaveEvent(event)
        self.cursor_moved.emit(None)

    def changeEvent(self, event: QEvent) -> None:
        """Take the size that another font needs."""
        super().changeEvent(event)
        if event.type() == QEvent.Type.FontChange:
            self._set_fonts()
            self._make_room()

    def _set_fonts(self) -> None:
        font = QFont(self.font())
        font.setPointSizeF(font.pointSizeF() * 0.9)
        for axis in (self._x_axis, self._y_axis):
            axis.setTickFont(font)
        self._x_axis.setHeight(QFontMetrics(font).height() + 4)

    def _limit_zoom(self, x: tuple[float, float], y: tuple[float, float]) -> None:
        """Let nobody zoom to where a float has no more digits or an axis no number, nor far from the fitted range."""
        (left, right), (low, high) = x, y
        across, up = _FARTHEST * (right - left), _FARTHEST * (high - low)
        self.getViewBox().setLimits(
            xMin=left - across,
            xMax=right + across,
            yMin=low - up,
            yMax=high + up,
            minXRange=1.0 if self._whole else 0.01,
            minYRange=_NEAREST * max(high - low, abs(low), abs(high)),
        )

    def _make_room(self) -> None:
        """Make the vertical axis as wide as its numbers."""
        view = self.getViewBox()
        low, high = view.viewRange()[1]
        needed = self._y_axis.labels_width(low, high, view.height()) + 6
        width = max(_AXIS_WIDTH, _AXIS_STEP * math.ceil(needed / _AXIS_STEP))
        if width != self._y_axis.fixedWidth:
            self._y_axis.setWidth(width)

    def _fit(self) -> None:
        """Show all of x and the telling part of y; a range that still serves stays, so as not to creep."""
        noisy = [(*c.raw, True) for c in self._curves.values() if c.raw is not None]
        found = telling_range(
            noisy + [(*c.held_out, False) for c in self._curves.values() if c.held_out is not None]
        )
        with self._own_change():
            low, high = self._x_ends
            self._x_width = _steady_width(self._x_width, high - low)
            if found is not None:
                self._y_range = _steady_range(
                    self._y_range, found, from_zero=self._from_zero and not self._log
                )
                self._limit_zoom((low, low + self._x_width), self._y_range)
                self._show(y=self._y_range)
            self._show(x=(low, low + self._x_width))

    def _show(self, **ranges: tuple[float, float]) -> None:
        """Set a range of the view, unless it is that already: pyqtgraph takes its time to find out."""
        for axis, (low, high) in ranges.items():
            present = self.getViewBox().viewRange()["xy".index(axis)]
            if not np.array_equal(present, (low, high)):
                self.setRange(**{f"{axis}Range": (low, high)}, padding=0)

    def _draw(self) -> None:
        if self._busy:
            return
        view = self.getViewBox()
        low, high = view.viewRange()[0]
        pixels = max(16, int(view.width()))
        lines = {}
        for kind in KINDS:
            thin = extremes if kind == "raw" else every_pixel
            for key, curves in self._curves.items():
                data = getattr(curves, kind)
                if data is not None:
                    rows = rows_within(data[0], low, high)
                    x, y = thin(data[0][rows], data[1][rows], pixels)
                    known = np.isfinite(y)  # a derived metric may be undefined here and there
                    lines[kind, key] = x[known].astype(np.float64), y[known].astype(np.float64)
        self._item.show_lines(lines)

    @contextmanager
    def _own_change(self) -> Iterator[None]:
        """Changes made here are not the user's."""
        before, self._busy = self._busy, True
        try:
            yield
        finally:
            self._busy = before

    def _moved_by_user(self) -> None:
        self._fitted = False
        self.zoomed.emit(*self.getViewBox().viewRange()[0])

    def _mouse_moved(self, position: QPointF) -> None:
        view = self.getViewBox()
        inside = view.sceneBoundingRect().contains(position)
        self.cursor_moved.emit(float(view.mapSceneToView(position).x()) if inside else None)

    def _mouse_clicked(self, event: pg.GraphicsScene.mouseEvents.MouseClickEvent) -> None:
        if event.double() and event.button() == Qt.MouseButton.LeftButton:
            self.reset_requested.emit()


def _steady_width(present: float | None, width: float) -> float:
    """How wide the horizontal range is: ahead of curves that grow, as a new range draws the axis anew."""
    least = 1.012 * width  # the last mark is not cut
    if present is None or least < 0.9 * present:
        return least
    return present if least <= present else 1.1 * width


def _steady_range(
    present: tuple[float, float] | None, found: tuple[float, float], *, from_zero: bool
) -> tuple[float, float]:
    low, high = found
    if present is not None:
        spare = (present[1] - present[0]) / max(high - (0.0 if from_zero else low), 1e-9)
        if present[0] <= low and high <= present[1] and spare < 1.6:
            return present
    margin = 0.08 * (high - low) or 0.05 * abs(high) or 1.0
    if np.isclose(high, low):
        margin = max(margin, 1e-3)
    return (min(0.0, low), high + margin) if from_zero else (low - margin, high + 1.5 * margin)
