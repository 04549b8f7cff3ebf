"""The true posterior p(z|x) of one image in one or two latent dimensions: its map, its moments, and q(z|x) beside it.

A coarse map comes at once from a table of decoded codes that all images share; a fine one is as fine as the posterior
needs, however narrow it is, and has log p(x) with it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vaeviewer.analysis.evidence import joint, prior_box, require_few_dimensions
from vaeviewer.analysis.quadrature import At, Box, Integrals, Points, Rows, integrate
from vaeviewer.backend.models.likelihood_table import LEAST_EXPONENT, LikelihoodTable
from vaeviewer.backend.snapshot import Array, Snapshot

CELLS = {1: 576, 2: 72}
"""Along each side of the shared grid, by dimension: whole tiles of the quadrature, which can go on from there."""

SHARED_REACH = 4.5
"""How far it reaches from 0 where the prior is a standard normal."""

SHOWN = 12.0
"""A fine map shows what lies at most so many nats below the highest point …"""

MOST_CELLS = 320
"""… in at most so many cells along a side."""

MODE_DEPTH = 10.0
"""A local maximum counts as a mode at most so many nats below the highest …"""

MOST_MODES = 6
"""… and there are at most so many."""

NODES = 25
"""Along each axis, for expectations under q(z|x) …"""

NODES_REACH = 6.0
"""… over so many of its standard deviations to either side."""


@dataclass(frozen=True, eq=False)
class PosteriorMap:
    """p(z|x) of one image.

    Attributes:
        density: Relative to its largest value, 0 … 1, float32 ``(rows, columns)``, row 0 at the lowest z2; one row
            where z is one number.
        box: What it covers, ``(x0, x1, y0, y1)``: the outer edges of the outermost cells.
        log_px: log p(x), nats, or log p(x|y) where there is a class.
        error: About by how much that may be off; ``nan`` of a coarse map, which cannot say.
        mean: Of z, ``(d,)``.
        covariance: ``(d, d)``.
        modes: Local maxima, the highest first, ``(k, d)``.
    """

    density: Array
    box: tuple[float, float, float, float]
    log_px: float
    error: float
    mean: NDArray[np.float64]
    covariance: NDArray[np.float64]
    modes: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class SharedGrid:
    """Codes on a grid over the prior, decoded once for all images.

    Attributes:
        codes: Centres of the cells, ``(m, d)``, z1 slowest.
        table: log p(x|z) there.
        log_prior: log p(z) there.
        box: What the cells cover.
    """

    codes: Array
    table: LikelihoodTable
    log_prior: Array
    box: Box

    @property
    def shape(self) -> tuple[int, ...]:
        """Cells along each axis."""
        d = len(self.box.low)
        return (CELLS[d],) * d

    @property
    def spacing(self) -> float:
        """Between codes."""
        return float(self.box.high[0] - self.box.low[0]) / self.shape[0]

    def posterior(self, image: NDArray[np.uint8] | Array) -> PosteriorMap:
        """A coarse map, of one image ``image_shape``; log p(x) is off where the posterior is narrower than a cell."""
        logs = self.logs(image)
        grid = logs.reshape(self.shape)
        return _map(grid, self.box.low, self.spacing, [Points(self.codes, logs, self.spacing)], math.nan)

    def logs(self, image: NDArray[np.uint8] | Array) -> Array:
        """Log p(x, z) of an image at each code."""
        logs: Array = self.table.log_likelihood(image[None])[0] + self.log_prior
        return logs


def shared_grid(snapshot: Snapshot, y: int | None = None) -> SharedGrid:
    """The grid for a model, of a class where it sees one; takes as long as decoding its codes.

    Raises:
        NoDensityError: The model has no density or no prior, or more than two latent dimensions.
    """
    require_few_dimensions(snapshot)
    box, d = prior_box(snapshot), snapshot.model.latent_dim
    if snapshot.family.capabilities.normal_prior:
        box = Box(np.full(d, -SHARED_REACH), np.full(d, SHARED_REACH))
    width = float((box.high - box.low).max())
    low = 0.5 * (box.low + box.high - width)  # square cells
    centres = [corner + width / CELLS[d] * (np.arange(CELLS[d]) + 0.5) for corner in low]
    codes = np.stack(np.meshgrid(*centres, indexing="ij"), -1).reshape(-1, d).astype(np.float32)
    return SharedGrid(
        codes, snapshot.likelihood_table(codes, y), snapshot.log_prior(codes), Box(low, low + width)
    )


def posterior(
    snapshot: Snapshot,
    image: NDArray[np.uint8] | Array,
    y: int | None = None,
    shared: SharedGrid | None = None,
) -> PosteriorMap:
    """A fine map, of one image ``image_shape``; errors as for :func:`shared_grid`."""
    *_, found = posterior_in_steps(snapshot, image, y, shared)
    assert isinstance(found, PosteriorMap)
    return found


def posterior_in_steps(
    snapshot: Snapshot,
    image: NDArray[np.uint8] | Array,
    y: int | None = None,
    shared: SharedGrid | None = None,
) -> Iterator[float | PosteriorMap]:
    """A fine map, in small steps: the share done, 0 … 1, and at last the map.

    Args:
        snapshot: The model.
        image: ``image_shape``.
        y: Its class, for a model that sees it.
        shared: That of the model and the class, if there is one: then the coarsest codes are decoded already.
    """
    require_few_dimensions(snapshot)
    at, box, first = joint(snapshot, image[None], y), prior_box(snapshot), None
    if shared is not None:
        at, box, first = _from_shared(at, shared, image), shared.box, shared.spacing
    for step in integrate(at, 1, box, first=first):
        if not isinstance(step, Integrals):
            yield step
            continue
        grid, low, spacing = _raster(step.points)
        yield _map(grid, low, spacing, step.points, float(step.change[0]))


def _from_shared(at: At, shared: SharedGrid, image: NDArray[np.uint8] | Array) -> At:
    """The same function, looked up where the shared grid has it."""
    logs, spacing = shared.logs(image), shared.spacing

    def looked_up(z: Array) -> Callable[[Rows], Array]:
        cells = (z - shared.box.low) / spacing - 0.5
        nearest = np.rint(cells).astype(np.int64)
        if np.abs(cells - nearest).max() > 1e-3 or (nearest < 0).any() or (nearest >= shared.shape).any():
            return at(z)
        found = logs[np.ravel_multi_index(tuple(nearest.T), shared.shape)]
        return lambda rows: found[None].copy()

    return looked_up


@dataclass(frozen=True)
class GaussianTerms:
    """The ELBO's terms of one image with q(z|x) a given Gaussian, as integrals, nats.

    Attributes:
        reconstruction: E_q[log p(x|z)].
        kl: KL(q(z|x) ‖ p(z)).
    """

    reconstruction: float
    kl: float

    @property
    def elbo(self) -> float:
        """At most log p(x), by KL(q(z|x) ‖ p(z|x))."""
        return self.reconstruction - self.kl


def gaussian_terms(
    snapshot: Snapshot, image: NDArray[np.uint8] | Array, loc: Array, scale: Array, y: int | None = None
) -> GaussianTerms:
    """The ELBO's terms of one image by quadrature, with q(z|x) = N(loc, scale²), both ``(d,)``, d at most 2."""
    require_few_dimensions(snapshot)
    d = len(loc)
    nodes = NODES_REACH * np.linspace(-1.0, 1.0, NODES)
    noise = np.stack(np.meshgrid(*[nodes] * d, indexing="ij"), -1).reshape(-1, d)
    log_q = -0.5 * np.square(noise).sum(1)
    weights = np.exp(log_q) / np.exp(log_q).sum()
    log_q -= d * 0.5 * math.log(2.0 * math.pi) + np.log(scale, dtype=np.float64).sum()
    z = (loc + scale * noise).astype(np.float32)
    log_likelihood = snapshot.log_likelihood(image[None], z, y)[0]
    return GaussianTerms(float(weights @ log_likelihood), float(weights @ (log_q - snapshot.log_prior(z))))


