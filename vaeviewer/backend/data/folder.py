"""Data sets in idx files: MNIST, Fashion-MNIST, KMNIST, EMNIST, QMNIST and whatever has their form."""

from __future__ import annotations

import gzip
import os
import zlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vaeviewer.backend.data.base import ImageDataset
from vaeviewer.backend.data.cache import ImageCache, key_of
from vaeviewer.backend.data.decoded import dataset_of
from vaeviewer.backend.data.files import absolute, opened
from vaeviewer.backend.data.idx import GZIP_MAGIC, is_idx, read_images, read_labels
from vaeviewer.backend.data.known_sets import (
    KNOWN_SETS,
    NAMINGS,
    KnownSet,
    Naming,
    known_by_folder,
)
from vaeviewer.backend.data.labels import check_classes, classes_of
from vaeviewer.backend.data.layout import Layout, layout_of
from vaeviewer.backend.data.reading import Reading
from vaeviewer.backend.data.stack import Cancel, Progress, Stack, settle
from vaeviewer.counts import counted
from vaeviewer.errors import DataError
from vaeviewer.limits import MAX_CLASSES, MAX_LISTED

_BLOCK = 4096

KINDS = {
    ".png": "PNG",
    ".jpg": "JPEG",
    ".jpeg": "JPEG",
    ".tif": "TIFF",
    ".tiff": "TIFF",
    ".bmp": "BMP",
    ".gif": "GIF",
    ".webp": "WebP",
    ".npy": "NumPy",
    ".npz": "NumPy",
}
"""What a folder without idx files may hold instead, by the ends of names."""


@dataclass(frozen=True)
class IdxFiles:
    """The idx files of a data set.

    Attributes:
        path: What a run folder names: their folder, or the file of images itself.
        naming: How they are called.
        images: To train on.
        labels: Of these, if there are any.
        held_out: Images and labels that are held out, if there are any.
    """

    path: Path
    naming: Naming
    images: Path
    labels: Path | None
    held_out: tuple[Path, Path] | None

    @property
    def all(self) -> list[Path]:
        """Every file."""
        return [self.images, *filter(None, [self.labels]), *(self.held_out or ())]


def load_folder(
    path: Path,
    key: str = "folder",
    reading: Reading | None = None,
    *,
    progress: Progress = lambda done, total: None,
    cancelled: Cancel = lambda: False,
) -> ImageDataset:
    """Read four idx files below a folder: ``train`` is trained on, ``t10k`` (or ``test``) is held out.

    Args:
        path: A folder that holds the files themselves, gzipped or not, or has them in torchvision's layout
            (``MNIST/raw``, ``FashionMNIST/raw``, or one of these levels itself).
        key: Of :data:`~vaeviewer.backend.data.known_sets.KNOWN_SETS` to want exactly that data set, ``folder`` for any.
        reading: How to read them.
        progress: Called with the images done and in all.
        cancelled: Asked often.

    Returns:
        The data set; its source names ``key`` and the folder that holds the files themselves. Classes have
        the names of the known data set, also where ``key`` is ``folder`` but files or folder are called like it,
        else they are numbers.

    Raises:
        Cancelled: ``cancelled`` said so.
        DataError: The folder lacks a file, holds several data sets, or its files do not fit together.
    """
    path = absolute(path)
    try:
        if not path.is_dir():
            raise DataError(f"{path} is not a folder; choose a folder that holds idx files.")
        files = find_idx(path, key)
        if files is None:
            raise DataError(
                f"{path} holds {_what_is_there(path)}; choose a folder with the files "
                f"{', '.join(_namings(key)[0].files)} (or the same with .gz)."
            )
    except OSError as error:
        raise DataError(
            f"{path} cannot be searched ({error.strerror}); choose another folder or change its permissions."
        ) from None
    return load_idx(files, key, reading or Reading(), progress, cancelled)


def load_idx(
    files: IdxFiles, key: str, reading: Reading, progress: Progress, cancelled: Cancel
) -> ImageDataset:
    """Read idx files that were found; as :func:`load_folder`."""
    status = [(str(file), (found := file.stat()).st_size, found.st_mtime_ns) for file in files.all]
    entry, cache = key_of(f"idx {key}", status, reading), ImageCache()
    kept = cache.find(entry)
    if kept is not None:
        return dataset_of(kept, files.path, key)
    return settle(_stack(files, key), reading, entry, cache, progress, cancelled, source_key=key)


