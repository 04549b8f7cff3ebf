"""ManifoldPanel: what the decoder draws all over the latent plane."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QPointF, QRectF, QSignalBlocker, Qt, Signal
from PySide6.QtGui import (
    QColor,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
    QShowEvent,
    QStandardItemModel,
)
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QVBoxLayout, QWidget

from vaeviewer.analysis.latent_plane import LatentPlane
from vaeviewer.analysis.manifold import Spacing, grid, grid_of, grid_points, mosaic
from vaeviewer.backend.snapshot import Snapshot, as_grey_levels
from vaeviewer.session.view_state import ViewState
from vaeviewer.ui.images.image_widget import ImageWidget
from vaeviewer.ui.widgets.theme import DARK
from vaeviewer.ui.window.focus_keys import handle_step

_MARK_RADIUS, _MARK_RIM = 6.0, 5.0
_MARK_REACH = _MARK_RADIUS + _MARK_RIM  # and a little, for soft edges

_WITH_PRIOR = (
    "Where the grid's points lie along each axis: evenly, or at the prior's quantiles\n"
    "Φ⁻¹((i + ½) / n), so that equally probable regions get equal room\n"
    "(Kingma & Welling 2013, figure 4)."
)
_WITHOUT_PRIOR = (
    "The grid's points lie evenly along each axis: codes of this kind of model follow no distribution."
)

MANIFOLD = "manifold"
"""The kind of what it asks a GridDecoder for."""

SIZES = (10, 15, 20, 25)
SPACINGS: tuple[tuple[Spacing, str], ...] = (
    ("equal", "Equal spacing, −3 to 3"),
    ("gaussian", "Evenly in probability, as in the paper"),
)


class ManifoldPanel(QWidget):
    """The learned manifold: images decoded on a grid of z, lying as in the latent plane, z₂ upwards.

    Where z is one number, they lie in a row.

    It decodes nothing itself: the images that it requests come back through `show_images`.

    Args:
        request: As `GridDecoder.request`; without it, no images are asked for.
        parent: The parent widget.

    Signals:
        handle_moved: ``(z1, z2)`` of a press or drag in the picture.
        spacing_changed: ``"equal"`` or ``"gaussian"``, chosen by the user.
        size_changed: Images along each side, chosen by the user.
        images_wanted: The panel came into sight, so its images may be out of date.
    """

    handle_moved = Signal(float, float)
    spacing_changed = Signal(str)
    size_changed = Signal(int)
    images_wanted = Signal()

    def __init__(
        self, request: Callable[..., object] = lambda *_: None, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._request = request
        self.setObjectName("manifold")
        self.setAccessibleName("Learned manifold")
        self._images: NDArray[np.float32] | None = None
        self._mosaic: NDArray[np.uint8] | None = None  # of _images; made when needed
        self._columns = 1
        self._asked_in: LatentPlane | None = None

        self._spacing = QComboBox()
        self._spacing.setObjectName("manifoldSpacing")
        self._spacing.setAccessibleName("Spacing of the manifold")
        # In a narrow dock the choice may be cut; opened, the list shows it whole.
        self._spacing.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self._spacing.setMinimumContentsLength(8)
        for spacing, text in SPACINGS:
            self._spacing.addItem(text, spacing)
        self._size = QComboBox()
        self._size.setObjectName("manifoldSize")
        self._size.setAccessibleName("Size of the manifold")
        self._size.setToolTip("How many images the manifold has along each side.")
        for size in SIZES:
            self._size.addItem(f"{size} × {size}", size)
        self._picture = _ManifoldPicture()
        self._picture.setAccessibleName("Picture of the learned manifold")
        self._picture.setToolTip(
            "The learned manifold: the mean image of p(x|z) at each z of a grid over\n"
            "the latent plane. Press or drag in it to move the handle there; arrow keys\n"
            "move it on (Shift: faster)."
        )
        choices = QHBoxLayout()
        choices.addWidget(self._spacing, 1)
        choices.addWidget(self._size)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(8, 8, 8, 8)
        layout.addLayout(choices)
        layout.addWidget(self._picture, 1)

        self.set_prior(True)
        self.update_frame(ViewState())
        self._spacing.currentIndexChanged.connect(
            lambda: self.spacing_changed.emit(self._spacing.currentData())
        )
        self._size.currentIndexChanged.connect(lambda: self.size_changed.emit(self._size.currentData()))
        self._picture.handle_moved.connect(self.handle_moved)

    def set_hint(self, text: str) -> None:
        """What the panel waits for, shown while there are no images."""
        self._picture.set_placeholder(text)

    def set_prior(self, there: bool) -> None:
        """Whether codes follow a prior, at whose quantiles the grid's points can lie."""
        model = self._spacing.model()
        assert isinstance(model, QStandardItemModel), "as every QComboBox has at first"
        model.item(self._spacing.findData("gaussian")).setEnabled(there)
        self._spacing.setToolTip(_WITH_PRIOR if there else _WITHOUT_PRIOR)

    def update_frame(self, view: ViewState, snapshot: Snapshot | None = None) -> None:
        """Show the view's spacing, size and handle, and ask for the snapshot's images; emits nothing."""
        for box, value in ((self._spacing, view.manifold_spacing), (self._size, view.manifold_size)):
            with QSignalBlocker(box):
                box.setCurrentIndex(box.findData(value))
        self.set_handle(view.z)
        if snapshot is not None and self.isVisible():
            latent_dim = snapshot.model.latent_dim
            z = view.plane_of(latent_dim).lift(self.wanted(view, latent_dim))
            self._asked_in = view.plane
            self._request(MANIFOLD, snapshot, z, (view.manifold_spacing, latent_dim), view.y)

    def follow_handle(self, view: ViewState, snapshot: Snapshot | None) -> None:
        """Mark where the handle lies now; where it took the plane along, ask for the images of that."""
        if view.plane is self._asked_in:
            self.set_handle(view.z)
        else:
            self.update_frame(view, snapshot)

    def set_handle(self, z: tuple[float, float]) -> None:
        """Mark where the handle lies, if within the picture."""
        self._picture.set_handle(z)

    def wanted(self, view: ViewState, latent_dim: int = 2) -> NDArray[np.float32]:
        """The points of the plane to decode for this view, in the order `show_images` takes, shape ``(n, 2)``."""
        return grid_points(*grid_of(latent_dim, view.manifold_size, view.manifold_spacing))

    def show_images(
        self, images: NDArray[np.float32] | None, spacing: Spacing | None = None, latent_dim: int = 2
    ) -> None:
        """Show the decoded grid; ``None`` shows the hint again.

        Args:
            images: Values in 0 … 1, shape ``(n², height, width)``, rows from the largest z₂ downwards; ``(n, …)``
                where z is one number.
            spacing: How their grid is spaced; without it, as chosen in the panel.
            latent_dim: How many numbers z has.

        Raises:
            ValueError: The number of images is no square, and z is more than one number.
        """
        self._images = images
        self._mosaic = None
        if images is not None:
            self._columns = len(images) if latent_dim == 1 else math.isqrt(len(images))
            if latent_dim > 1 and self._columns**2 != len(images):
                raise ValueError(f"{len(images)} images make no square grid.")
            self._picture.set_axes(
                *grid_of(latent_dim, self._columns, spacing or self._spacing.currentData())
            )
        if self.isVisible():
            self._picture.set_image(self.picture())

    def picture(self) -> NDArray[np.uint8] | None:
        """The manifold as one grey image at the images' own resolution; ``None`` without images."""
        if self._mosaic is None and self._images is not None:
            self._mosaic = mosaic(as_grey_levels(self._images), self._columns)
        return self._mosaic

    def showEvent(self, event: QShowEvent) -> None:
        """Draw the newest images and ask for newer ones."""
        super().showEvent(event)
        self._picture.set_image(self.picture())
        self.images_wanted.emit()