def _map(
    grid: Array, low: NDArray[np.float64], spacing: float, points: Sequence[Points], error: float
) -> PosteriorMap:
    """Of logarithms on a grid, indexed by z1, then z2, whose corner is ``low``, and of all points."""
    codes = np.concatenate([some.codes for some in points]).astype(np.float64)
    d = codes.shape[1]
    logs = np.concatenate([some.logs + d * math.log(some.spacing) for some in points]).astype(np.float64)
    most = logs.max()
    weights = np.exp(np.maximum(logs - most, LEAST_EXPONENT))
    log_px = most + math.log(weights.sum())
    weights /= weights.sum()
    mean = weights @ codes
    apart = codes - mean
    density = np.exp(np.maximum(grid - grid.max(), LEAST_EXPONENT)).astype(np.float32)
    high = low + spacing * np.array(grid.shape)
    box = (*_ends(low, high, 0), *(_ends(low, high, 1) if d == 2 else (-0.5, 0.5)))
    return PosteriorMap(
        density.T if d == 2 else density[None],
        box,
        log_px,
        error,
        mean,
        apart.T @ (weights[:, None] * apart),
        _modes(grid, low, spacing),
    )


def _ends(low: NDArray[np.float64], high: NDArray[np.float64], axis: int) -> tuple[float, float]:
    return float(low[axis]), float(high[axis])


