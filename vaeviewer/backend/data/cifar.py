"""CIFAR-10's binary files (https://www.cs.toronto.edu/~kriz/cifar.html): a label and 32×32 pixels in each record."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vaeviewer.backend.data.files import opened
from vaeviewer.backend.data.names import readable
from vaeviewer.backend.data.stack import Stack
from vaeviewer.errors import DataError

TRAIN, HELD_OUT, NAMES = "data_batch_*.bin", "test_batch.bin", "batches.meta.txt"
SUBFOLDER = "cifar-10-batches-bin"
_SIDE, _CHANNELS = 32, 3
_PIXELS = _CHANNELS * _SIDE * _SIDE
_RECORD = 1 + _PIXELS
_BLOCK = 2048
_MOST_NAMES_BYTES = 65_536


def find_cifar(path: Path) -> Path | None:
    """The folder at or below ``path`` that holds the files, or ``None``."""
    return next((f for f in (path, path / SUBFOLDER) if _batches(f)), None)


def _batches(folder: Path) -> list[Path]:
    return [*sorted(folder.glob(TRAIN)), *folder.glob(HELD_OUT)]


def cifar_files(folder: Path) -> list[Path]:
    """All files that a data set is read from."""
    return [*_batches(folder), *folder.glob(NAMES)]


def cifar_stack(folder: Path) -> Stack:
    """The images of a folder.

    Raises:
        DataError: A file is damaged or of another form.
    """
    files = _batches(folder)
    labels = [_labels(file) for file in files]
    counts = [len(of_file) for of_file in labels]
    numbers = np.concatenate(labels).astype(np.int64)
    names = _class_names(folder, int(numbers.max()) + 1)
    held_out = np.repeat([file.name == HELD_OUT for file in files], counts)
    split = held_out if held_out.any() and not held_out.all() else None
    notes = ["The files are CIFAR-10's binary ones."]
    if split is not None:
        notes.append(f"The files bring their own split: {HELD_OUT} is held out.")
    return Stack(
        name="CIFAR-10" if folder.name == SUBFOLDER else folder.name,
        path=folder,
        title=str(folder),
        count=len(numbers),
        shape=(_SIDE, _SIDE, _CHANNELS),
        dtype=np.dtype(np.uint8),
        blocks=lambda: _blocks(files),
        labels=numbers,
        class_names=names,
        held_out=split,
        notes=tuple(notes),
    )


def _labels(file: Path) -> NDArray[Any]:
    with opened(file) as stream:
        size = stream.seek(0, 2)
        if not size or size % _RECORD:
            raise DataError(
                f"{file} has {size:,} bytes, which are no whole records of CIFAR-10's {_RECORD:,}; fetch it again."
            )
        return np.memmap(stream, np.uint8, "r").reshape(-1, _RECORD)[:, 0].copy()


def _blocks(files: list[Path]) -> Iterator[NDArray[Any]]:
    for file in files:
        with opened(file) as stream:
            while raw := stream.read(_BLOCK * _RECORD):
                records = np.frombuffer(raw, np.uint8).reshape(-1, _RECORD)
                yield np.moveaxis(records[:, 1:].reshape(-1, _CHANNELS, _SIDE, _SIDE), 1, 3)


def _class_names(folder: Path, count: int) -> tuple[str, ...]:
    """The names in ``batches.meta.txt``, a line each, else numbers."""
    try:
        text = (folder / NAMES).read_bytes()[:_MOST_NAMES_BYTES].decode("utf-8", "replace")
    except OSError:
        text = ""
    names = [readable(line.strip())[:200] for line in text.splitlines() if line.strip()]
    return tuple(names) if len(names) >= count else tuple(map(str, range(count)))
