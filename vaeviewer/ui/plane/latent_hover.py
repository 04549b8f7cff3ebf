"""The point under the mouse, and the little card that shows its image."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QObject, QPoint, QPointF, QRectF, Qt, QTimer
from PySide6.QtGui import QColor, QPainter, QPaintEvent, QPen, QPixmap
from PySide6.QtWidgets import QLabel, QVBoxLayout, QWidget

from vaeviewer.backend.data.base import ImageDataset
from vaeviewer.ui.plane.latent_canvas import LatentCanvas
from vaeviewer.ui.plane.latent_points import PlanePoints
from vaeviewer.ui.widgets.pictures import to_qimage
from vaeviewer.ui.widgets.plain_text import shortened
from vaeviewer.ui.widgets.theme import theme_of

POINT_DISTANCE = 12.0
"""Within so many logical pixels of the mouse a point is hovered or clicked."""
HOVER_MS = 16
_IMAGE_SIDE = 84  # logical pixels
_MOST_LETTERS = 36  # of a name
_DISTANCE = 16  # logical pixels from the mouse


class HoverCard(QWidget):
    """An image, enlarged without smoothing, over some lines of text. The mouse goes through it."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setObjectName("latentHoverCard")
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self._row: int | None = None
        self._image = QLabel()
        self._text = QLabel()
        self._text.setTextFormat(Qt.TextFormat.PlainText)  # class names come from folders: never markup
        layout = QVBoxLayout(self)
        layout.setContentsMargins(6, 6, 6, 4)
        layout.setSpacing(3)
        for label in (self._image, self._text):
            label.setAlignment(Qt.AlignmentFlag.AlignCenter)
            layout.addWidget(label)
        self.hide()

    def show_image(self, row: int, levels: NDArray[np.uint8], text: str, mouse: QPoint) -> None:
        """Show an image beside the mouse.

        Args:
            row: Names the image, so that it is drawn once while the mouse moves about it.
            levels: uint8, shape ``(height, width)``, or ``(height, width, 3)`` in colour.
            text: A few short lines.
            mouse: Position in the parent widget.
        """
        if text != self._text.text():  # perhaps of the same image: what its colour stands for has changed
            self._text.setText(text)
        if row != self._row:
            self._row = row
            ratio = self.devicePixelRatioF()
            side = round(_IMAGE_SIDE * ratio)
            pixmap = QPixmap.fromImage(to_qimage(levels)).scaled(
                side, side, Qt.AspectRatioMode.KeepAspectRatio, Qt.TransformationMode.FastTransformation
            )
            pixmap.setDevicePixelRatio(ratio)
            self._image.setPixmap(pixmap)
        if self.size() != self.sizeHint():
            self.adjustSize()
        plane = self.parentWidget()
        assert plane is not None, "the card lies on the plane"
        room = plane.rect()
        x, y = mouse.x() + _DISTANCE, mouse.y() + _DISTANCE
        if x + self.width() > room.width():
            x = mouse.x() - _DISTANCE - self.width()
        if y + self.height() > room.height():
            y = mouse.y() - _DISTANCE - self.height()
        self.move(max(0, x), max(0, y))
        self.raise_()
        self.show()

    def paintEvent(self, event: QPaintEvent) -> None:
        """A sheet with a thin border, in the colours of the scheme."""
        theme = theme_of(self.palette())
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QPen(QColor(theme.muted), 1.0))
        painter.setBrush(QColor(theme.window))
        painter.drawRoundedRect(QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5), 4, 4)

    def forget(self) -> None:
        """The image shown may be another one now."""
        self._row = None

    def put_away(self) -> None:
        """Hide, and forget the image."""
        self.forget()
        self.hide()


class Hover(QObject):
    """Shows the card of the point that the mouse is at.

    Args:
        plane: Its parent; the card lies on it, and its tool tip gives way to the card.
        canvas: Where the mouse is.
        points: What it may be at.
        value_text: Says what an image's colour stands for, or nothing.

    Attributes:
        card: What is shown.
    """

    def __init__(
        self, plane: QWidget, canvas: LatentCanvas, points: PlanePoints, value_text: Callable[[int], str]
    ) -> None:
        super().__init__(plane)
        self._value_text = value_text
        self._plane = plane
        self._canvas = canvas
        self._points = points
        self._dataset: ImageDataset | None = None
        self._at: QPointF | None = None
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(HOVER_MS)
        self._timer.timeout.connect(self._show)
        self.card = HoverCard(plane)

    def set_dataset(self, dataset: ImageDataset | None) -> None:
        """Show images of another data set, or none; put the card away."""
        self.move_to(None)
        self._dataset = dataset

    def set_images(self, dataset: ImageDataset) -> None:
        """Other images have come to where the points are."""
        self._dataset = dataset
        self.card.forget()
        self.values_changed()

    def move_to(self, pixel: QPointF | None) -> None:
        """The mouse is there, logical pixels of the canvas; ``None``: it is not on the plane, or busy."""
        self._at = pixel
        if pixel is None:
            self._timer.stop()
            self._show()
        elif not self._timer.isActive():
            self._timer.start()

    def points_moved(self) -> None:
        """Another point may lie under the mouse now."""
        if self._at is not None:
            self._timer.start()

    def values_changed(self) -> None:
        """The number on the card may be of another model now."""
        if self.card.isVisible():
            self._timer.start()

    def point_at(self, pixel: QPointF) -> int | None:
        """Row of the nearest visible point within reach of the mouse."""
        plane = self._canvas.plane()
        return None if plane is None else self._points.nearest(plane, (pixel.x(), pixel.y()), POINT_DISTANCE)

    def _show(self) -> None:
        row = None if self._at is None else self.point_at(self._at)
        # A tool tip would cover the card.
        self._canvas.setToolTip(self._plane.toolTip() if row is None else "")
        if row is None or self._at is None or self._dataset is None:
            self.card.put_away()
            return
        mouse = self._canvas.viewport().mapTo(self._plane, self._canvas.to_viewport(self._at).toPoint())
        self.card.show_image(
            row, self._dataset.train_images[row], card_text(self._dataset, row, self._value_text(row)), mouse
        )


def card_text(dataset: ImageDataset, row: int, value: str = "") -> str:
    """What a card says of an image: class, number, file, and what its colour stands for. Long names are cut."""
    parts = [f"image {row:,}"]
    if dataset.labelled:
        parts.insert(0, shortened(dataset.class_names[dataset.train_labels[row]], _MOST_LETTERS))
    lines = ["  ·  ".join(parts)]
    if len(dataset.train_files):
        lines.append(shortened(dataset.train_files[row], _MOST_LETTERS))
    if value:
        lines.append(shortened(value, 2 * _MOST_LETTERS))
    return "\n".join(lines)
