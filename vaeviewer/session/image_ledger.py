"""The numbers of each image, those held out too, computed when somebody asks for them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from PySide6.QtCore import QObject

from vaeviewer.analysis.ledger import Ledger
from vaeviewer.backend.data.base import ImageDataset
from vaeviewer.backend.snapshot import Snapshot
from vaeviewer.session.grid_decoder import GridDecoder
from vaeviewer.session.image_metrics import computed
from vaeviewer.session.newest import Newest

KIND = "ledger"


class ImageLedger(Newest):
    """Makes a :class:`Ledger` of a model. It follows no training: each is asked for.

    Args:
        decoder: On whose thread.
        parent: The parent object.
    """

    def __init__(self, decoder: GridDecoder, parent: QObject | None = None) -> None:
        super().__init__(decoder, KIND, _ledger, parent)

    @property
    def known(self) -> Ledger | None:
        """The last one of this run."""
        found: Ledger | None = self.value
        return found


def _ledger(snapshot: Snapshot, dataset: ImageDataset) -> Iterator[Any]:
    for answer in computed(snapshot, dataset, (False, True)):
        yield Ledger(dataset, answer, snapshot.step) if isinstance(answer, dict) else answer
