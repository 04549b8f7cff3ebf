"""The images nearest to the handle, looked for beside everything else while it moves."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from PySide6.QtCore import QObject

from vaeviewer.analysis.nearest import (
    Array,
    Found,
    PixelSearch,
    Reach,
    Spacing,
    deviations_to,
    nearest_codes,
    spacing_of,
)
from vaeviewer.backend.data.base import ImageDataset
from vaeviewer.backend.snapshot import PosteriorTable, Snapshot
from vaeviewer.session.grid_decoder import GridDecoder
from vaeviewer.session.newest import Newest

COUNT = 12
"""Images that are looked for in either way."""
REST = 2.0
"""After a search the decoder's thread rests so many times as long: the cores belong to training and the hand."""


@dataclass(frozen=True)
class Nearest:
    """What is near a code.

    Attributes:
        in_codes: Images whose codes are nearest; ``None`` where images have none.
        in_pixels: Images nearest to the picture decoded there.
        reach: How far from all data it is; likewise ``None``.
        every: Of how many images one was compared by its pixels.
    """

    in_codes: Found | None
    in_pixels: Found
    reach: Reach | None
    every: int


@dataclass(frozen=True)
class _Place:
    search: _Search
    code: tuple[float, ...]
    y: int
    labelled: bool  # only images of that class count


class NearestImages(Newest):
    """Looks for them. Of many moves it follows as many as it can, the last one always.

    Args:
        decoder: On whose thread.
        parent: The parent object.
    """

    def __init__(self, decoder: GridDecoder, parent: QObject | None = None) -> None:
        super().__init__(decoder, "nearest images", _looked_for, parent, REST)
        self._search: _Search | None = None
        self._place: _Place | None = None

    @property
    def found_there(self) -> Nearest | None:
        """The last ones found."""
        found: Nearest | None = self.value
        return found

    def follow(self, snapshot: Snapshot, dataset: ImageDataset, code: Array, y: int) -> None:
        """Look for those near a code ``(d,)``, of class ``y`` where the model sees classes."""
        if self._search is None or self._search.dataset is not dataset:
            self._search = _Search(dataset)
        sees = snapshot.family.capabilities.uses_labels and dataset.labelled
        place = _Place(self._search, tuple(code.tolist()), y, sees)
        if place != self._place:
            self._place = place
        self.want(snapshot, self._place)


def _looked_for(snapshot: Snapshot, place: _Place) -> Iterator[Any]:
    return place.search.near(snapshot, place)


class _Search:
    """On the decoder's thread; what stays the same from search to search is kept."""

    def __init__(self, dataset: ImageDataset) -> None:
        self.dataset = dataset
        self._pixels = PixelSearch(dataset.train_images)
        self._spacing: tuple[PosteriorTable, Spacing] | None = None

    def near(self, snapshot: Snapshot, place: _Place) -> Iterator[Any]:
        """In small steps: ``None``, and at last a :class:`Nearest`."""
        z, table = np.array(place.code, np.float32), snapshot.posterior
        labels = self.dataset.train_labels
        among = labels == place.y if place.labelled else None
        in_codes = reach = None
        if table is not None and len(table.loc) == len(labels):
            in_codes = nearest_codes(table.loc, z, COUNT, among)
            yield None
            spacing = None
            if self._spacing is not None and self._spacing[0] is table:
                spacing = self._spacing[1]
            for answer in spacing_of(table.loc) if spacing is None else ():
                spacing = answer
                yield None
            if spacing is not None and len(in_codes.rows):
                self._spacing = table, spacing
                gaussian = snapshot.family.capabilities.gaussian_posterior
                deviations = deviations_to(table, z) if gaussian else None
                reach = Reach(float(in_codes.distances[0]), spacing, deviations, len(z))
        yield None
        picture = snapshot.decode(z[None], place.y)[0]
        for found in self._pixels.search(picture, COUNT, among):
            yield None if found is None else Nearest(in_codes, found, reach, self._pixels.every)
