"""Models of earlier steps, so that what is asked of all of training can be answered later."""

from __future__ import annotations

from dataclasses import replace

from PySide6.QtCore import QObject

from vaeviewer.backend.snapshot import Snapshot
from vaeviewer.session.grid_decoder import GridDecoder

MOST_KEPT = 20
"""Models that are kept, evenly over training …"""
MOST_BYTES = 64 * 2**20
"""… and the memory that they may take: a posterior of 60,000 images takes 1.2 MB."""


class PastModels(QObject):
    """Keeps the posteriors of earlier steps, and the weights where a prior is made of these.

    Args:
        decoder: Tells when there is another model.
        parent: The parent object.

    Attributes:
        kept: Snapshots by rising step, the newest at the end; those before it may have no weights.
    """

    def __init__(self, decoder: GridDecoder, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.kept: list[Snapshot] = []
        self._newest: Snapshot | None = None
        decoder.forgotten.connect(self._forget)

    def keep(self, snapshot: Snapshot | None) -> None:
        """Take the newest model; the one before stays if it is as far from others as they are from each other."""
        if snapshot is None or snapshot is self._newest or snapshot.posterior is None:
            return
        self._newest = snapshot
        kept = [other for other in self.kept if other.step < snapshot.step]  # training may have gone back
        steps = [other.step for other in kept]
        if len(steps) > 2 and steps[-1] - steps[-2] < (steps[-2] - steps[0]) / (len(steps) - 2):
            kept.pop()
        elif kept and kept[-1].family.capabilities.normal_prior:
            kept[-1] = replace(kept[-1], weights={})  # which say no more
        if len(kept) >= 2 and len(kept) >= min(MOST_KEPT, MOST_BYTES // _bytes_of(kept[0])):
            kept = kept[::2]
        self.kept = [*kept, snapshot]

    def _forget(self) -> None:
        self.kept, self._newest = [], None


def _bytes_of(snapshot: Snapshot) -> int:
    table = snapshot.posterior
    arrays = list(snapshot.weights.values())
    if table is not None:
        arrays += [array for array in (table.loc, table.log_variance, table.row_steps) if array is not None]
    return max(1, sum(array.nbytes for array in arrays))