def find_idx(path: Path, key: str = "folder") -> IdxFiles | None:
    """The idx files at or below a folder, or ``None`` where there are none with names that are known.

    Raises:
        DataError: There are several data sets, another one than ``key``, or a part of one.
        OSError: The folder cannot be searched.
    """
    wanted = [KNOWN_SETS[key]] if key in KNOWN_SETS else list(KNOWN_SETS.values())
    # torchvision's layout is looked for first: with a known key, it says for certain what the files are.
    places = dict.fromkeys(path / known.subfolder / "raw" for known in wanted)
    found = [place for place in places if _namings_in(place, key)]
    if len(found) > 1:
        raise DataError(f"{path} holds several data sets; choose {found[0]} or {found[1]}.")
    found += [place for place in (path, path / "raw") if _namings_in(place, key)]
    if not found:
        return None
    folder = found[0]
    other = _known_by_name(folder)
    if key in KNOWN_SETS and other is not None and other is not KNOWN_SETS[key]:
        raise DataError(f"{folder} holds {other.title}, not {KNOWN_SETS[key].title}; choose another folder.")
    namings = _namings_in(folder, key)
    if len(namings) > 1:
        first, second = (folder / naming.files[0] for naming in namings[:2])
        raise DataError(f"{folder} holds several data sets; choose a file, such as {first} or {second}.")
    paths = [_find_file(folder, name) for name in namings[0].files]
    missing = [name for name, file in zip(namings[0].files, paths, strict=True) if file is None]
    if missing:
        listed = " and ".join(filter(None, (", ".join(missing[:-1]), missing[-1])))
        raise DataError(f"{folder} lacks {listed} (or the same with .gz); add what is missing.")
    images, labels, held_out_images, held_out_labels = (file for file in paths if file is not None)
    return IdxFiles(folder, namings[0], images, labels, (held_out_images, held_out_labels))


def idx_file(path: Path) -> IdxFiles | None:
    """The data set that a single idx file of images belongs to, or ``None`` where it is no idx file.

    It has labels and held-out images where they lie beside it under names that go with its own.

    Raises:
        DataError: It cannot be read, or holds labels.
    """
    with opened(path) as file:
        start = file.read(len(GZIP_MAGIC))
        file.seek(0)
        try:
            start = gzip.GzipFile(fileobj=file).read(4) if start == GZIP_MAGIC else file.read(4)
        except (gzip.BadGzipFile, zlib.error, EOFError):
            raise DataError(f"{path} is a damaged gzip file; fetch it again.") from None
    if not is_idx(start):
        return None
    folder, stem = path.parent, path.name.removesuffix(".gz").replace(".idx", "-idx")
    naming = next((n for n in NAMINGS if stem in (n.files[0], n.files[2])), None)
    if naming is None:
        others = [stem.replace("images", "labels").replace("-idx3", f"-{idx}") for idx in ("idx1", "idx2")]
        labels = next((f for name in others if name != stem and (f := _find_file(folder, name))), None)
        return IdxFiles(path, Naming("", (stem, "", "", "")), path, labels, None)
    here, there = (0, 2) if stem == naming.files[0] else (2, 0)
    paths = [_find_file(folder, name) for name in naming.files]
    held_out = (paths[2], paths[3]) if here == 0 and there == 2 else (None, None)
    both = None if held_out[0] is None or held_out[1] is None else (held_out[0], held_out[1])
    return IdxFiles(path, naming, path, paths[here + 1], both if paths[here + 1] else None)


def _stack(files: IdxFiles, key: str) -> Stack:
    """The images of idx files, in memory."""
    images, labels = _part(files.images, files.labels)
    parts, held_out = [images], None
    if files.held_out is not None:
        others, other_labels = _part(*files.held_out)
        if images.shape[1:] != others.shape[1:] or images.dtype != others.dtype:
            raise DataError(
                f"{files.path} has training images of {_form(images)} and held-out images of {_form(others)} pixels; "
                "choose files that belong together."
            )
        parts.append(others)
        held_out = np.repeat([False, True], [len(images), len(others)])
        if labels is not None and other_labels is not None:
            labels = np.concatenate((labels, other_labels))
    count = sum(map(len, parts))
    layout = layout_of(images.shape, str(files.images))
    numbers: NDArray[np.int64] = np.zeros(count, np.int64)
    names: tuple[str, ...] = ()
    if labels is not None:
        numbers, names = _classes(labels, files, key)
    naming = files.naming
    title = KNOWN_SETS[key].title if key in KNOWN_SETS else naming.title or files.path.name
    notes = list(layout.notes)
    if naming.transposed:
        notes.append(f"{naming.title} stores its images on their side; they are turned upright.")
    if held_out is not None:
        notes.append(f"The files bring their own split: {naming.files[2]} is held out.")
    return Stack(
        name=title,
        path=files.path,
        title=str(files.images),
        count=count,
        shape=layout.shape,
        dtype=images.dtype,
        blocks=lambda: _blocks(parts, layout),
        labels=numbers,
        class_names=names,
        held_out=held_out,
        notes=tuple(notes),
        transposed=naming.transposed,
    )


