"""From decoded images to a data set: where they lie while they are decoded, and what is said of them."""

from __future__ import annotations

import logging
import math
from collections import Counter
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vaeviewer.backend.data.base import DataSource, ImageDataset, checksum_of
from vaeviewer.backend.data.cache import About, Decoded, Draft, ImageCache
from vaeviewer.backend.data.columns import Column
from vaeviewer.backend.data.names import Names
from vaeviewer.backend.data.pages import give_back
from vaeviewer.backend.data.reading import Reading
from vaeviewer.backend.data.report import LoadReport, Skipped
from vaeviewer.counts import counted
from vaeviewer.errors import DataError
from vaeviewer.limits import MAX_DECODED_BYTES, MAX_IN_MEMORY_BYTES

_PASSED_BYTES = 2**27

log = logging.getLogger(__name__)


class Room:
    """Room for the images of a data set: in the cache, or in memory where little is needed or nothing can be written.

    Args:
        shape: ``(n, height, width)`` or ``(n, height, width, 3)``.
        cache: Where large data and slowly decoded pictures are kept.
        keep: Whether to keep even little.

    Attributes:
        images: uint8 of that shape, to be filled, those trained on first.

    Raises:
        DataError: They need more than any data set may, or more than there is.
    """

    def __init__(self, shape: tuple[int, ...], cache: ImageCache, *, keep: bool) -> None:
        self._cache = cache
        self._draft: Draft | None = None
        self._unwritten = 0
        size = math.prod(shape)
        if size > MAX_DECODED_BYTES:
            raise DataError(
                f"{shape[0]:,} images of {shape[1]}×{shape[2]} pixels take {size / 2**30:.0f} GiB, more than "
                f"{MAX_DECODED_BYTES // 2**30}; choose a smaller size."
            )
        if keep or size > MAX_IN_MEMORY_BYTES:
            try:
                self._draft = cache.draft(shape)
            except OSError as error:
                log.warning("decoded images cannot be kept in %s (%s)", cache.folder, error.strerror or error)
                if size > 8 * MAX_IN_MEMORY_BYTES:
                    raise DataError(
                        f"The images take {size / 2**30:.1f} GiB, for which {cache.folder} has no room "
                        f"({error.strerror or error}); make room, choose a smaller size, or set VAEVIEWER_HOME."
                    ) from None
        self.images = np.zeros(shape, np.uint8) if self._draft is None else self._draft.images

    def passed(self, size: int) -> None:
        """Take note that ``size`` bytes more were filled in: now and then the memory that shows them is given back."""
        self._unwritten += size
        if self._unwritten > _PASSED_BYTES:
            self._unwritten = 0
            give_back(self.images)

    def reorder(self, rows: NDArray[np.int64]) -> None:
        """Keep these rows of the images alone, in this order."""
        other = Room((len(rows), *self.images.shape[1:]), self._cache, keep=self._draft is not None)
        step = max(1, 2**24 // max(1, math.prod(self.images.shape[1:])))
        for start in range(0, len(rows), step):
            other.images[start : start + step] = self.images[rows[start : start + step]]
            other.passed(2**24)
            self.passed(2**24)
        self.drop()
        self._draft, self.images = other._draft, other.images

    def drop(self) -> None:
        """Give all of it back."""
        self.images = np.empty(0, np.uint8)
        if self._draft is not None:
            self._draft.drop()
            self._draft = None

    def finish(
        self,
        keys: list[str],
        labels: NDArray[np.int64],
        names: Names,
        about: About,
        columns: tuple[Column, ...] = (),
    ) -> Decoded:
        """The images with all that belongs to them, kept under ``keys`` if they are in the cache."""
        if self._draft is None:
            return Decoded(self.images, labels, names, about, columns)
        self.images = np.empty(0, np.uint8)
        draft, self._draft = self._draft, None
        try:
            found = draft.keep(keys[0], labels, names, about, columns)
        except OSError as error:
            raise DataError(
                f"The decoded images cannot be kept in {self._cache.folder} ({error.strerror or error}); "
                "make room or set VAEVIEWER_HOME to another folder."
            ) from None
        for other in set(keys[1:]) - {keys[0]}:
            self._cache.also(other, keys[0])
        return found


def described(
    images: NDArray[np.uint8],
    labels: NDArray[np.int64],
    train_count: int,
    *,
    name: str,
    class_names: tuple[str, ...],
    reading: Reading,
    skipped: tuple[Skipped, ...] = (),
    passed_over: int = 0,
    notes: tuple[str, ...] = (),
) -> About:
    """What there is to say of decoded images, their checksum among it.

    Args:
        images: Those trained on first.
        labels: Of all images.
        train_count: Images trained on.
        name: What a user calls the data.
        class_names: A name per class, or none.
        reading: How they were read.
        skipped: Files left out.
        passed_over: Files that are no images.
        notes: What was decided.
    """
    height, width, channels = (*images.shape[1:], 1)[:3]
    counts = np.bincount(labels, minlength=len(class_names)).tolist()
    classes: Counter[str] = Counter()
    for title, count in zip(class_names, counts, strict=False):
        classes[title] += count
    return About(
        name=f"{name}, {counted(train_count, 'image')}"[:500],
        reading=reading,
        class_names=class_names,
        train_count=train_count,
        checksum=checksum_of(
            images[:train_count], labels[:train_count], images[train_count:], labels[train_count:]
        ),
        report=LoadReport(
            images=len(images),
            held_out=len(images) - train_count,
            height=height,
            width=width,
            channels=channels,
            classes=dict(classes),
            skipped=skipped,
            passed_over=passed_over,
            notes=notes,
        ),
    )


def dataset_of(decoded: Decoded, path: Path, key: str = "folder") -> ImageDataset:
    """The data set of decoded images, read from ``path``."""
    about, first = decoded.about, decoded.about.train_count
    names = decoded.names
    return ImageDataset(
        about.name,
        DataSource(key=key, path=str(path), checksum=about.checksum, reading=about.reading),
        decoded.images[:first],
        decoded.labels[:first],
        decoded.images[first:],
        decoded.labels[first:],
        about.class_names,
        train_files=names[:first] if len(names) else (),
        held_out_files=names[first:] if len(names) else (),
        report=about.report,
        columns=tuple(column.taken(slice(first)) for column in decoded.columns),
    )
