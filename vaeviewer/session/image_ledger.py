"""The numbers of each image, those held out too, computed when somebody asks for them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QObject

from vaeviewer.analysis.image_evidence import evidence_metrics, evidence_of_images
from vaeviewer.analysis.ledger import Ledger
from vaeviewer.backend.data.base import ImageDataset
from vaeviewer.backend.snapshot import Snapshot
from vaeviewer.session.grid_decoder import GridDecoder
from vaeviewer.session.image_metrics import computed
from vaeviewer.session.newest import Newest, seldom

KIND, EXACT_KIND = "ledger", "log p(x) of all images"

Workers = Callable[[], int]
"""How many threads may compute now. Called on the decoder's thread."""


class _Quick(NamedTuple):
    """The family's metrics, and the model that they are of."""

    snapshot: Snapshot
    ledger: Ledger


class _Exact(NamedTuple):
    """Log p(x) and the gap of the images of a ledger."""

    ledger: Ledger
    values: Mapping[str, NDArray[np.float32]]


class ImageLedger(Newest):
    """Makes a :class:`Ledger` of a model. It follows no training: each is asked for.

    The family's metrics come first; log p(x) and the gap, where they are wanted, follow.

    Args:
        decoder: On whose thread.
        workers: Threads that it may use.
        parent: The parent object.

    Attributes:
        exact: Computes log p(x) and the gap.
    """

    def __init__(
        self, decoder: GridDecoder, workers: Workers = lambda: 1, parent: QObject | None = None
    ) -> None:
        super().__init__(decoder, KIND, partial(_quick, workers), parent)
        self.exact = Newest(decoder, EXACT_KIND, partial(_exact, workers), self)
        self._wants_exact = False
        self._known: Ledger | None = None
        self.found.connect(self._put_together)  # before anybody else hears of it
        self.exact.found.connect(self.found)
        self.exact.changed.connect(self.changed)

    @property
    def known(self) -> Ledger | None:
        """The last one of this run."""
        return self._known

    def want(self, snapshot: Snapshot, about: Any = None) -> None:
        """That of this model is wanted; ``about`` are the images."""
        if self.value is None or self.value.snapshot is not snapshot:
            self.exact.stop()
        super().want(snapshot, about)

    def want_exact(self, wanted: bool) -> None:
        """Whether log p(x) and the gap are wanted, too, of this model and of later ones."""
        if wanted != self._wants_exact:
            self._wants_exact = wanted
            if not wanted:
                self.exact.stop()
            if self.value is not None:
                self.found.emit()

    def forget(self) -> None:
        """Nothing is known: there is another model, or other images."""
        super().forget()
        self._known = None

    def pause(self) -> None:
        """Nobody sees it for now."""
        super().pause()
        self.exact.pause()

    def resume(self) -> None:
        """Go on with what was not finished."""
        super().resume()
        self.exact.resume()

    def _put_together(self) -> None:
        snapshot, ledger = self.value
        more = evidence_metrics(snapshot) if self._wants_exact else ()
        exact = self.exact.value
        if more and exact is not None and exact.ledger is ledger:
            self._known = replace(ledger, values={**ledger.values, **exact.values}, more=more)
            return
        self._known = replace(ledger, more=more)
        if more:
            self.exact.want(snapshot, ledger)


def _quick(workers: Workers, snapshot: Snapshot, dataset: ImageDataset) -> Iterator[Any]:
    for answer in computed(snapshot, dataset, (False, True), workers()):
        yield _Quick(snapshot, Ledger(dataset, answer, snapshot.step)) if isinstance(answer, dict) else answer


def _exact(workers: Workers, snapshot: Snapshot, ledger: Ledger) -> Iterator[Any]:
    for answer in seldom(evidence_of_images(snapshot, ledger.dataset, workers)):
        yield _Exact(ledger, answer) if isinstance(answer, dict) else answer
