"""Draws with NumPy.

All sums and maxima are of shifted slices of one flat array, row after row: NumPy works on a long run of memory several
times faster than on the rows of a rectangle. Each row ends in a margin that no point lies in, so that what a shift
brings over from the row before or after is zero.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vaeviewer.ui.plane.raster.scene import WEIGHT_ONE, Scene, disc_stencil

_BAND_ROWS = 64  # rows worked on at a time: a band's arrays stay in the processor's cache


class NumpyPainter:
    """Buffers that are used again for the next image of the same size."""

    def __init__(self) -> None:
        self._counts: NDArray[np.uint16] = np.zeros(0, np.uint16)
        self._tops: NDArray[Any] = np.zeros(0, np.uint16)

    def paint(self, scene: Scene, image: NDArray[np.uint32]) -> None:
        """Draw the scene into an image of its size; see :meth:`PointRaster.render`."""
        disc = _disc(scene.radius)
        margin = disc.margin
        stride = scene.width + margin
        self._splat(scene, margin)
        for top in range(0, scene.height, _BAND_ROWS):
            rows = min(_BAND_ROWS, scene.height - top)
            # One margin more in front and behind, for shifts to the sides.
            padded = slice(top * stride, (top + rows + 2 * margin) * stride + 2 * margin)
            band = image[top : top + rows]
            if not self._tops[padded].any():
                band.fill(0)
                continue
            entries = _spread(self._tops[padded], disc.reach, stride, np.maximum)
            entries &= entries.dtype.type(0xFF if entries.itemsize == 2 else 0xFFFF)  # the class
            entries *= entries.dtype.type(scene.levels)
            entries += _capped(_spread_sum(self._counts[padded], disc, stride), scene.levels - 1)
            # The mode that checks nothing.
            colors = np.take(scene.table, entries.astype(np.intp), mode="wrap")
            band[:] = colors.reshape(rows, stride)[:, : scene.width]

    def _splat(self, scene: Scene, margin: int) -> None:
        """Leave each point's count and key in its pixel of the flat buffers."""
        width, height, keys = scene.width, scene.height, scene.keys
        stride = width + margin
        length = (height + 2 * margin) * stride + 2 * margin
        if len(self._counts) != length + 1 or self._tops.dtype != keys.dtype:
            # The last one is nobody's pixel: it takes the points outside, which is faster than to leave them out.
            self._counts = np.empty(length + 1, np.uint16)
            self._tops = np.empty(length + 1, keys.dtype)
        self._counts.fill(0)
        self._tops.fill(0)
        with np.errstate(invalid="ignore", over="ignore"):
            x = (scene.positions[:, 0] - scene.corner[0]) * scene.scale[0]
            y = (scene.corner[1] - scene.positions[:, 1]) * scene.scale[1]
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
