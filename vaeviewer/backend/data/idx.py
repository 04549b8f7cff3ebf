"""Reads idx files, the format of MNIST, gzipped or not.

The layout (http://yann.lecun.com/exdb/mnist): two zero bytes, one byte for the type (8 is uint8), one for the
number of dimensions, a big-endian uint32 per dimension, then the values. What the header declares is
compared with what is there before anything is allocated, so a damaged or hostile file costs a sentence, not
the memory.
"""

from __future__ import annotations

import gzip
import math
import os
import stat
import struct
import zlib
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray

from vaeviewer.errors import DataError
from vaeviewer.limits import (
    MAX_IDX_BYTES,
    MAX_IDX_COUNT,
    MAX_IDX_SIDE,
    MAX_PACKED_IDX_BYTES,
    MAX_PACKED_IDX_RATIO,
)

_GZIP_MAGIC = b"\x1f\x8b"
_KINDS = {1: "labels", 3: "images"}


def read_images(path: Path) -> NDArray[np.uint8]:
    """Read grey images.

    Args:
        path: An idx file of uint8 with three dimensions, gzipped or not whatever its name says.

    Returns:
        uint8, shape ``(n, height, width)``, ``n >= 1`` and sides of 1 to :data:`~vaeviewer.limits.MAX_IDX_SIDE` pixels.

    Raises:
        DataError: The file is missing, damaged, too large, or something else than images.
    """
    return _read(path, dimensions=3)


def read_labels(path: Path) -> NDArray[np.int64]:
    """Read one class number per image.

    Args:
        path: An idx file of uint8 with one dimension, gzipped or not whatever its name says.

    Returns:
        int64, shape ``(n,)``, ``n >= 1``, values in ``0 … 255``.

    Raises:
        DataError: The file is missing, damaged, too large, or something else than labels.
    """
    return _read(path, dimensions=1).astype(np.int64)


def _read(path: Path, dimensions: int) -> NDArray[np.uint8]:
    try:
        # Looked at before it is opened: opening a pipe would wait for ever.
        mode = path.stat().st_mode
        if stat.S_ISDIR(mode):
            raise DataError(f"{path} is a folder, not a file; choose the file itself.")
        if not stat.S_ISREG(mode):
            raise DataError(f"{path} is not an ordinary file; choose an idx file.")
        with path.open("rb") as file:
            magic = file.read(len(_GZIP_MAGIC))
            file.seek(0)
            size = os.fstat(file.fileno()).st_size
            if magic != _GZIP_MAGIC:
                return _read_open(path, file, dimensions, size, packed=False)
            with gzip.GzipFile(fileobj=file) as unpacked:
                return _read_open(path, unpacked, dimensions, size, packed=True)
    except FileNotFoundError:
        raise DataError(f"{path} does not exist; fetch it, or choose another folder.") from None
    except (gzip.BadGzipFile, zlib.error, EOFError):
        raise DataError(f"{path} is a damaged gzip file; fetch it again.") from None
    except OSError as error:
        reason = error.strerror or "input/output error"
        raise DataError(f"{path} cannot be read ({reason}); check the file and its permissions.") from None
    except ValueError:  # a path that no file system can hold
        raise DataError(f"{str(path)!r} is not a possible file name; choose another file.") from None
    except MemoryError:
        raise DataError(
            f"{path} does not fit into memory; close other programs or choose less data."
        ) from None


def _read_open(
    path: Path, file: IO[bytes] | gzip.GzipFile, dimensions: int, size: int, *, packed: bool
) -> NDArray[np.uint8]:
    """Read header and values from an open file that has ``size`` bytes on disk."""
    header = file.read(4 + 4 * dimensions)
    if not header:
        raise DataError(f"{path} is empty; fetch it again, or choose another folder.")
    if len(header) < 4 or header[:3] != b"\0\0\x08":
        raise DataError(f"{path} is not an idx file of bytes; choose files in MNIST's format.")
    if header[3] != dimensions:
        found = _KINDS.get(header[3], f"values in {header[3]} dimensions")
        raise DataError(f"{path} holds {found} where {_KINDS[dimensions]} belong; choose another file.")
    if len(header) < 4 + 4 * dimensions:
        raise DataError(f"{path} ends inside its header; fetch it again.")

    shape = struct.unpack(f">{dimensions}I", header[4:])
    count, sides = shape[0], shape[1:]
    if count == 0 or 0 in sides:
        raise DataError(f"{path} is empty, it holds no {_KINDS[dimensions]}; choose another file.")
    if count > MAX_IDX_COUNT:
        raise DataError(f"{path} declares {count:,} entries, more than {MAX_IDX_COUNT:,}; choose less data.")
    if any(side > MAX_IDX_SIDE for side in sides):
        pixels = "x".join(f"{side:,}" for side in reversed(sides))
        raise DataError(
            f"{path} has images of {pixels} pixels, more than {MAX_IDX_SIDE}x{MAX_IDX_SIDE}; choose smaller images."
        )
    length = math.prod(shape)
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
    return values.reshape(shape)
