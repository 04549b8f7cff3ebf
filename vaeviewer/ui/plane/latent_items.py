"""What is painted in the latent plane: the points over their underlay, the marks over both, and the handle.

All three are children of pyqtgraph's ViewBox and paint in its logical pixels, so that lines and text keep
their size.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QFont, QImage, QPainter, QPainterPath, QPen, QPixmap
from PySide6.QtWidgets import QGraphicsItem, QStyleOptionGraphicsItem, QWidget

from vaeviewer.analysis.prior import PriorShape
from vaeviewer.ui.plane.latent_geometry import ClassMark, PlaneMap, PosteriorMark
from vaeviewer.ui.plane.latent_overlay import HintItem
from vaeviewer.ui.plane.prior_marks import PriorMarks
from vaeviewer.ui.widgets.theme import LIGHT, Theme
from vaeviewer.ui.window.text_size import text_scale

UNDERLAY_OPACITY = 0.45
_NAME_MOVES = 2.0  # logical pixels, below which a name stays where it is
_HALO = 3.0  # logical pixels around letters that their halo needs, and a little more
_LEAST_SPREAD = 40.0  # logical pixels between the outermost classes, below which none is named
_LINE_REACH = 10_000.0  # logical pixels: beyond any window
SELECTION_CONTOURS = (1, 2)  # standard deviations of a selected image's posterior

ImageSource = Callable[[int, int, float], QImage | None]
"""Called with width and height in device pixels and device pixels per logical pixel."""


class _PlaneItem(QGraphicsItem):
    """Covers the whole ViewBox."""

    def __init__(self, parent: QGraphicsItem) -> None:
        super().__init__(parent)
        self._rect = QRectF()

    def set_rect(self, rect: QRectF) -> None:
        """Take the ViewBox's new size."""
        if rect != self._rect:
            self.prepareGeometryChange()
            self._rect = QRectF(rect)

    def boundingRect(self) -> QRectF:
        """The ViewBox."""
        return self._rect


class PointsItem(_PlaneItem):
    """The points as one image, made when it is about to be painted and only then: never while hidden.

    Args:
        parent: The ViewBox.
        source: Draws the points.
    """

    def __init__(self, parent: QGraphicsItem, source: ImageSource) -> None:
        super().__init__(parent)
        self.setZValue(-50)
        self._source = source
        self._image: QImage | None = None
        self._drawn_for: tuple[int, int, float] | None = None
        self._underlay: QImage | None = None
        self._underlay_rect = QRectF()
        self._underlay_opacity = UNDERLAY_OPACITY

    def invalidate(self) -> None:
        """The points must be drawn again at the next paint."""
        self._drawn_for = None
        self.update()

    def set_underlay(self, image: QImage | None, rect: QRectF, opacity: float = UNDERLAY_OPACITY) -> None:
        """Show ``image`` behind the points, filling ``rect`` in logical pixels."""
        if image is not self._underlay or rect != self._underlay_rect:
            self._underlay, self._underlay_rect, self._underlay_opacity = image, rect, opacity
            self.update()

    def paint(
        self, painter: QPainter, option: QStyleOptionGraphicsItem, widget: QWidget | None = None
    ) -> None:
        """Underlay first, then points, pixel for pixel."""
        ratio = painter.device().devicePixelRatioF()
        width, height = (int(np.ceil(side * ratio)) for side in (self._rect.width(), self._rect.height()))
        if width <= 0 or height <= 0:
            return
        if self._underlay is not None:
            painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform, False)
            painter.setOpacity(self._underlay_opacity)
            painter.drawImage(self._underlay_rect, self._underlay)
            painter.setOpacity(1.0)
        if self._drawn_for != (width, height, ratio):
            self._image = self._source(width, height, ratio)
            self._drawn_for = (width, height, ratio)
        if self._image is not None:
            painter.drawImage(QPointF(0, 0), self._image)


