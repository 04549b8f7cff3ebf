"""How a posterior lens is drawn, in its own map and in the plane: shades, ellipses of q, modes, path and chain."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QImage, QPainter, QPen, QPolygonF

from vaeviewer.analysis.gaps import Gaussian
from vaeviewer.analysis.lens import Lens
from vaeviewer.session.sampler import ChainState
from vaeviewer.ui.plane import heat_map
from vaeviewer.ui.plane.heat_map import HeatMap
from vaeviewer.ui.plane.latent_geometry import PlaneMap
from vaeviewer.ui.widgets.theme import Theme

SIGMAS = (1, 2, 3)
"""Standard deviations of q that have an ellipse."""

_CROSS = 5.0  # half a mode's mark, logical pixels
_DOT = 1.4
_HALO = 2.5


@dataclass(frozen=True, eq=False)
class Scene:
    """What there is to draw.

    Attributes:
        lens: What is known of the posterior.
        chain: A chain on it, or ``None``.
    """

    lens: Lens
    chain: ChainState | None = None


class Shades:
    """Paints the heat map, whose colours are computed once for each map and scheme."""

    def __init__(self) -> None:
        self._image: QImage | None = None
        self._of: tuple[object, bool] = None, False

    def paint(self, painter: QPainter, plane: PlaneMap, lens: Lens, theme: Theme) -> None:
        """Paint it where it belongs."""
        if self._image is None or self._of[0] is not lens.shades or self._of[1] != theme.dark:
            self._of = lens.shades, theme.dark
            self._image = heat_map.picture(HeatMap(lens.shades, lens.rect, "", ("", "")), theme.dark)
        x0, y0, width, height = lens.rect
        left, top = plane.to_pixels(x0, y0 + height)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        painter.drawImage(QRectF(left, top, width * plane.x_scale, height * plane.y_scale), self._image)


def paint_lines(painter: QPainter, plane: PlaneMap, scene: Scene, theme: Theme) -> None:
    """All else."""
    lens = scene.lens
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setBrush(Qt.BrushStyle.NoBrush)
    if scene.chain is not None:
        _paint_chain(painter, plane, scene.chain, theme)
    if lens.q is not None:
        for color, width in _with_halo(theme, theme.ink, 1.4):
            for sigma in SIGMAS:
                dashed = sigma > 1 and width < _HALO
                painter.setPen(QPen(color, width, Qt.PenStyle.DashLine if dashed else Qt.PenStyle.SolidLine))
                _ellipse(painter, plane, lens.q, sigma)
    if len(lens.path) > 1:
        _paint_path(painter, plane, lens, theme)
    for color, width in _with_halo(theme, theme.ink, 2.0):
        painter.setPen(QPen(color, width, c=Qt.PenCapStyle.RoundCap))
        for z1, z2 in lens.modes.tolist():
            x, y = plane.to_pixels(z1, z2)
            painter.drawLine(QPointF(x - _CROSS, y - _CROSS), QPointF(x + _CROSS, y + _CROSS))
            painter.drawLine(QPointF(x - _CROSS, y + _CROSS), QPointF(x + _CROSS, y - _CROSS))


def _paint_path(painter: QPainter, plane: PlaneMap, lens: Lens, theme: Theme) -> None:
    line = _polygon(plane, np.array([q.loc for q in lens.path]))
    best = lens.best or lens.path[-1]
    for color, width in _with_halo(theme, theme.accent, 1.8):
        painter.setPen(QPen(color, width))
        painter.drawPolyline(line)
        _ellipse(painter, plane, best, 1)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(QColor(theme.accent))
    for place in line.toList():
        painter.drawEllipse(place, 1.5 * _DOT, 1.5 * _DOT)
    painter.setBrush(Qt.BrushStyle.NoBrush)


def _paint_chain(painter: QPainter, plane: PlaneMap, chain: ChainState, theme: Theme) -> None:
    color, faint = QColor(theme.curve(1)), QColor(theme.curve(1))
    faint.setAlphaF(0.6)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(faint)
    for place in _polygon(plane, chain.samples).toList():
        painter.drawEllipse(place, _DOT, _DOT)
    painter.setBrush(Qt.BrushStyle.NoBrush)
    last = chain.last
    style = Qt.PenStyle.SolidLine if last.accepted else Qt.PenStyle.DotLine
    line = _polygon(plane, last.path)
    for pen_color, width in _with_halo(theme, theme.curve(1), 1.6):
        painter.setPen(QPen(pen_color, width, style if width < _HALO else Qt.PenStyle.SolidLine))
        painter.drawPolyline(line)
    painter.setPen(QPen(QColor(theme.canvas), 1.5))
    painter.setBrush(color)
    painter.drawEllipse(QPointF(*plane.to_pixels(*last.z.tolist())), 4.5, 4.5)
    painter.setBrush(Qt.BrushStyle.NoBrush)


def _ellipse(painter: QPainter, plane: PlaneMap, q: Gaussian, sigma: float) -> None:
    centre = QPointF(*plane.to_pixels(*q.loc.tolist()))
    x, y = q.scale.tolist()
    painter.drawEllipse(centre, sigma * x * plane.x_scale, sigma * y * plane.y_scale)


def _with_halo(theme: Theme, ink: str, width: float) -> tuple[tuple[QColor, float], tuple[QColor, float]]:
    """First the ground that keeps a line legible, then the line."""
    return (QColor(theme.canvas), width + _HALO), (QColor(ink), width)


def _polygon(plane: PlaneMap, points: np.ndarray) -> QPolygonF:
    return QPolygonF([QPointF(*plane.to_pixels(z1, z2)) for z1, z2 in points.tolist()])
