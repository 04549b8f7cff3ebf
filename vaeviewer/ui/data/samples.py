"""Some images of each class of a data set, to look at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vaeviewer.backend.data.base import ImageDataset

IMAGES_IN_ALL = 480
MOST_OF_A_CLASS = 160
LEAST_OF_A_CLASS = 12
MEMORY_BYTES = 2**26
"""What the images of many large classes may take; each class shows one all the same."""


@dataclass(frozen=True)
class ClassSamples:
    """One class.

    Attributes:
        title: Its name, or empty where the data have no classes.
        count: Its images, those held out among them.
        images: Some of those trained on, evenly spread, uint8, ``(k, height, width)`` or ``(k, height, width, 3)``.
        files: A name for each of them, or none.
    """

    title: str
    count: int
    images: NDArray[np.uint8]
    files: tuple[str, ...] = ()


@dataclass(frozen=True)
class Preview:
    """A data set with some images of each of its classes, in memory."""

    dataset: ImageDataset
    classes: tuple[ClassSamples, ...]


def preview_of(dataset: ImageDataset) -> Preview:
    """Pick some images of each class. May wait for a disk; call it on a worker."""
    titles = dataset.class_names or ("",)
    image_bytes = int(np.prod(dataset.image_shape))
    most = min(MOST_OF_A_CLASS, max(LEAST_OF_A_CLASS, IMAGES_IN_ALL // len(titles)))
    most = max(1, min(most, MEMORY_BYTES // (image_bytes * len(titles))))
    held_out = np.bincount(dataset.held_out_labels, minlength=len(titles))
    order = np.argsort(dataset.train_labels, kind="stable")
    ends = np.searchsorted(dataset.train_labels[order], np.arange(len(titles) + 1))
    return Preview(
        dataset,
        tuple(
            _samples(dataset, title, order[first:end], int(end - first + held_out[label]), most)
            for label, (title, first, end) in enumerate(zip(titles, ends, ends[1:], strict=False))
        ),
    )


def _samples(
    dataset: ImageDataset, title: str, rows: NDArray[np.int64], count: int, most: int
) -> ClassSamples:
    if len(rows) > most:
        rows = rows[np.linspace(0, len(rows) - 1, most).astype(np.int64)]
    files: Sequence[str] = dataset.train_files
    return ClassSamples(
        title, count, dataset.train_images[rows], tuple(files[row] for row in rows) if len(files) else ()
    )
