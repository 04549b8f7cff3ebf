"""Images of one size in arrays, idx and CIFAR files: from the numbers stored to the images trained on."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vaeviewer.backend.data.base import Cancelled, ImageDataset
from vaeviewer.backend.data.cache import ImageCache
from vaeviewer.backend.data.decoded import Room, dataset_of, described
from vaeviewer.backend.data.levels import WHOLE, Scale, scale_of
from vaeviewer.backend.data.names import Names
from vaeviewer.backend.data.reading import Reading
from vaeviewer.backend.data.sizes import chosen_size, size_note
from vaeviewer.backend.data.split import held_out_mask, train_first
from vaeviewer.errors import DataError
from vaeviewer.limits import MAX_IMAGE_SIDE, MAX_STORED_SIDE

Progress = Callable[[int, int], None]
Cancel = Callable[[], bool]


@dataclass(frozen=True)
class Stack:
    """Images of one size, one behind the other in a file or several.

    Attributes:
        name: What a user calls the data.
        path: What was opened.
        title: How a sentence calls the images.
        count: Images in all.
        shape: ``(height, width, channels)`` of each as it is stored; 1, 3 or 4 channels, 4 with alpha.
        dtype: Of the numbers: bool, an integer or a float.
        blocks: Gives all images in their order, some at a time, each ``(k, height, width, channels)``.
        labels: int64, shape ``(count,)``; all 0 without classes.
        class_names: A name per class, or none.
        held_out: Which images the data themselves hold out, or ``None``.
        notes: What was recognised so far.
        transposed: Whether rows and columns are stored swapped.
    """

    name: str
    path: Path
    title: str
    count: int
    shape: tuple[int, int, int]
    dtype: np.dtype[Any]
    blocks: Callable[[], Iterator[NDArray[Any]]]
    labels: NDArray[np.int64]
    class_names: tuple[str, ...] = ()
    held_out: NDArray[np.bool_] | None = None
    notes: tuple[str, ...] = field(default=())
    transposed: bool = False


def settle(
    stack: Stack,
    reading: Reading,
    key: str,
    cache: ImageCache,
    progress: Progress,
    cancelled: Cancel,
    *,
    source_key: str = "folder",
) -> ImageDataset:
    """The data set of a stack, read as ``reading`` says.

    Args:
        stack: The images.
        reading: How to read them.
        key: Name of their entry in the cache.
        cache: Where they go if they are many.
        progress: Called with the images done and in all.
        cancelled: Asked at each block.
        source_key: What run folders call the source.

    Raises:
        Cancelled: ``cancelled`` said so.
        DataError: The numbers are no images.
    """
    _check(stack)
    passes = _Passes(stack, progress, cancelled)
    notes = list(stack.notes)
    scale = _scale(stack, reading, passes)
    if scale.note:
        notes.append(f"{scale.note[0].upper()}{scale.note[1:]}.")
    turned = stack.transposed != reading.transpose
    height, width, channels = stack.shape
    if turned:
        height, width = width, height
        notes.append("Rows and columns are swapped.")
    size = reading.size or (
        (height, width) if max(height, width) <= MAX_IMAGE_SIDE else chosen_size([(height, width)])
    )
    if size != (height, width):
        notes.append(size_note(size, reading.fit, [(height, width)]))
    if channels == 4:
        notes.append(f"Transparency is laid on the background {reading.background}.")
    colour = reading.channels == "colour" or (reading.channels == "auto" and channels > 1)
    mask = stack.held_out
    if mask is None:
        mask = held_out_mask(stack.labels, reading.held_out, reading.split_seed)
    order = train_first(mask)
    places = np.empty_like(order)
    places[order] = np.arange(len(order))

    room = Room((stack.count, *size, 3) if colour else (stack.count, *size), cache, keep=False)
    try:
        done = 0
        for block in passes.blocks():
            levels = scale.levels(block)
            if turned:
                levels = levels.swapaxes(1, 2)
            room.images[places[done : done + len(block)]] = _shaped(levels, size, colour, reading)
            done += len(block)
            room.passed(block.nbytes)
        labels = stack.labels[order]
        about = described(
            room.images,
            labels,
            int((~mask).sum()),
            name=stack.name,
            class_names=stack.class_names,
            reading=reading,
            notes=tuple(notes),
        )
        return dataset_of(room.finish([key], labels, Names.of(()), about), stack.path, source_key)
    except BaseException:
        room.drop()
        raise


class _Passes:
    """Goes through the images of a stack once or twice, with progress and a way to cancel."""

    def __init__(self, stack: Stack, progress: Progress, cancelled: Cancel) -> None:
        self._stack, self._progress, self._cancelled = stack, progress, cancelled

    def blocks(self) -> Iterator[NDArray[Any]]:
        done = 0
        for block in self._stack.blocks():
            if self._cancelled():
                raise Cancelled(f"Opening {self._stack.name} was cancelled.")
            yield block
            done += len(block)
            self._progress(done, self._stack.count)


def _check(stack: Stack) -> None:
    if not stack.count or 0 in stack.shape:
        raise DataError(f"{stack.title} holds no images; choose another file.")
    if max(stack.shape[:2]) > MAX_STORED_SIDE:
        height, width, _ = stack.shape
        raise DataError(
            f"{stack.title} has images of {height}×{width} pixels, more than {MAX_STORED_SIDE}×{MAX_STORED_SIDE}; "
            "choose smaller images."
        )
    if stack.held_out is not None and stack.held_out.all():
        raise DataError(f"{stack.title} has no images to train on; choose another file.")


def _scale(stack: Stack, reading: Reading, passes: _Passes) -> Scale:
    """Which values are black and white; looks at all of them where their type does not say it."""
    if reading.levels == "type" and stack.dtype.kind == "b":
        return Scale(0, 1)
    if reading.levels == "type" and stack.dtype == np.uint8:
        return WHOLE
    low, high, done = np.inf, -np.inf, 0
    for block in passes.blocks():
        least, greatest = float(block.min()), float(block.max())
        # A NaN makes both of them NaN.
        if not np.isfinite([least, greatest]).all():
            bad = np.argwhere(~np.isfinite(block))[0]
            what = "NaN" if np.isnan(block[tuple(bad)]) else "an infinite value"
            raise DataError(
                f"{stack.title} holds {what} at index {done + bad[0]} (row {bad[1]}, column {bad[2]}); "
                "replace it by a number or leave the image out."
            )
        low, high, done = min(low, least), max(high, greatest), done + len(block)
    scale = scale_of(stack.dtype, low, high, reading.levels)
    if scale is None:
        raise DataError(
            f"{stack.title} has values from {low:g} to {high:g}, which fit no range that is known; "
            "rescale them to 0 to 1, or stretch the levels (levels: data)."
        )
    return scale


def _shaped(
    levels: NDArray[np.uint8], size: tuple[int, int], colour: bool, reading: Reading
) -> NDArray[np.uint8]:
    """Images of the size and channels wanted, ``(k, height, width)`` or ``(k, height, width, 3)``."""
    from PIL import Image  # most arrays need none of it, and the program starts faster

    from vaeviewer.backend.data import rule

    channels = levels.shape[3]
    if levels.shape[1:3] == size and channels < 4 and (channels == 3 or not colour):
        if colour:
            return levels
        if channels == 1:
            return levels[..., 0]
    shaped = np.empty((len(levels), *size, 3) if colour else (len(levels), *size), np.uint8)
    background = reading.background_rgb
    for row, image in enumerate(levels):
        picture = Image.fromarray(np.ascontiguousarray(image[..., 0] if channels == 1 else image))
        picture = rule.fitted(rule.plain(picture, background), size, reading.fit, background)
        shaped[row] = np.asarray(picture.convert(rule.COLOUR if colour else rule.GREY))
    return shaped


def joined(parts: list[Callable[[], Iterator[NDArray[Any]]]]) -> Callable[[], Iterator[NDArray[Any]]]:
    """The blocks of several parts, one part behind the other."""
    return lambda: itertools.chain.from_iterable(part() for part in parts)
