"""Reads idx files, the format of MNIST, gzipped or not.

The layout (http://yann.lecun.com/exdb/mnist): two zero bytes, one byte for the type (8 is uint8), one for the
number of dimensions, a big-endian uint32 per dimension, then the values, big-endian as well. What the header declares
is compared with what is there before anything is allocated, so a damaged or hostile file costs a sentence, not the
memory.
"""

from __future__ import annotations

import gzip
import math
import os
import struct
import zlib
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from vaeviewer.backend.data.files import opened
from vaeviewer.errors import DataError
from vaeviewer.limits import (
    MAX_IDX_BYTES,
    MAX_IDX_COUNT,
    MAX_PACKED_IDX_BYTES,
    MAX_PACKED_IDX_RATIO,
    MAX_STORED_SIDE,
)

GZIP_MAGIC = b"\x1f\x8b"
_TYPES = {8: "u1", 9: "i1", 11: ">i2", 12: ">i4", 13: ">f4", 14: ">f8"}
_IMAGES, _LABELS = (3, 4), (1, 2)


def is_idx(start: bytes) -> bool:
    """Whether a file that begins so, unpacked, is an idx file."""
    return (
        len(start) >= 4 and start[:2] == b"\0\0" and start[2] in _TYPES and start[3] in (*_LABELS, *_IMAGES)
    )


def read_images(path: Path) -> NDArray[Any]:
    """Read images.

    Args:
        path: An idx file of three dimensions, or of four with channels, gzipped or not whatever its name says.

    Returns:
        Of the file's type in the machine's byte order, ``n >= 1`` images, no side longer than
        :data:`~vaeviewer.limits.MAX_STORED_SIDE` pixels.

    Raises:
        DataError: The file is missing, damaged, too large, or something else than images.
    """
    return _read(path, _IMAGES)


def read_labels(path: Path) -> NDArray[Any]:
    """Read one label per image: the file's values, or its first column where it has several (QMNIST).

    Args:
        path: An idx file of one dimension or two, gzipped or not whatever its name says.

    Returns:
        int64 where the file holds whole numbers, else floats; shape ``(n,)``, ``n >= 1``.

    Raises:
        DataError: The file is missing, damaged, too large, or something else than labels.
    """
    values = _read(path, _LABELS)
    if values.ndim == 2:
        values = values[:, 0]
    return values.astype(np.int64) if values.dtype.kind in "iu" else values


def _read(path: Path, dimensions: tuple[int, ...]) -> NDArray[Any]:
    with opened(path) as file:
        magic = file.read(len(GZIP_MAGIC))
        file.seek(0)
        size = os.fstat(file.fileno()).st_size
        if magic != GZIP_MAGIC:
            return _read_open(path, file, dimensions, size, packed=False)
        try:
            with gzip.GzipFile(fileobj=file) as unpacked:
                return _read_open(path, unpacked, dimensions, size, packed=True)
        except (gzip.BadGzipFile, zlib.error, EOFError):
            raise DataError(f"{path} is a damaged gzip file; fetch it again.") from None


def _read_open(
    path: Path, file: IO[bytes] | gzip.GzipFile, dimensions: tuple[int, ...], size: int, *, packed: bool
) -> NDArray[Any]:
    """Read header and values from an open file that has ``size`` bytes on disk."""
    header = file.read(4)
    kind = "images" if dimensions == _IMAGES else "labels"
    if not header:
        raise DataError(f"{path} is empty; fetch it again, or choose another folder.")
    if len(header) < 4 or header[:2] != b"\0\0" or header[2] not in _TYPES:
        raise DataError(f"{path} is not an idx file; choose files in MNIST's format.")
    dtype, count_of_dimensions = np.dtype(_TYPES[header[2]]), header[3]
    if count_of_dimensions not in dimensions:
        found = f"values in {count_of_dimensions} dimensions"
        if count_of_dimensions in (1, 3):
            found = "labels" if count_of_dimensions == 1 else "images"
        raise DataError(f"{path} holds {found} where {kind} belong; choose another file.")
    header += file.read(4 * count_of_dimensions)
    if len(header) < 4 + 4 * count_of_dimensions:
        raise DataError(f"{path} ends inside its header; fetch it again.")

    shape = struct.unpack(f">{count_of_dimensions}I", header[4:])
    count, sides = shape[0], shape[1:]
    if count == 0 or 0 in sides:
        raise DataError(f"{path} is empty, it holds no {kind}; choose another file.")
    if count > MAX_IDX_COUNT:
        raise DataError(f"{path} declares {count:,} entries, more than {MAX_IDX_COUNT:,}; choose less data.")
    if any(side > MAX_STORED_SIDE for side in sides):
        pixels = "x".join(f"{side:,}" for side in sides)
        raise DataError(
            f"{path} has {kind} of {pixels} values, more than {MAX_STORED_SIDE}x{MAX_STORED_SIDE}; "
            "choose smaller ones."
        )
    length = math.prod(shape) * dtype.itemsize
    total = len(header) + length
    if length > MAX_IDX_BYTES:
        raise DataError(f"{path} declares {length:,} bytes, more than {MAX_IDX_BYTES:,}; choose less data.")
    if packed and total > max(MAX_PACKED_IDX_BYTES, MAX_PACKED_IDX_RATIO * size):
        raise DataError(
            f"{path} declares {total:,} bytes, more than a gzip file of {size:,} may hold; fetch or unpack it again."
        )
    if not packed and total > size:
        raise DataError(f"{path} ends after {size:,} of {total:,} bytes; fetch it again.")

    values = np.empty(length, dtype=np.uint8)
    done = 0
    while done < length:
        # In pieces, so that a gzip file that ends early has not touched the rest of the memory.
        piece = file.read(min(length - done, 2**20))
        if not piece:
            raise DataError(f"{path} ends after {len(header) + done:,} of {total:,} bytes; fetch it again.")
        values[done : done + len(piece)] = np.frombuffer(piece, dtype=np.uint8)
        done += len(piece)
    # Also makes gzip compare its checksum, which comes at the very end.
    if file.read(1):
        raise DataError(f"{path} goes on after the {total:,} bytes it declares; fetch it again.")
    return values.view(dtype).reshape(shape).astype(dtype.newbyteorder("="), copy=False)
