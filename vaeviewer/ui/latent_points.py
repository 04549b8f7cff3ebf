"""The points of the latent plane as numbers: where they lie, which classes are visible, what marks them. No Qt."""

from __future__ import annotations

from collections.abc import Set
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from vaeviewer.backend.datasets.base import ImageDataset
from vaeviewer.backend.snapshot import PosteriorTable, Snapshot
from vaeviewer.session.view_state import posterior_noise
from vaeviewer.ui.latent_geometry import Box, ClassMark, PlaneMap, PosteriorMark, cloud_box, points_near

_MOST_NAMES = 40  # classes whose names are written into the plane
_ROWS_PER_NAME = 500  # points from which the place of a name is taken


class PlanePoints:
    """A point per training image, at the first two coordinates of its posterior's mean or of a sample from it.

    Attributes:
        posterior: The table shown, or ``None``.
        positions: The points as drawn, shape ``(n, 2)``, or ``None``.
    """

    def __init__(self) -> None:
        self.posterior: PosteriorTable | None = None
        self.positions: NDArray[np.float32] | None = None
        self._labels: NDArray[np.int64] = np.zeros(0, np.int64)
        self._names: tuple[str, ...] = ()
        self._visible = np.zeros(0, bool)  # per class
        self._class_rows: list[NDArray[np.intp]] = []
        self._noise: NDArray[np.float32] | None = None

    def set_dataset(self, dataset: ImageDataset | None) -> None:
        """Take another data set, or ``None``; there are no points until the next table."""
        self.posterior = self.positions = self._noise = None
        self._labels = dataset.train_labels if dataset else np.zeros(0, np.int64)
        self._names = dataset.class_names if dataset else ()
        self._visible = np.ones(len(self._names), bool)
        self._class_rows = []
        if len(self._names) <= _MOST_NAMES:
            rows = (np.flatnonzero(self._labels == number) for number in range(len(self._names)))
            self._class_rows = [r[:: max(1, len(r) // _ROWS_PER_NAME)] for r in rows]

    def hide(self, hidden: Set[int]) -> None:
        """Leave out these classes wherever a point is looked for or a class is named."""
        self._visible[:] = True
        self._visible[[number for number in hidden if 0 <= number < len(self._visible)]] = False

    def usable(self, snapshot: Snapshot | None) -> PosteriorTable | None:
        """A snapshot's table if it has a row per training image and at least two latent variables."""
        posterior = snapshot.posterior if snapshot is not None else None
        if posterior is None:
            return None
        rows, latent_dim = posterior.loc.shape
        return posterior if rows == len(self._labels) and latent_dim >= 2 else None

    def show(self, posterior: PosteriorTable | None, kind: Literal["mean", "sample"]) -> None:
        """Take the points from a table; a sample's noise stays the same for each image."""
        self.posterior = posterior
        if posterior is None:
            self.positions = None
        elif kind == "mean":
            self.positions = posterior.loc[:, :2]
        else:
            loc, scale = posterior.loc, posterior.scale
            if self._noise is None or self._noise.shape != loc.shape:
                self._noise = posterior_noise(*loc.shape)
            self.positions = loc[:, :2] + scale[:, :2] * self._noise[:, :2]

    def box(self) -> Box | None:
        """What holds nearly all points, or ``None`` where there are none."""
        return None if self.positions is None else cloud_box(self.positions)

    def class_marks(self) -> tuple[ClassMark, ...]:
        """The visible classes, each at the median of its points."""
        if self.positions is None:
            return ()
        marks = []
        for number, rows in enumerate(self._class_rows):
            points = self.positions[rows]
            points = points[np.isfinite(points).all(axis=1)]
            if self._visible[number] and len(points):
                z1, z2 = np.median(points, axis=0).tolist()
                marks.append(ClassMark(self._names[number], (z1, z2)))
        return tuple(marks)

    def posterior_mark(self, row: int | None) -> PosteriorMark | None:
        """q(z|x) of an image, or ``None`` where it has no finite one."""
        if row is None or self.posterior is None or self.positions is None:
            return None
        if not 0 <= row < len(self.positions):
            return None
        loc, scale, point = (
            a[row, :2].tolist() for a in (self.posterior.loc, self.posterior.scale, self.positions)
        )
        if not np.isfinite([loc, scale, point]).all():
            return None
        return PosteriorMark(tuple(loc), tuple(scale), tuple(point))

    def nearest(self, plane: PlaneMap, pixel: tuple[float, float], radius: float) -> int | None:
        """Row of the visible point nearest to a pixel, within ``radius`` logical pixels."""
        if self.positions is None:
            return None
        rows = points_near(self.positions, plane, pixel, radius)
        rows = rows[self._visible[self._labels[rows]]]
        return int(rows[0]) if len(rows) else None
