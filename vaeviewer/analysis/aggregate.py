"""The aggregate posterior q(z) = 1/N Σ q(z|xₙ) of Gaussian posteriors, and tiles of the plane on which to integrate it.

Some posteriors of a model are as wide as 1 and others as narrow as 0.005. So a square that holds all of them is cut
into quarters as long as there are narrower ones in it, and each posterior is computed where tiles are about as wide as
it is: within them it is a polynomial.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from itertools import product

import numpy as np
from numpy.typing import NDArray

from vaeviewer.backend.snapshot import PosteriorTable

Vector = NDArray[np.float64]
Rows = NDArray[np.intp]

REACH = 6.0
"""Standard deviations beyond which a posterior is left out: 2·10⁻⁹ of its mass."""

NODES = 32
"""Gauss–Legendre nodes along each side of a tile."""

WIDTH = 10.0
"""Of a tile, at most, in standard deviations of the narrowest posterior in it: polynomials through so many nodes then
miss a Gaussian by 10⁻⁸ of its peak."""

PRIOR_WIDTH = 0.5
"""Of a tile, at most, where the prior lies."""

_MOST_TILES = 3000  # of the narrowest posteriors' width: about a second
_ROWS = 4096  # summed at a time, as many as a few milliseconds allow
_LEAST_EXPONENT = np.float32(-40.0)  # float32 has no denormals at twice that; they are slow


@dataclass(frozen=True, eq=False)
class Tile:
    """A square, or in one dimension an interval, with the density at its nodes.

    Attributes:
        corner: Its least coordinates, ``(d,)``.
        width: Of each side.
        rows: The posteriors that reach into it.
        draws: The draws that lie in it.
        density: q(z) at the nodes, ``(k,)`` or ``(k, k)``, the first number of z first.
    """

    corner: Vector
    width: float
    rows: Rows
    draws: Rows
    density: Vector

    @property
    def nodes(self) -> Vector:
        """The nodes, ``(k ** d, d)``, in the order of the density's values."""
        axes = [low + 0.5 * self.width * (_rule()[0] + 1.0) for low in self.corner]
        return np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, len(axes))

    @property
    def weights(self) -> Vector:
        """What each node stands for, in units of z, of the density's shape."""
        along = 0.5 * self.width * _rule()[1]
        return along if len(self.corner) == 1 else np.outer(along, along)


