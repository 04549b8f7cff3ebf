"""Draws many points into one image with NumPy: what the latent plane shows. Knows nothing of Qt.

Work is done on pixels rather than on points. Each point leaves a count and a key in the pixel it falls into;
counts are then summed over a small disc, which gives the density, and keys are maximised over the same disc,
which puts the disc with the highest key on top. A million points so cost little more than ten thousand.

All sums and maxima are of shifted slices of one flat array, row after row: NumPy works on a long run of memory
several times faster than on the rows of a rectangle. Each row ends in a margin that no point lies in, so that what
a shift brings over from the row before or after is zero.
"""

from __future__ import annotations

from collections.abc import Sequence, Set
from dataclasses import dataclass
from functools import lru_cache
from math import ceil, log10
from typing import Any

import numpy as np
from numpy.typing import NDArray

WEIGHT_ONE = 8
"""Full coverage of a pixel in a stencil: coverages are whole numbers, so that sums stay in uint16."""

_BAND_ROWS = 64  # rows worked on at a time: a band's arrays stay in the processor's cache


def disc_radius(count: int) -> float:
    """Radius in logical pixels at which ``count`` points are drawn: 3.5 for few, 2.5 for 10 k, 1 for 1 M."""
    return float(np.clip(2.5 - 0.75 * (log10(max(count, 1)) - 4.0), 1.0, 3.5))


def disc_opacity(count: int) -> float:
    """Opacity of one disc among ``count`` points: lower with more, so that density still shows."""
    return float(np.clip(0.8 - 0.22 * (log10(max(count, 1)) - 4.0), 0.3, 0.85))


def disc_stencil(radius: float) -> NDArray[np.uint16]:
    """Coverage of the pixels around a disc's centre, ``0 … WEIGHT_ONE``, square with an odd side.

    Args:
        radius: In pixels of the image. The edge fades over one pixel.
    """
    reach = max(0, ceil(radius + 0.5) - 1)
    offsets = np.arange(-reach, reach + 1)
    distance = np.hypot(offsets[:, None], offsets[None, :])
    weights = np.rint(WEIGHT_ONE * np.clip(radius + 0.5 - distance, 0.0, 1.0)).astype(np.uint16)
    weights[weights <= WEIGHT_ONE // 4] = (
        0  # hardly seen alone, yet they would square off discs that lie on top
    )
    return weights


