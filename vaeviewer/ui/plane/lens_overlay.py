"""The posterior lens in the latent plane: its map beneath the points, its lines above them."""

from __future__ import annotations

from PySide6.QtCore import QObject, QRectF
from PySide6.QtGui import QPainter
from PySide6.QtWidgets import QGraphicsItem, QStyleOptionGraphicsItem, QWidget

from vaeviewer.ui.plane.latent_canvas import LatentCanvas
from vaeviewer.ui.plane.latent_view import LatentView
from vaeviewer.ui.plane.lens_panel import LensPanel
from vaeviewer.ui.plane.lens_picture import Scene, Shades, paint_lines
from vaeviewer.ui.widgets.theme import theme_of


class _Layer(QGraphicsItem):
    """Covers the ViewBox, of which it is a child."""

    def __init__(self, canvas: LatentCanvas, depth: float) -> None:
        super().__init__(canvas.box)
        self.setZValue(depth)
        self._canvas = canvas
        self.scene_shown: Scene | None = None

    def show_scene(self, scene: Scene | None) -> None:
        if scene is not self.scene_shown:
            self.scene_shown = scene
            self.update()

    def boundingRect(self) -> QRectF:
        rect: QRectF = self._canvas.box.rect()
        return rect


class _Shades(_Layer):
    def __init__(self, canvas: LatentCanvas, depth: float, shades: Shades) -> None:
        super().__init__(canvas, depth)
        self._shades = shades

    def paint(
        self, painter: QPainter, option: QStyleOptionGraphicsItem, widget: QWidget | None = None
    ) -> None:
        scene, plane = self.scene_shown, self._canvas.plane()
        if scene is not None and plane is not None:
            self._shades.paint(painter, plane, scene.lens, theme_of(self._canvas.palette()))


class _Lines(_Layer):
    def paint(
        self, painter: QPainter, option: QStyleOptionGraphicsItem, widget: QWidget | None = None
    ) -> None:
        scene, plane = self.scene_shown, self._canvas.plane()
        if scene is not None and plane is not None:
            paint_lines(painter, plane, scene, theme_of(self._canvas.palette()))


class LensInPlane(QObject):
    """Shows in the plane what the panel shows, while it wants that.

    Args:
        plane: The latent plane.
        panel: Has the lens; this becomes its child.
    """

    def __init__(self, plane: LatentView, panel: LensPanel) -> None:
        super().__init__(panel)
        canvas = plane.findChild(LatentCanvas)
        assert canvas is not None, "the plane's surface"
        self._layers = _Shades(canvas, -60.0, panel.map.shades), _Lines(canvas, 11.0)
        canvas.box.sigResized.connect(self._resize)
        panel.scene_changed.connect(self.show)

    def show(self, scene: Scene | None) -> None:
        """Draw this, or nothing."""
        for layer in self._layers:
            layer.show_scene(scene)

    def _resize(self) -> None:
        for layer in self._layers:
            layer.prepareGeometryChange()
