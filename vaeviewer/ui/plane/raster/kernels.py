"""All of a drawing in one kernel, in the part of Python that Numba compiles. Counts and keys are uint16."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from vaeviewer.native import WORDS
from vaeviewer.native.memory import compiled, floats, halves, integers, words_at

_u16 = np.uint16


def kernels() -> dict[str, Callable[[int, int, int], int]]:
    """The kernel by its name."""
    return {"paint": _paint}


def _paint(words: int, _: int, _unused: int) -> int:
    """Draw all points anew.

    The words are: points, floats from one to the next, their positions and keys, the frame, width, height, places of a
    disc, where these are, margin, most counts of a pixel, room, colours, sums that each class has, image.

    The frame is the corner and the scale, floats. A place of a disc is three words: pixels to the right, pixels down,
    and coverage; there are a multiple of four. Room is for the count and the highest key of each pixel with a margin
    on all sides, which stays zero, for a row of both, and for whether there is any point in a row; all in uint16.
    """
    a = words_at(words, 0, WORDS)
    points, apart = a[0], a[1]
    width, height, margin, room = a[5], a[6], a[9], a[11]
    stride = width + 2 * margin
    length = (height + 2 * margin) * stride
    counts, tops = halves(room, 0, length), halves(room, length, length)
    total, highest = halves(room, 2 * length, width), halves(room, 2 * length + width, width)
    used = halves(room, 2 * (length + width), height + 2 * margin)
    _clear(counts)
    _clear(tops)
    _clear(used)

    frame, most = floats(a[4], 0, 4), _u16(a[10])
    left, top, x_scale, y_scale = frame[0], frame[1], frame[2], frame[3]
    keys, positions = halves(a[3], 0, points), floats(a[2], 0, points * apart)
    right, bottom = np.float32(width), np.float32(height)
    for i in range(points):
        x, y = (positions[apart * i] - left) * x_scale, (top - positions[apart * i + 1]) * y_scale
        if x >= 0 and x < right and y >= 0 and y < bottom:  # never what is not finite
            row = np.int64(y) + margin
            pixel = row * stride + np.int64(x) + margin
            used[row] = 1
            counts[pixel] = min(_u16(counts[pixel] + 1), most)
            tops[pixel] = max(tops[pixel], keys[i])

    places, levels = words_at(a[8], 0, 3 * a[7]), a[13]
    table = integers(a[12], 0, 256 * levels)
    for row in range(height):
        _clear(total)
        _clear(highest)
        any_point = False
        for place in range(0, 3 * a[7], 12):
            rows = (
                row + margin + places[place + 1],
                row + margin + places[place + 4],
                row + margin + places[place + 7],
                row + margin + places[place + 10],
            )
            if used[rows[0]] | used[rows[1]] | used[rows[2]] | used[rows[3]] == 0:
                continue
            any_point = True
            first, second = (
                rows[0] * stride + margin + places[place],
                rows[1] * stride + margin + places[place + 3],
            )
            third, fourth = (
                rows[2] * stride + margin + places[place + 6],
                rows[3] * stride + margin + places[place + 9],
            )
            _add(
                total,
                halves(room, first, width),
                halves(room, second, width),
                halves(room, third, width),
                halves(room, fourth, width),
                _u16(places[place + 2]),
                _u16(places[place + 5]),
                _u16(places[place + 8]),
                _u16(places[place + 11]),
            )
            _raise(
                highest,
                halves(room, length + first, width),
                halves(room, length + second, width),
                halves(room, length + third, width),
                halves(room, length + fourth, width),
            )
        image = integers(a[14], row * width, width)
        if any_point:
            _choose(highest, total, _u16(levels))
            for j in range(width):
                image[j] = table[np.uint32(highest[j])]
        else:
            for j in range(width):
                image[j] = 0
    return 0


@compiled
def _clear(values: Any) -> None:
    for i in range(len(values)):
        values[i] = 0


# Four at a time, which spares most of reading and writing the row that they are added to.


@compiled
def _add(total: Any, a: Any, b: Any, c: Any, d: Any, of_a: Any, of_b: Any, of_c: Any, of_d: Any) -> None:
    for j in range(len(total)):
        total[j] = _u16(total[j] + of_a * a[j] + of_b * b[j] + of_c * c[j] + of_d * d[j])


@compiled
def _raise(highest: Any, a: Any, b: Any, c: Any, d: Any) -> None:
    for j in range(len(highest)):
        highest[j] = max(highest[j], max(max(a[j], b[j]), max(c[j], d[j])))


@compiled
def _choose(highest: Any, total: Any, levels: Any) -> None:
    """Put the number of the colour in place of the key."""
    for j in range(len(highest)):
        highest[j] = _u16((highest[j] & _u16(0xFF)) * levels + min(total[j], _u16(levels - 1)))