class PointRaster:
    """Points of several classes, and the buffers that draw them again and again.

    Where discs overlap, the one on top depends on a fixed random number of each point, never on the order of
    classes or images.
    """

    def __init__(self) -> None:
        self._labels: NDArray[np.int64] = np.zeros(0, np.int64)
        self._classes = 0
        self._table, self._levels = np.zeros(0, np.uint32), 1
        self._keys: NDArray[Any] = np.zeros(0, np.uint16)
        self._rows: NDArray[np.intp] | None = None  # rows drawn, None for all
        self._counts: NDArray[np.uint16] = np.zeros(0, np.uint16)
        self._tops: NDArray[Any] = np.zeros(0, np.uint16)
        self._image: NDArray[np.uint32] = np.zeros((0, 0), np.uint32)

    def set_classes(self, labels: NDArray[np.int64], colors: NDArray[np.uint8]) -> None:
        """Give each point its class, and each class its colour; all classes are shown.

        Args:
            labels: Class of each point, ``0 … len(colors) - 1``, shape ``(n,)``.
            colors: RGB, uint8, shape ``(classes, 3)``.
        """
        self._labels = labels
        self._classes = len(colors)
        self._table, self._levels = _color_table(colors, disc_opacity(len(labels)))
        # The upper half of a key is a priority, which decides which disc is on top; the lower half is the class.
        # Priorities begin at 1, so that zero means "no point here".
        dtype, bits = (np.uint16, 8) if len(colors) <= 256 else (np.uint32, 16)
        priority = np.random.default_rng(0).integers(1, 1 << bits, len(labels), dtype=dtype)
        self._keys = priority << dtype(bits) | labels.astype(dtype)
        self._rows = None

    def set_hidden(self, hidden: Set[int]) -> None:
        """Leave out the points of these classes; an empty set shows all."""
        if not hidden:
            self._rows = None
            return
        visible = np.ones(self._classes, dtype=bool)
        visible[[c for c in hidden if 0 <= c < len(visible)]] = False
        self._rows = np.flatnonzero(visible[self._labels])

    def render(
        self,
        positions: NDArray[np.float32],
        x_range: tuple[float, float],
        y_range: tuple[float, float],
        size: tuple[int, int],
        pixel_ratio: float = 1.0,
    ) -> NDArray[np.uint32]:
        """The points as ``0xAARRGGBB``, premultiplied with alpha, uint32, shape ``(height, width)``.

        Row 0 is the top: the largest second coordinate. Points outside of the ranges or not finite are left out.
        The array is written over by the next call.

        Args:
            positions: In the order of the labels, shape ``(n, 2)``.
            x_range: First coordinate at the left and the right edge.
            y_range: Second coordinate at the bottom and the top edge.
            size: ``(width, height)`` of the image, pixels.
            pixel_ratio: Pixels of the image per logical pixel; discs grow with it.

        Raises:
            ValueError: The number of positions is not the number of labels.
        """
        if len(positions) != len(self._labels):
            raise ValueError(f"{len(positions)} positions for {len(self._labels)} labels")
        width, height = size
        disc = _disc(disc_radius(len(positions)) * pixel_ratio)
        margin = disc.margin
        stride = width + margin
        self._splat(positions, x_range, y_range, size, margin)
        if self._image.shape != (height, width):
            self._image = np.empty((height, width), np.uint32)
        for top in range(0, height, _BAND_ROWS):
            rows = min(_BAND_ROWS, height - top)
            # One margin more in front and behind, for shifts to the sides.
            padded = slice(top * stride, (top + rows + 2 * margin) * stride + 2 * margin)
            band = self._image[top : top + rows]
            if not self._tops[padded].any():
                band.fill(0)
                continue
            entries = _spread(self._tops[padded], disc.reach, stride, np.maximum)
            entries &= entries.dtype.type(0xFF if entries.itemsize == 2 else 0xFFFF)  # the class
            entries *= entries.dtype.type(self._levels)
            entries += _capped(_spread_sum(self._counts[padded], disc, stride), self._levels - 1)
            colors = np.take(
                self._table, entries.astype(np.intp), mode="wrap"
            )  # the mode that checks nothing
            band[:] = colors.reshape(rows, stride)[:, :width]
        return self._image

    def _splat(
        self,
        positions: NDArray[np.float32],
        x_range: tuple[float, float],
        y_range: tuple[float, float],
        size: tuple[int, int],
        margin: int,
    ) -> None:
        """Leave each point's count and key in its pixel of the flat buffers."""
        width, height = size
        stride = width + margin
        length = (height + 2 * margin) * stride + 2 * margin
        if len(self._counts) != length + 1 or self._tops.dtype != self._keys.dtype:
            # The last one is nobody's pixel: it takes the points outside, which is faster than to leave them out.
            self._counts = np.empty(length + 1, np.uint16)
            self._tops = np.empty(length + 1, self._keys.dtype)
        self._counts.fill(0)
        self._tops.fill(0)
        keys = self._keys
        if self._rows is not None:
            positions, keys = positions.take(self._rows, axis=0), keys[self._rows]
        with np.errstate(invalid="ignore", over="ignore"):
            x = (positions[:, 0] - np.float32(x_range[0])) * np.float32(width / (x_range[1] - x_range[0]))
            y = (np.float32(y_range[1]) - positions[:, 1]) * np.float32(height / (y_range[1] - y_range[0]))
            inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)  # false for what is not finite
            pixels = y.astype(np.int32) * np.int32(stride) + x.astype(np.int32)
        pixels = np.where(inside, pixels + np.int32(margin * stride + margin), np.int32(length)).astype(
            np.intp
        )
        _count_up(self._counts, pixels)
        np.maximum.at(self._tops, pixels, keys)


def _count_up(counts: NDArray[np.uint16], pixels: NDArray[np.intp]) -> None:
    """Add one for each pixel named; where more than uint16 holds could meet, stop at that."""
    if len(pixels) <= np.iinfo(np.uint16).max:
        np.add.at(counts, pixels, np.uint16(1))
    else:
        np.minimum(
            np.bincount(pixels, minlength=len(counts)), np.iinfo(np.uint16).max, out=counts, casting="unsafe"
        )


