"""The front door: whatever a user names becomes a data set."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

from vaeviewer.backend.data.array_file import NPY_MAGIC, ZIP_MAGIC
from vaeviewer.backend.data.base import ImageDataset
from vaeviewer.backend.data.cache import ImageCache, key_of
from vaeviewer.backend.data.decoded import dataset_of
from vaeviewer.backend.data.files import absolute, opened
from vaeviewer.backend.data.folder import find_idx, idx_file, load_idx
from vaeviewer.backend.data.reading import Reading
from vaeviewer.backend.data.stack import Cancel, Progress, Stack, settle
from vaeviewer.errors import DataError

_ACCEPTED = "a folder of pictures, a NumPy file, or idx files"
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
    try:
        if path.is_dir():
            return _open_folder(path, reading, progress, cancelled)
        return _open_file(path, reading, progress, cancelled)
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
    from vaeviewer.backend.data.cifar import cifar_files, cifar_stack, find_cifar

    cifar = find_cifar(path)
    if cifar is not None:
        return _settled("cifar", cifar_files(cifar), lambda: cifar_stack(cifar), reading, progress, cancelled)
    from vaeviewer.backend.data.listing import list_pictures
    from vaeviewer.backend.data.picture_folder import open_pictures  # Pillow, only where there are pictures

    listing = list_pictures(path)
    if listing.pictures:
        return open_pictures(path, listing, reading, ImageCache(), progress, cancelled)
    raise DataError(f"{path} holds no images that can be opened{_instead(path)}; choose {_ACCEPTED}.")


def _open_file(path: Path, reading: Reading, progress: Progress, cancelled: Cancel) -> ImageDataset:
    with opened(path) as file:
        magic = file.read(len(NPY_MAGIC))
    if magic.startswith((NPY_MAGIC, ZIP_MAGIC[:2])):
        from vaeviewer.backend.data.array_set import array_stack

        return _settled("array", [path], lambda: array_stack(path), reading, progress, cancelled)
    idx = idx_file(path)
    if idx is not None:
        return load_idx(idx, "folder", reading, progress, cancelled)
    if not magic:
        raise DataError(f"{path} is empty; choose {_ACCEPTED}.")
    if magic.startswith(_PICTURE_MAGIC):
        raise DataError(f"{path} is a single picture; choose the folder it lies in.")
    raise DataError(f"{path} holds no images that can be opened; choose {_ACCEPTED}.")


def _settled(
    kind: str,
    files: list[Path],
    stack: Callable[[], Stack],
    reading: Reading,
    progress: Progress,
    cancelled: Cancel,
) -> ImageDataset:
    """The data set of a stack: from the cache, where large ones are kept, or read anew."""
    status = [(str(file), (found := file.stat()).st_size, found.st_mtime_ns) for file in files]
    key, cache = key_of(kind, status, reading), ImageCache()
    kept = cache.find(key)
    if kept is not None:
        return dataset_of(kept, files[0] if kind == "array" else files[0].parent)
    return settle(stack(), reading, key, cache, progress, cancelled)


def _instead(path: Path) -> str:
    """What a folder without images holds, such as ``", but 3 .npz files"``."""
    kinds = Counter(entry.suffix.lower() for entry in path.iterdir() if entry.suffix)
    if not kinds:
        return ""
    kind, count = kinds.most_common(1)[0]
    return f", but {count:,} {kind[:20]} {'file' if count == 1 else 'files'}"
