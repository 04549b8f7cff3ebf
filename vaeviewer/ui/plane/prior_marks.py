"""Contours of the prior in the plane: circles where it is N(0, I), else lines that hold as much of it."""

from __future__ import annotations

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QPainter, QPainterPath, QPen

from vaeviewer.analysis.prior import SHARES, PriorShape
from vaeviewer.ui.plane.latent_geometry import PlaneMap

CONTOURS = (1, 2, 3)
"""Standard deviations of N(0, I) that have a circle."""

_OPACITY = 0.38


class PriorMarks:
    """What is drawn of the prior, if anything is.

    Attributes:
        circles: Radii of the circles of N(0, I), in standard deviations.
        shape: Another prior, or ``None``.
    """

    def __init__(self) -> None:
        self.circles: tuple[int, ...] = CONTOURS
        self.shape: PriorShape | None = None
        self._paths: tuple[QPainterPath, ...] = ()  # of the shape's contours, in units of z

    def set(self, normal: bool, shape: PriorShape | None) -> bool:
        """Take what the prior is; whether that makes a difference."""
        circles = CONTOURS if normal else ()
        if circles == self.circles and shape is self.shape:
            return False
        self.circles, self.shape = circles, shape
        lines = () if shape is None else shape.lines
        ends = [pieces.reshape(-1, 2) for pieces in lines]
        self._paths = tuple(pg.arrayToQPath(some[:, 0], some[:, 1], connect="pairs") for some in ends)
        return True

    def paint(self, painter: QPainter, plane: PlaneMap, ink: str, rect: QRectF, *, line: bool) -> None:
        """Draw the contours; along a line of codes they are marks across it."""
        color = QColor(ink)
        color.setAlphaF(_OPACITY)
        pen = QPen(color, 1.0)
        pen.setCosmetic(True)
        painter.setPen(pen)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        if line:
            for z1 in self._across():
                x, _ = plane.to_pixels(z1, 0.0)
                painter.drawLine(QPointF(x, rect.top()), QPointF(x, rect.bottom()))
            return
        centre = QPointF(*plane.to_pixels(0.0, 0.0))
        for sigma in self.circles:
            painter.drawEllipse(centre, sigma * plane.x_scale, sigma * plane.y_scale)
        painter.save()
        painter.translate(centre)
        painter.scale(plane.x_scale, -plane.y_scale)
        for path in self._paths:
            painter.drawPath(path)
        painter.restore()

    def names(self, plane: PlaneMap, height: float, *, line: bool) -> list[tuple[str, tuple[float, float]]]:
        """What each contour is called, and where that is written: at its lowest place, in pixels.

        Args:
            plane: The visible range.
            height: Where names are written of marks along a line, pixels from the top.
            line: Whether codes have one number.
        """
        if line:
            places = [(f"{sigma}σ", (float(sigma), 0.0)) for sigma in self.circles]
            places += [(name, (float(ends[..., 0].max()), 0.0)) for name, ends in self._named()]
            return [(name, (plane.to_pixels(*z)[0], height)) for name, z in places]
        places = [(f"{sigma}σ", (0.0, -float(sigma))) for sigma in self.circles]
        for name, ends in self._named():
            points = ends.reshape(-1, 2)
            z1, z2 = points[points[:, 1].argmin()].tolist()
            places.append((name, (z1, z2)))
        return [(name, plane.to_pixels(*z)) for name, z in places]

    def _named(self) -> list[tuple[str, np.ndarray]]:
        lines = () if self.shape is None else self.shape.lines
        named = zip(SHARES, lines, strict=False)
        return [(f"{100 * share:.0f} %", pieces) for share, pieces in named if len(pieces)]

    def _across(self) -> list[float]:
        """Where marks lie along a line."""
        if self.shape is None:
            return [float(side * sigma) for sigma in self.circles for side in (-1, 1)]
        return [float(z1) for pieces in self.shape.lines for z1 in np.unique(pieces[:, 0, 0])]
