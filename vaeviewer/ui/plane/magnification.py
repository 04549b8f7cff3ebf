"""The map of the decoder's magnification behind the points of the plane, while the user wants to see it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QObject

from vaeviewer.analysis.geometry import DecoderSurface, magnification
from vaeviewer.analysis.latent_plane import Array, LatentPlane
from vaeviewer.analysis.manifold import grid_points
from vaeviewer.backend.chunks import parts
from vaeviewer.backend.snapshot import Snapshot
from vaeviewer.session.newest import Newest
from vaeviewer.ui.panel import Host
from vaeviewer.ui.plane.color_scale import number_text
from vaeviewer.ui.plane.heat_map import CELL, CELLS, HeatMap
from vaeviewer.ui.plane.latent_geometry import mosaic_rect
from vaeviewer.ui.plane.latent_view import LatentView

MAGNIFICATION = "magnification"
"""What ``ViewState.behind`` is for this map."""

_ROWS = 128  # codes at a time
_STRAYS = 2.0  # percent of the cells at each end that share the last shade
_LEAST_RATIO = 10.0  # of the numbers at both ends: a plane where they hardly differ looks flat


@dataclass(frozen=True, eq=False)
class _Where:
    xs: Array
    ys: Array
    plane: LatentPlane
    y: int

    def same(self, other: _Where | None) -> bool:
        return (
            other is not None
            and (self.plane, self.y) == (other.plane, other.y)
            and np.array_equal(self.xs, other.xs)
            and np.array_equal(self.ys, other.ys)
        )


class Magnification(QObject):
    """Computes the map for the visible range, away from the thread that draws, and gives it to the plane.

    Args:
        plane: Where it is shown; this becomes its child.
        host: Has the decoder, and knows what is looked at.
    """

    def __init__(self, plane: LatentView, host: Host) -> None:
        super().__init__(plane)
        self._plane, self._host = plane, host
        self._where: _Where | None = None
        self._newest = Newest(host.decoder, MAGNIFICATION, _compute, self)
        self._newest.found.connect(lambda: plane.backdrop.set_map(MAGNIFICATION, self._newest.value))
        plane.range_settled.connect(self.request)
        host.decoder.forgotten.connect(lambda: plane.backdrop.set_map(MAGNIFICATION, None))

    def request(self) -> None:
        """Ask for that of the newest model, if it is wanted."""
        frame = self._host.frame()
        if frame.view.behind != MAGNIFICATION or frame.snapshot is None:
            self._newest.stop()
            return
        plane = frame.view.plane_of(frame.snapshot.model.latent_dim)
        where = _Where(*self._plane.backdrop.grid(CELL, CELLS), plane, frame.view.y)
        if not where.same(self._where):
            self._where = where
        self._newest.want(frame.snapshot, self._where)


def _compute(snapshot: Snapshot, where: _Where) -> Iterator[HeatMap | float]:
    surface = DecoderSurface(snapshot, where.plane, where.y)
    points = grid_points(where.xs, where.ys)[:, : surface.coordinates]
    found = np.empty(len(points), np.float32)
    for part in parts(len(points), _ROWS if snapshot.instant else _ROWS // 8):
        found[part] = magnification(surface, points[part])
        yield part.start / len(points)
    shades, ends = shades_of(found.reshape(len(where.ys), len(where.xs)))
    title = "magnification √det G" if surface.coordinates == 2 else "magnification √G"
    yield HeatMap(shades, mosaic_rect(where.xs, where.ys), title, ends)


def shades_of(values: Array) -> tuple[NDArray[np.float32], tuple[str, str]]:
    """Shades 0 … 1 for positive numbers of any size, by their logarithm, and what the ends stand for."""
    positive = values[np.isfinite(values) & (values > 0.0)]
    if not len(positive):
        return np.full(values.shape, np.nan, np.float32), ("0", "0")
    low, high = np.percentile(positive, [_STRAYS, 100.0 - _STRAYS])
    wider = max(1.0, np.sqrt(_LEAST_RATIO * low / high))
    low, high = low / wider, high * wider
    with np.errstate(divide="ignore", invalid="ignore"):
        shades: Any = np.log(values / low) / np.log(high / low)
    shades = np.where(np.isfinite(values), np.clip(shades, 0.0, 1.0), np.nan).astype(np.float32)
    return shades, (f"≤ {_rounded(low)}", f"≥ {_rounded(high)}")


def _rounded(value: float) -> str:
    return number_text(float(f"{value:.2g}"))
