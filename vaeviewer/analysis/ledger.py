"""A ledger for each image: which image it is, and its numbers, to be sorted and filtered. Pure arrays."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from vaeviewer.backend.data.base import ImageDataset
from vaeviewer.backend.models.interface import Metric

Rows = NDArray[np.intp]
"""Entries of a ledger, ``(k,)``, in the order in which they are shown."""

ABOUT = ("set", "row", "class")
"""Columns that say which image it is; all others are numbers of a model."""


@dataclass(frozen=True)
class Ledger:
    """All images, those trained on first, with a number each in every column.

    Attributes:
        dataset: The images.
        values: Numbers by column, each float32 ``(n + m,)``; NaN where one is not known.
        step: Of the model that they are of.
        more: Columns beside the family's metrics, some of which may be computed later.
    """

    dataset: ImageDataset
    values: Mapping[str, NDArray[np.float32]] = field(default_factory=dict)
    step: int = 0
    more: tuple[Metric, ...] = ()

    @property
    def trained(self) -> int:
        """How many are trained on; entries from there on are held out."""
        return len(self.dataset.train_images)

    def __len__(self) -> int:
        """How many there are in all."""
        return self.trained + len(self.dataset.held_out_images)

    def is_held_out(self, entry: int) -> bool:
        """Whether an image was never trained on."""
        return entry >= self.trained

    def row(self, entry: int) -> int:
        """Its row among those of its set."""
        return entry - self.trained if self.is_held_out(entry) else entry

    def image(self, entry: int) -> NDArray[np.uint8]:
        """Its pixels."""
        images = self.dataset.held_out_images if self.is_held_out(entry) else self.dataset.train_images
        pixels: NDArray[np.uint8] = images[self.row(entry)]
        return pixels

    def label(self, entry: int) -> int:
        """Its class; 0 where there are none."""
        labels = self.dataset.held_out_labels if self.is_held_out(entry) else self.dataset.train_labels
        return int(labels[self.row(entry)])

    def number(self, entry: int, key: str) -> float:
        """Its number in a column of those; NaN where it is not known."""
        known = self.values.get(key)
        return float("nan") if known is None else float(known[entry])

    def column(self, key: str) -> NDArray[Any]:
        """What is sorted and filtered by: numbers, ``(n + m,)``."""
        n, m = self.trained, len(self.dataset.held_out_images)
        if key == "set":
            return np.repeat(np.array([0, 1], np.int8), [n, m])
        if key == "row":
            return np.concatenate([np.arange(n), np.arange(m)])
        if key == "class":
            return np.concatenate([self.dataset.train_labels, self.dataset.held_out_labels])
        known = self.values.get(key)
        return np.full(n + m, np.nan, np.float32) if known is None else known


@dataclass(frozen=True)
class Wanted:
    """Which images are looked at.

    Attributes:
        images: Of which set.
        label: Of which class, or ``None`` for any.
        key: A column of which the bounds are.
        low: Least value, or ``None``.
        high: Greatest value, likewise. Images without a value are within no bounds.
    """

    images: Literal["all", "train", "held out"] = "all"
    label: int | None = None
    key: str = ""
    low: float | None = None
    high: float | None = None

    def entries(self, ledger: Ledger) -> Rows:
        """Those of a ledger, in its order."""
        there = np.ones(len(ledger), bool)
        if self.images != "all":
            there &= ledger.column("set") == (self.images == "held out")
        if self.label is not None:
            there &= ledger.column("class") == self.label
        if self.key and not (self.low is None and self.high is None):
            values = ledger.column(self.key)
            there &= (values >= (-np.inf if self.low is None else self.low)) & (
                values <= (np.inf if self.high is None else self.high)
            )
        return np.flatnonzero(there)


def in_order(ledger: Ledger, entries: Rows, key: str, descending: bool = False) -> Rows:
    """Entries by a column; equal ones as they were, and those without a value last either way."""
    values = ledger.column(key)[entries]
    missing = np.isnan(values) if values.dtype.kind == "f" else np.zeros(len(values), bool)
    known = np.flatnonzero(~missing)
    order = np.argsort(-values[known] if descending else values[known], kind="stable")
    return np.concatenate([entries[known[order]], entries[missing]])


def ends(ledger: Ledger, entries: Rows, key: str, count: int) -> tuple[Rows, Rows]:
    """Those of the lowest and those of the highest values, at most ``count`` each, the most extreme ones first."""
    values = ledger.column(key)[entries].astype(np.float64)
    known = np.flatnonzero(~np.isnan(values))
    count = min(count, len(known))
    if not count:
        return entries[:0], entries[:0]
    found = []
    for some in (values[known], -values[known]):
        nearest = np.argpartition(some, count - 1)[:count]
        found.append(entries[known[nearest[np.argsort(some[nearest], kind="stable")]]])
    return found[0], found[1]
