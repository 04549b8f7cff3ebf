"""ManifoldPanel: what the decoder draws all over the latent plane."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial

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
from vaeviewer.analysis.manifold import Spacing, grid, grid_of, grid_points, mosaic, prior_cells, thinned
from vaeviewer.analysis.prior import PriorShape
from vaeviewer.backend.models.interface import Capabilities
from vaeviewer.backend.snapshot import Snapshot
from vaeviewer.session.view_state import ViewState
from vaeviewer.ui.images.image_widget import ImageWidget
from vaeviewer.ui.images.manifold_places import AxesPlaces, CellPlaces, Places
from vaeviewer.ui.widgets.theme import DARK
from vaeviewer.ui.window.focus_keys import handle_step

_MARK_RADIUS, _MARK_RIM = 6.0, 5.0
_MARK_REACH = _MARK_RADIUS + _MARK_RIM  # and a little, for soft edges

_NORMAL = (
    "Where the grid's points lie along each axis: evenly, or at the prior's quantiles\n"
    "Φ⁻¹((i + ½) / n), so that equally probable regions get equal room\n"
    "(Kingma & Welling 2013, figure 4)."
)
_DRAWN = (
    "Where the images' codes lie: evenly along each axis, or at codes drawn from the prior,\n"
    "columns of equal shares sorted by z₁, and in each by z₂, so that equally probable\n"
    "regions get equal room."
)
_WITHOUT_PRIOR = (
    "The grid's points lie evenly along each axis: codes of this kind of model follow no distribution."
)

MANIFOLD = "manifold"
"""The kind of what it asks a GridDecoder for."""

SIZES = (10, 15, 20, 25)
_EVENLY, _AS_DRAWN = "Evenly in probability, as in the paper", "Evenly in probability"
SPACINGS: tuple[tuple[Spacing, str], ...] = (("equal", "Equal spacing, −3 to 3"), ("gaussian", _EVENLY))


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
        self._images: NDArray[np.uint8] | None = None
        self._shown: NDArray[np.uint8] | None = None  # those of which the picture is
        self._columns = 1
        self._asked_in: LatentPlane | None = None
        self._prior: PriorShape | None = None
        self._known_cells: tuple[PriorShape, LatentPlane, NDArray[np.float32]] | None = None

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

        self.set_prior(Capabilities())
        self.update_frame(ViewState())
        self._spacing.currentIndexChanged.connect(
            lambda: self.spacing_changed.emit(self._spacing.currentData())
        )
        self._size.currentIndexChanged.connect(lambda: self.size_changed.emit(self._size.currentData()))
        self._picture.handle_moved.connect(self.handle_moved)

    def set_hint(self, text: str) -> None:
        """What the panel waits for, shown while there are no images."""
        self._picture.set_placeholder(text)

    def set_prior(self, can: Capabilities) -> None:
        """Offer what the codes of a family allow: whether they follow a prior that the grid's points can lie by."""
        model = self._spacing.model()
        assert isinstance(model, QStandardItemModel), "as every QComboBox has at first"
        row = self._spacing.findData("gaussian")
        model.item(row).setEnabled(can.generates)
        self._spacing.setItemText(row, _EVENLY if can.normal_prior else _AS_DRAWN)
        self._spacing.setToolTip(
            _WITHOUT_PRIOR if not can.generates else _NORMAL if can.normal_prior else _DRAWN
        )

    def update_frame(
        self, view: ViewState, snapshot: Snapshot | None = None, prior: PriorShape | None = None
    ) -> None:
        """Show the view's spacing, size and handle, and ask for the snapshot's images; emits nothing.

        ``prior`` is another one than N(0, I), by whose codes the images may lie once it is known.
        """
        for box, value in ((self._spacing, view.manifold_spacing), (self._size, view.manifold_size)):
            with QSignalBlocker(box):
                box.setCurrentIndex(box.findData(value))
        self.set_handle(view.z)
        self._prior = prior
        if snapshot is None or not self.isVisible():
            return
        latent_dim, plane = snapshot.model.latent_dim, view.plane_of(snapshot.model.latent_dim)
        cells = None
        if view.manifold_spacing == "gaussian" and not snapshot.family.capabilities.normal_prior:
            if prior is None:
                return
            cells = self._cells(prior, plane, view.manifold_size)
        points = self.wanted(view, latent_dim) if cells is None else cells.reshape(-1, 2)
        self._asked_in = view.plane
        tag = view.manifold_spacing, latent_dim, cells
        self._request(MANIFOLD, snapshot, plane.lift(points), tag, view.y)

    def _cells(self, prior: PriorShape, plane: LatentPlane, size: int) -> NDArray[np.float32]:
        known = self._known_cells
        if known is None or known[0] is not prior or known[1] is not plane or known[2].shape[1] != size:
            known = self._known_cells = prior, plane, prior_cells(prior.codes, plane, size)
        return known[2]

    def follow_handle(self, view: ViewState, snapshot: Snapshot | None) -> None:
        """Mark where the handle lies now; where it took the plane along, ask for the images of that."""
        if view.plane is self._asked_in:
            self.set_handle(view.z)
        else:
            self.update_frame(view, snapshot, self._prior)

    def set_handle(self, z: tuple[float, float]) -> None:
        """Mark where the handle lies, if within the picture."""
        self._picture.set_handle(z)

    def wanted(self, view: ViewState, latent_dim: int = 2) -> NDArray[np.float32]:
        """The points of the plane to decode for this view, in the order `show_images` takes, shape ``(n, 2)``."""
        return grid_points(*grid_of(latent_dim, view.manifold_size, view.manifold_spacing))

    def show_images(
        self,
        images: NDArray[np.uint8] | None,
        spacing: Spacing | None = None,
        latent_dim: int = 2,
        cells: NDArray[np.float32] | None = None,
    ) -> None:
        """Show the decoded grid; ``None`` shows the hint again.

        Args:
            images: Grey levels, ``(n², height, width)``, rows from the largest z₂ downwards; ``(n, …)``
                where z is one number.
            spacing: How their grid is spaced; without it, as chosen in the panel.
            latent_dim: How many numbers z has.
            cells: Where their codes lie in the plane, ``(rows, columns, 2)``, if not on that grid.

        Raises:
            ValueError: The number of images is no square, and z is more than one number.
        """
        self._images = images
        if images is not None:
            self._columns = len(images) if latent_dim == 1 else math.isqrt(len(images))
            if latent_dim > 1 and self._columns**2 != len(images):
                raise ValueError(f"{len(images)} images make no square grid.")
            if cells is None:
                axes = grid_of(latent_dim, self._columns, spacing or self._spacing.currentData())
                self._picture.set_places(AxesPlaces(*axes))
            else:
                self._picture.set_places(CellPlaces(cells))
        if self.isVisible():
            self._show()

    def picture(self) -> NDArray[np.uint8] | None:
        """The manifold as one image at the images' own resolution; ``None`` without images."""
        lay_out = self.layout_of_images()
        return None if lay_out is None else lay_out()

    def layout_of_images(self) -> Callable[[], NDArray[np.uint8]] | None:
        """What makes that :meth:`picture`, of the images there are now, on any thread: of large ones it takes long."""
        return None if self._images is None else partial(mosaic, self._images, self._columns)

    def _show(self) -> None:
        """Draw the newest images, once."""
        if self._shown is not self._images:
            self._shown = self._images
            shown = (
                None if self._images is None else mosaic(thinned(self._images, self._columns), self._columns)
            )
            self._picture.set_image(shown)

    def showEvent(self, event: QShowEvent) -> None:
        """Draw the newest images and ask for newer ones."""
        super().showEvent(event)
        self._show()
        self.images_wanted.emit()


class _ManifoldPicture(ImageWidget):
    """The mosaic, with the handle on it."""

    handle_moved = Signal(float, float)

    def __init__(self) -> None:
        super().__init__(fill=True)
        self._z: tuple[float, float] | None = None
        self._painted_at: QPointF | None = None
        self._places: Places = AxesPlaces(*grid(SIZES[0], "equal"))
        self._dragging = False
        self.setCursor(Qt.CursorShape.CrossCursor)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)

    def set_places(self, places: Places) -> None:
        self._places = places
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
        share = self._places.share_of(self._z)
        if share is None:
            return None
        rect = self.image_rect()
        return QPointF(rect.x() + share[0] * rect.width(), rect.y() + (1 - share[1]) * rect.height())

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
        z1, z2 = (value + by for value, by in zip(self._z, step, strict=True))
        self.handle_moved.emit(*self._places.kept_within((z1, z2)))

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
        share = (place.x() - rect.x()) / rect.width(), 1 - (place.y() - rect.y()) / rect.height()
        self.handle_moved.emit(*self._places.z_at(share))