class _ManifoldPicture(ImageWidget):
    """The mosaic, with the handle on it."""

    handle_moved = Signal(float, float)

    def __init__(self) -> None:
        super().__init__(fill=True)
        self._z: tuple[float, float] | None = None
        self._painted_at: QPointF | None = None
        self._z1, self._z2 = grid(SIZES[0], "equal")
        self._dragging = False
        self.setCursor(Qt.CursorShape.CrossCursor)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)

    def set_axes(self, z1: NDArray[np.float64], z2: NDArray[np.float64]) -> None:
        self._z1, self._z2 = z1, z2
        self.update()

    def set_handle(self, z: tuple[float, float]) -> None:
        if z != self._z:
            self._z = z
            for place in (self._painted_at, self.marker()):
                if place is not None:  # the mark alone: the rest of the picture is as it was
                    reach = QPointF(_MARK_REACH, _MARK_REACH)
                    self.update(QRectF(place - reach, place + reach).toAlignedRect())

    def marker(self) -> QPointF | None:
        """Where the handle lies in the widget; ``None`` outside the grid or without a picture."""
        if self._z is None or not self.has_image():
            return None
        x, y = _to_unit(self._z[0], self._z1), _to_unit(self._z[1], self._z2)
        if x is None or y is None:
            return None
        rect = self.image_rect()
        return QPointF(rect.x() + x * rect.width(), rect.y() + (1 - y) * rect.height())

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        self._painted_at = place = self.marker()
        painter = QPainter(self)
        if self.hasFocus():  # arrow keys move the handle
            painter.setPen(QPen(self.palette().color(self.palette().ColorRole.Highlight), 2.0))
            painter.drawRect(self.image_rect().adjusted(1, 1, -1, -1))
        if place is None:
            return
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        # The paper is black in both schemes, hence the dark scheme's accent; the rim shows on white strokes.
        for color, width in (("#000000", _MARK_RIM), (DARK.accent, 2.5)):
            painter.setPen(QPen(QColor(color), width))
            painter.drawEllipse(place, _MARK_RADIUS, _MARK_RADIUS)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        step = handle_step(event)
        if step is None or self._z is None or not self.has_image():
            super().keyPressEvent(event)
            return
        z1, z2 = (
            float(np.clip(value + by, axis[0], axis[-1]))
            for value, by, axis in zip(self._z, step, (self._z1, self._z2), strict=True)
        )
        self.handle_moved.emit(z1, z2)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        left = event.button() == Qt.MouseButton.LeftButton
        self._dragging = left and self.image_rect().contains(event.position())
        if self._dragging:
            self._move_handle(event.position())
        else:
            event.ignore()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if self._dragging and event.buttons() & Qt.MouseButton.LeftButton and self.has_image():
            self._move_handle(event.position())

    def _move_handle(self, place: QPointF) -> None:
        rect = self.image_rect()
        z1 = _from_unit((place.x() - rect.x()) / rect.width(), self._z1)
        z2 = _from_unit(1 - (place.y() - rect.y()) / rect.height(), self._z2)
        self.handle_moved.emit(z1, z2)


def _from_unit(share: float, axis: NDArray[np.float64]) -> float:
    """The coordinate at a share, 0 … 1, of the picture's side; axis values lie at the images' centres."""
    return float(np.interp(share * len(axis) - 0.5, np.arange(len(axis)), axis))


def _to_unit(value: float, axis: NDArray[np.float64]) -> float | None:
    """The inverse of `_from_unit`; ``None`` beyond the centres of the outermost images."""
    if not axis[0] <= value <= axis[-1]:
        return None
    return (float(np.interp(value, axis, np.arange(len(axis)))) + 0.5) / len(axis)