class MarksItem(_PlaneItem):
    """Contours of the prior, names of the classes, the selected image's posterior, and the hint above all lines."""

    def __init__(self, parent: QGraphicsItem) -> None:
        super().__init__(parent)
        self.setZValue(10)
        # Kept as a picture: a move of the handle over it then costs a copy, not all its strokes and letters.
        self.setCacheMode(QGraphicsItem.CacheMode.DeviceCoordinateCache)
        self._paths: dict[tuple[str, bool], QPainterPath] = {}
        self._pictures: dict[tuple[str, bool, int, float], QPixmap] = {}
        self._theme: Theme = LIGHT
        self._plane: PlaneMap | None = None
        self._classes: tuple[ClassMark, ...] = ()
        self._selected: PosteriorMark | None = None
        self.hint = HintItem(parent)
        self._prior = PriorMarks()
        self._axes = ("z₁", "z₂")

    def set_axes(self, names: tuple[str, str]) -> None:
        """Name the axes. Without a second one the plane is a line, and contours are marks along it."""
        if names != self._axes:
            self._axes = names
            self.update()

    def set_prior(self, normal: bool, shape: PriorShape | None = None) -> None:
        """Draw circles of N(0, I), the contours of another prior, or neither: codes of some families follow none."""
        if self._prior.set(normal, shape):
            self.update()

    def set_rect(self, rect: QRectF) -> None:
        """Take the ViewBox's new size."""
        super().set_rect(rect)
        self.hint.set_rect(rect)

    def set_theme(self, theme: Theme) -> None:
        """Take the colours of a scheme."""
        self._theme = theme
        self.hint.set_theme(theme)
        self._pictures.clear()
        self.update()

    def apply_fonts(self) -> None:
        """Write everything anew, in the size of the text around it."""
        self.hint.update()
        self._paths.clear()
        self._pictures.clear()
        self.update()

    def show_classes(self, classes: tuple[ClassMark, ...]) -> bool:
        """Write these names; returns whether that makes a difference. For less than a pixel or two they stay."""
        stay = self._plane is not None and _close(classes, self._classes, self._plane)
        if not stay:
            self._classes = classes
            self.update()
        return not stay

    def show_marks(
        self,
        plane: PlaneMap | None,
        selected: PosteriorMark | None,
        hint: str,
        hint_at: tuple[float, float] | None,
    ) -> None:
        """Mark the selected image's posterior on the visible range, and show a hint.

        The hint stands at ``hint_at`` in the plane, or for ``None`` low in the middle of the view.
        """
        self.hint.show_hint(plane, hint, hint_at)
        if (plane, selected) != (self._plane, self._selected):
            self._plane, self._selected = plane, selected
            self.update()

    def paint(
        self, painter: QPainter, option: QStyleOptionGraphicsItem, widget: QWidget | None = None
    ) -> None:
        """Everything, from back to front."""
        if self._plane is None:
            return
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        self._prior.paint(painter, self._plane, self._theme.ink, self._rect, line=not self._axes[1])
        self._paint_names(painter, self._plane)
        if self._selected is not None:
            self._paint_posterior(painter, self._plane, self._selected)

    def _paint_names(self, painter: QPainter, plane: PlaneMap) -> None:
        """Classes, then contours and axes where there is room left."""
        ink, muted = QColor(self._theme.ink), QColor(self._theme.muted)
        taken: list[QRectF] = []
        for mark in self._classes if self._spread_out(plane) else ():
            self._write(painter, _shortened(mark.name), plane.to_pixels(*mark.z), ink, taken, may_shift=True)
        bounds = self._rect
        across, up = 14 * text_scale(), 13 * text_scale()
        for name, at in self._prior.names(plane, bounds.top() + up, line=not self._axes[1]):
            self._write(painter, name, at, muted, taken, small=True)
        width = [max(across, self._path(name, False).boundingRect().width() / 2 + 6) for name in self._axes]
        self._write(painter, self._axes[0], (bounds.right() - width[0], bounds.bottom() - up), muted, taken)
        if self._axes[1]:
            self._write(painter, self._axes[1], (bounds.left() + width[1], bounds.top() + up), muted, taken)

    def _spread_out(self, plane: PlaneMap) -> bool:
        """Whether the classes lie far enough apart for a name to belong to a place: not before training."""
        places = [plane.to_pixels(*mark.z) for mark in self._classes]
        return len(places) < 2 or float(np.ptp(places, axis=0).max()) > _LEAST_SPREAD

    def _paint_posterior(self, painter: QPainter, plane: PlaneMap, mark: PosteriorMark) -> None:
        painter.setBrush(Qt.BrushStyle.NoBrush)
        centre = QPointF(*plane.to_pixels(*mark.loc))
        ring = QPointF(*plane.to_pixels(*mark.point))
        for color, extra in ((QColor(self._theme.canvas), 2.5), (QColor(self._theme.ink), 0.0)):
            for sigma in SELECTION_CONTOURS:
                if mark.scale is None:
                    break
                style = Qt.PenStyle.SolidLine if extra or sigma == 1 else Qt.PenStyle.DashLine
                painter.setPen(QPen(color, 1.4 + extra, style))
                x, y = mark.scale
                painter.drawEllipse(centre, sigma * x * plane.x_scale, sigma * y * plane.y_scale)
            painter.setPen(QPen(color, 2.0 + extra))
            painter.drawEllipse(ring, 6.0, 6.0)

    def _write(
        self,
        painter: QPainter,
        text: str,
        at: tuple[float, float],
        color: QColor,
        taken: list[QRectF],
        *,
        small: bool = False,
        may_shift: bool = False,
    ) -> None:
        """Text centred on a pixel, with a halo that keeps it legible on points of any colour.

        It makes way for the areas taken so far, by a line up or down if it may, else it is left out.
        """
        path = self._path(text, small)
        area = path.boundingRect()
        line = area.height() + 5
        for shift in (0.0, -line, line) if may_shift else (0.0,):
            area.moveCenter(QPointF(at[0], at[1] + shift))
            if not any(area.adjusted(-3, -2, 3, 2).intersects(other) for other in taken):
                break
        else:
            return
        taken.append(area)
        ratio = painter.device().devicePixelRatioF()
        corner = area.topLeft() - QPointF(_HALO, _HALO)
        whole = QPointF(round(corner.x() * ratio) / ratio, round(corner.y() * ratio) / ratio)
        painter.drawPixmap(whole, self._picture(text, small, color, ratio))

    def _picture(self, text: str, small: bool, color: QColor, ratio: float) -> QPixmap:
        """The text with its halo and room for that all around, stroked once: names move many times."""
        key = text, small, color.rgba(), ratio
        picture = self._pictures.get(key)
        if picture is None:
            path = self._path(text, small)
            area = path.boundingRect().adjusted(-_HALO, -_HALO, _HALO, _HALO)
            picture = QPixmap(int(np.ceil(area.width() * ratio)), int(np.ceil(area.height() * ratio)))
            picture.setDevicePixelRatio(ratio)
            picture.fill(Qt.GlobalColor.transparent)
            halo = QColor(self._theme.canvas)
            halo.setAlphaF(0.85)
            painter = QPainter(picture)
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            painter.translate(-area.topLeft())
            painter.strokePath(path, QPen(halo, 3.5, j=Qt.PenJoinStyle.RoundJoin))
            painter.fillPath(path, color)
            painter.end()
            self._pictures[key] = picture
        return picture

    def _path(self, text: str, small: bool) -> QPainterPath:
        path = self._paths.get((text, small))
        if path is None:
            font = QFont()
            font.setPixelSize(round((11 if small else 14) * text_scale()))
            font.setBold(not small)
            path = QPainterPath()
            path.addText(QPointF(0, 0), font, text)
            self._paths[text, small] = path
        return path