def _raster(points: Sequence[Points]) -> tuple[Array, NDArray[np.float64], float]:
    """Logarithms on one grid around what is not negligible, its corner, and its spacing."""
    highest = max(float(some.logs.max()) for some in points)
    seen = [some for some in points if some.logs.max() >= highest - SHOWN]
    low = np.min([some.codes.min(0) - 0.5 * some.spacing for some in seen], axis=0).astype(np.float64)
    high = np.max([some.codes.max(0) + 0.5 * some.spacing for some in seen], axis=0).astype(np.float64)
    spacing = min(some.spacing for some in seen)
    while (high - low).max() > 1.001 * MOST_CELLS * spacing:
        spacing *= 2.0
    shape = np.maximum(1, np.rint((high - low) / spacing)).astype(np.int64)
    grid = np.full(shape, -np.inf, np.float32)
    for some in points:
        finer = max(1, round(some.spacing / spacing))  # cells that a point fills along an axis
        first = np.floor((some.codes - 0.5 * some.spacing - low) / spacing + 1e-3).astype(np.int64)
        for inside in np.ndindex((finer,) * len(low)):
            cells = first + np.array(inside)
            kept = ((cells >= 0) & (cells < shape)).all(1)
            np.maximum.at(grid, tuple(cells[kept].T), some.logs[kept])
    return grid, low, spacing


def _modes(grid: Array, low: NDArray[np.float64], spacing: float) -> NDArray[np.float64]:
    """Local maxima, each moved to the top of the parabola through its neighbours along each axis."""
    padded = np.pad(grid, 1, constant_values=-np.inf)
    middle = (slice(1, -1),) * grid.ndim
    top = grid >= grid.max() - MODE_DEPTH
    for step in np.ndindex((3,) * grid.ndim):
        if any(at != 1 for at in step):
            shifted = padded[tuple(slice(at, at + size) for at, size in zip(step, grid.shape, strict=True))]
            top &= padded[middle] >= shifted
    places = np.argwhere(top)
    places = places[np.argsort(-grid[tuple(places.T)], kind="stable")][:MOST_MODES]
    found = places + 0.5
    for mode, place in zip(found, places, strict=True):
        for axis in range(grid.ndim):
            ends = [list(place + 1), list(place + 1)]
            ends[0][axis] -= 1
            ends[1][axis] += 1
            before, after = (float(padded[tuple(end)]) for end in ends)
            bend = before + after - 2.0 * float(grid[tuple(place)])
            if math.isfinite(bend) and bend < 0.0:
                mode[axis] += 0.5 * (before - after) / bend
    modes: NDArray[np.float64] = low + spacing * found
    return modes