def _color_table(colors: NDArray[np.uint8], opacity: float) -> tuple[NDArray[np.uint32], int]:
    """The colour of each class at each sum of coverages, up to where alpha no longer grows, and their number.

    Class ``c`` at level ``l`` is entry ``c * levels + l``.
    """
    levels = WEIGHT_ONE * ceil(np.log(1 / 512) / np.log1p(-opacity)) + 1
    alpha = 1 - (1 - opacity) ** (np.arange(levels) / WEIGHT_ONE)
    channels = np.rint(alpha[:, None] * colors[:, None, :]).astype(np.uint32)  # (classes, levels, 3)
    red, green, blue = np.moveaxis(channels, 2, 0)
    packed = np.rint(255 * alpha).astype(np.uint32) << 24 | red << 16 | green << 8 | blue
    return packed.reshape(-1), levels


@dataclass(frozen=True)
class _Disc:
    """A stencil taken apart into what :func:`_spread` needs.

    Attributes:
        margin: Rows above and below the middle one.
        reach: How far to each side it covers anything, by distance from the middle row; -1 where nothing.
        core: The same where it covers pixels fully.
        edge: The other weights, each with the rows and columns that have it.
        weight: The sum of all.
    """

    margin: int
    reach: list[int]
    core: list[int]
    edge: list[tuple[int, list[list[int]]]]
    weight: int


@lru_cache(maxsize=8)
def _disc(radius: float) -> _Disc:
    stencil = disc_stencil(radius)
    margin = len(stencil) // 2

    def half_widths(least: int) -> list[int]:
        return [(int(np.count_nonzero(line >= least)) + 1) // 2 - 1 for line in stencil[margin:]]

    soft = sorted(set(stencil[stencil > 0].tolist()) - {WEIGHT_ONE})
    edge = [(weight, np.argwhere(stencil == weight).tolist()) for weight in soft]
    return _Disc(margin, half_widths(1), half_widths(WEIGHT_ONE), edge, int(stencil.sum()))


def _spread(values: NDArray[Any], half_widths: Sequence[int], stride: int, combine: np.ufunc) -> NDArray[Any]:
    """``combine`` over the disc whose rows reach ``half_widths`` to each side, flat, for the rows inside the margin.

    Args:
        values: Flat: the rows inside, a margin of rows above and below, a margin of pixels in front and behind.
        half_widths: By distance from the middle row, -1 for none; as many as the margin, and one.
        stride: Pixels per row.
        combine: ``np.add`` or ``np.maximum``; zero must be its neutral element.
    """
    margin = len(half_widths) - 1
    length = len(values) - 2 * margin
    inner = length - 2 * margin * stride
    run = values[margin : margin + length].copy()  # over a horizontal run that is widened step by step
    out = np.zeros(inner, values.dtype)
    reached = 0
    for dy in range(margin, -1, -1):
        for dx in range(reached + 1, half_widths[dy] + 1):
            combine(run, values[margin - dx : margin - dx + length], out=run)
            combine(run, values[margin + dx : margin + dx + length], out=run)
            reached = dx
        if half_widths[dy] >= 0:
            for row in {margin - dy, margin + dy}:
                combine(out, run[row * stride : row * stride + inner], out=out)
    return out


def _spread_sum(counts: NDArray[np.uint16], disc: _Disc, stride: int) -> NDArray[np.uint16]:
    """Sum of ``counts`` over the disc, weighted by it; see :func:`_spread`."""
    capped = _capped(counts, np.iinfo(np.uint16).max // disc.weight)  # so that no sum can wrap around
    total = _spread(capped, disc.core, stride, np.add)
    total *= np.uint16(WEIGHT_ONE)
    for weight, places in disc.edge:
        first, *others = (row * stride + column for row, column in places)
        part = capped[first : first + len(total)].copy()
        for shift in others:
            part += capped[shift : shift + len(total)]
        part *= np.uint16(weight)
        total += part
    return total


def _capped(values: NDArray[np.uint16], most: int) -> NDArray[np.uint16]:
    """No value above ``most``. Beside an array of its own type, NumPy's minimum is several times faster."""
    return np.minimum(values, np.full_like(values, most))
