"""The family's metrics of each image, computed beside everything else from one Snapshot after the other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QObject

from vaeviewer.backend.data.base import ImageDataset
from vaeviewer.backend.snapshot import Snapshot
from vaeviewer.session.grid_decoder import CHUNK_ROWS, GridDecoder
from vaeviewer.session.newest import Newest, seldom

KIND = "metrics of the images"
INSTANT_ROWS = 512
"""Images at a time where a drag does not wait for the decoder's thread: 27 ms, and half the time of 64 in all."""

Values = Mapping[str, NDArray[np.float32]]


class ImageMetrics(Newest):
    """Computes the metrics of all images trained on.

    Args:
        decoder: On whose thread.
        parent: The parent object.
    """

    def __init__(self, decoder: GridDecoder, parent: QObject | None = None) -> None:
        super().__init__(decoder, KIND, _of_those_trained_on, parent)
        self._dataset: ImageDataset | None = None

    @property
    def values(self) -> Values | None:
        """The metrics by key, each ``(n,)``, or ``None`` as long as there are none."""
        found: Values | None = self.value
        return found

    def set_dataset(self, dataset: ImageDataset | None) -> None:
        """Take other images."""
        self.forget()
        self._dataset = dataset

    def want(self, snapshot: Snapshot, about: Any = None) -> None:
        """The metrics of this model are wanted, as soon as it suits."""
        if self._dataset is not None:
            super().want(snapshot, self._dataset)


def computed(
    snapshot: Snapshot, dataset: ImageDataset, sets: tuple[bool, ...], workers: int = 1
) -> Iterator[Any]:
    """The metrics of all images, on the decoder's thread.

    Args:
        snapshot: The model.
        dataset: The images.
        sets: Of which, one after the other: those held out, or those trained on.
        workers: Threads, as cores are idle.

    Yields:
        The share done, or ``None``, and at last the :data:`Values`.
    """
    return seldom(_computed(snapshot, dataset, sets, workers))


def _computed(
    snapshot: Snapshot, dataset: ImageDataset, sets: tuple[bool, ...], workers: int
) -> Iterator[float | Values]:
    from vaeviewer.backend.training.evaluation import metrics_by_image  # torch

    sizes = {False: len(dataset.train_images), True: len(dataset.held_out_images)}
    count = sum(sizes[held_out] for held_out in sets)
    found: dict[str, NDArray[np.float32]] = {}
    start = 0
    at_once = INSTANT_ROWS if snapshot.instant else CHUNK_ROWS
    for held_out in sets:
        for part, values in metrics_by_image(snapshot, dataset, at_once, held_out=held_out, workers=workers):
            for key, some in values.items():
                whole = found.setdefault(key, np.empty(count, np.float32))
                whole[start + part.start : start + part.stop] = some
            yield (start + part.stop) / count
        start += sizes[held_out]
    yield found


def _of_those_trained_on(snapshot: Snapshot, dataset: ImageDataset) -> Iterator[Any]:
    return computed(snapshot, dataset, (False,))
