"""Which real images are nearest to a code, and to the picture decoded there; and how far from all data that is."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vaeviewer.backend.chunks import parts
from vaeviewer.backend.data.pages import give_back
from vaeviewer.backend.snapshot import PosteriorTable

Array = NDArray[np.float32]
Rows = NDArray[np.intp]

MOST_PIXELS = 2**28
"""Pixels looked at in one search, bytes: of larger data every second image, every third, and so on."""
_ROWS = 512  # images compared at a time: as floats they stay in the processor's cache, which is twice as fast
_ROUNDS = 8  # of those between two looks at whatever else is asked
_NUMBERS = 2e7  # of codes, that tell how far they usually are from each other
_MOST_CODES = 200  # whose nearest are looked for to tell that …
_LEAST_CODES = 20  # … and at least
_EDGE = 2.326  # of a standard normal, 99 % are below


@dataclass(frozen=True)
class Found:
    """Images in the order of their distance.

    Attributes:
        rows: Of those trained on, ``(k,)``.
        distances: ``(k,)``.
    """

    rows: Rows
    distances: Array


@dataclass(frozen=True)
class Spacing:
    """How far codes are from the one nearest to them.

    Attributes:
        median: Of those distances.
        wide: What one in a hundred exceeds.
    """

    median: float
    wide: float


@dataclass(frozen=True)
class Reach:
    """How far a code is from all data.

    Attributes:
        distance: To the nearest code of an image.
        spacing: Between these.
        deviations: From the mean of the posterior that reaches farthest towards it, in standard deviations of that;
            ``None`` where codes are points.
        latent_dim: Of the space.
    """

    distance: float
    spacing: Spacing
    deviations: float | None
    latent_dim: int

    @property
    def extrapolates(self) -> bool:
        """Whether training hardly ever decodes there.

        It draws z from posteriors: of such draws one in a hundred is so many deviations from the mean that χ² of d
        degrees of freedom exceeds d (1 − 2/9d + 2.326 √(2/9d))³ (Wilson & Hilferty 1931). Where codes are points, the
        nearest one is to be no farther than all but one in a hundred are from theirs.
        """
        if self.deviations is None:
            return self.distance > self.spacing.wide
        ninth = 2.0 / (9.0 * self.latent_dim)
        return self.deviations**2 > self.latent_dim * (1.0 - ninth + _EDGE * math.sqrt(ninth)) ** 3


def nearest_codes(codes: Array, z: Array, count: int, among: NDArray[np.bool_] | None = None) -> Found:
    """The codes ``(n, d)`` nearest to one ``(d,)``, at most ``count``; perhaps only some rows count."""
    return _smallest(_squares(codes, z), count, among)


def deviations_to(table: PosteriorTable, z: Array) -> float | None:
    """The least distance of a code ``(d,)`` from the mean of a posterior, in standard deviations of that one.

    Each number of z counts in its own deviation. ``None`` where codes are points.
    """
    if table.log_variance is None or not len(table.loc):
        return None
    total = np.zeros(len(table.loc), np.float32)
    with np.errstate(over="ignore", invalid="ignore"):
        for j in range(table.loc.shape[1]):
            apart = table.loc[:, j] - np.float32(z[j])
            apart *= apart
            apart *= np.exp(-table.log_variance[:, j])
            total += apart
    return math.sqrt(float(np.nanmin(total))) if np.isfinite(total).any() else math.inf


def spacing_of(codes: Array) -> Iterator[Spacing | None]:
    """How far codes ``(n, d)`` are from their nearest, of some of them, evenly chosen; ``None`` in between."""
    n, d = codes.shape
    count = int(min(n, _MOST_CODES, max(_LEAST_CODES, _NUMBERS / max(1, n * d))))
    if n < 2:
        yield Spacing(0.0, 0.0)
        return
    rows = np.linspace(0, n - 1, count).astype(np.intp)
    distances = np.empty(len(rows))
    for number, row in enumerate(rows.tolist()):
        squares = _squares(codes, codes[row])
        squares[row] = np.inf
        distances[number] = math.sqrt(float(np.nanmin(squares)))
        if number % 16 == 15:
            yield None
    finite = distances[np.isfinite(distances)]
    if not len(finite):
        yield Spacing(0.0, 0.0)
        return
    yield Spacing(float(np.median(finite)), float(np.quantile(finite, 0.99)))


class PixelSearch:
    """Finds the images nearest to a picture, by the Euclidean distance of grey levels or colours in 0 … 1.

    One product of a matrix and a vector: |x − p|² = |x|² − 2 x·p + |p|².

    Args:
        images: uint8, ``(n, …)``. They stay as they are: as floats they would take four times the memory.
    """

    def __init__(self, images: NDArray[np.uint8]) -> None:
        self._whole = images
        self.every = max(1, -(-images.nbytes // MOST_PIXELS))
        """Of how many images one is looked at."""
        self._images = images[:: self.every].reshape(len(images[:: self.every]), -1)
        self._squares: Array | None = None  # of their norms, once they were looked at

    def search(
        self, picture: Array, count: int, among: NDArray[np.bool_] | None = None
    ) -> Iterator[Found | None]:
        """The images nearest to a picture ``(…)`` with values in 0 … 1; ``None`` in between.

        Args:
            picture: Of the images' shape.
            count: How many.
            among: Which images count, ``(n,)``; all, if it is left out.
        """
        images, flat = self._images, np.ascontiguousarray(picture, np.float32).reshape(-1)
        buffer = np.empty((min(_ROWS, len(images)), images.shape[1]), np.float32)
        products = np.empty(len(images), np.float32)
        squares = np.empty(len(images), np.float32) if self._squares is None else self._squares
        level = np.float32(1 / 255)
        for number, part in enumerate(parts(len(images), _ROWS)):
            some = images[part]
            floats = buffer[: len(some)]
            np.copyto(floats, some)
            np.dot(floats, flat, out=products[part])
            if self._squares is None:
                squares[part] = np.einsum("ij,ij->i", floats, floats)
            if number % _ROUNDS == _ROUNDS - 1:
                yield None
        self._squares = squares
        give_back(self._whole)
        distances = squares * level**2 - 2 * level * products + float(flat @ flat)
        found = _smallest(np.maximum(distances, 0.0), count, None if among is None else among[:: self.every])
        yield Found(found.rows * self.every, found.distances)


def _squares(codes: Array, z: Array) -> Array:
    """Squared distances to one code, ``(n,)``: column by column, as sums along rows of two numbers are slow."""
    total = np.zeros(len(codes), np.float32)
    with np.errstate(over="ignore", invalid="ignore"):
        for j in range(codes.shape[1]):
            apart = codes[:, j] - np.float32(z[j])
            apart *= apart
            total += apart
    return total


def _smallest(squares: Array, count: int, among: NDArray[np.bool_] | None) -> Found:
    rows = np.isfinite(squares) if among is None else np.isfinite(squares) & among
    known = np.flatnonzero(rows)
    count = min(count, len(known))
    if not count:
        return Found(known[:0], np.zeros(0, np.float32))
    values = squares[known]
    nearest = np.argpartition(values, count - 1)[:count]
    nearest = nearest[np.argsort(values[nearest], kind="stable")]
    return Found(known[nearest], np.sqrt(values[nearest]))
