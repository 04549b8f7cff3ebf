"""Which held-out evaluation was best, and whether they have been getting worse since. Imports no torch."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vaeviewer.backend.models.interface import Metric
from vaeviewer.backend.models.registry import AnyFamily
from vaeviewer.backend.training.history import MetricsView

EPOCHS = 4
"""Evaluations after the best one that it takes to speak of overfitting, and …"""

SHARE = 0.02
"""… how far they must have fallen: this share of what was won between the first and the best, and …"""

SCATTERS = 10.0
"""… so many deviations of their noise …"""

NOISE_EPOCHS = 10
"""… as it is from so many evaluations before the best one on."""


@dataclass(frozen=True)
class Overfitting:
    """Held-out figures that get worse while those of training images get better.

    Attributes:
        best: Row of the best held-out evaluation.
        epoch: When that was, passes over the images, rounded.
        epochs: For how many evaluations none has been as good.
        then: The held-out figure then.
        now: The newest one.
        learned: How much the figure of the images trained on has gained since then; more than 0.
    """

    best: int
    epoch: int
    epochs: int
    then: float
    now: float
    learned: float


@dataclass(frozen=True)
class Figures:
    """A metric's values over a run, and when each was found.

    Attributes:
        epoch: Passes over the images, fractional, ``(n,)``.
        values: ``(n,)``.
    """

    epoch: NDArray[Any]
    values: NDArray[Any]


def has_best(family: AnyFamily) -> bool:
    """Whether a family's held-out figures say which epoch was best: where images are encoded, and trained for."""
    able = family.capabilities
    return able.encodes and able.trains and family.metrics.headline.better != "neither"


def best_row(values: NDArray[Any], metric: Metric) -> int | None:
    """The row with the best of some values ``(n,)``; ``None`` where none is, or can be said to be, best."""
    if not len(values) or metric.better == "neither":
        return None
    gain = _gains(values, metric)
    best = int(np.argmax(gain))
    return best if np.isfinite(gain[best]) else None


def newest_is_best(family: AnyFamily, held_out: MetricsView) -> bool:
    """Whether no held-out evaluation before the last one was as good."""
    headline = family.metrics.headline
    return has_best(family) and best_row(held_out[headline.key], headline) == len(held_out) - 1


def overfitting(metric: Metric, training: Figures, held_out: Figures) -> Overfitting | None:
    """Whether the held-out figures have been getting worse for some epochs while the training ones got better."""
    best = best_row(held_out.values, metric)
    if best is None or not len(training.values):
        return None
    gain = _gains(held_out.values, metric)
    since = gain[best + 1 :]
    if len(since) < EPOCHS:
        return None
    half = len(since) // 2
    early, late = since[:half].mean(), since[half:].mean()
    least = max(SHARE * (gain[best] - gain[0]), SCATTERS * _noise(gain[max(0, best - NOISE_EPOCHS) :]))
    if not (late < early < gain[best] and gain[best] - late > least):
        return None
    # Means over a pass, as single batches differ.
    learned = _last_pass(training, metric, float(training.epoch[-1])) - _last_pass(
        training, metric, float(held_out.epoch[best])
    )
    if not learned > 0.0:
        return None
    epoch = round(float(held_out.epoch[best]))
    return Overfitting(
        best, epoch, len(since), float(held_out.values[best]), float(held_out.values[-1]), learned
    )


def _gains(values: NDArray[Any], metric: Metric) -> NDArray[np.float64]:
    """Values of which higher ones are better; undefined ones are worst."""
    signed = np.asarray(-values if metric.better == "lower" else values, np.float64)
    return np.where(np.isnan(signed), -np.inf, signed)


def _noise(gain: NDArray[np.float64]) -> float:
    """The deviation of independent noise on a smooth curve ``(n,)``, n > 2.

    Its second differences have √6 times that deviation, and the median of a normal's absolute values is 0.6745 of it.
    """
    return float(np.median(np.abs(np.diff(gain, 2)))) / (0.6745 * math.sqrt(6.0))


def _last_pass(figures: Figures, metric: Metric, epoch: float) -> float:
    """The mean gain over the pass that ends at ``epoch``."""
    start, stop = np.searchsorted(figures.epoch, [epoch - 1.0, epoch], side="right")
    return float(_gains(figures.values[min(start, max(stop - 1, 0)) : max(stop, 1)], metric).mean())
