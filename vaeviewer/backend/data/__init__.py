"""The front door to data sets: what there is, and loading it by its key.

Importing this loads neither torch nor torchvision, nor what opens and fetches files: a form can list the data sets
before any is loaded, and the window is there sooner.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from vaeviewer.backend.data.base import Cancelled, DataSource, ImageDataset
from vaeviewer.backend.data.catalog import BUNDLED, CATALOG, NOT_OFFERED, CatalogEntry
from vaeviewer.backend.data.reading import Reading
from vaeviewer.errors import DataError

__all__ = [
    "BUNDLED",
    "CATALOG",
    "Cancelled",
    "CatalogEntry",
    "DataSource",
    "ImageDataset",
    "Reading",
    "load_dataset",
    "load_source",
]


def load_dataset(
    key: str = BUNDLED,
    folder: Path | str | None = None,
    *,
    reading: Reading | None = None,
    progress: Callable[[int, int], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> ImageDataset:
    """Load a data set. May take seconds and use the network; call it on a worker.

    Args:
        key: A key of :data:`CATALOG`.
        folder: Where the files are, for ``folder`` also a file. ``folder`` needs it; ``mnist-10k`` is bundled and
            takes none; of others it replaces the download.
        reading: How to read them, other than as it suits.
        progress: Called with the bytes done and in total while fetching, with files or images while reading; on this
            thread.
        cancelled: Asked often.

    Raises:
        Cancelled: ``cancelled`` said so.
        DataError: There is no such data set, or it cannot be fetched or read.
    """
    if key in NOT_OFFERED:
        raise DataError(NOT_OFFERED[key])
    if key not in (entry.key for entry in CATALOG):
        keys = ", ".join(entry.key for entry in CATALOG)
        raise DataError(f"There is no data set {key!r}; choose one of {keys}.")
    if key == BUNDLED:
        from vaeviewer.backend.data.bundled import load_bundled

        if folder is not None:
            raise DataError(
                f"mnist-10k is bundled and not read from {folder}; choose the data set folder instead."
            )
        return load_bundled()
    from vaeviewer.backend.data.opening import open_images, open_known

    if key == "folder":
        if folder is None:
            raise DataError("No folder was named; choose the folder that holds the images.")
        return open_images(folder, reading, progress=progress, cancelled=cancelled)
    if folder is not None:
        return open_known(folder, key, reading, cancelled=cancelled)
    from vaeviewer.backend.data.download import fetch
    from vaeviewer.backend.data.remotes import REMOTES

    place = fetch(key, progress=progress, cancelled=cancelled)
    fetched = open_known(place / REMOTES[key].folder, key, reading, cancelled=cancelled)
    # Without a path, so that a run moved to another machine finds the data there.
    return replace(fetched, source=fetched.source.model_copy(update={"path": None}))


def load_source(
    source: DataSource,
    folder: Path | str | None = None,
    *,
    progress: Callable[[int, int], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> ImageDataset:
    """Find again the data that a run names.

    The pixels may have changed since: compare the result's ``source.checksum`` with ``source.checksum``.

    Args:
        source: What the run folder says.
        folder: Read from here instead of where ``source`` points, for data that moved.
        progress: As for :func:`load_dataset`.
        cancelled: As for :func:`load_dataset`.

    Raises:
        Cancelled: ``cancelled`` said so.
        DataError: The data are no longer there, or cannot be fetched or read.
    """
    if folder is None:
        folder = source.path
    key = "folder" if source.key == BUNDLED and folder is not None else source.key
    return load_dataset(key, folder, reading=source.reading, progress=progress, cancelled=cancelled)
