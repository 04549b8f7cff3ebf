"""Which size suits images of many sizes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from vaeviewer.limits import MIN_IMAGE_SIDE

_LARGEST = 64
_STEP = 8
_NEARLY_SQUARE = 1.25


def chosen_size(sizes: Sequence[tuple[int, int]]) -> tuple[int, int]:
    """A size for images nobody chose one for.

    Images of one size of at most 64 pixels a side keep it. Others get the shape that most of them have, in multiples of
    8 pixels, 64 at most and no more than half of them have; a square where the shape is close to one.

    Args:
        sizes: Height and width of each, pixels.
    """
    sides = np.array(sizes)
    if (sides == sides[0]).all() and sides[0].min() >= MIN_IMAGE_SIDE and sides[0].max() <= _LARGEST:
        return int(sides[0, 0]), int(sides[0, 1])
    ratio = float(np.median(sides[:, 0] / sides[:, 1]))
    longest = min(_LARGEST, max(MIN_IMAGE_SIDE, float(np.median(sides.max(1)))))
    if 1 / _NEARLY_SQUARE <= ratio <= _NEARLY_SQUARE:
        ratio = 1.0
    return _rounded(longest * min(1.0, ratio)), _rounded(longest * min(1.0, 1 / ratio))


def _rounded(side: float) -> int:
    return max(MIN_IMAGE_SIDE, round(side / _STEP) * _STEP)


def size_note(size: tuple[int, int], fit: str, sizes: Sequence[tuple[int, int]]) -> str:
    """A sentence on how images of some sizes come to theirs."""
    sides = np.array(sizes)
    (low_h, low_w), (high_h, high_w) = sides.min(0), sides.max(0)
    had = (
        f"{low_h}×{low_w}" if (low_h, low_w) == (high_h, high_w) else f"{low_h}×{low_w} to {high_h}×{high_w}"
    )
    way = "cropped around their middle" if fit == "crop" else "padded to be seen whole"
    changed = "" if (sides[:, 0] * size[1] == sides[:, 1] * size[0]).all() else f" and {way}"
    return f"Images of {had} pixels (height × width) are scaled to {size[0]}×{size[1]}{changed}."
