"""Draws many points into one RGBA image with NumPy: what the latent plane shows. Knows nothing of Qt.

Work is done on pixels rather than on points. Each point leaves a count and a key in the pixel it falls into;
counts are then summed over a small disc, which gives the density, and keys are maximised over the same disc,
which puts the disc with the highest key on top. A million points so cost little more than ten thousand.
"""

from __future__ import annotations

from collections.abc import Set
from math import ceil, log10

import numpy as np
from numpy.typing import NDArray

WEIGHT_ONE = 8
"""Full coverage of a pixel in a stencil: coverages are whole numbers, so that sums stay in uint16."""

_BAND_ROWS = 64  # rows worked on at a time: a band's arrays stay in the processor's cache
_RGB = np.uint32(0x00FFFFFF)
_PRIORITY_SHIFT = np.uint32(24)


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
        self._class_count = 0
        self._keys: NDArray[np.uint32] = np.zeros(0, np.uint32)
        self._rows: NDArray[np.intp] | None = None  # rows drawn, None for all
        self._counts: NDArray[np.uint32] = np.zeros((0, 0), np.uint32)
        self._tops: NDArray[np.uint32] = np.zeros((0, 0), np.uint32)
        self._image: NDArray[np.uint32] = np.zeros((0, 0), np.uint32)

    def set_classes(self, labels: NDArray[np.int64], colors: NDArray[np.uint8]) -> None:
        """Give each point its class, and each class its colour; all classes are shown.

        Args:
            labels: Class of each point, ``0 … len(colors) - 1``, shape ``(n,)``.
            colors: RGB, uint8, shape ``(classes, 3)``.
        """
        self._labels = labels
        self._class_count = len(colors)
        # A key is 0xPPBBGGRR: the priority P decides which disc is on top, the rest is its colour as
        # it lies in memory. P is at least 1, so that zero means "no point here".
        channels = colors.astype(np.uint32)
        packed = channels[:, 0] | channels[:, 1] << np.uint32(8) | channels[:, 2] << np.uint32(16)
        priority = np.random.default_rng(0).integers(1, 256, len(labels), dtype=np.uint32)
        self._keys = packed[labels] | priority << _PRIORITY_SHIFT
        self._rows = None

    def set_hidden(self, hidden: Set[int]) -> None:
        """Leave out the points of these classes; an empty set shows all."""
        if not hidden:
            self._rows = None
            return
        visible = np.ones(self._class_count, dtype=bool)
        visible[[c for c in hidden if 0 <= c < self._class_count]] = False
        self._rows = np.flatnonzero(visible[self._labels])

    def render(
        self,
        positions: NDArray[np.float32],
        x_range: tuple[float, float],
        y_range: tuple[float, float],
        size: tuple[int, int],
        pixel_ratio: float = 1.0,
    ) -> NDArray[np.uint8]:
        """The points as RGBA, uint8, shape ``(height, width, 4)``, alpha not premultiplied.

        Row 0 is the top: the largest second coordinate. Points outside of the ranges or not finite are left
        out. The array is reused by the next call: copy what must last.

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
        stencil = disc_stencil(disc_radius(len(positions)) * pixel_ratio)
        margin = len(stencil) // 2
        self._resize(width, height, margin)
        self._splat(positions, x_range, y_range, size, margin)
        alphas = _alpha_table(disc_opacity(len(positions)))
        for top in range(0, height, _BAND_ROWS):
            bottom = min(top + _BAND_ROWS, height)
            padded = slice(top, bottom + 2 * margin)
            image = self._image[top:bottom]
            tops = self._tops[padded]
            if not tops.any():
                image.fill(0)
                continue
            _spread_maximum(tops, stencil, image)
            np.bitwise_and(image, _RGB, out=image)
            coverage = _spread_sum(self._counts[padded], stencil)
            np.bitwise_or(image, np.take(alphas, coverage, mode="clip"), out=image)
        return self._image.view(np.uint8).reshape(height, width, 4)

    def _resize(self, width: int, height: int, margin: int) -> None:
        padded = (height + 2 * margin, width + 2 * margin)
        if self._counts.shape != padded:
            self._counts = np.empty(padded, np.uint32)
            self._tops = np.empty(padded, np.uint32)
        if self._image.shape != (height, width):
            self._image = np.empty((height, width), np.uint32)

    def _splat(
        self,
        positions: NDArray[np.float32],
        x_range: tuple[float, float],
        y_range: tuple[float, float],
        size: tuple[int, int],
        margin: int,
    ) -> None:
        """Leave each point's count and key in its pixel of the padded buffers."""
        self._counts.fill(0)
        self._tops.fill(0)
        keys = self._keys
        if self._rows is not None:
            positions, keys = positions.take(self._rows, axis=0), keys[self._rows]
        width, height = size
        with np.errstate(invalid="ignore", over="ignore"):
            x = (positions[:, 0] - np.float32(x_range[0])) * np.float32(width / (x_range[1] - x_range[0]))
            y = (np.float32(y_range[1]) - positions[:, 1]) * np.float32(height / (y_range[1] - y_range[0]))
        inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)  # false for what is not finite
        if not inside.all():
            x, y, keys = x[inside], y[inside], keys[inside]
        pixels = (y.astype(np.int64) + margin) * (width + 2 * margin) + (x.astype(np.int64) + margin)
        np.add.at(self._counts.reshape(-1), pixels, np.uint32(1))
        np.maximum.at(self._tops.reshape(-1), pixels, keys)


