"""The latent plane's surface: pyqtgraph's axes and ViewBox with gestures of our own.

Mouse events are taken before pyqtgraph sees them: its own click and drag machinery drops moves
(``mouseRateLimit``) and waits some pixels before a drag begins; the handle must follow from the first one.
"""

from __future__ import annotations

import math

from PySide6.QtCore import QEvent, QPointF, QRectF, Qt, Signal
from PySide6.QtGui import QFont, QHelpEvent, QMouseEvent, QNativeGestureEvent, QWheelEvent
from PySide6.QtWidgets import QToolTip, QWidget

from vaeviewer.ui.curves.plotting import pg
from vaeviewer.ui.curves.value_axis import ValueAxis
from vaeviewer.ui.plane.latent_geometry import PRIOR_BOX, Box, PlaneMap
from vaeviewer.ui.widgets.drops import refuse_drops
from vaeviewer.ui.widgets.theme import Theme
from vaeviewer.ui.window.text_size import text_scale

CLICK_DISTANCE = 4.0
"""A press that never moves further than this many logical pixels is a click."""
_SMALLEST = 1e-3  # units of z to which one can zoom in …
_FARTHEST = 5.0  # … and out, over the size of what there is to see
_AXIS_WIDTH = 46  # logical pixels; more only where labels need it, as the plane moves with it
_TICKS_APART = 60.0  # logical pixels, about


