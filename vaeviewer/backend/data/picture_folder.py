"""Data sets in folders of pictures: listed, looked at, decoded by several threads into the cache."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from vaeviewer.backend.data.base import Cancelled, ImageDataset
from vaeviewer.backend.data.cache import ImageCache, key_of
from vaeviewer.backend.data.columns import Column
from vaeviewer.backend.data.decoded import Room, dataset_of, described
from vaeviewer.backend.data.labels import check_classes
from vaeviewer.backend.data.labels_csv import NO_LABEL, LabelsFileError, LabelsTable, read_labels_csv
from vaeviewer.backend.data.levels import Scale
from vaeviewer.backend.data.listing import LABELS_FILE, Listing
from vaeviewer.backend.data.names import Names, readable
from vaeviewer.backend.data.pictures import Seen, UnusableError, decode, look_at
from vaeviewer.backend.data.reading import Reading
from vaeviewer.backend.data.report import Skipped
from vaeviewer.backend.data.sizes import chosen_size, size_note
from vaeviewer.backend.data.split import held_out_mask, train_first
from vaeviewer.backend.data.stack import Cancel, Progress
from vaeviewer.errors import DataError
from vaeviewer.native.cores import available_cores

_FILES_A_TASK = 32
_MOST_THREADS = 8
T = TypeVar("T")


def open_pictures(
    root: Path,
    listing: Listing,
    reading: Reading,
    cache: ImageCache,
    progress: Progress,
    cancelled: Cancel,
) -> ImageDataset:
    """The data set of a folder of pictures.

    Args:
        root: The folder.
        listing: What lies in it.
        reading: How to read it.
        cache: Where decoded images are kept.
        progress: Called with the files done and in all; each counts twice, when it is looked at and when decoded.
        cancelled: Asked at every few files.

    Raises:
        Cancelled: ``cancelled`` said so.
        DataError: No picture can be used.
    """
    key = _key(root, listing, reading)
    kept = cache.find(key)
    if kept is not None:
        return dataset_of(kept, root)
    return _Opening(root, listing, reading, cache, progress, cancelled).run(key)


def _key(root: Path, listing: Listing, reading: Reading) -> str:
    files = [(found.file, found.size, found.changed) for found in listing.pictures]
    files += [(f"/{name}", row, 0) for row, name in enumerate(listing.class_names)]
    files += [(f"/{skipped.file} {skipped.why}", 0, 0) for skipped in listing.skipped]
    files.append((f"/{root}", listing.passed_over, 0))
    if listing.labels_file is not None:
        status = listing.labels_file.stat()
        files.append((LABELS_FILE, status.st_size, status.st_mtime_ns))
    return key_of("pictures", files, reading)


@dataclass(frozen=True)
class _Rows:
    """The images that files give: one for each page.

    Attributes:
        files: Which file each is of, a row of the listing.
        pages: Which of its pages.
    """

    files: NDArray[np.int64]
    pages: NDArray[np.int64]

    @classmethod
    def of(cls, pages: Sequence[int]) -> _Rows:
        counts = np.array(pages, np.int64)
        files = np.repeat(np.arange(len(counts)), counts)
        first = np.cumsum(counts) - counts
        return cls(files, np.arange(len(files)) - first[files])


@dataclass(frozen=True)
class _Decision:
    """What suits the pictures of a folder.

    Attributes:
        size: ``(height, width)`` of the images.
        colour: Whether they are RGB.
        stretch: The scale where levels are stretched.
        notes: Sentences on it.
    """

    size: tuple[int, int]
    colour: bool
    stretch: Scale | None
    notes: tuple[str, ...]


class _Opening:
    """One opening of a folder whose pictures are not in the cache."""

    def __init__(
        self,
        root: Path,
        listing: Listing,
        reading: Reading,
        cache: ImageCache,
        progress: Progress,
        cancelled: Cancel,
    ) -> None:
        self._root, self._listing, self._reading, self._cache = root, listing, reading, cache
        self._progress, self._cancelled = progress, cancelled
        self._skipped: dict[int, str] = {}
        self._notes: list[str] = []
        self._columns: tuple[Column, ...] = ()
        self._labels, self._class_names = self._classes()

    def run(self, key: str) -> ImageDataset:
        """Look at all files, decide, decode, and say what was found."""
        count = len(self._listing.pictures)
        tell = self._progress
        seen = self._each(range(count), self._look_at, lambda done, total: tell(done, 2 * total))
        decision = self._decide(seen)
        while True:
            room, rows, places = self._decoded(seen, decision)
            try:
                # What could not be decoded has no say in size and colour, nor in the split.
                good = ~np.isin(rows.files, list(self._skipped))
                now = self._decide(seen)
                if now == decision:
                    rows = _Rows(rows.files[good], rows.pages[good])
                    order = train_first(self._mask(rows))
                    if not good.all():
                        room.reorder(places[good][order])
                    return self._finished(room, key, rows, order, decision)
                decision = now
            except BaseException:
                room.drop()
                raise
            room.drop()

    def _decoded(
        self, seen: Sequence[Seen | None], decision: _Decision
    ) -> tuple[Room, _Rows, NDArray[np.int64]]:
        """Decode every file that is not skipped yet: the images, what they are of, and where each went."""
        count, size, colour = len(seen), decision.size, decision.colour
        rows = _Rows.of(
            [0 if look is None or file in self._skipped else look.pages for file, look in enumerate(seen)]
        )
        order = train_first(self._mask(rows))
        places = np.empty_like(order)
        places[order] = np.arange(len(order))
        first = np.searchsorted(rows.files, np.arange(count))
        room = Room((len(order), *size, 3) if colour else (len(order), *size), self._cache, keep=True)

        def decode_into(file: int) -> None:
            look = seen[file]
            if look is None or file in self._skipped:
                return
            try:
                images = decode(
                    self._path(file),
                    look.pages,
                    size,
                    colour=colour,
                    reading=self._reading,
                    stretch=decision.stretch,
                )
            except UnusableError as error:
                self._skipped[file] = str(error)
                return
            for page, image in enumerate(images):
                room.images[places[first[file] + page]] = image

        def told(done: int, total: int) -> None:
            room.passed(_FILES_A_TASK * room.images[0].nbytes)
            self._progress(total + done, 2 * total)

        try:
            self._each(range(count), decode_into, told)
        except BaseException:
            room.drop()
            raise
        return room, rows, places

    def _finished(
        self,
        room: Room,
        key: str,
        rows: _Rows,
        order: NDArray[np.int64],
        decision: _Decision,
    ) -> ImageDataset:
        pictures = self._listing.pictures
        unusable = (Skipped(file=readable(pictures[n].file), why=why) for n, why in self._skipped.items())
        skipped = sorted((*self._listing.skipped, *unusable), key=lambda entry: entry.file)
        # A run shall find its data as they were, also when pictures that came later would suggest another size.
        reading = self._reading.model_copy(
            update={"size": decision.size, "channels": "colour" if decision.colour else "grey"}
        )
        labels = self._labels[rows.files[order]]
        about = described(
            room.images,
            labels,
            int((~self._mask(rows)).sum()),
            name=self._root.name or str(self._root),
            class_names=self._class_names,
            reading=reading,
            skipped=tuple(skipped),
            passed_over=self._listing.passed_over,
            notes=(*self._notes, *decision.notes),
        )
        many = np.bincount(rows.files) > 1
        names = Names.of(
            readable(pictures[file].file) + (f", page {page + 1}" if many[file] else "")
            for file, page in zip(rows.files[order].tolist(), rows.pages[order].tolist(), strict=True)
        )
        keys = [key, _key(self._root, self._listing, reading)]
        columns = tuple(column.taken(rows.files[order]) for column in self._columns)
        return dataset_of(room.finish(keys, labels, names, about, columns), self._root)

    def _path(self, file: int) -> Path:
        return self._root / self._listing.pictures[file].file

    def _look_at(self, file: int) -> Seen | None:
        try:
            return look_at(self._path(file), self._reading)
        except UnusableError as error:
            self._skipped[file] = str(error)
            return None

    def _each(self, files: range, work: Callable[[int], T], tell: Progress) -> list[T]:
        """Do some work on each file, by several threads; tells how far it is and heeds a cancel."""

        def some(start: int) -> list[T]:
            if self._cancelled():
                return []
            return [work(file) for file in files[start : start + _FILES_A_TASK]]

        results: list[T] = []
        pool = ThreadPoolExecutor(min(_MOST_THREADS, available_cores()), "decode")
        try:
            for part in pool.map(some, range(0, len(files), _FILES_A_TASK)):
                if self._cancelled():
                    raise Cancelled(f"Opening {self._root.name} was cancelled.")
                results += part
                tell(len(results), len(files))
        finally:
            pool.shutdown(cancel_futures=True)
        return results

    def _decide(self, seen: Sequence[Seen | None]) -> _Decision:
        """What suits the files that can be used.

        Raises:
            DataError: There are none.
        """
        usable = [look for file, look in enumerate(seen) if look is not None and file not in self._skipped]
        if not usable:
            raise self._nothing()
        reading, notes = self._reading, []
        sizes = [look.size for look in usable]
        size = reading.size or chosen_size(sizes)
        if set(sizes) != {size}:
            notes.append(size_note(size, reading.fit, sizes))
        coloured = sum(look.colour for look in usable)
        colour = reading.channels == "colour" or (reading.channels == "auto" and coloured > 0)
        if reading.channels == "auto" and 0 < coloured < len(usable):
            grey = len(usable) - coloured
            notes.append(f"Files in colour: {coloured:,}, in grey: {grey:,}; so all images are in colour.")
        pages = [look.pages for look in usable if look.pages > 1]
        if pages:
            files = "1 TIFF file has" if len(pages) == 1 else f"{len(pages):,} TIFF files have"
            notes.append(f"{files} several pages, {sum(pages):,} in all; each page is an image.")
        if self._listing.held_out is not None:
            notes.append("The folder brings its own split: its test or validation pictures are held out.")
        stretch = None
        if reading.levels == "data":
            low, high = min(look.low for look in usable), max(look.high for look in usable)
            stretch = Scale(low, high if high > low else low + 1)
            notes.append(f"Values from {low:g} to {high:g} are stretched from black to white.")
        return _Decision(size, colour, stretch, tuple(notes))

    def _classes(self) -> tuple[NDArray[np.int64], tuple[str, ...]]:
        """The class of each file: as its folder or as ``labels.csv`` says."""
        listing = self._listing
        if listing.labels_file is not None:
            try:
                by_csv = self._by_csv(read_labels_csv(listing.labels_file))
            except LabelsFileError as error:
                listing.skipped.append(Skipped(file=LABELS_FILE, why=str(error)))
            else:
                if by_csv is not None:
                    return by_csv
        check_classes(len(listing.class_names), str(self._root))
        return np.array(listing.labels, np.int64), listing.class_names

    def _by_csv(self, table: LabelsTable) -> tuple[NDArray[np.int64], tuple[str, ...]] | None:
        """The classes that a table names, if any, and keeps its other columns."""
        files = [found.file for found in self._listing.pictures]
        missing = len(table.rows.keys() - set(files))
        if missing:
            self._notes.append(
                f"Of the files that {LABELS_FILE} names, {missing:,} {'is' if missing == 1 else 'are'} not there."
            )
        if table.twice:
            self._notes.append(
                f"{LABELS_FILE} names {table.twice} and perhaps others in several lines; the last counts."
            )
        if missing == len(table.rows):
            raise LabelsFileError("names none of the pictures")
        self._columns, left_out = table.columns(files)
        if left_out:
            titles = ", ".join(left_out[:5]) + (" and more" if len(left_out) > 5 else "")
            self._notes.append(f"Columns of {LABELS_FILE} that points cannot be coloured by: {titles}.")
        given = [table.label_of(file) or NO_LABEL for file in files]
        without = given.count(NO_LABEL)
        if without == len(files):
            return None
        if without:
            self._notes.append(
                f"{LABELS_FILE} gives no label to {without:,} of the files, which form the class {NO_LABEL}."
            )
        names = sorted(set(given) - {NO_LABEL}, key=_by_number) + [NO_LABEL] * bool(without)
        check_classes(len(names), str(self._listing.labels_file))
        places = {name: row for row, name in enumerate(names)}
        return np.array([places[label] for label in given], np.int64), tuple(names)

    def _mask(self, rows: _Rows) -> NDArray[np.bool_]:
        """Which images are held out: as the folder has it, else the share that was chosen of each class."""
        given = self._listing.held_out
        if given is not None:
            mask = np.array(given, np.bool_)[rows.files]
            if not mask.all():
                return mask
        return held_out_mask(self._labels[rows.files], self._reading.held_out, self._reading.split_seed)

    def _nothing(self) -> DataError:
        file, why = min(self._skipped.items())
        name, count = readable(self._listing.pictures[file].file), len(self._skipped)
        others = f", and {count - 1:,} more" if count > 1 else ""
        return DataError(
            f"{self._root} holds no picture that can be used ({name} {why}{others}); choose another folder."
        )


def _by_number(text: str) -> tuple[int, float, str]:
    """Sorts 2 before 10, and numbers before words."""
    return (0, float(text), text) if text.isascii() and text.isdecimal() else (1, 0.0, text)
