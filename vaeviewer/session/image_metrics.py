"""The family's metrics of each image, computed beside everything else from one Snapshot after the other."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QObject, QTimer, Signal

from vaeviewer.backend.data.base import ImageDataset
from vaeviewer.backend.snapshot import Snapshot
from vaeviewer.session.grid_decoder import CHUNK_ROWS, GridDecoder

KIND = "metrics of the images"
REST = 4.0
"""After a computation the decoder's thread rests so many times as long, while newer Snapshots keep coming."""
CALM_MS = 300
"""Without a newer Snapshot for so long training has stopped, and the last one is looked at without a rest."""
_TOLD_S = 0.25  # between two reports of how far it is

Values = Mapping[str, NDArray[np.float32]]


class ImageMetrics(QObject):
    """Computes what is wanted, in the background.

    A newer Snapshot ends the computation of an older one, but not twice in a row: while training runs something would
    never be finished.

    Args:
        decoder: On whose thread it is computed.
        parent: The parent object.

    Attributes:
        values: The metrics by key, each ``(n,)``, or ``None`` as long as there are none.
        step: Of the model they are of.
        share: How much of the present computation is done, 0 … 1; ``None`` where there is none.

    Signals:
        changed: One of these.
    """

    changed = Signal()

    def __init__(self, decoder: GridDecoder, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._decoder = decoder
        self._dataset: ImageDataset | None = None
        self._seen: Snapshot | None = None  # the newest that was wanted
        self._next: Snapshot | None = None
        self._gave_way = False
        self._began = 0.0
        self._rests_until = float("-inf")
        self._calm = QTimer(self)
        self._calm.setSingleShot(True)
        self._calm.setInterval(CALM_MS)
        self._calm.timeout.connect(self._begin)
        self.values: Values | None = None
        self.step = 0
        self.share: float | None = None
        decoder.forgotten.connect(lambda: self.set_dataset(self._dataset))

    def set_dataset(self, dataset: ImageDataset | None) -> None:
        """Take other images, or those of another model: nothing is known of them yet."""
        self.stop()
        self._dataset, self.values = dataset, None
        self._rests_until = float("-inf")

    def want(self, snapshot: Snapshot) -> None:
        """The metrics of this model are wanted, as soon as it suits."""
        if snapshot is self._seen or self._dataset is None:
            return
        self._seen = self._next = snapshot
        if self.share is not None and self._gave_way:
            return  # it begins when the present one is finished
        if self.share is None and time.perf_counter() < self._rests_until:
            self._calm.start()
            return
        self._gave_way = self.share is not None
        self._begin()

    def stop(self) -> None:
        """They are no longer wanted."""
        self._calm.stop()
        self._decoder.drop(KIND)
        self._seen = self._next = None
        self._gave_way, self.share = False, None

    def pause(self) -> None:
        """Nobody sees them for now."""
        unfinished = self._seen if self.share is not None or self._next is not None else None
        self._calm.stop()
        self._decoder.drop(KIND)
        self._next, self._gave_way, self.share = unfinished, False, None

    def resume(self) -> None:
        """Go on with what was not finished."""
        self._begin()

    def _begin(self) -> None:
        snapshot, dataset, self._next = self._next, self._dataset, None
        if snapshot is None or dataset is None:
            return
        self._calm.stop()
        self._began, self.share = time.perf_counter(), 0.0

        def job(model: Snapshot) -> Iterator[Any]:
            return _computed(model, dataset)

        self._decoder.ask_at_length(KIND, snapshot, job, self._take)
        self.changed.emit()

    def _take(self, answer: float | tuple[int, Values]) -> None:
        if isinstance(answer, float):
            self.share = answer
        else:
            self.step, self.values = answer
            self.share, self._gave_way = None, False
            now = time.perf_counter()
            self._rests_until = now + REST * (now - self._began)
            if self._next is not None:
                self._calm.start()
        self.changed.emit()


def _computed(snapshot: Snapshot, dataset: ImageDataset) -> Iterator[Any]:
    """Now and then the share done; at last the step and all metrics."""
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
    yield snapshot.step, found
