"""Which images are held out: the same share of each class, chosen by a seed."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def held_out_mask(labels: NDArray[np.int64], share: float, seed: int) -> NDArray[np.bool_]:
    """Choose images to hold out, ``round(share * n)`` of them, each class giving its share.

    The same labels, share and seed choose the same images with every version of NumPy: a run must never find
    images it was trained on among those held out.

    Args:
        labels: Class of each image, shape ``(n,)``.
        share: 0 … 1; at least one image is left to train on.
        seed: Another seed chooses other images.

    Returns:
        Whether each is held out, shape ``(n,)``.
    """
    n = len(labels)
    # Sorted by class, and at random within a class; then every so-manieth is taken.
    by_class = np.lexsort((_scrambled(n, seed), labels))
    marks = np.floor(np.arange(n + 1) * share + 0.5)
    chosen = np.zeros(n, dtype=np.bool_)
    chosen[by_class[np.diff(marks) > 0]] = True
    if chosen.all():
        chosen[:1] = False
    return chosen


def _scrambled(count: int, seed: int) -> NDArray[np.uint64]:
    """A number for each index that looks random: splitmix64 (Steele, Lea & Flood 2014), whose outputs never change."""
    z = (np.arange(1, count + 1, dtype=np.uint64) + np.uint64(seed << 31)) * np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


def train_first(held_out: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Indices of the images trained on, then of those held out, each in their own order."""
    return np.concatenate((np.flatnonzero(~held_out), np.flatnonzero(held_out)))
