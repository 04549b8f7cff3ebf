"""The selected image's posterior where it is no Gaussian: a shade for its density, two lines, and codes from it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QImage, QPainter, QPen, QPolygonF
from PySide6.QtWidgets import QGraphicsItem, QStyleOptionGraphicsItem, QWidget

from vaeviewer.analysis.posterior_shape import PosteriorShape, posterior_shape
from vaeviewer.backend.data.base import ImageDataset
from vaeviewer.backend.snapshot import Snapshot, TorchSnapshot
from vaeviewer.session.grid_decoder import GridDecoder
from vaeviewer.session.view_state import ViewState
from vaeviewer.ui.plane.latent_geometry import PlaneMap, PosteriorMark
from vaeviewer.ui.widgets.theme import LIGHT, Theme

SHADE = 0.55  # opacity of the largest density
DOT = 1.3  # logical pixels


class PosteriorItem(QGraphicsItem):
    """Paints a shape in the ViewBox's logical pixels."""

    def __init__(self, parent: QGraphicsItem) -> None:
        super().__init__(parent)
        self.setZValue(9)
        self._theme: Theme = LIGHT
        self._rect = QRectF()
        self._plane: PlaneMap | None = None
        self._shade: QImage | None = None
        self.shape_shown: PosteriorShape | None = None

    def show_shape(self, shape: PosteriorShape | None) -> None:
        """Paint this one, or nothing."""
        if shape is not self.shape_shown:
            self.shape_shown = shape
            self._shade = None
            self.update()

    def place(self, rect: QRectF, plane: PlaneMap | None) -> None:
        """Take the ViewBox's size and the visible range."""
        self.prepareGeometryChange()
        self._rect, self._plane = QRectF(rect), plane

    def set_theme(self, theme: Theme) -> None:
        """Take the colours of a scheme."""
        self._theme, self._shade = theme, None
        self.update()

    def boundingRect(self) -> QRectF:
        """The ViewBox."""
        return self._rect

    def paint(
        self, painter: QPainter, option: QStyleOptionGraphicsItem, widget: QWidget | None = None
    ) -> None:
        """Shade, lines, dots."""
        shape, plane = self.shape_shown, self._plane
        if shape is None or plane is None:
            return
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if shape.density is not None:
            x0, y0, width, height = shape.rect
            left, top = plane.to_pixels(x0, y0 + height)
            painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
            place = QRectF(left, top, width * plane.x_scale, height * plane.y_scale)
            painter.drawImage(place, self._shade_of(shape.density))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        for color, extra in ((QColor(self._theme.canvas), 2.5), (QColor(self._theme.ink), 0.0)):
            for number, line in enumerate(shape.outlines):
                style = Qt.PenStyle.SolidLine if extra or not number else Qt.PenStyle.DashLine
                painter.setPen(QPen(color, 1.4 + extra, style))
                painter.drawPolygon(_polygon(plane, line))
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(self._theme.ink))
        for dot in _polygon(plane, shape.samples).toList():
            painter.drawEllipse(dot, DOT, DOT)

    def _shade_of(self, density: np.ndarray) -> QImage:
        if self._shade is None:
            color = QColor(self._theme.accent)
            levels = np.empty((*density.shape, 4), np.uint8)
            levels[..., :3] = color.red(), color.green(), color.blue()
            levels[..., 3] = np.rint(255 * SHADE * density)
            height, width = density.shape
            self._shade = QImage(levels.data, width, height, 4 * width, QImage.Format.Format_RGBA8888).copy()
        return self._shade


class SelectedPosterior:
    """Keeps the item at the selected image, for families whose posterior is no Gaussian.

    Args:
        item: Paints it.
        decoder: Computes it, on a thread of its own; ``None``: nothing is shown.
        changed: Called when there is another one.
    """

    def __init__(
        self, item: PosteriorItem, decoder: GridDecoder | None, changed: Callable[[], object]
    ) -> None:
        self._item, self._decoder, self._changed = item, decoder, changed
        self._dataset: ImageDataset | None = None
        self._asked: tuple[object, ...] = ()

    def set_dataset(self, dataset: ImageDataset | None) -> None:
        """Take other images; nothing shown is of them."""
        self._dataset = dataset
        self._clear()

    def follow(self, snapshot: Snapshot | None, view: ViewState) -> None:
        """Ask for the shape where the model, the image or the plane is another; the old one stays until then."""
        row, images = view.selected, self._dataset.train_images if self._dataset is not None else ()
        if (
            not isinstance(snapshot, TorchSnapshot)
            or snapshot.family.capabilities.gaussian_posterior
            or self._decoder is None
            or row is None
            or not 0 <= row < len(images)
        ):
            self._clear()
            return
        asked = snapshot
        plane = view.plane_of(snapshot.model.latent_dim)
        if plane.latent_dim == 1:
            self._clear()
            return
        wanted = (snapshot, row, plane)
        if self._asked and all(a is b or a == b for a, b in zip(wanted, self._asked, strict=True)):
            return
        if self._asked and self._asked[1] != row:
            self._item.show_shape(None)
        self._asked = wanted
        image = images[row]

        def deliver(shape: PosteriorShape) -> None:
            if self._asked and self._asked[1] == row:
                self._item.show_shape(shape)
                self._changed()

        self._decoder.ask("posterior", asked, lambda _: posterior_shape(asked, image, plane), deliver)

    def in_place_of(self, mark: PosteriorMark | None) -> PosteriorMark | None:
        """The mark of the selected image, without the ellipses of a Gaussian where the shape is shown."""
        return mark if mark is None or self._item.shape_shown is None else replace(mark, scale=None)

    def _clear(self) -> None:
        self._asked = ()
        self._item.show_shape(None)


def _polygon(plane: PlaneMap, points: np.ndarray) -> QPolygonF:
    return QPolygonF([QPointF(*plane.to_pixels(x, y)) for x, y in points.tolist()])