class LatentCanvas(pg.PlotWidget):  # type: ignore[misc]  # pyqtgraph has no types
    """Axes with equal scales, and what the mouse does on them. Positions are logical pixels of the plane.

    Attributes:
        extent: The size of what there is to see, units of z.
        pointer_area: Where a press of the left button follows the pointer to the handle, which is out of view.
        grip: Where it takes something else than the handle, to drag that.
    """

    handle_dragged = Signal(QPointF)
    """The left button was pressed here, or moved here while down."""
    handle_released = Signal()
    clicked = Signal(QPointF)
    """The left button was pressed and released here, without moving away in between."""
    hovered = Signal(object)
    """The mouse is at this ``QPointF`` with no button down; ``None``: it is not."""
    grip_dragged = Signal(QPointF)
    """The mouse was moved here after a press on the grip."""
    navigated = Signal()
    """The user zoomed or panned."""
    pointer_pressed = Signal()
    """The left button was pressed on the pointer to the handle."""

    def __init__(self, parent: QWidget | None = None) -> None:
        axes = {"left": ValueAxis("left", _TICKS_APART), "bottom": ValueAxis("bottom", _TICKS_APART)}
        super().__init__(parent, enableMenu=False, axisItems=axes)
        self.setObjectName("latentCanvas")
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)  # keys go to the LatentView around it
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.NoContextMenu)
        self.setFrameShape(pg.PlotWidget.Shape.NoFrame)
        self.viewport().setCursor(Qt.CursorShape.CrossCursor)
        self.setMouseTracking(True)
        refuse_drops(self)
        self.hideButtons()
        self.box: pg.ViewBox = self.getPlotItem().getViewBox()
        self.box.setMouseEnabled(False, False)
        self.box.disableAutoRange()
        self.box.setAspectLocked(True)
        self.box.setDefaultPadding(0.0)
        self.extent = PRIOR_BOX.x1 - PRIOR_BOX.x0
        self.pointer_area = QRectF()
        self.grip = QRectF()
        self._axes = axes
        self.apply_fonts()
        for axis in axes.values():
            axis.setStyle(tickLength=-4, autoExpandTextSpace=False)
            axis.setCacheMode(axis.CacheMode.DeviceCoordinateCache)  # the points are painted far more often
        self._pressed_at: QPointF | None = None
        self._strayed = False
        self._panned_at: QPointF | None = None
        self._gripped = False

    @property
    def dragging(self) -> bool:
        """Whether the handle, the grip or the view is held with the mouse."""
        return self._gripped or self._pressed_at is not None or self._panned_at is not None

    def apply_fonts(self) -> None:
        """Write the axes in the size of the text around them."""
        scale = text_scale()
        font = QFont()
        font.setPixelSize(round(11 * scale))
        for axis in self._axes.values():
            axis.setStyle(tickFont=font)
        self._axis_width = round(_AXIS_WIDTH * scale)
        self._axes["left"].setWidth(self._axis_width)
        self._axes["bottom"].setHeight(round(22 * scale))
        self.make_room_for_ticks()

    def set_theme(self, theme: Theme) -> None:
        """Take the colours of a scheme."""
        self.setBackground(theme.canvas)
        for name in ("left", "bottom"):
            self.getAxis(name).setPen(pg.mkPen(theme.border))
            self.getAxis(name).setTextPen(pg.mkPen(theme.muted))

    def show_numbers_across(self, shown: bool) -> None:
        """Whether the vertical axis has numbers: not where it stands for none."""
        if self._axes["left"].style["showValues"] != shown:
            self._axes["left"].setStyle(showValues=shown, tickLength=-4 if shown else 0)

    def plane(self) -> PlaneMap | None:
        """The visible range and its pixels; ``None`` while there is no room for any."""
        rect: QRectF = self.box.rect()
        if rect.width() < 1 or rect.height() < 1:
            return None
        (x0, x1), (y0, y1) = self.box.viewRange()
        return PlaneMap((float(x0), float(x1)), (float(y0), float(y1)), rect.width(), rect.height())

    def show_box(self, box: Box) -> None:
        """Show at least this part of the plane; more of it along one axis, as the scales are equal."""
        self.box.setRange(QRectF(box.x0, box.y0, box.x1 - box.x0, box.y1 - box.y0), padding=0)

    def zoom(self, factor: float, centre: QPointF) -> None:
        """Zoom in by ``factor`` (out where below 1), keeping what lies under ``centre`` there."""
        plane = self.plane()
        if plane is None:
            return
        side = min(plane.x_range[1] - plane.x_range[0], plane.y_range[1] - plane.y_range[0])
        largest = max(_FARTHEST * self.extent, side)  # what there is to see may have become smaller
        factor = side / min(max(side / factor, _SMALLEST), largest)
        z1, z2 = plane.to_plane(centre.x(), centre.y())
        x0, x1 = (z1 + (side - z1) / factor for side in plane.x_range)
        y0, y1 = (z2 + (side - z2) / factor for side in plane.y_range)
        self.show_box(Box(x0, x1, y0, y1))
        self.navigated.emit()

    def go_to(self, z1: float, z2: float) -> None:
        """Bring a z into the middle of the view."""
        plane = self.plane()
        if plane is not None:
            x, y = plane.to_pixels(z1, z2)
            self._pan(self.box.rect().center() - QPointF(x, y))

    def make_room_for_ticks(self) -> None:
        """Widen the left axis where its labels are too long for it, as zoomed in far."""
        plane, axis = self.plane(), self.getAxis("left")
        if plane is None:
            return
        needed = axis.labels_width(*plane.y_range, plane.height) + 8
        width = self._axis_width + 10 * max(0, math.ceil((needed - self._axis_width) / 10))
        if axis.width() != width:
            axis.setWidth(width)

    def to_viewport(self, pixel: QPointF) -> QPointF:
        """A pixel of the plane in coordinates of the viewport, which receives the mouse events."""
        mapped: QPointF = self.viewportTransform().map(self.box.mapToScene(pixel))
        return mapped

    def _pixel(self, position: QPointF) -> QPointF:
        inverse, _ = self.viewportTransform().inverted()
        pixel: QPointF = self.box.mapFromScene(inverse.map(position))
        return pixel

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Left takes the handle, middle and right take the view."""
        pixel = self._pixel(event.position())
        event.accept()
        if self.dragging or not self.box.rect().contains(pixel):
            return
        self.hovered.emit(None)
        if event.button() == Qt.MouseButton.LeftButton and self.pointer_area.contains(pixel):
            self.pointer_pressed.emit()
        elif event.button() == Qt.MouseButton.LeftButton and self.grip.contains(pixel):
            self._gripped = True
            self.parentWidget().setFocus(Qt.FocusReason.MouseFocusReason)
        elif event.button() == Qt.MouseButton.LeftButton:
            self._pressed_at, self._strayed = pixel, False
            self.parentWidget().setFocus(Qt.FocusReason.MouseFocusReason)
            self.handle_dragged.emit(pixel)
        elif event.button() in (Qt.MouseButton.MiddleButton, Qt.MouseButton.RightButton):
            self._panned_at = pixel
            self.viewport().setCursor(Qt.CursorShape.ClosedHandCursor)

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        """The second press of two quick ones is a press like any other."""
        self.mousePressEvent(event)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Drag the handle, drag the view, or hover."""
        pixel = self._pixel(event.position())
        event.accept()
        held = event.buttons()
        if self._pressed_at is not None and not held & Qt.MouseButton.LeftButton:
            self._strayed = True  # its release went elsewhere, to a dialog say
            self._release_handle()
        if self._panned_at is not None and not held & (
            Qt.MouseButton.MiddleButton | Qt.MouseButton.RightButton
        ):
            self._release_view()
        self._gripped = self._gripped and bool(held & Qt.MouseButton.LeftButton)
        if self._gripped:
            self.grip_dragged.emit(pixel)
        elif self._pressed_at is not None:
            way = pixel - self._pressed_at
            self._strayed = self._strayed or way.x() ** 2 + way.y() ** 2 > CLICK_DISTANCE**2
            self.handle_dragged.emit(pixel)
        elif self._panned_at is not None:
            self._pan(pixel - self._panned_at)
            self._panned_at = pixel
        elif held == Qt.MouseButton.NoButton:
            self._show_cursor(pixel)
            self.hovered.emit(pixel if self.box.rect().contains(pixel) else None)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        """End a drag; without one it was a click."""
        event.accept()
        if event.button() == Qt.MouseButton.LeftButton and self._pressed_at is not None:
            self._release_handle()
        elif event.button() == Qt.MouseButton.LeftButton:
            self._gripped = False
        elif self._panned_at is not None and event.button() != Qt.MouseButton.LeftButton:
            self._release_view()

    def _show_cursor(self, pixel: QPointF) -> None:
        shape = Qt.CursorShape.CrossCursor
        if self.grip.contains(pixel):
            shape = Qt.CursorShape.OpenHandCursor
        if self.pointer_area.contains(pixel):
            shape = Qt.CursorShape.PointingHandCursor
        if self.viewport().cursor().shape() != shape:
            self.viewport().setCursor(shape)

    def _release_handle(self) -> None:
        pixel, self._pressed_at = self._pressed_at, None
        if not self._strayed:
            self.clicked.emit(pixel)
        self.handle_released.emit()

    def _release_view(self) -> None:
        self._panned_at = None
        self.viewport().setCursor(Qt.CursorShape.CrossCursor)

    def _pan(self, way: QPointF) -> None:
        plane = self.plane()
        if plane is None:
            return
        dx, dy = way.x() / plane.x_scale, -way.y() / plane.y_scale
        (x0, x1), (y0, y1) = plane.x_range, plane.y_range
        self.show_box(Box(x0 - dx, x1 - dx, y0 - dy, y1 - dy))
        self.navigated.emit()

    def wheelEvent(self, event: QWheelEvent) -> None:
        """Zoom about the cursor."""
        event.accept()
        steps = event.angleDelta().y() or event.angleDelta().x()  # Alt turns one into the other
        if steps:
            self.zoom(1.2 ** (steps / 120.0), self._pixel(event.position()))

    def leaveEvent(self, event: QEvent) -> None:
        """Nothing is under the mouse any more."""
        self.hovered.emit(None)

    def viewportEvent(self, event: QEvent) -> bool:
        """Pinch to zoom, and the tool tip, which a graphics view would look for on its items."""
        if isinstance(event, QNativeGestureEvent):
            if event.gestureType() == Qt.NativeGestureType.ZoomNativeGesture:
                self.zoom(max(0.2, 1.0 + event.value()), self._pixel(event.position()))
            return True
        if event.type() == QEvent.Type.ToolTip and isinstance(event, QHelpEvent):
            QToolTip.showText(event.globalPos(), self.toolTip(), self)
            return True
        return bool(super().viewportEvent(event))
