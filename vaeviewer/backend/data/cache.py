"""Decoded images on disk, so that a second opening is fast and data larger than memory can be trained on.

An entry is a folder: ``images.npy``, which is memory-mapped, ``rows.npz`` with labels and names, and ``about.json``,
which says what the others are. It is written under another name and renamed once all of it is on the disk, so an entry
is whole or not there; one that does not fit its own description is removed and made again.
"""

from __future__ import annotations

import hashlib
import io
import json
import logging
import os
import re
import shutil
import time
import zipfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from vaeviewer import paths
from vaeviewer.backend.data.columns import Column
from vaeviewer.backend.data.names import Names
from vaeviewer.backend.data.reading import Reading
from vaeviewer.backend.data.report import LoadReport
from vaeviewer.limits import MAX_IMAGE_CACHE_BYTES

log = logging.getLogger(__name__)

FORMAT = 2
"""Goes up whenever the same files would be decoded otherwise than before."""

_IMAGES, _ROWS, _ABOUT, _ALIAS = "images.npy", "rows.npz", "about.json", ".alias"
_ABANDONED_S = 86_400.0
"""Age at which what an earlier program began to write is taken as given up."""


class ColumnNames(BaseModel):
    """A column's name, and its words if it holds any; its values are with the labels."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    words: tuple[str, ...] = ()


class About(BaseModel):
    """What an entry holds besides arrays.

    Attributes:
        name: What a user sees.
        reading: How the files were read, with what was chosen for the user filled in.
        class_names: A name per class.
        train_count: Images trained on; they come first.
        checksum: As in :class:`~vaeviewer.backend.data.base.DataSource`.
        report: What opening found.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    reading: Reading
    class_names: tuple[str, ...]
    train_count: int = Field(ge=1)
    checksum: str = Field(pattern="^[0-9a-f]{64}$")
    report: LoadReport


