"""Arrays in ``.npy`` and ``.npz`` files, read a block of rows at a time.

What a header declares is compared with what is there before anything is allocated, and nothing is unpickled: an array
of Python objects is refused by its header.
"""

from __future__ import annotations

import errno
import lzma
import math
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from vaeviewer.backend.data.files import opened
from vaeviewer.backend.data.pages import give_back
from vaeviewer.errors import DataError
from vaeviewer.limits import (
    MAX_ARRAYS,
    MAX_LABELS_FILE_BYTES,
    MAX_PACKED_ARRAY_BYTES,
    MAX_PACKED_ARRAY_RATIO,
)

NPY_MAGIC = b"\x93NUMPY"
ZIP_MAGIC = b"PK\x03\x04"
_BLOCK_BYTES = 2**23
_ENDING = ".npy"
_KINDS = {"O": "Python objects", "c": "complex numbers", "V": "records", "M": "dates", "m": "times"}
_DAMAGED = (
    *(zipfile.BadZipFile, zlib.error, lzma.LZMAError),
    *(EOFError, ValueError, NotImplementedError, RuntimeError),
)


@dataclass(frozen=True)
class StoredArray:
    """An array in a file, by its header.

    Attributes:
        path: The file.
        name: Of the array in an ``.npz`` file; empty in an ``.npy`` file.
        shape: As the header says it.
        dtype: Of the numbers.
        problem: Why it cannot be read, to follow its title; empty where it can, and then all of it is there.
        fortran: Whether its first index varies fastest.
        offset: Bytes before the first number.
    """

    path: Path
    name: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    problem: str
    fortran: bool
    offset: int

    @property
    def title(self) -> str:
        """How a sentence calls it."""
        return f"{self.name} in {self.path}" if self.name else str(self.path)

    @property
    def form(self) -> str:
        """Its shape and type in words, such as ``100×28×28 of uint8``."""
        return f"{'×'.join(map(str, self.shape)) or 'a single value'} of {self.dtype.name}"

    def check(self) -> None:
        """Refuse what cannot be read.

        Raises:
            DataError: Why.
        """
        if self.problem:
            raise DataError(f"{self.title} {self.problem}.")

    def blocks(self) -> Iterator[NDArray[Any]]:
        """All rows in their order, some megabytes at a time.

        Raises:
            DataError: The file is damaged, or has changed.
        """
        self.check()
        count, row = self.shape[0], math.prod(self.shape[1:]) * self.dtype.itemsize
        step = max(1, _BLOCK_BYTES // max(1, row))
        if not count * row:
            return
        with opened(self.path) as file, _sentences(self.title):
            if not self.name and self.fortran:  # a row lies scattered over all of it
                mapped = np.memmap(file, self.dtype, "r", self.offset, self.shape, "F")
                for start in range(0, count, step):
                    yield np.array(mapped[start : start + step])
                    give_back(mapped)
                return
            if not self.name:
                file.seek(self.offset)
                for start in range(0, count, step):
                    yield self._read(file, min(step, count - start))
                return
            with zipfile.ZipFile(file) as archive, archive.open(self.name + _ENDING) as member:
                member.read(self.offset)
                if self.fortran:
                    step = count
                for start in range(0, count, step):
                    yield self._read(member, min(step, count - start))
                member.read(1)  # zipfile compares its checksum at the very end

    def whole(self) -> NDArray[Any]:
        """All of it, for labels and names of classes.

        Raises:
            DataError: It is too large or damaged.
        """
        size = math.prod(self.shape) * self.dtype.itemsize
        if size > MAX_LABELS_FILE_BYTES:
            raise DataError(f"{self.title} has {size:,} bytes, too many for labels; choose another file.")
        if not self.shape:
            raise DataError(f"{self.title} is a single value where labels belong; give one for each image.")
        blocks = list(self.blocks())
        return np.concatenate(blocks) if blocks else np.empty(self.shape, self.dtype)

    def _read(self, member: IO[bytes], count: int) -> NDArray[Any]:
        shape = (count, *self.shape[1:])
        raw = np.empty(math.prod(shape) * self.dtype.itemsize, np.uint8)
        done = 0
        while done < len(raw):
            piece = member.read(min(len(raw) - done, _BLOCK_BYTES))
            if not piece:
                raise EOFError
            raw[done : done + len(piece)] = np.frombuffer(piece, np.uint8)
            done += len(piece)
        return raw.view(self.dtype).reshape(shape, order="F" if self.fortran else "C")


def read_arrays(path: Path) -> list[StoredArray]:
    """The arrays of an ``.npy`` file (one) or an ``.npz`` file, in their order; only headers are read.

    Raises:
        DataError: The file is neither, is damaged, or holds no array.
    """
    with opened(path) as file:
        magic = file.read(len(NPY_MAGIC))
        size = file.seek(0, 2)
        file.seek(0)
        if magic == NPY_MAGIC:
            with _sentences(str(path)):
                return [_described(path, "", file, size)]
        if not magic.startswith(ZIP_MAGIC[:2]):
            raise DataError(f"{path} is not a file of NumPy arrays; choose an .npy or .npz file.")
        with _sentences(str(path)), zipfile.ZipFile(file) as archive:
            return _members(path, archive)


def _members(path: Path, archive: zipfile.ZipFile) -> list[StoredArray]:
    infos = [info for info in archive.infolist() if info.filename.endswith(_ENDING)]
    if not infos:
        raise DataError(f"{path} is a zip file without NumPy arrays; unpack it and choose its folder.")
    if len(infos) > MAX_ARRAYS:
        raise DataError(f"{path} holds {len(infos):,} arrays, more than {MAX_ARRAYS:,}; choose another file.")
    arrays = []
    for info in infos:
        name = info.filename.removesuffix(_ENDING)
        allowed = max(MAX_PACKED_ARRAY_BYTES, MAX_PACKED_ARRAY_RATIO * info.compress_size)
        with archive.open(info) as member:
            array = _described(path, name, member, info.file_size)
        if info.file_size > allowed and not array.problem:
            problem = (
                f"declares {info.file_size:,} bytes, more than {info.compress_size:,} packed ones may hold"
            )
            array = StoredArray(path, name, array.shape, array.dtype, problem, array.fortran, array.offset)
        arrays.append(array)
    return arrays


def _described(path: Path, name: str, file: IO[bytes], size: int) -> StoredArray:
    """An array by the header at which ``file`` stands; ``size`` bytes are there in all."""
    version = npy.read_magic(file)
    if version not in ((1, 0), (2, 0)):
        # Only records whose fields have letters beyond Latin-1 are written so.
        return StoredArray(
            path,
            name,
            (),
            np.dtype(np.void),
            f"holds {_KINDS['V']}, which are no images; save it as numbers",
            False,
            0,
        )
    read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
    try:
        shape, fortran, dtype = read(file)
    except Exception:  # NumPy's parser raises nearly anything at a header that is none
        raise ValueError from None
    offset = file.tell()
    problem, total = "", offset + math.prod(shape) * dtype.itemsize
    if dtype.hasobject:
        problem = f"holds {_KINDS['O']}, which only running code could read; save it as numbers or text"
    elif dtype.kind in _KINDS:
        problem = f"holds {_KINDS[dtype.kind]}, which are no images; save it as numbers"
    elif any(length < 0 for length in shape) or total >= 2**63:  # no file has so many
        problem = "has a damaged header; write it anew"
    elif total != size:
        problem = f"declares {total:,} bytes but has {size:,}; fetch it again or write it anew"
    return StoredArray(path, name, tuple(shape), dtype, problem, fortran, offset)


@contextmanager
def _sentences(title: str) -> Iterator[None]:
    """What NumPy and zipfile raise at damaged files, as a sentence."""
    try:
        yield
    except _DAMAGED:
        raise DataError(f"{title} is damaged; fetch it again or write it anew.") from None
    except OSError as error:
        # bzip2 has no exception of its own, and a zip file may point to before its beginning.
        if error.errno not in (None, errno.EINVAL):
            raise
        raise DataError(f"{title} is damaged; fetch it again or write it anew.") from None
