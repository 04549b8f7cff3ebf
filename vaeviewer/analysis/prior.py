"""p(z) of a Snapshot: codes drawn from it, its density over the latent plane, and the regions that hold its mass."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vaeviewer.analysis.contours import contours
from vaeviewer.analysis.latent_plane import Array, LatentPlane
from vaeviewer.backend.chunks import parts
from vaeviewer.backend.models.likelihood_table import LEAST_EXPONENT
from vaeviewer.backend.snapshot import Snapshot
from vaeviewer.errors import NoDensityError

SHARES = tuple(-math.expm1(-r * r / 2.0) for r in (1, 2, 3))
"""Shares of a prior within its contours: what the circles of 1, 2 and 3 standard deviations hold of N(0, I)."""

DRAWN = 20_000
"""Codes that tell where the prior lies."""

_CELLS = 128  # of the density, along each axis
_LOOKED_UP = 6_000  # of the codes drawn, to find a contour's level
_ROWS = 1_024  # codes whose density is asked for at a time
_SEED = 1705_07120
_MARGIN = 0.25  # of the prior's box, all around
_BANDWIDTH = 2.5  # cells
_STRAYS = 0.002  # share of the codes that may lie beyond the box on each side


def prior_codes(snapshot: Snapshot, count: int) -> Array:
    """Codes drawn from p(z), float32 ``(count, latent_dim)``, the same ones at every call for the same prior.

    A prior other than N(0, I) is asked in torch, on the thread that calls.
    """
    shape = count, snapshot.model.latent_dim
    if snapshot.family.capabilities.normal_prior:
        return np.random.default_rng(_SEED).standard_normal(shape, dtype=np.float32)
    import torch

    from vaeviewer.backend.models.latent_model import ask
    from vaeviewer.backend.models.own_draws import OwnDraws

    with OwnDraws(torch.Generator().manual_seed(_SEED)):
        codes = ask(snapshot.key, snapshot.tensors, lambda model: model.prior().sample((count,)))
    found: Array = codes.float().numpy().reshape(shape)
    return found


@dataclass(frozen=True)
class PriorShape:
    """A prior as the latent plane shows it.

    Attributes:
        codes: Drawn from it, ``(n, latent_dim)``.
        density: Over the plane, relative to its largest value, float32 ``(rows, columns)``, row 0 at the lowest z2.
        box: Where that lies, ``(x0, x1, y0, y1)``: the centres of the outermost cells.
        lines: For each of :data:`SHARES`, pieces of the contour that holds as much: ``(n, 2, 2)``, n pairs of points.
    """

    codes: Array
    density: Array
    box: tuple[float, float, float, float]
    lines: tuple[NDArray[np.float64], ...]


def prior_shape(snapshot: Snapshot, plane: LatentPlane) -> Iterator[PriorShape | None]:
    """How the prior lies in a plane, in small steps of which the last one gives it.

    Where codes have at most two numbers the density is its own, if it has one. Elsewhere it is the marginal one,
    estimated from codes drawn. A contour's level is the one that the density exceeds at a share of the codes
    (Hyndman 1996, "Computing and graphing highest density regions").
    """
    codes = prior_codes(snapshot, DRAWN)
    points = plane.project(codes)
    line = snapshot.model.latent_dim == 1
    xs = _axis(points[:, 0])
    ys = np.array([-1.0, 1.0]) if line else _axis(points[:, 1])
    grid = np.stack(np.meshgrid(xs, ys), axis=-1).reshape(-1, 2)
    logs: list[Array] = []
    if snapshot.model.latent_dim <= 2:
        asked = np.concatenate([plane.lift(grid)[:, : codes.shape[1]], codes[:_LOOKED_UP]])
        for part in parts(len(asked), _ROWS):
            yield None
            try:
                logs.append(snapshot.log_prior(asked[part]))
            except NoDensityError:
                break
    yield None
    if sum(map(len, logs)) > len(grid):
        # In logarithms, which are smooth where the density is steep.
        found = np.nan_to_num(np.concatenate(logs), nan=-np.inf)
        heights = np.maximum(found - found.max(), LEAST_EXPONENT)
        heights, at_codes = heights[: len(grid)].reshape(len(ys), len(xs)), heights[len(grid) :]
        density, most = np.exp(heights), -0.01
    else:
        density = _smoothed(points, xs, ys)
        heights, most = density, 0.99 * float(density.max())
        at_codes = density[_nearest(points[:, 1], ys), _nearest(points[:, 0], xs)]
    lines = []
    for share in SHARES:
        level = min(
            float(np.quantile(at_codes, 1.0 - share)), most
        )  # of a flat density, all that is above nothing
        lines.append(contours(heights, xs, ys, level))
        yield None
    box = float(xs[0]), float(xs[-1]), float(ys[0]), float(ys[-1])
    yield PriorShape(codes, (density / density.max()).astype(np.float32), box, tuple(lines))


def _axis(values: Array) -> NDArray[np.float64]:
    """Where the density is looked at along an axis: wherever codes are, and a little beyond."""
    values = values[np.isfinite(values)]
    low, high = np.quantile(values, (_STRAYS, 1.0 - _STRAYS)) if len(values) else (-1.0, 1.0)
    room = max(_MARGIN * (high - low), 1e-3)
    return np.linspace(low - room, high + room, _CELLS)


def _nearest(values: Array, axis: NDArray[np.float64]) -> NDArray[np.intp]:
    """Rows of the nearest centres; beyond the axis, of the last one."""
    place = (np.nan_to_num(values) - axis[0]) / (axis[1] - axis[0])
    rows: NDArray[np.intp] = np.clip(np.rint(place), 0, len(axis) - 1).astype(np.intp)
    return rows


def _smoothed(points: Array, xs: NDArray[np.float64], ys: NDArray[np.float64]) -> NDArray[np.float64]:
    """A kernel estimate of the density of points ``(n, 2)`` on a grid, up to a factor."""
    counts = np.zeros((len(ys), len(xs)))
    np.add.at(counts, (_nearest(points[:, 1], ys), _nearest(points[:, 0], xs)), 1.0)
    kernels = []
    for axis in (ys, xs):
        if len(axis) == 2:  # codes have one number: all of the other direction is alike
            kernels.append(np.ones((2, 2)))
            continue
        apart = np.subtract.outer(np.arange(len(axis)), np.arange(len(axis)))
        kernels.append(np.exp(-0.5 * np.square(apart / _BANDWIDTH)))
    smooth: NDArray[np.float64] = kernels[0] @ counts @ kernels[1]
    return smooth
