"""Decoded images behind the points of the plane, while the user wants to see them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QObject

from vaeviewer.analysis.manifold import grid_points, mosaic, thinned
from vaeviewer.ui.panel import Host
from vaeviewer.ui.plane.latent_backdrop import IMAGES
from vaeviewer.ui.plane.latent_geometry import mosaic_rect
from vaeviewer.ui.plane.latent_view import LatentView

UNDERLAY = "underlay"


class Underlay(QObject):
    """Asks for the images of the visible range and gives them to the plane.

    Args:
        plane: Where they are shown; this becomes its child.
        host: Has the decoder, and knows what is looked at.
    """

    def __init__(self, plane: LatentView, host: Host) -> None:
        super().__init__(plane)
        self._plane, self._host = plane, host
        plane.range_settled.connect(self.request)
        host.decoder.decoded.connect(self._on_decoded)
        host.decoder.forgotten.connect(lambda: plane.backdrop.set_images(None))

    def request(self) -> None:
        """Ask for the newest model's images, if they are wanted."""
        frame = self._host.frame()
        if frame.view.behind != IMAGES or frame.snapshot is None:
            return
        xs, ys = self._plane.backdrop.grid()
        z = frame.view.plane_of(frame.snapshot.model.latent_dim).lift(grid_points(xs, ys))
        tag = mosaic_rect(xs, ys), len(xs)
        self._host.decoder.request(UNDERLAY, frame.snapshot, z, tag, frame.view.y)

    def _on_decoded(self, kind: str, images: NDArray[np.uint8], tag: Any) -> None:
        if kind == UNDERLAY and self._host.frame().view.behind == IMAGES:
            rect, columns = tag
            self._plane.backdrop.set_images(mosaic(thinned(images, columns), columns), rect)
