"""What is to say of all images together, computed beside everything else, now and for the time before."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, NamedTuple

from PySide6.QtCore import QObject

from vaeviewer.analysis.latent_plane import Axes
from vaeviewer.analysis.whole_set import WholeSet, whole_set
from vaeviewer.backend.data.base import ImageDataset
from vaeviewer.backend.snapshot import Snapshot
from vaeviewer.session.grid_decoder import GridDecoder
from vaeviewer.session.newest import REST, Newest

MOST_KEPT = 20
"""Earlier posteriors that are kept, evenly over training, to be looked at when there is time …"""
MOST_KEPT_BYTES = 64 * 2**20
"""… and the memory that they may take."""
MOST_TIMES = 2_000
"""Steps whose figures are kept; with more, every other one is forgotten."""

_REST_UNSEEN = 4 * REST  # while the panel is behind another one


class _About(NamedTuple):
    """What it is computed of, beside the model."""

    dataset: ImageDataset
    axes: Axes | None


class WholeSetOverTraining(Newest):
    """Computes the figures of all images: of the newest model, and when that is done of those before.

    Args:
        decoder: On whose thread.
        parent: The parent object.

    Attributes:
        times: The figures known so far, by rising step; only the last has its densities.
    """

    def __init__(self, decoder: GridDecoder, parent: QObject | None = None) -> None:
        self._kept: list[Snapshot] = []  # by rising step
        self._newest: Snapshot | None = None
        self._about: _About | None = None
        self._begun = False
        self.times: list[WholeSet] = []
        super().__init__(decoder, "figures of the whole set", _computed, parent)
        self.found.connect(self._keep_figures)

    @property
    def last(self) -> WholeSet | None:
        """The figures of the latest step that are known."""
        return self.times[-1] if self.times else None

    def forget(self) -> None:
        """Nothing is known: there is another model, or other images."""
        super().forget()
        self._kept, self.times = [], []
        self._newest = self._about = None

    def follow(self, snapshot: Snapshot, dataset: ImageDataset, axes: Axes | None, *, seen: bool) -> None:
        """Keep this model, the newest one; from when the figures are seen for the first time, compute them.

        Args:
            snapshot: The model.
            dataset: Its images.
            axes: The two dimensions that span the plane, or ``None`` for the principal ones.
            seen: Whether somebody looks; else there are longer rests.
        """
        if snapshot.posterior is None:
            return
        if snapshot.model.latent_dim <= 2:
            axes = None  # there is one plane only
        about = self._about
        if about is None or about.dataset is not dataset or about.axes != axes:
            self._about = _About(dataset, axes)
        if snapshot is not self._newest:
            self._newest = snapshot
            self._keep(snapshot)
        self._begun = self._begun or seen
        self._rest = REST if seen else _REST_UNSEEN
        last = self.last
        if self._begun and (last is None or (last.step, last.axes) != (snapshot.step, axes)):
            self.want(snapshot, self._about)

    def _keep(self, snapshot: Snapshot) -> None:
        """Keep its posteriors, if it is as far from the one before as others are from each other."""
        if snapshot.family.capabilities.normal_prior:
            snapshot = replace(snapshot, weights={})  # which say no more
        kept = [other for other in self._kept if other.step < snapshot.step]  # training may have gone back
        steps = [other.step for other in kept]
        if len(steps) > 2 and steps[-1] - steps[-2] < (steps[-2] - steps[0]) / (len(steps) - 2):
            kept.pop()
        if len(kept) >= max(2, min(MOST_KEPT, MOST_KEPT_BYTES // _bytes_of(snapshot))):
            kept = kept[::2]
        self._kept = [*kept, snapshot]

    def _keep_figures(self) -> None:
        found: WholeSet = self.value
        if self._newest is None or found.step > self._newest.step:
            return  # training has gone back
        others = [time for time in self.times if time.step != found.step and time.step <= self._newest.step]
        if len(others) >= MOST_TIMES:
            others = others[::2]
        times = sorted([*others, found], key=lambda time: time.step)
        self.times = [*(replace(time, densities=None) for time in times[:-1]), times[-1]]
        earlier = self._farthest()
        if earlier is not None and self._next is None:
            self.want(earlier, self._about)  # after a rest: anything newer comes before

    def _farthest(self) -> Snapshot | None:
        """Of the models kept the one that is farthest from any whose figures are known."""
        known = [time.step for time in self.times]
        unknown = [model for model in self._kept if model.step not in known]
        return max(unknown, key=lambda model: min(abs(model.step - step) for step in known), default=None)


def _bytes_of(snapshot: Snapshot) -> int:
    table = snapshot.posterior
    arrays = list(snapshot.weights.values())
    if table is not None:
        arrays += [array for array in (table.loc, table.log_variance, table.row_steps) if array is not None]
    return max(1, sum(array.nbytes for array in arrays))


def _computed(snapshot: Snapshot, about: _About) -> Iterator[Any]:
    labels = about.dataset.train_labels if about.dataset.labelled else None
    return whole_set(snapshot, labels, about.axes)