def _part(images: Path, labels: Path | None) -> tuple[NDArray[Any], NDArray[Any] | None]:
    """Images, and their labels."""
    read, of_them = read_images(images), None if labels is None else read_labels(labels)
    if of_them is not None and len(read) != len(of_them):
        raise DataError(
            f"{labels} has {counted(len(of_them), 'label')} for {counted(len(read), 'image')}; "
            "choose files that belong together."
        )
    return read, of_them


def _blocks(parts: list[NDArray[Any]], layout: Layout) -> Iterator[NDArray[Any]]:
    for part in parts:
        for start in range(0, len(part), _BLOCK):
            yield layout.of_block(part[start : start + _BLOCK])


def _classes(labels: NDArray[Any], files: IdxFiles, key: str) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    """Class of each image, and the names: those of the known data set, else the class numbers."""
    title = str(files.labels)
    if labels.dtype.kind != "i" or labels.min() < 0 or labels.max() >= MAX_CLASSES:
        return classes_of(labels, title, len(labels))
    naming = files.naming
    numbers = labels.astype(np.int64)
    if numbers.min() >= naming.first_label:
        numbers -= naming.first_label
    count = 1 + int(numbers.max())
    check_classes(count, title)
    if key in KNOWN_SETS:
        known = KNOWN_SETS[key]
        if count > len(known.class_names):
            raise DataError(
                f"{files.path} has labels up to {count - 1}, but {known.title} has {len(known.class_names)} "
                "classes; choose another folder."
            )
        return numbers, known.class_names
    by_folder = _known_by_name(files.path if files.path.is_dir() else files.path.parent)
    names = naming.class_names or (by_folder.class_names if by_folder else ())
    return numbers, names if 0 < count <= len(names) else tuple(str(number) for number in range(count))


def _form(images: NDArray[Any]) -> str:
    size = f"{images.shape[2]}x{images.shape[1]}"
    return (
        size
        if images.dtype == np.uint8 and images.ndim == 3
        else f"{size} ({images.shape[3:]} {images.dtype})"
    )


def _what_is_there(path: Path) -> str:
    """What a folder without a data set holds instead, such as ``"20 PNG files"``."""
    counts: Counter[str] = Counter()
    with os.scandir(path) as entries:
        for entry in islice(entries, MAX_LISTED):
            counts[KINDS.get(Path(entry.name).suffix.lower(), "")] += 1
    del counts[""]
    if not counts:
        return "no data set"
    kind, count = counts.most_common(1)[0]
    return counted(count, f"{kind} file")


def _known_by_name(folder: Path) -> KnownSet | None:
    """The data set that would be kept in a folder of this name."""
    return known_by_folder(folder.parent.name if folder.name == "raw" else folder.name)


def _namings(key: str) -> tuple[Naming, ...]:
    """The ways in which the files of a data set may be called."""
    return (KNOWN_SETS[key].naming,) if key in KNOWN_SETS else NAMINGS


def _namings_in(folder: Path, key: str) -> list[Naming]:
    """Those of these ways of which a folder holds at least one file."""
    if not folder.is_dir():
        return []
    return [naming for naming in _namings(key) if any(_find_file(folder, name) for name in naming.files)]


def _find_file(folder: Path, name: str) -> Path | None:
    """The file in any spelling: ``train-images-idx3-ubyte``, ``train-images.idx3-ubyte``, with .gz."""
    dotted = name.replace("-idx", ".idx")
    # The packed file first: where both are, the other was unpacked from it, perhaps not to its end.
    candidates = (folder / f"{stem}{ending}" for ending in (".gz", "") for stem in (name, dotted))
    return next((candidate for candidate in candidates if candidate.is_file()), None)