@dataclass(frozen=True, eq=False)
class Aggregate:
    """The mixture of N diagonal Gaussians with equal weights.

    Attributes:
        loc: Their means, ``(n, d)``, n ≥ 1.
        scale: Their standard deviations, likewise.
    """

    loc: Vector
    scale: Vector

    @classmethod
    def of(cls, posterior: PosteriorTable) -> Aggregate | None:
        """The mixture of those in a table that are finite; ``None`` where there are none or codes are points."""
        if posterior.log_variance is None:
            return None
        with np.errstate(over="ignore"):
            scale = np.exp(0.5 * posterior.log_variance.astype(np.float64))
        loc = posterior.loc.astype(np.float64)
        there = (np.isfinite(loc) & np.isfinite(scale) & (scale > 0)).all(axis=1)
        return cls(loc[there], scale[there]) if there.any() else None

    def __len__(self) -> int:
        return len(self.loc)

    @property
    def latent_dim(self) -> int:
        """Numbers of z."""
        return int(self.loc.shape[1])

    @cached_property
    def entropy(self) -> float:
        """Mean differential entropy of the Gaussians, nats."""
        per_axis = 0.5 * math.log(2.0 * math.pi * math.e)
        return float(np.log(self.scale).sum(axis=1).mean()) + self.latent_dim * per_axis

    @cached_property
    def _root(self) -> tuple[Vector, float]:
        """Corner and width of the square that holds all."""
        low, high = (self.loc - REACH * self.scale).min(axis=0), (self.loc + REACH * self.scale).max(axis=0)
        low, high = np.minimum(low, -REACH), np.maximum(high, REACH)
        return low, float((high - low).max())

    @cached_property
    def levels(self) -> NDArray[np.int64]:
        """How often the square is halved until tiles are narrow enough for each posterior, ``(n,)``."""
        corner, width = self._root
        wanted = _level(width, WIDTH * self.scale.min(axis=1))
        for level in range(int(wanted.max()), 0, -1):
            narrow = wanted >= level
            tiles = np.floor((self.loc[narrow] - corner) / (width / 2.0**level)).astype(np.int64)
            if len(np.unique(tiles @ np.array([1, 2**31])[: self.latent_dim])) <= _MOST_TILES:
                return np.minimum(wanted, level)
        return np.minimum(wanted, 0)

    @property
    def too_narrow(self) -> float:
        """Share of posteriors that are narrower than the tiles can show; they are taken to be wider."""
        return float(np.mean(self._widened.scale.min(axis=1) > 1.001 * self.scale.min(axis=1)))

    @cached_property
    def _widened(self) -> Aggregate:
        least = self._root[1] / 2.0**self.levels / WIDTH
        return Aggregate(self.loc, np.maximum(self.scale, least[:, None]))

    def tiles(self, prior_codes: Vector, draws: Vector) -> Iterator[Tile | None]:
        """The tiles, in no order; ``None`` between them, wherever one may pause.

        Args:
            prior_codes: Where the prior lies, too, ``(m, d)``, of one or two dimensions.
            draws: Points of which each tile says which lie in it, likewise.
        """
        d, count, (corner, width), mixture = self.latent_dim, len(self), self._root, self._widened
        places = np.concatenate([self.loc, prior_codes])
        reach = np.concatenate([REACH * mixture.scale, np.zeros_like(prior_codes)])
        level_of_prior = _level(width, np.array(PRIOR_WIDTH))
        levels = np.concatenate([self.levels, np.full(len(prior_codes), level_of_prior)])
        everyone, nobody, all_draws = np.arange(len(places)), np.zeros(0, np.intp), np.arange(len(draws))
        waiting = [(0, corner, everyone, nobody, all_draws, np.zeros((NODES,) * d))]
        while waiting:
            level, corner, rows, above, drawn, density = waiting.pop()
            size = width / 2.0**level
            here = levels[rows] <= level
            own, deeper = rows[here], rows[~here]
            own = own[own < count]
            axes = tuple(low + 0.5 * size * (_rule()[0] + 1.0) for low in corner)
            for start in range(0, len(own), _ROWS):
                density = density + mixture.sum_on(axes, own[start : start + _ROWS])
                yield None
            above = np.concatenate([above, own])
            if not len(deeper):
                yield Tile(corner, size, above, drawn, np.maximum(density, 0.0) / count)
                continue
            for quarter in product((0, 1), repeat=d):
                half, low = 0.5 * size, corner + 0.5 * size * np.array(quarter)
                away = np.abs(places[deeper] - (low + 0.5 * half)) - reach[deeper]
                inside = deeper[(away <= 0.5 * half).all(axis=1)]
                among = drawn[((draws[drawn] >= low) & (draws[drawn] < low + half)).all(axis=1)]
                waiting.append((level + 1, low, inside, above, among, _within(density, quarter)))
                yield None

    def sum_on(self, axes: Sequence[Vector], rows: Rows | slice = slice(None)) -> Vector:
        """The summed densities of its Gaussians, or of some, on a grid: ``(k,)`` or ``(k1, k2)``.

        Of two dimensions that is a matrix product, as covariances are diagonal: Σₙ N(z₁; μₙ₁, σₙ₁²) N(z₂; μₙ₂, σₙ₂²).
        """
        first, *others = (self._along(axis, nodes, rows) for axis, nodes in enumerate(axes))
        found = first.T @ others[0] if others else first.sum(axis=0)
        return np.asarray(found, np.float64)

    def sum_at(self, points: Vector, rows: Rows | slice = slice(None)) -> Vector:
        """The same at points ``(k, d)`` of one or two dimensions: ``(k,)``."""
        first, *others = (self._along(axis, along, rows) for axis, along in enumerate(points.T))
        found = np.einsum("nk,nk->k", first, others[0]) if others else first.sum(axis=0)
        return np.asarray(found, np.float64)

    def _along(self, axis: int, nodes: Vector, rows: Rows | slice) -> NDArray[np.float32]:
        """The density of each Gaussian's one number at places, ``(n, k)``."""
        middle = nodes[len(nodes) // 2]  # about it float32 has digits enough
        width = self.scale[rows, axis].astype(np.float32)[:, None]
        from_middle = (self.loc[rows, axis] - middle).astype(np.float32)[:, None]
        found: NDArray[np.float32] = (nodes - middle).astype(np.float32) - from_middle
        found /= width
        np.square(found, out=found)
        found *= np.float32(-0.5)
        np.maximum(found, _LEAST_EXPONENT, out=found)
        np.exp(found, out=found)
        found /= np.float32(math.sqrt(2.0 * math.pi)) * width
        return found


def _level(width: float, most: Vector) -> NDArray[np.int64]:
    """How often to halve ``width`` until it is at most that."""
    return np.maximum(np.ceil(np.log2(width / most)), 0.0).astype(np.int64)


@cache
def _rule() -> tuple[Vector, Vector]:
    """Nodes and weights on −1 … 1."""
    return np.polynomial.legendre.leggauss(NODES)


@cache
def _halves() -> tuple[Vector, Vector]:
    """From values at a tile's nodes to those at the nodes of its lower and its upper half, ``(k, k)`` each."""
    nodes = _rule()[0]
    vander = np.polynomial.legendre.legvander
    back = np.linalg.inv(vander(nodes, NODES - 1))
    return vander((nodes - 1.0) / 2.0, NODES - 1) @ back, vander((nodes + 1.0) / 2.0, NODES - 1) @ back


def _within(density: Vector, quarter: tuple[int, ...]) -> Vector:
    """The density at the nodes of one quarter."""
    found = _halves()[quarter[0]] @ density
    return found if len(quarter) == 1 else found @ _halves()[quarter[1]].T
