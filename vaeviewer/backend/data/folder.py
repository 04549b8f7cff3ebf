"""Data sets in a folder of idx files: MNIST, Fashion-MNIST and whatever has their form."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vaeviewer.backend.data.base import DataSource, ImageDataset, checksum_of
from vaeviewer.backend.data.idx import read_images, read_labels
from vaeviewer.errors import DataError
from vaeviewer.limits import MAX_LISTED_IMAGES


@dataclass(frozen=True)
class KnownSet:
    """A data set whose classes have names.

    Attributes:
        title: What a user sees.
        subfolder: How torchvision calls its folder; the files lie in ``raw`` below it.
        class_names: A name per class, equal to torchvision's (for digits, without the word behind each).
    """

    title: str
    subfolder: str
    class_names: tuple[str, ...]


# Held here rather than asked of torchvision, as importing it takes seconds and loads torch.
KNOWN_SETS = {
    "mnist": KnownSet("MNIST", "MNIST", ("0", "1", "2", "3", "4", "5", "6", "7", "8", "9")),
    "fashion-mnist": KnownSet(
        "Fashion-MNIST",
        "FashionMNIST",
        (
            "T-shirt/top",
            "Trouser",
            "Pullover",
            "Dress",
            "Coat",
            "Sandal",
            "Shirt",
            "Sneaker",
            "Bag",
            "Ankle boot",
        ),
    ),
}

# The four files, in the order of ImageDataset's fields.
FILES = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)

PICTURES = {
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
"""Formats of images that a folder may hold in vain, by the ends of their names."""


def load_folder(path: Path, key: str = "folder") -> ImageDataset:
    """Read four idx files below a folder: ``train`` is trained on, ``t10k`` is held out.

    Args:
        path: A folder that holds the files themselves, gzipped or not, or has them in torchvision's layout
            (``MNIST/raw``, ``FashionMNIST/raw``, or one of these levels itself).
        key: ``mnist`` or ``fashion-mnist`` to want exactly that data set, ``folder`` for any.

    Returns:
        The data set; its source names ``key`` and the folder that holds the files themselves. Classes have
        the names of the known data set, also where ``key`` is ``folder`` but the folder is FashionMNIST's,
        else they are numbers.

    Raises:
        DataError: The folder lacks a file, holds several data sets, or its files do not fit together.
    """
    path = Path(os.path.abspath(path))  # noqa: PTH100 (removes "..", yet keeps links, which resolve() would not)
    try:
        str(path).encode()
    except UnicodeEncodeError:
        raise DataError(f"{str(path)!r} has a name that is not valid text; rename the folder.") from None
    try:
        if not path.is_dir():
            raise DataError(f"{path} is not a folder; choose a folder that holds idx files.")
        folder = _find_folder(path, key)
        files = _find_files(folder)
    except OSError as error:
        raise DataError(
            f"{path} cannot be searched ({error.strerror}); choose another folder or change its permissions."
        ) from None

    train_images, train_labels = read_images(files[0]), read_labels(files[1])
    held_out_images, held_out_labels = read_images(files[2]), read_labels(files[3])
    _check_counts(files[1], train_images, train_labels)
    _check_counts(files[3], held_out_images, held_out_labels)
    if train_images.shape[1:] != held_out_images.shape[1:]:
        raise DataError(
            f"{folder} has training images of {_size(train_images)} and held-out images of "
            f"{_size(held_out_images)} pixels; choose files that belong together."
        )
    classes = 1 + int(max(train_labels.max(), held_out_labels.max()))
    split = (train_images, train_labels, held_out_images, held_out_labels)
    return ImageDataset(
        f"{KNOWN_SETS[key].title if key in KNOWN_SETS else path.name}, {len(train_images):,} images",
        DataSource(key=key, path=str(folder), checksum=checksum_of(*split)),
        *split,
        class_names=_class_names(folder, key, classes),
    )


def _find_folder(path: Path, key: str) -> Path:
    """The folder at or below ``path`` that holds the files of the wanted data set."""
    wanted = [KNOWN_SETS[key]] if key in KNOWN_SETS else list(KNOWN_SETS.values())
    # torchvision's layout is looked for first: with a known key, it says for certain what the files are.
    places = [path / known.subfolder / "raw" for known in wanted]
    found = [place for place in places if _holds_any(place)]
    if len(found) > 1:
        raise DataError(f"{path} holds several data sets; choose {found[0]} or {found[1]}.")
    found += [place for place in (path, path / "raw") if _holds_any(place)]
    if not found:
        raise DataError(
            f"{path} holds {_what_is_there(path)}; choose a folder with the files "
            f"{', '.join(FILES)} (or the same with .gz)."
        )
    other = _known_by_name(found[0])
    if key in KNOWN_SETS and other is not None and other is not KNOWN_SETS[key]:
        raise DataError(
            f"{found[0]} holds {other.title}, not {KNOWN_SETS[key].title}; choose another folder."
        )
    return found[0]


def _what_is_there(path: Path) -> str:
    """What a folder without a data set holds instead, such as ``"20 PNG images, which cannot be opened yet"``."""
    counts: Counter[str] = Counter()
    with os.scandir(path) as entries:
        for entry in islice(entries, MAX_LISTED_IMAGES):
            counts[PICTURES.get(Path(entry.name).suffix.lower(), "")] += 1
    del counts[""]
    if not counts:
        return "no data set"
    kind, count = counts.most_common(1)[0]
    more = "more than " if count == MAX_LISTED_IMAGES else ""
    return f"{more}{count:,} {kind} {'image' if count == 1 else 'images'}, a format that is not opened"


def _known_by_name(folder: Path) -> KnownSet | None:
    """The data set that torchvision would keep in a folder of this name."""
    name = folder.parent.name if folder.name == "raw" else folder.name
    return next((known for known in KNOWN_SETS.values() if known.subfolder == name), None)


def _find_files(folder: Path) -> list[Path]:
    found = [_find_file(folder, name) for name in FILES]
    missing = [name for name, file in zip(FILES, found, strict=True) if file is None]
    if missing:
        raise DataError(
            f"{folder} lacks {' and '.join(missing)} (or the same with .gz); add what is missing."
        )
    return [file for file in found if file is not None]


def _holds_any(folder: Path) -> bool:
    return any(_find_file(folder, name) is not None for name in FILES)


def _find_file(folder: Path, name: str) -> Path | None:
    """The file in any spelling: ``train-images-idx3-ubyte``, ``train-images.idx3-ubyte``, with .gz."""
    dotted = name.replace("-idx", ".idx")
    # The packed file first: where both are, the other was unpacked from it, perhaps not to its end.
    candidates = (folder / f"{stem}{ending}" for ending in (".gz", "") for stem in (name, dotted))
    return next((candidate for candidate in candidates if candidate.is_file()), None)


def _check_counts(labels_file: Path, images: NDArray[np.uint8], labels: NDArray[np.int64]) -> None:
    if len(images) != len(labels):
        raise DataError(
            f"{labels_file} has {len(labels):,} labels for {len(images):,} images; "
            "choose files that belong together."
        )


def _size(images: NDArray[np.uint8]) -> str:
    return f"{images.shape[2]}x{images.shape[1]}"


def _class_names(folder: Path, key: str, classes: int) -> tuple[str, ...]:
    """Names of the known data set, else the class numbers."""
    if key in KNOWN_SETS:
        known = KNOWN_SETS[key]
        if classes > len(known.class_names):
            raise DataError(
                f"{folder} has labels up to {classes - 1}, but {known.title} has {len(known.class_names)} "
                "classes; choose another folder."
            )
        return known.class_names
    fashion = KNOWN_SETS["fashion-mnist"]
    if _known_by_name(folder) is fashion and classes <= len(fashion.class_names):
        return fashion.class_names
    return tuple(str(number) for number in range(classes))
