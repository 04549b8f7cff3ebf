"""The family's metrics of each image, computed beside everything else from one Snapshot after the other."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QObject

from vaeviewer.backend.data.base import ImageDataset
from vaeviewer.backend.snapshot import Snapshot
from vaeviewer.session.grid_decoder import CHUNK_ROWS, GridDecoder
from vaeviewer.session.newest import Newest

KIND = "metrics of the images"
_TOLD_S = 0.25  # between two reports of how far it is

Values = Mapping[str, NDArray[np.float32]]


class ImageMetrics(Newest):
    """Computes the metrics of all images trained on.

    Args:
        decoder: On whose thread.
        parent: The parent object.
    """

    def __init__(self, decoder: GridDecoder, parent: QObject | None = None) -> None:
        super().__init__(decoder, KIND, _computed, parent)
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


def _computed(snapshot: Snapshot, dataset: ImageDataset) -> Iterator[Any]:
    """Now and then the share done; at last all metrics."""
    from vaeviewer.backend.training.evaluation import metrics_by_image  # torch, on the decoder's thread

    count = len(dataset.train_images)
    found: dict[str, NDArray[np.float32]] = {}
    told = time.perf_counter()
    for part, values in metrics_by_image(snapshot, dataset, CHUNK_ROWS):
        for key, some in values.items():
            found.setdefault(key, np.empty(count, np.float32))[part] = some
        now = time.perf_counter()
        if now - told < _TOLD_S:
            yield None
        else:
            told = now
            yield part.stop / count
    yield found
