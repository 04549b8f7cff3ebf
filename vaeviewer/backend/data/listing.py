"""What lies in a folder of pictures: files that are meant to be images, their classes, and what is passed over.

Sub-folders are classes, as torchvision's ``ImageFolder`` has it, with pictures at any depth below them; pictures beside
sub-folders form the class "(top level)"; a flat folder has none. ``train`` and ``test`` as the only sub-folders are a
split.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path

from vaeviewer.backend.data.names import readable
from vaeviewer.backend.data.report import Skipped
from vaeviewer.errors import DataError
from vaeviewer.limits import MAX_LISTED

TOP_LEVEL = "(top level)"
LABELS_FILE = "labels.csv"
SUFFIXES = (".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".bmp", ".dib", ".gif", ".webp", ".tif", ".tiff")
"""Ends of names that are meant to be pictures, in any case of letters."""

_NEVER_CLASSES = ("__macosx",)
_TRAIN = ("train", "training")
_HELD_OUT = ("test", "testing", "val", "valid", "validation")


@dataclass(frozen=True)
class Found:
    """A file that is meant to be a picture.

    Attributes:
        file: Relative to the folder, with ``/``, as the file system has it.
        size: Bytes.
        changed: Time of the last change, nanoseconds.
    """

    file: str
    size: int
    changed: int


@dataclass
class Listing:
    """What a folder of pictures holds, in the order of the names.

    Attributes:
        pictures: Files that are meant to be pictures.
        class_names: A name per class, empty ones among them; none for a flat folder.
        labels: Of each picture, a row of ``class_names``; 0 without classes.
        held_out: Whether each picture lies in a folder of held-out ones; ``None`` where there is no such folder.
        labels_file: ``labels.csv`` beside the pictures, if there is one.
        skipped: Links that lead nowhere or in circles, and what cannot be looked at.
        passed_over: Files and folders that are no pictures.
    """

    pictures: list[Found] = field(default_factory=list)
    class_names: tuple[str, ...] = ()
    labels: list[int] = field(default_factory=list)
    held_out: list[bool] | None = None
    labels_file: Path | None = None
    skipped: list[Skipped] = field(default_factory=list)
    passed_over: int = 0


def list_pictures(root: Path) -> Listing:
    """List a folder, everything below it included. Takes about a second for 100,000 files.

    Raises:
        DataError: The folder cannot be read, or holds more than :data:`~vaeviewer.limits.MAX_LISTED` files.
    """
    walk = _Walk(root)
    walk.run()
    listing = Listing(skipped=walk.skipped, passed_over=walk.passed_over, labels_file=walk.labels_file)
    listing.pictures = sorted(walk.pictures, key=lambda found: found.file.split("/"))
    parts = [found.file.split("/") for found in listing.pictures]
    folders = sorted(walk.folders)
    top = {path[0] for path in folders}
    train = [name for name in top if name.lower() in _TRAIN]
    split = bool(train) and len(top) > 1 and all(name.lower() in (*_TRAIN, *_HELD_OUT) for name in top)
    level = int(split)
    if split and all(len(path) > 1 for path in parts):
        listing.held_out = [path[0].lower() in _HELD_OUT for path in parts]
    else:
        level = 0
    names = sorted({path[level] for path in folders if len(path) == level + 1})
    if not names:
        listing.labels = [0] * len(parts)
        return listing
    places = {name: row for row, name in enumerate(names)}
    listing.labels = [places[path[level]] if len(path) > level + 1 else len(names) for path in parts]
    listing.class_names = tuple(readable(name) for name in names)
    if len(names) in listing.labels:
        listing.class_names += (TOP_LEVEL,)
    return listing


class _Walk:
    """Goes through a folder and what is below it, real folders first and links to folders after them."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self.pictures: list[Found] = []
        self.folders: list[tuple[str, ...]] = []
        self.skipped: list[Skipped] = []
        self.labels_file: Path | None = None
        self.passed_over = 0
        self._listed = 0
        self._visited: set[tuple[int, int]] = set()
        self._links: list[str] = []

    def run(self) -> None:
        """Go through all of it."""
        status = self._root.stat()
        self._visited.add((status.st_dev, status.st_ino))
        self._enter("")
        # A link to a folder is followed unless that was read already: so circles end, and nothing is read twice.
        while self._links:
            name = self._links.pop(0)
            try:
                status = (self._root / name).stat()
            except OSError as error:
                self._skip(name, _reason(error))
                continue
            identity = (status.st_dev, status.st_ino)
            if identity in self._visited:
                here, there = (self._root / name).parent.resolve(), (self._root / name).resolve()
                circle = there == here or there in here.parents
                self._skip(
                    name,
                    "is a link that leads in a circle"
                    if circle
                    else "is a link to a folder that is read already",
                )
                continue
            self._visited.add(identity)
            self.folders.append(tuple(name.split("/")))
            self._enter(name)

    def _enter(self, folder: str) -> None:
        waiting = [folder]
        while waiting:
            folder = waiting.pop()
            try:
                entries = list(self._entries(folder))
            except OSError as error:
                if not folder:
                    raise DataError(
                        f"{self._root} cannot be searched ({error.strerror}); choose another folder or change its "
                        "permissions."
                    ) from None
                self._skip(folder, _reason(error))
                continue
            if folder and _is_run(entries):
                self.folders.remove(tuple(folder.split("/")))
                self.passed_over += 1
                continue
            waiting += [name for entry in entries if (name := self._look_at(entry, folder))]

    def _entries(self, folder: str) -> Iterator[os.DirEntry[str]]:
        with os.scandir(self._root / folder if folder else self._root) as entries:
            for entry in entries:
                self._listed += 1
                if self._listed > MAX_LISTED:
                    raise DataError(
                        f"{self._root} holds more than {MAX_LISTED:,} files; choose a folder with fewer."
                    )
                yield entry

    def _look_at(self, entry: os.DirEntry[str], folder: str) -> str:
        """Take note of an entry; returns its name if it is a folder to enter."""
        name = f"{folder}/{entry.name}" if folder else entry.name
        lower = entry.name.lower()
        if lower.startswith(".") or lower in _NEVER_CLASSES:
            self.passed_over += 1
            return ""
        try:
            is_folder = entry.is_dir(follow_symlinks=False)
            if is_folder:
                # On Windows an entry does not know its folder's number.
                status = Path(entry.path).stat() if os.name == "nt" else entry.stat(follow_symlinks=False)
                self._visited.add((status.st_dev, status.st_ino))
                self.folders.append(tuple(name.split("/")))
                return name
            if entry.is_symlink() and entry.is_dir():
                self._links.append(name)
                return ""
            if not folder and lower == LABELS_FILE:
                self.labels_file = self._root / name
                return ""
            if not lower.endswith(SUFFIXES):
                if entry.is_symlink() and not entry.is_file():
                    entry.stat()  # a link that leads nowhere has no suffix to go by; raises
                self.passed_over += 1
                return ""
            status = entry.stat()
        except OSError as error:
            self._skip(name, _reason(error))
            return ""
        if not stat.S_ISREG(status.st_mode):
            self._skip(name, "is not an ordinary file")
        else:
            self.pictures.append(Found(name, status.st_size, status.st_mtime_ns))
        return ""

    def _skip(self, name: str, why: str) -> None:
        self.skipped.append(Skipped(file=readable(name), why=why))


def _is_run(entries: list[os.DirEntry[str]]) -> bool:
    """Whether these are the files of a run that was saved among the pictures: no class, and nothing to train on."""
    names = [entry.name for entry in entries]
    return "manifest.json" in names and any(fnmatchcase(name, "step-*.safetensors") for name in names)


def _reason(error: OSError) -> str:
    match error.errno:
        case errno.ENOENT:
            return "is a link that leads nowhere"
        case errno.ELOOP:
            return "is a link that leads in a circle"
        case errno.EACCES | errno.EPERM:
            return "may not be read"
        case _:
            return f"cannot be read ({(error.strerror or 'input/output error').lower()})"
