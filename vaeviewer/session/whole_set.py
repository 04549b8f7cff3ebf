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
from vaeviewer.session.past_models import PastModels

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
        past: Has the models before.
        parent: The parent object.

    Attributes:
        times: The figures known so far, by rising step; only the last has its densities.
    """

    def __init__(self, decoder: GridDecoder, past: PastModels, parent: QObject | None = None) -> None:
        self._past = past
        self._newest: Snapshot | None = None
        self._about: _About | None = None
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
        self.times = []
        self._newest = self._about = None

    def follow(self, snapshot: Snapshot, dataset: ImageDataset, axes: Axes | None, *, seen: bool) -> None:
        """The figures of this model are wanted, as soon as it suits.

        Args:
            snapshot: The newest model.
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
        self._newest = snapshot
        if self.times and self.times[-1].step > snapshot.step:  # training has gone back
            self.times = [time for time in self.times if time.step <= snapshot.step]
            self.found.emit()
        self._rest = REST if seen else _REST_UNSEEN
        last = self.last
        if last is None or (last.step, last.axes) != (snapshot.step, axes):
            self.want(snapshot, self._about)

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
        unknown = [model for model in self._past.kept if model.step not in known]
        return max(unknown, key=lambda model: min(abs(model.step - step) for step in known), default=None)


def _computed(snapshot: Snapshot, about: _About) -> Iterator[Any]:
    labels = about.dataset.train_labels if about.dataset.labelled else None
    return whole_set(snapshot, labels, about.axes)
