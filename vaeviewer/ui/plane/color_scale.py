"""Numbers as colours: an even palette, the range it stands for, and how dense points lie."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from vaeviewer.ui.curves.plotting import pg
from vaeviewer.ui.curves.value_axis import number_label

STEPS = 100
"""Colours of a palette. With one more, and as many again for late points, the compiled painter takes them."""

_STRAYS = (
    0.01  # share of numbers at each end that get the last colour, so that a few do not use up all others
)
_SAMPLED = 20_000  # numbers that tell where these ends are
_CELLS = 128  # along each side of the grid in which points are counted
_LEAST_CELL = (
    0.01  # of z: narrower than most posteriors, so that a few points close together are no peak of 10¹¹
)
_BLUR = np.array([1.0, 4.0, 6.0, 4.0, 1.0]) / 16.0
_NONE = {False: (176, 180, 186), True: (92, 97, 104)}  # grey of points without a number, by dark


@dataclass(frozen=True)
class Scale:
    """What the ends of a palette stand for.

    Attributes:
        low: The number of the first colour, and of all below where ``cut_low``.
        high: Of the last colour.
        cut_low: Whether there are lower ones.
        cut_high: Whether there are higher ones.
        missing: How many images have no number.
    """

    low: float
    high: float
    cut_low: bool = False
    cut_high: bool = False
    missing: int = 0


def scale_of(values: NDArray[np.float32]) -> Scale | None:
    """From the lowest number to the highest but for strays; ``None`` where there is none."""
    finite = values[np.isfinite(values)]
    if not len(finite):
        return None
    sample = np.sort(finite[:: len(finite) // _SAMPLED + 1])
    last = len(sample) - 1
    least, greatest = float(finite.min()), float(finite.max())
    low, high = float(sample[round(_STRAYS * last)]), float(sample[round((1 - _STRAYS) * last)])
    if low == high:
        low, high = least, greatest
    return Scale(low, high, least < low, greatest > high, len(values) - len(finite))


def steps_of(values: NDArray[np.float32], scale: Scale | None) -> NDArray[np.int64]:
    """Row of :func:`palette` for each number, int64 ``(n,)``; the last, ``STEPS``, where there is none."""
    if scale is None:
        return np.full(len(values), STEPS, np.int64)
    width = scale.high - scale.low
    with np.errstate(invalid="ignore", over="ignore"):
        share = (values - np.float32(scale.low)) * np.float32(STEPS / width) if width > 0 else 0 * values
        rows = np.clip(np.nan_to_num(share + (0 if width > 0 else STEPS // 2)), 0, STEPS - 1).astype(np.int64)
    rows[~np.isfinite(values)] = STEPS
    return rows


@cache
def palette(dark: bool) -> NDArray[np.uint8]:
    """RGB of a scale, uint8 ``(STEPS + 1, 3)``, and grey for "none" behind it.

    Viridis (van der Walt & Smith 2015), which is perceptually even and fit for colour-blind people, without the end
    that cannot be told from the ground. High numbers stand out most from it, so on light ground it runs backwards.
    """
    ends = (0.14, 1.0) if dark else (0.92, 0.0)
    colors = pg.colormap.get("viridis").map(np.linspace(*ends, STEPS), mode=pg.ColorMap.BYTE)[:, :3]
    return np.concatenate([colors, [_NONE[dark]]]).astype(np.uint8)


def density(points: NDArray[np.float32], line: bool) -> NDArray[np.float32]:
    """How many points lie around each, per unit of z, or per unit of area; NaN for those that are nowhere.

    Args:
        points: ``(n, 2)``.
        line: Only the first coordinate counts.
    """
    found = np.full(len(points), np.nan, np.float32)
    sides = points[:, :1] if line else points
    there = np.isfinite(sides).all(axis=1)
    known = sides if there.all() else sides[there]
    if not len(known):
        return found
    low, high = known.min(axis=0), known.max(axis=0)
    cell = np.maximum((high - low) / np.float32(_CELLS), np.float32(_LEAST_CELL))
    cells = np.minimum(((known - low) / cell).astype(np.int32), _CELLS - 1)
    flat = cells[:, 0] if line else cells[:, 0] * _CELLS + cells[:, 1]
    counts = np.bincount(flat, minlength=_CELLS if line else _CELLS**2).astype(np.float64)
    counts = counts.reshape((_CELLS,) if line else (_CELLS, _CELLS))
    for axis in range(counts.ndim):
        counts = _blurred(counts, axis)
    found[there] = (counts.reshape(-1) / np.prod(cell, dtype=np.float64)).astype(np.float32)[flat]
    return found


def _blurred(counts: NDArray[np.float64], axis: int) -> NDArray[np.float64]:
    reach = len(_BLUR) // 2
    pad = [(reach, reach) if side == axis else (0, 0) for side in range(counts.ndim)]
    windows = np.lib.stride_tricks.sliding_window_view(np.pad(counts, pad), len(_BLUR), axis=axis)
    blurred: NDArray[np.float64] = windows @ _BLUR
    return blurred


def number_text(value: float) -> str:
    """A number at the end of a scale, in four digits; ``"2.3 × 10¹⁵"`` where a run explodes."""
    if abs(value) >= 1000:
        return number_label(value, 0)
    text = f"{value:.4g}"
    return "0" if float(text) == 0 else text.replace("-", "−")
