"""The front door: whatever a user names becomes a data set."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from vaeviewer.backend.data import cifar, usps
from vaeviewer.backend.data.array_file import NPY_MAGIC, ZIP_MAGIC
from vaeviewer.backend.data.base import ImageDataset
from vaeviewer.backend.data.cache import ImageCache, key_of
from vaeviewer.backend.data.catalog import title_of
from vaeviewer.backend.data.decoded import dataset_of
from vaeviewer.backend.data.files import absolute, opened
from vaeviewer.backend.data.folder import find_idx, idx_file, load_folder, load_idx
from vaeviewer.backend.data.known_sets import KNOWN_SETS
from vaeviewer.backend.data.reading import Reading
from vaeviewer.backend.data.stack import Cancel, Progress, Stack, settle
from vaeviewer.counts import counted
from vaeviewer.errors import DataError

_ACCEPTED = "a folder of pictures, a NumPy file, or idx files"
_FILES = {"cifar-10": f"{cifar.TRAIN} and {cifar.HELD_OUT}", "usps": f"{usps.TRAIN} and {usps.HELD_OUT}"}
_PICTURE_MAGIC = (b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"BM", b"RIFF", b"II*\0", b"MM\0*")


def open_images(
    path: Path | str,
    reading: Reading | None = None,
    *,
    progress: Callable[[int, int], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> ImageDataset:
    """Open a folder of pictures, a NumPy file, idx files or CIFAR-10's binary files; what it is, its content says.

    May take long; call it on a worker.

    Args:
        path: A folder or a file.
        reading: How to read it; as it suits by default.
        progress: Called on this thread with the files or images done and in all.
        cancelled: Asked often.

    Returns:
        The data set, with its report; its source remembers path and reading, so that ``load_source`` finds it as it is.

    Raises:
        Cancelled: ``cancelled`` said so.
        DataError: There are no images that can be read.
    """
    path = absolute(Path(path))
    reading = reading or Reading()
    progress = progress or (lambda done, total: None)
    cancelled = cancelled or (lambda: False)
    with _said(path):
        if path.is_dir():
            return _open_folder(path, reading, progress, cancelled)
        return _open_file(path, reading, progress, cancelled)


def open_known(
    path: Path | str,
    key: str,
    reading: Reading | None = None,
    *,
    progress: Callable[[int, int], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> ImageDataset:
    """Open exactly this data set of the catalogue where its files lie; otherwise as :func:`open_images`.

    Args:
        path: The folder of the files, or the one above it in torchvision's layout.
        key: Of a data set that can be fetched.
        reading: How to read it.
        progress: Called with the images done and in all.
        cancelled: Asked often.

    Raises:
        Cancelled: ``cancelled`` said so.
        DataError: The folder holds something else, or a part of it.
    """
    path = absolute(Path(path))
    reading = reading or Reading()
    progress = progress or (lambda done, total: None)
    cancelled = cancelled or (lambda: False)
    if key in KNOWN_SETS:
        return load_folder(path, key, reading, progress=progress, cancelled=cancelled)
    with _said(path):
        records = _records(path)
        if records is None or records.key != key:
            raise DataError(
                f"{path} does not hold {title_of(key)}; choose a folder with the files {_FILES[key]}."
            )
        return _settled(records, reading, progress, cancelled, key)


@contextmanager
def _said(path: Path) -> Iterator[None]:
    """Say in one sentence what went wrong with a path."""
    try:
        yield
    except OSError as error:
        raise DataError(
            f"{path} cannot be read ({error.strerror or error}); choose another folder or change its permissions."
        ) from None
    except MemoryError:
        raise DataError(f"{path} does not fit into memory; choose a smaller size or less data.") from None


def _open_folder(path: Path, reading: Reading, progress: Progress, cancelled: Cancel) -> ImageDataset:
    idx = find_idx(path)
    if idx is not None:
        return load_idx(idx, "folder", reading, progress, cancelled)
    records = _records(path)
    if records is not None:
        return _settled(records, reading, progress, cancelled)
    from vaeviewer.backend.data.listing import list_pictures
    from vaeviewer.backend.data.picture_folder import open_pictures  # Pillow, only where there are pictures

    listing = list_pictures(path)
    if listing.pictures:
        return open_pictures(path, listing, reading, ImageCache(), progress, cancelled)
    raise DataError(f"{path} holds no images that can be opened{_instead(path)}; choose {_ACCEPTED}.")


@dataclass(frozen=True)
class Records:
    """Images of one size in files of some format.

    Attributes:
        key: What the cache calls the format; in the catalogue, that of a data set that comes in it.
        path: What a run remembers, and opens again: a folder or a file.
        files: All that is read.
        stack: Its images.
    """

    key: str
    path: Path
    files: list[Path]
    stack: Callable[[], Stack]


def _records(path: Path) -> Records | None:
    """What of that kind lies at or below a folder."""
    if (folder := cifar.find_cifar(path)) is not None:
        return Records("cifar-10", folder, cifar.cifar_files(folder), partial(cifar.cifar_stack, folder))
    if (folder := usps.find_usps(path)) is not None:
        return Records("usps", folder, usps.usps_files(folder), partial(usps.usps_stack, folder))
    return None


def _open_file(path: Path, reading: Reading, progress: Progress, cancelled: Cancel) -> ImageDataset:
    with opened(path) as file:
        magic = file.read(len(NPY_MAGIC))
    if magic.startswith((NPY_MAGIC, ZIP_MAGIC[:2])):
        from vaeviewer.backend.data.array_set import array_stack

        records = Records("array", path, [path], partial(array_stack, path))
        return _settled(records, reading, progress, cancelled)
    idx = idx_file(path)
    if idx is not None:
        return load_idx(idx, "folder", reading, progress, cancelled)
    if not magic:
        raise DataError(f"{path} is empty; choose {_ACCEPTED}.")
    if magic.startswith(_PICTURE_MAGIC):
        raise DataError(f"{path} is a single picture; choose the folder it lies in.")
    raise DataError(f"{path} holds no images that can be opened; choose {_ACCEPTED}.")


def _settled(
    records: Records, reading: Reading, progress: Progress, cancelled: Cancel, source_key: str = "folder"
) -> ImageDataset:
    """The data set of a stack: from the cache, where large ones are kept, or read anew."""
    status = [(str(file), (found := file.stat()).st_size, found.st_mtime_ns) for file in records.files]
    key, cache = key_of(records.key, status, reading), ImageCache()
    kept = cache.find(key)
    if kept is not None:
        return dataset_of(kept, records.path, source_key)
    return settle(records.stack(), reading, key, cache, progress, cancelled, source_key=source_key)


def _instead(path: Path) -> str:
    """What a folder without images holds, such as ``", but 3 .npz files"``."""
    kinds = Counter(entry.suffix.lower() for entry in path.iterdir() if entry.suffix)
    if not kinds:
        return ""
    kind, count = kinds.most_common(1)[0]
    return f", but {counted(count, f'{kind[:20]} file')}"
