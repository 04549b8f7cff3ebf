"""The posterior lens: p(z|x) of one image in two latent dimensions, at first a coarse map, then ever more exactly."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
from numpy.typing import NDArray

from vaeviewer.analysis.gaps import Gaussian, ascent, gaussian
from vaeviewer.analysis.hmc import LogDensity, Points, Score
from vaeviewer.analysis.modes import modes_of
from vaeviewer.backend.asked import Array
from vaeviewer.backend.chunks import parts
from vaeviewer.backend.models.likelihood_table import LikelihoodTable
from vaeviewer.backend.snapshot import Snapshot
from vaeviewer.errors import NoDensityError

Logs = NDArray[np.float64]
Image = NDArray[np.uint8] | Array

REACH = 4.5
"""The plane is searched for posterior mass up to here along each axis, and farther where there is any at the edge."""

ROWS = 64
"""Codes decoded between two looks at what else is wanted."""

SHADES = 64
"""Along each side of a map, interpolated between the codes that were decoded."""

_CELLS = 36  # along each side of the search
_AT_EDGE, _GROWTH, _MOST_GROWTHS = (
    1e-4,
    1.6,
    4,
)  # while the outermost cells hold such a share it reaches farther
_COARSE, _FINE = 7, 24  # codes decoded along each side of a map
_WIDE = 3.6  # standard deviations to each side that a coarse map shows
_MOST_LEVELS = 7
_MOST_CELLS = 600  # that are divided at a time
_KEPT = (60.0, 30.0, 16.0, 11.0)  # nats below the highest at which cells are divided, by level
_CLOSE = 0.01  # nats by which the last division may change log p(x)
_SEEN = 8.0  # nats below the highest that a map shows
_FARTHEST_Q = 2.5  # times as large a map for q's sake at most
_LEAST_LOG = -80.0  # of an exp, which is slow below
_MIDDLE = 4  # of nine values around a code, its own
NOWHERE = -1e30  # nats, for what is no finite number: of a model that explodes
_LOWEST = -1e8  # nats: of larger numbers float32 has no digits left for differences


@dataclass(frozen=True, eq=False)
class Asked:
    """What a lens looks at.

    Attributes:
        image: uint8 or floats in 0 … 1, ``image_shape``; ``None`` for what the model itself decodes at ``near``.
        y: Its class, where the model needs one.
        q: loc and scale of q(z|x), each ``(2,)``, where they are not the encoder's.
        near: A code near which its posterior is likely to be, ``(2,)``, beside the encoder's.
    """

    image: Image | None
    y: int | None = None
    q: tuple[Array, Array] | None = None
    near: tuple[float, float] | None = None


@dataclass(frozen=True, eq=False)
class Lens:
    """What is known of p(z|x) so far.

    Attributes:
        shades: p(z|x) over its largest value, ``(SHADES, SHADES)``, row 0 at the highest z2.
        rect: What they cover, ``(x0, y0, width, height)`` in units of z.
        modes: Its local maxima, the highest first, ``(k, 2)``.
        q: q(z|x) with its ELBO, NaN in the first map; ``None`` where it is no Gaussian.
        log_px: log p(x), nats; ``None`` in a coarse map.
        error: By how much the last refinement changed it.
        mean: Of p(z|x), ``(2,)``.
        covariance: Likewise, ``(2, 2)``.
        elsewhere: Share of p(z|x) that lies beyond ``rect``.
        path: From q to the best Gaussian that the ascent from it has found so far.
        best: The best one of all starts, once they are done.
    """

    shades: NDArray[np.float32]
    rect: tuple[float, float, float, float]
    modes: Points
    q: Gaussian | None = None
    log_px: float | None = None
    error: float = 0.0
    mean: Points | None = None
    covariance: Points | None = None
    elsewhere: float = 0.0
    path: tuple[Gaussian, ...] = ()
    best: Gaussian | None = None


class Search:
    """Codes all over the plane, with what the decoder makes of them: all images share them. Of one model at a time."""

    def __init__(self) -> None:
        self._of: tuple[Snapshot, int | None, float] | None = None
        self._codes: Array = np.empty((0, 2), np.float32)
        self._tables: list[LikelihoodTable] = []

    def logs(
        self, snapshot: Snapshot, image: Image, y: int | None, reach: float
    ) -> Iterator[tuple[Points, Logs] | None]:
        """Log p(x, z) at the centres of square cells, which it gives last, a little work at a time."""
        wanted = snapshot, y, reach
        if self._of is None or self._of[0] is not snapshot or self._of[1:] != wanted[1:]:
            centres = reach * ((2.0 * np.arange(_CELLS) + 1.0) / _CELLS - 1.0)
            self._codes = np.stack(np.meshgrid(centres, centres), axis=-1).reshape(-1, 2).astype(np.float32)
            self._of, self._tables = wanted, []
        for part in list(parts(len(self._codes), ROWS))[len(self._tables) :]:
            self._tables.append(snapshot.likelihood_table(self._codes[part], y))
            yield None
        found = np.concatenate([table.log_likelihood(image[None])[0] for table in self._tables])
        found = (found + snapshot.log_prior(self._codes)).astype(np.float64)
        yield self._codes.astype(np.float64), np.where(np.isfinite(found), found, NOWHERE)


def lens(snapshot: Snapshot, asked: Asked, search: Search) -> Iterator[Lens | None]:
    """What there is to know of an image's posterior in two latent dimensions, in small steps.

    A coarse map comes with the first step; then p(z|x) wherever it is, log p(x) and the modes; then q is optimised, and
    the path drawn as it grows.

    Raises:
        NoDensityError: p(x|z) or p(z) is no density, or no finite number.
    """
    image = image_of(snapshot, asked)
    logs = _logs_of(snapshot, image, asked.y)
    q = _posterior(snapshot, image, asked)
    width = np.array([0.1, 0.1]) if q is None else q[1].astype(np.float64)
    starts = [place for place in (q and q[0], asked.near) if place is not None] or [(0.0, 0.0)]
    start = np.array(starts, np.float64)
    around = _stencils(logs, start, width)
    usable = around[:, _MIDDLE] > _LOWEST
    start, around = start[usable], around[usable]
    if not len(start):
        raise NoDensityError("log p(x, z) is too large a number here to compute p(z|x) with.")
    first = int(around[:, _MIDDLE].argmax())
    mode, width = _climbed(logs, start[first], width, around[first])
    coarse = _map_of(logs(_codes_in(_around(mode, width), _COARSE)), _around(mode, width), mode[None])
    if q is not None:
        coarse = replace(coarse, q=Gaussian(q[0].astype(np.float64), q[1].astype(np.float64), math.nan))
    yield coarse
    measured = None if q is None else gaussian(logs, *q)
    found = replace(coarse, q=measured)
    yield found
    reach = float(max(REACH, *np.abs(start).reshape(-1) + 1.0))
    for _ in range(_MOST_GROWTHS):
        for cells in search.logs(snapshot, image, asked.y, reach):
            if cells is None:
                yield None
        assert cells is not None, "they come last"
        if _share_at_edge(*cells) < _AT_EDGE:
            break
        reach *= _GROWTH
    assert cells is not None, "there was a search"
    for refined in _refined(logs, *cells, mode, q):
        if refined is not None:
            found = replace(refined, q=measured)
        yield None
    yield found
    if measured is not None:
        yield from _optimised(*log_densities(snapshot, asked), found, measured)


def image_of(snapshot: Snapshot, asked: Asked) -> Image:
    """The image that is looked at."""
    if asked.image is not None:
        return asked.image
    near = np.array([asked.near or (0.0, 0.0)], np.float32)
    image: Array = snapshot.decode(near, asked.y)[0]
    return image


def log_densities(snapshot: Snapshot, asked: Asked) -> tuple[LogDensity, Score]:
    """Log p(x, z) of the image, which is log p(z|x) up to a constant, and its derivative in z."""
    image = image_of(snapshot, asked)

    def score(z: Points) -> Points:
        return snapshot.score(image, z.astype(np.float32), asked.y).astype(np.float64)

    return _logs_of(snapshot, image, asked.y), score


def _logs_of(snapshot: Snapshot, image: Image, y: int | None) -> Callable[[Points], Logs]:
    def logs(z: Points) -> Logs:
        codes = np.asarray(z, np.float32)
        found = snapshot.log_joint(image[None], codes, y)[0].astype(np.float64)
        return np.where(np.isfinite(found), found, NOWHERE)

    return logs


def _posterior(snapshot: Snapshot, image: Image, asked: Asked) -> tuple[Array, Array] | None:
    """Loc and scale of q(z|x), where it is a Gaussian."""
    if asked.q is not None or not snapshot.family.capabilities.gaussian_posterior:
        return asked.q
    found = snapshot.encode(image[None], None if asked.y is None else np.array([asked.y]))
    if found is None or found[1] is None:
        return None
    return found[0][0], found[1][0]


# The coarse map


@cache
def _stencil() -> tuple[Points, Points]:
    """Nine offsets, the middle one 0, and the matrix that takes values there to those of 1, a, b, a², ab, b²."""
    sides = np.array([-1.0, 0.0, 1.0])
    offsets = np.stack(np.meshgrid(sides, sides), axis=-1).reshape(-1, 2)
    a, b = offsets.T
    return offsets, np.linalg.pinv(np.stack([np.ones(9), a, b, a * a, a * b, b * b], axis=1))


def _stencils(logs: LogDensity, at: Points, width: Points) -> NDArray[np.floating]:
    """Log p(x, z) around codes ``(k, 2)``, ``(k, 9)``, with one pass through the decoder: a coarse map is in haste."""
    codes = at[:, None] + width * _stencil()[0]
    return logs(codes.reshape(-1, 2)).reshape(codes.shape[:2])


def _climbed(
    logs: LogDensity, at: Points, width: Points, values: NDArray[np.floating] | None = None
) -> tuple[Points, Points]:
    """The mode near a code and how wide it is along each axis, by parabolas through nine values: Newton's method.

    Args:
        logs: Log p(x, z).
        at: The code.
        width: A first guess.
        values: Of :func:`_stencils` there, where they are known.
    """
    offsets, fit = _stencil()
    for _ in range(3):
        if values is None:
            values = _stencils(logs, at[None], width)[0]
        _, a, b, aa, ab, bb = fit @ values
        curvature = -np.array([[2.0 * aa, ab], [ab, 2.0 * bb]])
        if np.linalg.eigvalsh(curvature)[0] > 1e-3:
            covariance = np.linalg.inv(curvature)
            step, spread = covariance @ [a, b], np.sqrt(np.diag(covariance))
        else:
            step, spread = offsets[int(values.argmax())], np.full(2, 2.0)
        at = at + width * np.clip(step, -2.0, 2.0)
        width, values = width * np.clip(spread, 0.25, 4.0), None
        if (np.abs(step) < 0.3).all() and (np.abs(np.log(spread)) < 0.3).all():
            break
    return at, width


def _around(mode: Points, width: Points) -> tuple[float, float, float, float]:
    """A square about a mode."""
    half = _WIDE * float(width.max())
    return float(mode[0]) - half, float(mode[1]) - half, 2.0 * half, 2.0 * half


def _codes_in(rect: tuple[float, float, float, float], count: int) -> Points:
    """So many along each side of a rectangle, corners included, row 0 at the highest z2."""
    x0, y0, width, height = rect
    xs, ys = np.linspace(x0, x0 + width, count), np.linspace(y0 + height, y0, count)
    return np.stack(np.meshgrid(xs, ys), axis=-1).reshape(-1, 2)


def _map_of(logs: Logs, rect: tuple[float, float, float, float], modes: Points) -> Lens:
    """Shades between the values at the codes of :func:`_codes_in`; logarithms are smooth where densities are steep."""
    count = math.isqrt(len(logs))
    between = _spline(count)
    fine = between @ logs.reshape(count, count) @ between.T
    return Lens(np.exp(np.maximum(fine - fine.max(), _LEAST_LOG)).astype(np.float32), rect, modes)


@cache
def _spline(count: int) -> Points:
    """The matrix that takes values at ``count`` places to those at the centres of SHADES cells: cubic convolution.

    Keys, "Cubic convolution interpolation for digital image processing" (1981), equations 8, 19 and 25.
    """
    places = (np.arange(SHADES) + 0.5) / SHADES * (count - 1)
    matrix = np.zeros((SHADES, count + 2))
    left = np.minimum(places.astype(int), count - 2)
    t = (places - left)[:, None]
    weights = [-0.5 * t + t**2 - 0.5 * t**3, 1 - 2.5 * t**2 + 1.5 * t**3, 0.5 * t + 2 * t**2 - 1.5 * t**3]
    weights.append(-0.5 * t**2 + 0.5 * t**3)
    for number, weight in enumerate(weights):
        matrix[np.arange(SHADES), left + number] = weight[:, 0]
    inner = matrix[:, 1:-1]
    for edge, beyond in ((slice(0, 3), matrix[:, 0]), (slice(-1, -4, -1), matrix[:, -1])):
        inner[:, edge] += beyond[:, None] * np.array([3.0, -3.0, 1.0])  # what lies beyond follows a parabola
    return inner


# The refined one


def _refined(
    logs: Callable[[Points], Logs],
    codes: Points,
    values: Logs,
    mode: Points,
    q: tuple[Array, Array] | None,
) -> Iterator[Lens | None]:
    """Divide cells into four wherever there is posterior mass, until log p(x) stays; the last answer is the lens."""
    side = float(codes[1, 0] - codes[0, 0])
    origin = codes.min(axis=0) - 0.5 * side
    whole: list[tuple[Logs, float]] = []  # cells that are not divided, with their sides
    log_px, error = _log_sum([(values, side)]), math.inf
    for level in range(_MOST_LEVELS):
        lowest = values.max() - _KEPT[min(level, len(_KEPT) - 1)]
        divided = np.asarray(values >= lowest)
        divided[_cell_of(codes, mode, side)] = True  # whose middle may be much lower than the mode
        if divided.sum() > _MOST_CELLS:
            np.logical_and(divided, values >= np.partition(values, -_MOST_CELLS)[-_MOST_CELLS], out=divided)
        whole.append((values[~divided], side))
        corners = 0.25 * side * np.array([[-1.0, -1.0], [1.0, -1.0], [-1.0, 1.0], [1.0, 1.0]])
        codes = (codes[divided][:, None] + corners).reshape(-1, 2)
        side *= 0.5
        found = []
        for part in parts(len(codes), ROWS):
            found.append(logs(codes[part]))
            yield None
        values = np.concatenate(found)
        before, log_px = log_px, _log_sum([*whole, (values, side)])
        error = abs(log_px - before)
        if error < _CLOSE and level:
            break
    share = np.exp(np.maximum(values - values.max(), _LEAST_LOG))
    share /= share.sum()
    mean = share @ codes
    apart = codes - mean
    covariance = (share[:, None] * apart).T @ apart
    places = np.floor((codes - origin) / side).astype(np.int64)
    modes, main = modes_of(places, values, codes)
    seen = codes[main & (values > values[main].max() - _SEEN)]
    low, high = seen.min(axis=0) - side, seen.max(axis=0) + side
    if q is not None:  # in view, too, unless the posterior would be small beside the way there
        with_q = np.minimum(low, q[0] - 2.0 * q[1]), np.maximum(high, q[0] + 2.0 * q[1])
        if (with_q[1] - with_q[0]).max() < _FARTHEST_Q * (high - low).max():
            low, high = with_q
    half, middle = 0.54 * float((high - low).max()), 0.5 * (low + high)
    rect = float(middle[0]) - half, float(middle[1]) - half, 2.0 * half, 2.0 * half
    inside = (np.abs(codes - middle) <= half).all(axis=1)
    grid = _codes_in(rect, _FINE)
    found = []
    for part in parts(len(grid), ROWS):
        found.append(logs(grid[part]))
        yield None
    yield replace(
        _map_of(np.concatenate(found), rect, modes),
        log_px=log_px,
        error=error,
        mean=mean,
        covariance=covariance,
        elsewhere=float(share[~inside].sum()),
    )


def _share_at_edge(codes: Points, values: Logs) -> float:
    """How much of the mass lies in the outermost cells."""
    share = np.exp(np.maximum(values - values.max(), _LEAST_LOG))
    edge = np.abs(codes).max(axis=1) >= np.abs(codes).max()
    return float(share[edge].sum() / share.sum())


def _cell_of(codes: Points, mode: Points, side: float) -> NDArray[np.bool_]:
    within: NDArray[np.bool_] = np.all(np.abs(codes - mode) <= 0.5 * side, axis=1)
    return within


def _log_sum(cells: list[tuple[Logs, float]]) -> float:
    """The logarithm of the integral over cells: of each its middle's density times its area."""
    logs = np.concatenate([values + 2.0 * math.log(side) for values, side in cells])
    highest = float(logs.max())
    return highest + math.log(float(np.exp(np.maximum(logs - highest, _LEAST_LOG)).sum()))


# The gaps


def _optimised(logs: LogDensity, score: Score, found: Lens, q: Gaussian) -> Iterator[Lens]:
    """The ascent from q, then from the posterior's highest mode: the better end is the best q."""
    highest, shade = found.modes[0], found.rect[2] / SHADES
    for step in ascent(logs, score, q):
        found = replace(found, path=(*found.path, step))
        yield found
    best = found.path[-1]
    start = gaussian(logs, *_climbed(logs, highest, np.full(2, shade)))  # Laplace's approximation
    for other in ascent(logs, score, start):
        yield found
        best = max(best, other, key=lambda some: some.elbo)
    yield replace(found, best=best)
