"""USPS, digits from envelopes (Hull 1994), in the text files of https://www.csie.ntu.edu.tw/~cjlin/libsvmtools.

Each line is an image: its label from 1 to 10, which is the digit and one, then ``index:value`` for each of 16×16
pixels, row by row, values from −1 (black) to 1. The files are packed with bzip2.
"""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vaeviewer.backend.data.files import opened
from vaeviewer.backend.data.stack import Stack
from vaeviewer.errors import DataError
from vaeviewer.limits import MAX_USPS_BYTES, MAX_USPS_COUNT, MAX_USPS_LINE_BYTES

TRAIN, HELD_OUT = "usps.bz2", "usps.t.bz2"
SUBFOLDER = "USPS"
_SIDE = 16
_INDICES = [str(index + 1).encode() for index in range(_SIDE * _SIDE)]
_LABELS = {str(digit + 1).encode(): digit for digit in range(10)}


def find_usps(path: Path) -> Path | None:
    """The folder at or below ``path`` that holds the files, or ``None``."""
    return next((f for f in (path, path / SUBFOLDER) if (f / TRAIN).is_file()), None)


def usps_files(folder: Path) -> list[Path]:
    """All files that a data set is read from."""
    return [file for name in (TRAIN, HELD_OUT) if (file := folder / name).is_file()]


def usps_stack(folder: Path) -> Stack:
    """The images of a folder.

    Raises:
        DataError: A file is damaged or of another form.
    """
    parts = [_read(file) for file in usps_files(folder)]
    counts = [len(labels) for _, labels in parts]
    split = np.repeat([False, True], counts) if len(parts) == 2 else None
    notes = ["Values from −1 to 1 became black to white."]
    if split is not None:
        notes.append(f"The files bring their own split: {HELD_OUT} is held out.")
    return Stack(
        name="USPS",
        path=folder,
        title=str(folder),
        count=sum(counts),
        shape=(_SIDE, _SIDE, 1),
        dtype=np.dtype(np.uint8),
        blocks=lambda: (images for images, _ in parts),
        labels=np.concatenate([labels for _, labels in parts]),
        class_names=tuple(map(str, range(10))),
        held_out=split,
        notes=tuple(notes),
    )


def _read(path: Path) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Images ``(n, 16, 16, 1)`` and digits of a file."""
    import bz2  # some builds of Python lack it

    rows: list[NDArray[np.uint8]] = []
    labels: list[int] = []
    size = 0
    with opened(path) as file:
        try:
            with bz2.BZ2File(file) as lines:
                while line := lines.readline(MAX_USPS_LINE_BYTES):
                    size += len(line)
                    if size > MAX_USPS_BYTES or len(rows) == MAX_USPS_COUNT:
                        raise DataError(f"{path} is larger than USPS can be; fetch it again.")
                    label, row = _image(line, f"{path}, line {len(rows) + 1},")
                    rows.append(row)
                    labels.append(label)
        except EOFError:
            raise DataError(f"{path} ends too early; fetch it again.") from None
        except OSError as error:
            if error.errno is not None:
                raise
            raise DataError(f"{path} is a damaged bzip2 file; fetch it again.") from None
    if not rows:
        raise DataError(f"{path} is empty; fetch it again.")
    return np.stack(rows).reshape(-1, _SIDE, _SIDE, 1), np.array(labels, np.int64)


def _image(line: bytes, where: str) -> tuple[int, NDArray[np.uint8]]:
    """The digit and the 256 levels of a line."""
    label, *tokens = line.replace(b":", b" ").split() or [b""]
    if label not in _LABELS or tokens[::2] != _INDICES or len(tokens) != 2 * len(_INDICES):
        raise DataError(f"{where} is no image of USPS: a label from 1 to 10 and 256 pixels; fetch it again.")
    try:
        values = [float(token) for token in tokens[1::2]]
    except ValueError:
        values = [math.nan]
    if not all(-1 <= value <= 1 for value in values):  # nor is NaN
        raise DataError(f"{where} has a value that is not from −1 to 1; fetch it again.")
    return _LABELS[label], np.rint((np.array(values) + 1) * 127.5).astype(np.uint8)