def _close(classes: tuple[ClassMark, ...], others: tuple[ClassMark, ...], plane: PlaneMap) -> bool:
    """Whether the same names stand at nearly the same places."""
    if [mark.name for mark in classes] != [mark.name for mark in others]:
        return False
    scale = plane.x_scale, plane.y_scale
    moved = (
        abs(a - b) * pixels
        for mark, other in zip(classes, others, strict=True)
        for a, b, pixels in zip(mark.z, other.z, scale, strict=True)
    )
    return all(distance < _NAME_MOVES for distance in moved)


def _shortened(name: str) -> str:
    """A name fit for the plane: long ones keep both ends, which tell ``class 1`` from ``class 2``."""
    return name if len(name) <= 16 else f"{name[:9]}…{name[-6:]}"


class HandleItem(QGraphicsItem):
    """The handle: the z that is decoded. Its position is in logical pixels of the ViewBox."""

    RADIUS = 7.0

    def __init__(self, parent: QGraphicsItem) -> None:
        super().__init__(parent)
        self.setZValue(20)
        self.setCacheMode(QGraphicsItem.CacheMode.DeviceCoordinateCache)  # a copy is faster than strokes
        self.theme: Theme = LIGHT
        self._focused = False
        self._line = False

    def set_line(self, line: bool) -> None:
        """Mark all of the vertical line, where codes have one number."""
        if line != self._line:
            self.prepareGeometryChange()
            self._line = line
            mode = self.CacheMode.NoCache if line else self.CacheMode.DeviceCoordinateCache
            self.setCacheMode(mode)

    def set_theme(self, theme: Theme) -> None:
        """Take the colours of a scheme."""
        self.theme = theme
        self.update()

    def set_focused(self, focused: bool) -> None:
        """Show that arrow keys move the handle."""
        self._focused = focused
        self.update()

    def boundingRect(self) -> QRectF:
        """Room for the ring, its outline and the focus ring."""
        reach = self.RADIUS + 8
        up = _LINE_REACH if self._line else reach
        return QRectF(-reach, -up, 2 * reach, 2 * up)

    def paint(
        self, painter: QPainter, option: QStyleOptionGraphicsItem, widget: QWidget | None = None
    ) -> None:
        """A ring around the exact spot, outlined so that it stands out from points of any colour."""
        accent, canvas, ink = (QColor(c) for c in (self.theme.accent, self.theme.canvas, self.theme.ink))
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        if self._line:
            painter.setPen(QPen(accent, 1.5))
            painter.drawLine(QPointF(0, -_LINE_REACH), QPointF(0, _LINE_REACH))
        if self._focused:
            glow = QColor(accent)
            glow.setAlphaF(0.45)
            painter.setPen(QPen(glow, 3.0))
            painter.drawEllipse(QPointF(0, 0), self.RADIUS + 5, self.RADIUS + 5)
        painter.setPen(QPen(ink, 1.0))
        painter.setBrush(canvas)
        painter.drawEllipse(QPointF(0, 0), self.RADIUS + 2.0, self.RADIUS + 2.0)
        painter.setPen(QPen(accent, 3.5))
        painter.drawEllipse(QPointF(0, 0), self.RADIUS - 1.0, self.RADIUS - 1.0)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(ink)
        painter.drawEllipse(QPointF(0, 0), 1.6, 1.6)
