"""What the curves show: which evaluation was best, overfitting, and what a family warns of."""

from __future__ import annotations

import numpy as np

from vaeviewer.backend.models.interface import Metric
from vaeviewer.backend.models.registry import AnyFamily
from vaeviewer.ui.curves.curve_data import Column, Curves, nearest_row

JUDGED_STEPS = 200
"""Steps after which a family's warning counts, unless an epoch is over before; untrained models look odd."""

OVERFITTING_EPOCHS = 4
"""Held-out evaluations below the best one that it takes to speak of overfitting."""


def best_row(held_out: Curves, headline: Metric) -> int | None:
    """The row with the best held-out value of a metric; ``None`` where none is, or can be said to be, best."""
    if not len(held_out) or headline.better == "neither":
        return None
    gain = _gain(held_out.raw[headline.key], headline)
    best = int(np.argmax(gain))
    return best if np.isfinite(gain[best]) else None


def warning(family: AnyFamily, training: Curves, held_out: Curves) -> str:
    """What the family says against the newest means, once training has begun in earnest; empty if nothing."""
    newest = training if len(training) else held_out
    if not len(newest) or (newest.epoch[-1] < 1 and newest.step[-1] < JUDGED_STEPS):
        return ""
    return family.warning({key: float(column[-1]) for key, column in newest.smooth.items()})


def overfits(training: Curves, held_out: Curves, headline: Metric) -> bool:
    """Whether the held-out values have been getting worse for some epochs while the training ones got better."""
    best = best_row(held_out, headline)
    if best is None or not len(training):
        return False
    gain = _gain(held_out.raw[headline.key], headline)
    since = gain[best + 1 :]
    if len(since) < OVERFITTING_EPOCHS:
        return False
    half = len(since) // 2
    worse = since[half:].mean() < since[:half].mean() < gain[best]
    then = nearest_row(training.step, held_out.step[best])
    assert then is not None
    learned = _gain(training.smooth[headline.key][[then, -1]], headline)
    return bool(worse and learned[1] > learned[0])


def _gain(values: Column, metric: Metric) -> Column:
    """Values of which higher ones are better; undefined ones are worst."""
    return np.where(np.isnan(values), -np.inf, -values if metric.better == "lower" else values)
