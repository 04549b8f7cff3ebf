"""What the parts of the benchmark share: progress lines, medians, and images in any number."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from vaeviewer.backend.data.base import ImageDataset

MNIST_IMAGES = 60_000
"""Training images of MNIST, the size that figures of speed are published for."""


def say(text: str) -> None:
    """One line of progress on standard error."""
    sys.stderr.write(f"bench: {text}\n")
    sys.stderr.flush()


def median(values: Sequence[float]) -> float:
    """The middle of repeated measurements."""
    return float(np.median(values))


def paired(values: Sequence[float], others: Sequence[float]) -> float:
    """The middle of the rounds' ratios: a machine whose speed changes every minute changes both sides of a round."""
    return median([value / other for value, other in zip(values, others, strict=True)])


def percentile(values: Sequence[float], share: float) -> float | None:
    """The value that ``share`` percent of the measurements do not exceed, or ``None`` without any."""
    return float(np.percentile(values, share)) if len(values) else None


def tiled(dataset: ImageDataset, images: int) -> ImageDataset:
    """The data set with its training images repeated, or cut off, to be ``images`` many."""
    rows = np.arange(images) % len(dataset.train_images)
    return replace(
        dataset,
        name=f"{dataset.name}, tiled to {images:,}",
        train_images=dataset.train_images[rows],
        train_labels=dataset.train_labels[rows],
    )
