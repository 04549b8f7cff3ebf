"""The points of the latent plane as numbers: where they lie, which classes are visible, what marks them. No Qt."""

from __future__ import annotations

from collections.abc import Set

import numpy as np
from numpy.typing import NDArray

from vaeviewer.analysis.latent_plane import identity
from vaeviewer.backend.data.base import ImageDataset
from vaeviewer.backend.snapshot import PosteriorTable, Snapshot, standard_deviations
from vaeviewer.session.view_state import ViewState, posterior_noise
from vaeviewer.ui.plane.latent_geometry import (
    PRIOR_BOX,
    UNIT_BOX,
    Box,
    ClassMark,
    PlaneMap,
    PosteriorMark,
    cloud_box,
    points_near,
)
from vaeviewer.ui.plane.line_rows import LineRows

ALL_HIDDEN = "All of it is hidden: click a class beside the plane to show it"
AWAITED = "Images are being generated: their codes will be the points"

_MOST_NAMES = 40  # classes whose names are written into the plane
_ROWS_PER_NAME = 500  # points from which the place of a name is taken, at most


class PlanePoints:
    """A point per training image, in the plane where its posterior's mean lies, or a sample from it.

    Codes of one number lie in rows: see :class:`LineRows`.

    Attributes:
        posterior: The table shown, or ``None``.
        positions: The points as drawn, shape ``(n, 2)``, or ``None``.
        late: Which of them are where an encoder put them that had seen less than half of the steps so far, shape
            ``(n,)``; ``None`` if none is. Training computes a batch of posteriors at a time.
    """

    def __init__(self) -> None:
        self.posterior: PosteriorTable | None = None
        self.positions: NDArray[np.float32] | None = None
        self.late: NDArray[np.bool_] | None = None
        self._plane = identity()
        self._labels: NDArray[np.int64] = np.zeros(0, np.int64)
        self._names: tuple[str, ...] = ()
        self._visible = np.zeros(0, bool)  # per class
        self._sizes = np.zeros(0, np.int64)  # images of each class
        self._class_rows: NDArray[np.intp] = np.zeros((0, 0), np.intp)  # (classes, most), filled up with -1
        self._noise: NDArray[np.float32] | None = None
        self._rows: LineRows | None = None  # of codes of one number
        self._generated: PosteriorTable | None = None
        self._least = PRIOR_BOX  # what is shown of the plane whatever the points
        self._awaited = False  # there is a model, and what is generated is not there yet

    def set_dataset(self, dataset: ImageDataset | None) -> None:
        """Take another data set, or ``None``; there are no points until the next table."""
        self.posterior = self.positions = self.late = self._noise = self._rows = self._generated = None
        self.set_groups(
            *((dataset.train_labels, dataset.class_names) if dataset else (np.zeros(0, np.int64), ()))
        )

    def set_groups(self, labels: NDArray[np.int64], names: tuple[str, ...]) -> None:
        """Take what parts the points: classes, or the words of a column; all are visible.

        Args:
            labels: Of each image, ``(n,)``; all 0 without names.
            names: Of the groups, or none.
        """
        self._labels, self._names, self._rows = labels, names, None
        self._visible = np.ones(max(1, len(self._names)), bool)  # without labels all are of one class, 0
        self._sizes = np.bincount(labels, minlength=len(self._visible))
        named = len(self._names) if len(self._names) <= _MOST_NAMES else 0
        rows = [np.flatnonzero(self._labels == number) for number in range(named)]
        rows = [r[:: -(-len(r) // _ROWS_PER_NAME) or 1] for r in rows]
        self._class_rows = np.full((named, max(map(len, rows), default=0)), -1)
        for number, some in enumerate(rows):
            self._class_rows[number, : len(some)] = some

    def hide(self, hidden: Set[int]) -> None:
        """Leave out these classes wherever a point is looked for or a class is named."""
        self._visible[:] = True
        self._visible[[number for number in hidden if 0 <= number < len(self._visible)]] = False

    @property
    def line(self) -> bool:
        """Whether codes have one number, so that only the first coordinate means something."""
        return self._rows is not None

    @property
    def why_none(self) -> str:
        """Why no point of a model is seen, a sentence, or empty."""
        if self._awaited:
            return AWAITED
        hidden = len(self._labels) and self.positions is not None and not self._sizes[self._visible].any()
        return ALL_HIDDEN if hidden else ""

    def take_generated(self, table: PosteriorTable) -> None:
        """Where a snapshot has no table, codes drawn from its prior take its place, a row for each point."""
        self._generated = table

    def usable(self, snapshot: Snapshot | None) -> PosteriorTable | None:
        """A snapshot's table, or the codes drawn, if it has a row per point."""
        if snapshot is not None:
            self._least = PRIOR_BOX if snapshot.family.capabilities.generates else UNIT_BOX
        posterior = snapshot.posterior if snapshot is not None else None
        if posterior is None and snapshot is not None:
            posterior = self._generated
        generates = snapshot is not None and not snapshot.family.capabilities.encodes
        self._awaited = generates and posterior is None
        if posterior is None:
            return None
        return posterior if len(posterior.loc) == len(self._labels) else None

    def show(self, posterior: PosteriorTable | None, view: ViewState, step: int = 0) -> None:
        """Take the points from the table of a step; a sample's noise stays the same for each image."""
        self.posterior, self.late = posterior, None
        if posterior is not None:
            late_before = step // 2
            if len(posterior.row_steps) and posterior.row_steps.min() < late_before:
                self.late = posterior.row_steps < late_before
        if posterior is None:
            self.positions = None
            return
        loc = posterior.loc
        self._plane = view.plane_of(loc.shape[1])
        if view.points == "sample" and posterior.drawn is not None:
            loc = posterior.drawn
        elif view.points == "sample" and posterior.log_variance is not None:
            if self._noise is None or self._noise.shape != loc.shape:
                self._noise = posterior_noise(*loc.shape)
            loc = loc + standard_deviations(posterior.log_variance) * self._noise
        if loc.shape[1] > 1:
            self.positions, self._rows = self._plane.project(loc), None
        else:
            if self._rows is None:
                self._rows = LineRows(self._labels, len(self._names))
            self.positions = self._rows.place(loc[:, 0])

    def box(self) -> Box | None:
        """What holds nearly all points, or ``None`` where there are none."""
        return None if self.positions is None else cloud_box(self.positions, self._least)

    def class_marks(self) -> tuple[ClassMark, ...]:
        """The visible classes, each at the median of its points."""
        if self.positions is None or not self._class_rows.size:
            return ()
        points = self.positions.T[:, self._class_rows]  # (2, classes, rows)
        seen = np.isfinite(points).all(axis=0) & (self._class_rows >= 0)
        points[:, ~seen] = np.inf  # last when sorted
        points.sort(axis=2)
        counts, number = seen.sum(axis=1), np.flatnonzero(seen.any(axis=1) & self._visible)
        low, high = (counts[number] - 1) // 2, counts[number] // 2
        medians = 0.5 * (points[:, number, low] + points[:, number, high])
        return tuple(
            ClassMark(self._names[n], (z1, z2))
            for n, z1, z2 in zip(number.tolist(), *medians.tolist(), strict=True)
        )

    def posterior_mark(self, row: int | None) -> PosteriorMark | None:
        """q(z|x) of an image, or ``None`` where it has no finite one."""
        if row is None or self.posterior is None or self.positions is None:
            return None
        if not 0 <= row < len(self.positions):
            return None
        log_variance = self.posterior.log_variance
        loc, point = self.mean(row), _pair(self.positions[row])
        if self._rows is not None:
            loc = loc[0], point[1]
        scale = None
        if log_variance is not None:
            deviations = standard_deviations(log_variance[row : row + 1])
            scale = _pair(self._plane.project_scale(deviations)[0])
        if not np.isfinite([*loc, *(scale or ()), *point]).all():
            return None
        return PosteriorMark(loc, scale, point)

    def mean(self, row: int) -> tuple[float, float]:
        """Where in the plane an image's posterior has its mean; there must be a table."""
        assert self.posterior is not None
        return _pair(self._plane.project(self.posterior.loc[row : row + 1])[0])

    def nearest(self, plane: PlaneMap, pixel: tuple[float, float], radius: float) -> int | None:
        """Row of the visible point nearest to a pixel, within ``radius`` logical pixels."""
        if self.positions is None:
            return None
        rows = points_near(self.positions, plane, pixel, radius)
        rows = rows[self._visible[self._labels[rows]]]
        return int(rows[0]) if len(rows) else None

    def by_distance(self, z: tuple[float, float], after: int | None, onwards: bool) -> int | None:
        """Row of the visible point that follows another one by its distance from a z.

        Args:
            z: Where distances are measured from.
            after: Row of the other point; ``None`` asks for the nearest of all.
            onwards: The next farther point, else the next nearer one. Of equally far ones the rows decide.
        """
        if self.positions is None or not len(self.positions):
            return None
        with np.errstate(invalid="ignore", over="ignore"):
            across = 0.0 if self._rows is not None else self.positions[:, 1] - np.float32(z[1])
            distance = np.hypot(self.positions[:, 0] - np.float32(z[0]), across)
        there = np.isfinite(distance) & self._visible[self._labels]
        if after is not None and 0 <= after < len(there):
            same, row = distance == distance[after], np.arange(len(there))
            if onwards:
                there &= (distance > distance[after]) | (same & (row > after))
            else:
                there &= (distance < distance[after]) | (same & (row < after))
        if not there.any():
            return None
        if onwards or after is None:
            return int(np.where(there, distance, np.inf).argmin())
        return len(there) - 1 - int(np.where(there, distance, -1.0)[::-1].argmax())


def _pair(point: NDArray[np.float32]) -> tuple[float, float]:
    z1, z2 = point.tolist()
    return z1, z2
