"""The aggregate posterior q(z) and the prior p(z) as the latent plane shows them, over the same cells."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass

import numpy as np

from vaeviewer.analysis.aggregate import Aggregate, Vector
from vaeviewer.analysis.latent_plane import Array, Axes
from vaeviewer.analysis.prior import prior_codes
from vaeviewer.analysis.surgery import why_not
from vaeviewer.backend.chunks import parts
from vaeviewer.backend.densities import log_standard_normal
from vaeviewer.backend.models.likelihood_table import LEAST_EXPONENT
from vaeviewer.backend.snapshot import Snapshot

CELLS = 160
"""Along each side."""

_LEAST_HALF = 4.0  # of the square's side, where the prior is N(0, I)
_STRAYS = 0.002  # share of the means that may lie beyond it on each side
_SPREAD = 0.7  # of a cell's edge, by which posteriors are spread so that none falls between two cells
_ROWS = 1_024  # posteriors, or codes whose density is asked for, at a time


@dataclass(frozen=True, eq=False)
class PlaneDensities:
    """Per unit of area of the plane, or per unit of z in one dimension.

    Attributes:
        q: The density q(z), spread by about a cell, float32 ``(rows, columns)``, row 0 at the lowest z2; of one
            dimension one row.
        p: The density p(z) in the cells' middles, likewise.
        box: Where the cells lie, ``(x0, x1, y0, y1)``: the outermost edges.
    """

    q: Array
    p: Array
    box: tuple[float, float, float, float]

    @property
    def log_ratio(self) -> Array:
        """The decimal logarithm of q(z)/p(z), likewise; NaN where neither has any density to speak of."""
        least = np.float32(1e-5) * max(float(self.p.max()), 1e-30)
        ratio = np.log10(np.maximum(self.q, np.float32(1e-30)) / np.maximum(self.p, np.float32(1e-30)))
        found: Array = np.where(np.maximum(self.q, self.p) > least, ratio, np.float32(np.nan))
        return found


def plane_densities(snapshot: Snapshot, axes: Axes | None) -> Generator[None, None, PlaneDensities | None]:
    """Both densities over the plane, in steps of a few milliseconds, if they are known.

    Of more than two dimensions it is the plane of two of them, and both are marginal: known where p(z) is N(0, I).

    Args:
        snapshot: The model.
        axes: The two dimensions that span the plane; ``None``: two principal axes.
    """
    mixture = None if snapshot.posterior is None or why_not(snapshot) else Aggregate.of(snapshot.posterior)
    normal = snapshot.family.capabilities.normal_prior
    if mixture is None:
        return None
    if mixture.latent_dim > 2:
        if axes is None or not normal or max(axes) >= mixture.latent_dim:
            return None
        mixture = Aggregate(mixture.loc[:, axes], mixture.scale[:, axes])
    yield None
    centres, edge = _cells(mixture, None if normal else prior_codes(snapshot, 2_000).astype(np.float64))
    spread = Aggregate(mixture.loc, np.sqrt(np.square(mixture.scale) + (_SPREAD * edge) ** 2))
    q = np.zeros([len(along) for along in centres])
    for part in parts(len(mixture), _ROWS):
        q += spread.sum_on(centres, part)
        yield None
    q /= len(mixture)
    grid = np.stack(np.meshgrid(*centres, indexing="ij"), axis=-1).reshape(-1, len(centres))
    log_p = np.zeros(len(grid))
    for part in parts(len(grid), _ROWS):
        # A marginal of N(0, I) is one, too.
        some = grid[part].astype(np.float32)
        log_p[part] = log_standard_normal(some) if normal else snapshot.log_prior(some)
        yield None
    p = np.exp(np.maximum(log_p, LEAST_EXPONENT)).reshape(q.shape)
    sides = [(float(along[0] - edge / 2), float(along[-1] + edge / 2)) for along in centres]
    below, above = sides[1] if len(sides) == 2 else (-1.0, 1.0)
    return PlaneDensities(_rows_up(q), _rows_up(p), (*sides[0], below, above))


def _cells(mixture: Aggregate, codes: Vector | None) -> tuple[tuple[Vector, ...], float]:
    """The cells' middles along each axis, and a cell's edge: a square that holds prior and posteriors."""
    low, high = np.quantile(mixture.loc, (_STRAYS, 1.0 - _STRAYS), axis=0)
    if codes is None:
        low, high = np.minimum(low, -_LEAST_HALF), np.maximum(high, _LEAST_HALF)
    else:
        ends = np.quantile(codes, (_STRAYS, 1.0 - _STRAYS), axis=0)
        low, high = np.minimum(low, ends[0]) - 0.25, np.maximum(high, ends[1]) + 0.25
    edge = float((high - low).max()) / CELLS
    steps = (np.arange(CELLS) + 0.5 - CELLS / 2) * edge
    return tuple(middle + steps for middle in (low + high) / 2.0), edge


def _rows_up(values: Vector) -> Array:
    """From the first number of z first to rows of the second."""
    found: Array = np.atleast_2d(values.T).astype(np.float32)
    return found
