"""The latent plane: each training image a point at its posterior mean, and a handle on the z to decode."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from PySide6.QtCore import QEvent, QPointF, QRectF, Qt, QTimer, Signal
from PySide6.QtGui import QFocusEvent, QKeyEvent, QShowEvent
from PySide6.QtWidgets import QHBoxLayout, QWidget

from vaeviewer.analysis.generated import Generated
from vaeviewer.analysis.ledger import Ledger
from vaeviewer.analysis.prior import PriorShape
from vaeviewer.backend.data.base import ImageDataset
from vaeviewer.backend.snapshot import PosteriorTable, Snapshot
from vaeviewer.session.grid_decoder import GridDecoder
from vaeviewer.session.view_state import ViewState
from vaeviewer.ui.plane.axis_names import axis_names
from vaeviewer.ui.plane.latent_backdrop import Backdrop
from vaeviewer.ui.plane.latent_canvas import LatentCanvas
from vaeviewer.ui.plane.latent_geometry import PRIOR_BOX, PlaneMap
from vaeviewer.ui.plane.latent_hover import Hover
from vaeviewer.ui.plane.latent_items import HandleItem, MarksItem, PointsItem
from vaeviewer.ui.plane.latent_keys import PlaneKeys
from vaeviewer.ui.plane.latent_layout import LayoutPace
from vaeviewer.ui.plane.latent_overlay import HandlePointer, StepItem
from vaeviewer.ui.plane.latent_picture import PointsPicture
from vaeviewer.ui.plane.latent_points import PlanePoints
from vaeviewer.ui.plane.latent_range import RangeFollower
from vaeviewer.ui.plane.latent_tip import tip_of
from vaeviewer.ui.plane.latent_walk import NeighbourWalk
from vaeviewer.ui.plane.point_colors import PointColors
from vaeviewer.ui.plane.posterior_item import PosteriorItem, SelectedPosterior
from vaeviewer.ui.plane.second_handle import SecondHandle
from vaeviewer.ui.widgets.theme import theme_of

SETTLE_MS = 120


class LatentView(QWidget):
    """Points, legend and handle. Shows what it is given and reports what the user does.

    Of what the user chose it keeps only the visible range. Points are rasterised at the next paint after the frame,
    classes, range or size have changed.

    Attributes:
        backdrop: What lies behind the points.
        second: The second handle, and ways from it to the first.
    """

    handle_moved = Signal(float, float)
    """The user moved the handle to this z; emitted from within the mouse or key event."""
    image_selected = Signal(int)
    """Row of the training image that was clicked; -1 to select none."""
    hidden_classes_changed = Signal(object)
    """``frozenset`` of the classes the user wants hidden."""
    color_chosen = Signal(str, bool)
    """Points are to be coloured by this ``ViewState.color_by``; whether the same classes can stay hidden."""
    range_settled = Signal()
    """The visible range has changed and has then stayed for 120 ms."""
    following_changed = Signal(bool)
    """Whether the range follows the points; see :attr:`following`."""

    def __init__(self, parent: QWidget | None = None, *, decoder: GridDecoder | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("latentPlane")
        self.setAccessibleName("Latent plane")
        self.setAccessibleDescription("Arrow keys move the handle; the image decoded from its z is shown.")
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setMinimumSize(240, 200)
        self._points = PlanePoints()
        self._view = ViewState()
        self._z = (0.0, 0.0)
        self._hint = ""
        self._moved_in_vain = False  # the handle, with no snapshot to decode it
        self._class_labels = True
        self._line = False  # codes have one number
        self._generated: Generated | None = None
        self._drawn: tuple[Any, ...] = (None,) * 4  # what update_frame was given beside the view
        self._canvas = LatentCanvas(self)
        self._picture = PointsPicture(self._canvas, self._points)
        self._points_item = PointsItem(self._canvas.box, self._picture.draw)
        self.backdrop = Backdrop(self._canvas, self._points_item)
        self._marks_item = MarksItem(self._canvas.box)
        self._posterior_item = PosteriorItem(self._canvas.box)
        self._posterior = SelectedPosterior(self._posterior_item, decoder, self._set_marks)
        self._step_item = StepItem(self._canvas.box)
        self._handle_item = HandleItem(self._canvas.box)
        self._pointer = HandlePointer(self._canvas.box)
        self.second = SecondHandle(self._canvas)
        self._walk = NeighbourWalk(self._points)
        self._colors = PointColors(self, self._points, self._picture.raster, decoder)
        self._legend = self._colors.column.legend
        self._range = RangeFollower(self._canvas)
        self._hover = Hover(self, self._canvas, self._points, self._colors.value_text)
        self._layout_pace = LayoutPace(self, self._lay_out)
        self._keys = keys = PlaneKeys(self)
        layout = QHBoxLayout(self)
        layout.setSpacing(0)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._canvas, 1)
        layout.addWidget(self._colors.column)

        self._settle_timer = QTimer(self, singleShot=True, interval=SETTLE_MS)
        self._settle_timer.timeout.connect(self.range_settled.emit)

        self._canvas.handle_dragged.connect(self._drag_handle)
        self._canvas.clicked.connect(lambda pixel: self._select(self._hover.point_at(pixel)))
        self._canvas.pointer_pressed.connect(lambda: self._canvas.go_to(*self._z))
        self._canvas.hovered.connect(self._hover.move_to)
        keys.stepped.connect(lambda dz1, dz2: self._move_handle(self._z[0] + dz1, self._z[1] + dz2))
        keys.brought.connect(lambda: self._drag_handle(self._canvas.box.rect().center()))
        keys.fitted.connect(self.fit)
        keys.zoomed.connect(lambda factor: self._canvas.zoom(factor, self._canvas.box.rect().center()))
        keys.walked.connect(lambda way: self._select(self._walk.select(way, self._z, self._view.selected)))
        keys.cleared.connect(lambda: self.image_selected.emit(-1))
        keys.marked.connect(self.second.mark)
        self._range.following_changed.connect(self.following_changed)
        self._canvas.box.sigRangeChanged.connect(self._range_changed)
        self._canvas.box.sigResized.connect(self._range_changed)
        self._legend.hidden_changed.connect(self.hidden_classes_changed)
        self._colors.column.scale.all_wanted.connect(lambda: self.hidden_classes_changed.emit(frozenset()))
        self._colors.chosen.connect(self.color_chosen)
        self._colors.recolored.connect(self._points_item.invalidate)
        self._colors.recolored.connect(self._hover.values_changed)
        self._say_what_points_are(None)
        self._apply_theme()
        self._range_changed()

    # What is shown

    def set_dataset(self, dataset: ImageDataset | None) -> None:
        """Show another data set, or ``None``; its points come with the next frame."""
        self._generated = None
        self._hover.set_dataset(dataset)
        self._points.set_dataset(dataset)
        self._posterior.set_dataset(dataset)
        if self.following:
            self._range.fit()
        self._colors.set_dataset(dataset)
        self._hide_classes(self._view.hidden_classes)
        self._set_marks()

    def update_frame(
        self,
        snapshot: Snapshot | None,
        view: ViewState,
        prior: PriorShape | None = None,
        generated: Generated | None = None,
        ledger: Ledger | None = None,
    ) -> None:
        """Draw a snapshot as the user wants to see it; only what differs from the last frame is drawn again.

        A posterior table is shown when it has a row per training image, else what is generated.
        """
        self._drawn = snapshot, prior, generated, ledger
        if generated is not None and generated is not self._generated:
            self._generated = generated
            self._hover.set_images(self._colors.take_generated(generated))
            self._hide_classes(self._view.hidden_classes)
        said, posterior = self._points.why_none, self._points.usable(snapshot)
        if snapshot is not None:
            self._marks_item.set_prior(snapshot.family.capabilities.follows_normal, prior)
        before, self._view = self._view, view
        turned = self._take_space(snapshot, view, before)
        regrouped = self._colors.choose(snapshot, view, ledger)
        marked_anew = (
            posterior is not self._points.posterior
            or turned
            or self._points.why_none != said
            or (view.selected, view.points, view.hidden_classes)
            != (before.selected, before.points, before.hidden_classes)
            or (snapshot is not None and self._moved_in_vain)
        )
        self._moved_in_vain &= snapshot is None
        if regrouped or view.hidden_classes != before.hidden_classes:
            self._hide_classes(view.hidden_classes)
        if posterior is not self._points.posterior or turned or regrouped or view.points != before.points:
            self._points.show(posterior, view, 0 if snapshot is None or self._generated else snapshot.step)
            self._points_item.invalidate()
            self._colors.points_moved()
            self._range.keep_pace()
            if posterior is None:
                self._layout_pace.now()  # no name outlasts its points
            else:
                self._say_what_points_are(posterior)
                self._layout_pace.soon()
            self._hover.points_moved()
        self._step_item.show_step(
            snapshot.step if snapshot is not None else None, self._points.late is not None
        )
        self._posterior.follow(snapshot, view)
        self.backdrop.show(view.behind)
        self._set_handle(view.z)
        self.second.follow(view)
        if marked_anew:  # a move of the handle alone paints the handle alone
            self._set_marks()

    def follow_handle(self, snapshot: Snapshot | None, view: ViewState, *beside: Any) -> None:
        """As :meth:`update_frame`; where only the handle or the second place moved, nothing else is looked at."""
        known, last = (snapshot, *beside), self._view
        moved_only = view.plane is last.plane and replace(view, z=last.z, second=last.second) == last
        if not moved_only or any(a is not b for a, b in zip(known, self._drawn, strict=True)):
            self.update_frame(snapshot, view, *beside)
            return
        self._view = view
        if view.z != self._z:
            self._set_handle(view.z)
        self.second.follow(view)

    def _take_space(self, snapshot: Snapshot | None, view: ViewState, before: ViewState) -> bool:
        """Name the axes of the plane; whether codes lie elsewhere in it than in the one before."""
        if snapshot is None:
            return False
        latent_dim = snapshot.model.latent_dim
        self._line = latent_dim == 1
        self._marks_item.set_axes(axis_names(view, latent_dim))
        self._handle_item.set_line(self._line)
        self._canvas.show_numbers_across(not self._line)
        return not view.plane_of(latent_dim).parallel_to(before.plane_of(latent_dim))

    def set_hint(self, text: str) -> None:
        """Show a quiet line in the plane: what to do, or what is being waited for. An empty one hides it.

        When the handle is moved before there is a snapshot to decode it with, the line goes to the handle.
        """
        if text != self._hint:
            self._hint = text
            self._set_marks()

    def set_class_labels(self, shown: bool) -> None:
        """Whether class names are written into the plane, at the median of each class's points."""
        self._class_labels = shown
        self._layout_pace.now()

    def _say_what_points_are(self, posterior: PosteriorTable | None) -> None:
        if (tip := tip_of(posterior, self._generated)) != self.toolTip():
            self.setToolTip(tip)
            self._canvas.setToolTip(tip)

    # The visible range

    @property
    def following(self) -> bool:
        """Whether the range follows the points: until the user zooms or pans, and again after ``fit``."""
        return self._range.following

    def fit(self) -> None:
        """Show all points but a few strays, and follow them from now on."""
        self._range.fit()
        self._layout_pace.now()

    def plane_map(self) -> PlaneMap | None:
        """The visible range and its pixels; ``None`` before there is room for any."""
        return self._canvas.plane()

    def viewport(self) -> QWidget:
        """The widget that receives the mouse events of the plane."""
        viewport: QWidget = self._canvas.viewport()
        return viewport

    def viewport_position(self, z1: float, z2: float) -> QPointF:
        """Where in the viewport a z is drawn, logical pixels."""
        plane = self._canvas.plane()
        return self._canvas.to_viewport(QPointF(*plane.to_pixels(z1, z2))) if plane else QPointF()

    def _range_changed(self) -> None:
        rect: QRectF = self._canvas.box.rect()
        self._points_item.set_rect(rect)
        self._marks_item.set_rect(rect)
        self._posterior_item.place(rect, self._canvas.plane())
        self._step_item.set_corner(rect.topRight())
        self._points_item.invalidate()
        self.backdrop.place()
        self.second.place()
        self._set_handle(self._z)
        self._set_marks()
        self._canvas.make_room_for_ticks()
        if self.isVisible():
            self._settle_timer.start()

    def _lay_out(self) -> bool:
        """Choose the range and the places of the names for the points; whether either changed."""
        box = self._points.box()
        x0, x1, y0, y1 = (box or PRIOR_BOX).sides
        self._canvas.extent = max(x1 - x0, y1 - y0)
        moved = self._range.follow(box)
        renamed = self._marks_item.show_classes(self._points.class_marks() if self._class_labels else ())
        return moved or renamed

    # Points

    def _hide_classes(self, hidden: frozenset[int]) -> None:
        self._points.hide(hidden)
        self._picture.raster.set_hidden(hidden)
        self._colors.hide(hidden)
        self._points_item.invalidate()
        self._layout_pace.now()
        self._set_marks()

    # Marks

    def _set_marks(self) -> None:
        self._marks_item.show_marks(
            self._canvas.plane(),
            self._posterior.in_place_of(self._points.posterior_mark(self._view.selected)),
            self._hint or self._points.why_none,
            self._z if self._moved_in_vain else None,
        )

    # The handle

    def _set_handle(self, z: tuple[float, float]) -> None:
        self._z = z
        plane = self._canvas.plane()
        if plane is not None and np.isfinite(z).all():
            at = QPointF(*plane.to_pixels(*z))
            self._handle_item.setPos(at)
            self._canvas.pointer_area = self._pointer.point_to(at, self._canvas.box.rect())

    def _move_handle(self, z1: float, z2: float) -> None:
        """The user moved it: show that at once, whatever else has to wait, and tell."""
        if self._line:
            z2 = 0.0
        self._set_handle((z1, z2))
        if self._points.posterior is None and self._hint:
            self._moved_in_vain = True
            self._set_marks()
        self.handle_moved.emit(z1, z2)

    def _drag_handle(self, pixel: QPointF) -> None:
        plane = self._canvas.plane()
        if plane is not None:
            self._move_handle(*plane.to_plane(pixel.x(), pixel.y()))

    def _select(self, row: int | None) -> None:
        """Select an image, and take the handle to it."""
        if row is not None and self._points.posterior is not None:
            z1, z2 = self._points.mean(row)
            self.image_selected.emit(row)
            self._move_handle(z1, z2)
            self._walk.taken_to((z1, z2))

    # Events

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """See :class:`PlaneKeys`."""
        if not self._keys.press(event):
            super().keyPressEvent(event)

    def event(self, event: QEvent) -> bool:
        """While the plane has the focus its keys are its own, not the window's shortcuts."""
        if (
            isinstance(event, QKeyEvent)
            and event.type() == QEvent.Type.ShortcutOverride
            and self._keys.owns(event)
        ):
            event.accept()
            return True
        return super().event(event)

    def focusInEvent(self, event: QFocusEvent) -> None:
        """Show that keys move the handle."""
        super().focusInEvent(event)
        self._handle_item.set_focused(True)

    def focusOutEvent(self, event: QFocusEvent) -> None:
        """Keys go elsewhere."""
        super().focusOutEvent(event)
        self._handle_item.set_focused(False)

    def showEvent(self, event: QShowEvent) -> None:
        """Catch up with what changed while hidden."""
        super().showEvent(event)
        self._layout_pace.catch_up()
        self._settle_timer.start()

    def changeEvent(self, event: QEvent) -> None:
        """Take the colours of a new scheme, and another size of text."""
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange:
            self._apply_theme()
        elif event.type() == QEvent.Type.FontChange:
            for written in (self._canvas, self._marks_item, self._step_item, self.backdrop.scale):
                written.apply_fonts()

    def set_mark_scale(self, scale: float) -> None:
        """Draw the points and the handle so many times as large as usual."""
        self._picture.mark_scale = scale
        self._handle_item.setScale(scale)
        self._points_item.invalidate()

    def _apply_theme(self) -> None:
        theme = theme_of(self.palette())
        items = self._marks_item, self._posterior_item, self._step_item, self._handle_item, self._pointer
        for themed in (self._canvas, *items, self.backdrop, self.second):
            themed.set_theme(theme)
        self._colors.set_dark(theme.dark)
