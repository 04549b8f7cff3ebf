"""What the curves are made of, as numbers: smoothing, thinning, ranges, and where settings changed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from vaeviewer.backend.models.interface import Metrics
from vaeviewer.backend.training.history import MetricsView
from vaeviewer.backend.training.records import Change

Column = NDArray[Any]
"""Numbers as the history holds them, int32 or float32: a long run has tens of thousands, and is drawn over and over."""

SMOOTHING_ROWS = 250
"""Longest window of :func:`smoothed`, rows."""

_LARGE = 1e6
"""Sums of smaller values over a long run have six decimals in float64."""


@dataclass(frozen=True)
class Curves:
    """The rows of one table, each array of shape ``(n,)``; the metrics by key, float32."""

    step: Column
    epoch: Column
    raw: Mapping[str, Column]
    smooth: Mapping[str, Column]

    @classmethod
    def of(cls, view: MetricsView, *, smooth: bool) -> Curves:
        """Read a table; ``smooth`` takes means over recent rows, else the smooth curves are the raw ones."""
        raw = means = _complete(view.metrics, view.stored)
        if smooth:
            means = _complete(view.metrics, {key: smoothed(column) for key, column in view.stored.items()})
        return cls(view.step, view.epoch, raw, means)

    def __len__(self) -> int:
        return len(self.step)

    def x(self, axis: Literal["steps", "epochs"]) -> Column:
        """Where each row lies on the horizontal axis."""
        return self.step if axis == "steps" else self.epoch


def _complete(metrics: Metrics, stored: Mapping[str, Column]) -> dict[str, Column]:
    with np.errstate(all="ignore"):  # of two terms at the end of what float32 holds, or of a ratio with 0
        found = metrics.complete(stored)
    largest = np.finfo(np.float32).max
    return {
        key: column if key in stored else np.clip(column, -largest, largest) for key, column in found.items()
    }


def smoothing_window(row: int) -> int:
    """Rows averaged at the given row: a twentieth of those so far, so that the steep start is not smeared."""
    return min(SMOOTHING_ROWS, 1 + row // 20)


def smoothed(values: Column) -> Column:
    """The mean over each row and those before it within :func:`smoothing_window`, of the same shape and type."""
    if np.abs(values).max(initial=0.0) > _LARGE:
        rows = np.arange(len(values))
        window = np.minimum(SMOOTHING_ROWS, 1 + rows // 20)  # as smoothing_window
        return (_window_sums(values, window) / window).astype(values.dtype)
    sums = np.zeros(len(values) + 1)
    np.cumsum(values, dtype=np.float64, out=sums[1:])
    rows = np.arange(min(len(values), 20 * SMOOTHING_ROWS))
    window = np.minimum(SMOOTHING_ROWS, 1 + rows // 20)
    means = np.empty(len(values), values.dtype)
    means[: len(rows)] = (sums[rows + 1] - sums[rows + 1 - window]) / window
    if len(values) > len(rows):  # all later windows have one length: slices are faster than indices
        later, last = means[len(rows) :], slice(len(rows) + 1 - SMOOTHING_ROWS, -SMOOTHING_ROWS)
        np.subtract(sums[len(rows) + 1 :], sums[last], out=later, casting="same_kind")
        later /= SMOOTHING_ROWS
    return means


def _window_sums(values: Column, window: NDArray[np.intp]) -> NDArray[np.float64]:
    """The sum of the ``window[i]`` values that end with row i, without a difference of two long sums.

    Such a difference loses all that is small beside one value of 10²⁵ long ago, and would be 0.
    """
    found, last = np.zeros(len(values)), np.arange(len(values))
    sums, length = values.astype(np.float64), 1  # sums[i]: of the `length` values that end with row i
    while length <= SMOOTHING_ROWS:
        rows = np.flatnonzero(window & length)
        found[rows] += sums[last[rows]]
        last[rows] -= length
        sums[length:] = sums[length:] + sums[:-length]
        length *= 2
    return found


def rows_within(x: Column, low: float, high: float) -> slice:
    """The rows with ``low <= x <= high`` and one more on each side, so that lines reach the edges."""
    start = int(np.searchsorted(x, low, side="left")) - 1
    stop = int(np.searchsorted(x, high, side="right")) + 1
    return slice(max(0, start), min(len(x), stop))


def extremes(x: Column, y: Column, pixels: int) -> tuple[Column, Column]:
    """At most about two points per pixel, the least and the greatest value of each stretch of rows."""
    if len(x) <= 2 * pixels:
        return x, y
    starts = np.linspace(0, len(x), pixels, endpoint=False).astype(np.intp)
    pairs = np.stack([np.minimum.reduceat(y, starts), np.maximum.reduceat(y, starts)], axis=1)
    return np.repeat(x[starts], 2), pairs.reshape(-1)  # (pixels, 2) -> (2 * pixels,)


def every_pixel(x: Column, y: Column, pixels: int) -> tuple[Column, Column]:
    """At most about one point per pixel of an already smooth curve, its first and last among them."""
    if len(x) <= 2 * pixels:
        return x, y
    rows = np.linspace(0, len(x) - 1, pixels).astype(np.intp)
    return x[rows], y[rows]


def telling_range(curves: list[tuple[Column, Column, bool]]) -> tuple[float, float] | None:
    """The vertical range worth showing: the huge values of the first steps do not squash the rest.

    The first 4 % of the horizontal range are left out, and of noisy curves the outermost 2 % on each side.

    Args:
        curves: x and y of each curve, shape ``(n,)``, and whether it is noisy.

    Returns:
        Lowest and highest value, or ``None`` without any row.
    """
    curves = [curve for curve in curves if len(curve[0])]
    if not curves:
        return None
    first = min(x[0] for x, _, _ in curves)
    last = max(x[-1] for x, _, _ in curves)
    ends = []
    for x, y, noisy in curves:
        settled = y[np.searchsorted(x, first + 0.04 * (last - first)) :]
        rows = settled[:: max(1, len(settled) // 500)]
        rows = np.sort(rows[np.isfinite(rows)])
        if len(rows):
            aside = round(0.02 * (len(rows) - 1)) if noisy else 0
            ends.append((rows[aside], rows[len(rows) - 1 - aside]))
    if not ends:
        return None
    return float(min(low for low, _ in ends)), float(max(high for _, high in ends))


def nearest_row(x: Column, at: float) -> int | None:
    """The row whose x is nearest to ``at``, or ``None`` of an empty table."""
    if not len(x):
        return None
    right = min(int(np.searchsorted(x, at)), len(x) - 1)
    left = max(0, right - 1)
    return left if at - float(x[left]) < float(x[right]) - at else right


TRAINING_WORDS = {"learning_rate": "rate", "batch_size": "batch"}
"""What settings of training are called where the curves are marked; a model's own go by their titles."""


def change_marks(
    timeline: Sequence[Change],
    until_step: int | None,
    place: Callable[[int], float],
    words: Mapping[str, str],
) -> tuple[tuple[float, str], ...]:
    """Where the curves are marked, and with what: ``(x, "β 4")``, those of one step as one.

    Args:
        timeline: Changes, oldest first.
        until_step: The last step shown; ``None`` shows all.
        place: Where a step lies on the horizontal axis.
        words: What the settings are called whose changes are marked.
    """
    at_step: dict[int, list[str]] = {}
    for change in timeline:
        if change.field in words and (until_step is None or change.step <= until_step):
            value = f"{change.value:.4g}" if isinstance(change.value, float) else str(change.value)
            at_step.setdefault(change.step, []).append(f"{words[change.field]} {value}")
    return tuple((place(step), ", ".join(texts)) for step, texts in sorted(at_step.items()))
