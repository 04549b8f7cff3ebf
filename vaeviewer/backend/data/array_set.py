"""Data sets in NumPy files: which array holds the images, in which order its dimensions stand, which one the labels."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vaeviewer.backend.data.array_file import StoredArray, read_arrays
from vaeviewer.backend.data.labels import classes_of
from vaeviewer.backend.data.layout import Layout, layout_of
from vaeviewer.backend.data.names import readable
from vaeviewer.backend.data.stack import Stack, joined
from vaeviewer.counts import counted
from vaeviewer.errors import DataError

_ALONE = ("images", "x", "X", "data", "imgs")
_LABELS = ("labels", "label", "y", "Y", "targets", "target", "classes")
_PARTS = (  # prefix or suffix of a part's arrays, and whether it is held out
    ("train", False),
    ("val", True),
    ("valid", True),
    ("validation", True),
    ("test", True),
)
_IN_PARTS = tuple((f"{part}_images", f"x_{part}", f"X_{part}") for part, _ in _PARTS)
_LABELS_OF_PARTS = tuple((f"{part}_labels", f"y_{part}", f"Y_{part}", f"{part}_label") for part, _ in _PARTS)
_NAMES = ("class_names", "label_names", "names")


@dataclass(frozen=True)
class _Part:
    images: StoredArray
    labels: StoredArray | None
    held_out: bool


def array_stack(path: Path) -> Stack:
    """The images of an ``.npy`` or ``.npz`` file.

    They are the array ``images``, or ``train_images``, ``val_images`` and ``test_images`` (MedMNIST; Keras has
    ``x_train`` and ``x_test``), or the only one of three or four dimensions. Labels have the names that go with them.

    Raises:
        DataError: There are no images in it, or none that can be read.
    """
    arrays = read_arrays(path)
    parts = _parts(path, arrays)
    for part in parts:
        part.images.check()
        if part.images.dtype.kind not in "biuf":
            raise DataError(
                f"{part.images.title} holds {part.images.dtype.name}, which is no image; save numbers."
            )
    first, *others = (part.images for part in parts)
    for other in others:
        if other.shape[1:] != first.shape[1:] or other.dtype != first.dtype:
            raise DataError(
                f"{path} has {first.name} of {first.form} but {other.name} of {other.form}; "
                "choose arrays that belong together."
            )
    layout = layout_of(first.shape, first.title)
    counts = [part.images.shape[0] for part in parts]
    labels, class_names = _labels(path, parts, arrays)
    split = None
    notes = list(layout.notes)
    if len(parts) > 1 and not all(part.held_out for part in parts):
        split = np.repeat([part.held_out for part in parts], counts)
        kept = " and ".join(part.images.name for part in parts if part.held_out)
        notes.append(
            f"The file brings its own split: {kept} {'is' if kept.count(' and ') == 0 else 'are'} held out."
        )
    return Stack(
        name=path.stem,
        path=path,
        title=first.title,
        count=sum(counts),
        shape=layout.shape,
        dtype=first.dtype,
        blocks=joined([_blocks(part.images, layout) for part in parts]),
        labels=labels,
        class_names=class_names,
        held_out=split,
        notes=tuple(notes),
    )


def _blocks(array: StoredArray, layout: Layout) -> Callable[[], Iterator[NDArray[Any]]]:
    return lambda: (layout.of_block(block) for block in array.blocks())


def _parts(path: Path, arrays: Sequence[StoredArray]) -> list[_Part]:
    """The arrays of images with the labels of each, those to train on first."""
    by_name = {array.name: array for array in arrays}

    def named(names: Sequence[str]) -> StoredArray | None:
        return next((by_name[name] for name in names if name in by_name), None)

    found = [
        _Part(images, named(labels), held_out)
        for (_, held_out), names, labels in zip(_PARTS, _IN_PARTS, _LABELS_OF_PARTS, strict=True)
        if (images := named(names)) is not None
    ]
    if found:
        return found
    images = by_name.get("images") or (arrays[0] if arrays[0].name == "" else None)
    if images is None:
        fitting = [a for a in arrays if len(a.shape) in (3, 4)]
        images = fitting[0] if len(fitting) == 1 else named(_ALONE)
    if images is None:
        held = ", ".join(f"{readable(array.name)[:60]} ({array.form})" for array in arrays[:6])
        more = f" and {len(arrays) - 6:,} more" if len(arrays) > 6 else ""
        raise DataError(
            f"{path} has no array of three or four dimensions, as images have, but {held}{more}; "
            "call the one of images images."
            if not any(len(a.shape) in (3, 4) for a in arrays)
            else f"{path} has several arrays that could be images: {held}{more}; call the one of images images."
        )
    return [_Part(images, named(_LABELS), held_out=False)]


def _labels(
    path: Path, parts: Sequence[_Part], arrays: Sequence[StoredArray]
) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    """The class of each image of all parts, and the names of the classes."""
    total = sum(part.images.shape[0] for part in parts)
    if not any(part.labels for part in parts):
        return np.zeros(total, np.int64), ()
    values = []
    for part in parts:
        if part.labels is None:
            raise DataError(f"{path} has no labels for {part.images.name}; add them or leave all labels out.")
        part.labels.check()
        given = part.labels.whole()
        count = part.images.shape[0]
        if len(given) != count:
            raise DataError(
                f"{part.labels.title} has {counted(len(given), 'label')} for {counted(count, 'image')}; "
                "give one for each image."
            )
        values.append(given)
    kinds = {array.dtype.kind in "SU" for array in values} | {
        (array.ndim, array.shape[1:]) for array in values
    }
    if len(kinds) > 2:
        raise DataError(f"{path} has labels of several forms; give all parts the same.")
    title = f"{parts[0].labels.title}" if parts[0].labels else str(path)
    labels, names = classes_of(np.concatenate(values), title, total)
    return labels, _named(arrays, names)


def _named(arrays: Sequence[StoredArray], numbers: tuple[str, ...]) -> tuple[str, ...]:
    """The names that the file gives its classes, where it numbers them 0, 1, 2 and so on."""
    array = next((a for a in arrays if a.name in _NAMES and not a.problem), None)
    if array is None or array.dtype.kind != "U" or len(array.shape) != 1:
        return numbers
    names = [readable(str(name))[:200] for name in array.whole()]
    if any(not n.isdecimal() or int(n) >= len(names) for n in numbers):
        return numbers
    found = tuple(names[int(number)] for number in numbers)
    # One name for two classes, or none, would not tell them apart.
    return found if all(found) and len({*found}) == len(found) else numbers