def _alpha_table(opacity: float) -> NDArray[np.uint32]:
    """Alpha, in the top byte, for each sum of coverages, up to where it no longer grows."""
    overlaps = np.arange(WEIGHT_ONE * ceil(np.log(1 / 512) / np.log1p(-opacity)) + 1) / WEIGHT_ONE
    return np.rint(255 * (1 - (1 - opacity) ** overlaps)).astype(np.uint32) << _PRIORITY_SHIFT


def _half_widths(stencil: NDArray[np.uint16], least: int) -> list[int]:
    """How far to each side weights reach ``least``, by distance from the middle row; -1 where none does."""
    margin = len(stencil) // 2
    return [(int(np.count_nonzero(line >= least)) + 1) // 2 - 1 for line in stencil[margin:]]


def _spread_maximum(keys: NDArray[np.uint32], stencil: NDArray[np.uint16], out: NDArray[np.uint32]) -> None:
    """Maximum of ``keys`` over the stencil's disc, for the pixels inside the margin."""
    margin = len(stencil) // 2
    rows, columns = out.shape
    out.fill(0)
    run = keys[
        :, margin : margin + columns
    ].copy()  # maximum over a horizontal run that is widened step by step
    reached = 0
    half_widths = _half_widths(stencil, 1)
    for dy in range(margin, -1, -1):
        for dx in range(reached + 1, half_widths[dy] + 1):
            np.maximum(run, keys[:, margin - dx : margin - dx + columns], out=run)
            np.maximum(run, keys[:, margin + dx : margin + dx + columns], out=run)
            reached = dx
        if half_widths[dy] >= 0:
            for row in {margin - dy, margin + dy}:
                np.maximum(out, run[row : row + rows], out=out)


def _spread_sum(counts: NDArray[np.uint32], stencil: NDArray[np.uint16]) -> NDArray[np.uint16]:
    """Sum of ``counts`` over the stencil, weighted by it, for the pixels inside the margin."""
    margin = len(stencil) // 2
    rows, columns = counts.shape[0] - 2 * margin, counts.shape[1] - 2 * margin
    most = np.uint32(np.iinfo(np.uint16).max // int(stencil.sum()))  # so that no sum can wrap around
    capped = np.minimum(counts, most).astype(np.uint16)
    total = np.zeros((rows, columns), np.uint16)
    run = capped[
        :, margin : margin + columns
    ].copy()  # sum over a horizontal run that is widened step by step
    reached = 0
    half_widths = _half_widths(stencil, WEIGHT_ONE)
    for dy in range(margin, -1, -1):
        for dx in range(reached + 1, half_widths[dy] + 1):
            run += capped[:, margin - dx : margin - dx + columns]
            run += capped[:, margin + dx : margin + dx + columns]
            reached = dx
        if half_widths[dy] >= 0:
            for row in {margin - dy, margin + dy}:
                total += run[row : row + rows]
    total *= np.uint16(WEIGHT_ONE)
    for dy, dx in np.argwhere((stencil > 0) & (stencil < WEIGHT_ONE)) - margin:  # the soft edge
        if dy < 0 or dx < 0:
            continue  # its mirror images are added below
        edge = capped[margin + dy : margin + dy + rows]
        if dy:
            edge = edge + capped[margin - dy : margin - dy + rows]
        left = edge[:, margin - dx : margin - dx + columns]
        part = left + edge[:, margin + dx : margin + dx + columns] if dx else left
        total += part * stencil[margin + dy, margin + dx]
    return total