class _Entry(BaseModel):
    """``about.json``: the description, and by what damage to the other two files shows."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: int
    about: About
    columns: tuple[ColumnNames, ...]
    images_bytes: int
    images_mtime_ns: int
    rows_sha256: str


@dataclass(frozen=True)
class Decoded:
    """Images of one size, those trained on first.

    Attributes:
        images: uint8, shape ``(n, height, width)`` or ``(n, height, width, 3)``.
        labels: int64, shape ``(n,)``.
        names: A name for each image, or none at all.
        about: The rest.
        columns: What else is known of each image.
    """

    images: NDArray[np.uint8]
    labels: NDArray[np.int64]
    names: Names
    about: About
    columns: tuple[Column, ...] = ()


def key_of(kind: str, files: list[tuple[str, int, int]], reading: Reading) -> str:
    """The name of an entry: it changes with every file's name, size and time, and with the reading.

    Args:
        kind: What sort of source it is.
        files: Path, size in bytes and time of change in nanoseconds of each.
        reading: How they are read.
    """
    digest = hashlib.sha256(json.dumps([FORMAT, kind, reading.model_dump(mode="json")]).encode())
    for name, size, changed in files:
        digest.update(f"{name}\0{size}\0{changed}\n".encode("utf-8", "surrogateescape"))
    return digest.hexdigest()[:40]


class ImageCache:
    """The entries in a folder.

    Args:
        folder: Made by the first write; the user's cache folder by default.
        limit: Bytes that all entries may take.
    """

    def __init__(self, folder: Path | None = None, limit: int = MAX_IMAGE_CACHE_BYTES) -> None:
        self.folder = folder or paths.cache_dir() / "images"
        self.limit = limit

    def find(self, key: str) -> Decoded | None:
        """The entry of this name, if it is whole. One that is damaged is removed."""
        place = self.folder / key
        with suppress(OSError):
            other = (self.folder / f"{key}{_ALIAS}").read_text("ascii", "replace")
            place = self.folder / other if re.fullmatch("[0-9a-f]{40}", other) else place
        if not place.is_dir():
            return None
        try:
            found = _opened(place)
        except (OSError, ValueError, KeyError, ValidationError, zipfile.BadZipFile) as error:
            log.info("the decoded images in %s are damaged (%s) and made again", place, error)
            shutil.rmtree(place, ignore_errors=True)
            return None
        with suppress(OSError):
            os.utime(place)  # the time of its last use
        return found

    def also(self, other: str, key: str) -> None:
        """Let another name stand for an entry, too."""
        with suppress(OSError):
            (self.folder / f"{other}{_ALIAS}").write_text(key, "ascii")

    def draft(self, shape: tuple[int, ...]) -> Draft:
        """Room for a new entry's images, uint8 of this shape.

        Raises:
            OSError: There is no room, or nothing can be written.
        """
        self.make_room(int(np.prod(shape, dtype=np.int64)))
        self.folder.mkdir(parents=True, exist_ok=True)
        place = self.folder / f"unfinished-{os.getpid()}-{time.time_ns()}"
        place.mkdir()
        try:
            return Draft(self, place, shape)
        except BaseException:
            shutil.rmtree(place, ignore_errors=True)
            raise

    def make_room(self, size: int) -> None:
        """Remove those used longest ago until ``size`` bytes more are within the limit, and what was given up."""
        entries = []
        with suppress(OSError):
            for place in self.folder.iterdir():
                with suppress(OSError):
                    used = place.stat().st_mtime
                    if place.name.endswith(_ALIAS):
                        if not (self.folder / place.read_text("ascii", "replace")).is_dir():
                            place.unlink()
                        continue
                    if place.name.startswith("unfinished-"):
                        if time.time() - used > _ABANDONED_S:
                            shutil.rmtree(place, ignore_errors=True)
                        continue
                    entries.append((used, sum(f.stat().st_size for f in place.iterdir()), place))
        total = size + sum(taken for _, taken, _ in entries)
        for _, taken, place in sorted(entries):
            if total <= self.limit:
                break
            shutil.rmtree(place, ignore_errors=True)
            total -= taken


class Draft:
    """An entry being written.

    Attributes:
        images: To be filled, uint8, zero at first.
    """

    def __init__(self, cache: ImageCache, place: Path, shape: tuple[int, ...]) -> None:
        self._cache, self._place = cache, place
        path = place / _IMAGES
        with path.open("xb") as file:
            header = {"descr": "|u1", "fortran_order": False, "shape": shape}
            npy.write_array_header_1_0(file, header)
            self._offset = file.tell()
            # A mapped file that the disk has no room for would end the program at the first write.
            _allocate(file, self._offset, int(np.prod(shape, dtype=np.int64)))
        self.images: NDArray[np.uint8] = np.memmap(path, np.uint8, "r+", self._offset, shape)

    def keep(
        self,
        key: str,
        labels: NDArray[np.int64],
        names: Names,
        about: About,
        columns: tuple[Column, ...] = (),
    ) -> Decoded:
        """Finish the entry; returns it as :meth:`ImageCache.find` will. ``images`` is no more.

        Raises:
            OSError: It could not be written; nothing is left of it.
        """
        try:
            self._let_go()
            images = self._place / _IMAGES
            with images.open("rb+") as file:
                os.fsync(file.fileno())
            rows = self._place / _ROWS
            packed = Names.of(names)
            values: dict[str, Any] = {
                f"column{number}": column.values for number, column in enumerate(columns)
            }
            np.savez(rows, labels=labels, text=packed.text, ends=packed.ends, **values)
            status = images.stat()
            entry = _Entry(
                format=FORMAT,
                about=about,
                columns=tuple(ColumnNames(name=c.name, words=c.words) for c in columns),
                images_bytes=status.st_size,
                images_mtime_ns=status.st_mtime_ns,
                rows_sha256=hashlib.sha256(rows.read_bytes()).hexdigest(),
            )
            (self._place / _ABOUT).write_text(entry.model_dump_json(), encoding="utf-8")
            for path in (rows, self._place / _ABOUT):
                with path.open("rb+") as file:
                    os.fsync(file.fileno())
            target = self._cache.folder / key
            shutil.rmtree(target, ignore_errors=True)
            self._place.replace(target)
            return _opened(target)
        except BaseException:
            self.drop()
            raise

    def drop(self) -> None:
        """Leave nothing of it."""
        self._let_go()
        shutil.rmtree(self._place, ignore_errors=True)

    def _let_go(self) -> None:
        self.images = np.empty(0, np.uint8)


def _allocate(file: BinaryIO, offset: int, size: int) -> None:
    """Make a file ``size`` bytes longer, with room for them on the disk."""
    if hasattr(os, "posix_fallocate"):
        file.flush()
        os.posix_fallocate(file.fileno(), offset, max(1, size))
        return
    zeros = bytes(2**20)
    for start in range(0, size, len(zeros)):
        file.write(zeros[: size - start])


def _opened(place: Path) -> Decoded:
    """An entry, its images mapped into memory.

    Raises:
        OSError, ValueError, KeyError, ValidationError, BadZipFile: It is not whole.
    """
    entry = _Entry.model_validate_json((place / _ABOUT).read_bytes())
    if entry.format != FORMAT:
        raise ValueError("another format")
    path, raw = place / _IMAGES, (place / _ROWS).read_bytes()
    status = path.stat()
    if (status.st_size, status.st_mtime_ns) != (entry.images_bytes, entry.images_mtime_ns):
        raise ValueError("its images have changed")
    if hashlib.sha256(raw).hexdigest() != entry.rows_sha256:
        raise ValueError("its labels have changed")
    with np.load(io.BytesIO(raw), allow_pickle=False) as rows:
        labels, names = rows["labels"], Names(rows["text"], rows["ends"])
        columns = tuple(
            Column(column.name, rows[f"column{number}"], column.words)
            for number, column in enumerate(entry.columns)
        )
    images = np.asarray(np.load(path, mmap_mode="r", allow_pickle=False))
    if len(images) != len(labels) or images.dtype != np.uint8:
        raise ValueError("its parts do not belong together")
    return Decoded(images, labels, names, entry.about, columns)
