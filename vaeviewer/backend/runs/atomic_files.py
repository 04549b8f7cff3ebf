"""Files that are whole or not there: the few file-system calls that a save is made of.

A save calls the file system only through the functions of the first half, so that a test can make its k-th
call fail.
"""

from __future__ import annotations

import errno
import hashlib
import os
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import BufferedReader
from pathlib import Path
from typing import BinaryIO

Bytes = bytes | memoryview
"""What is written: bytes, or memory of somebody else's, which then need not be copied."""

REPLACE_RETRIES = 40 if os.name == "nt" else 0
"""Windows refuses to replace a file while somebody reads it."""
REPLACE_PAUSE_S = 0.05

NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""Numbers of errors that say that a disk, a quota or a file is full."""

_unfinished: set[Path] = set()  # temporary files of writes under way, on any thread

_NO_FOLDER_SYNC = (errno.EINVAL, errno.ENOTSUP, errno.EBADF)
"""What file systems without such a call answer when asked to flush a folder."""


class OtherNamesError(OSError):
    """A file has another name, too, so that whoever writes to it changes a file that is not ours."""


def make_folder(path: Path) -> None:
    """Make a folder and its parents; one that exists is left as it is."""
    path.mkdir(parents=True, exist_ok=True)


def listing(folder: Path) -> list[str]:
    """The names in a folder."""
    return os.listdir(folder)  # noqa: PTH208  # iterdir would make a Path of every name


def create(path: Path) -> BinaryIO:
    """A new file, open for writing. What a crash left under that name is removed, never written through."""
    path.unlink(missing_ok=True)
    return path.open("xb")


def write(file: BinaryIO, *parts: Bytes) -> None:
    """Write one part after the other and flush out of Python's buffer."""
    for part in parts:
        file.write(part)
    file.flush()


def sync(file: BinaryIO) -> None:
    """Wait until the file's bytes are on the disk."""
    os.fsync(file.fileno())


def close(file: BinaryIO) -> None:
    """Close a file; network file systems report a full disk only here."""
    file.close()


def replace(source: Path, target: Path) -> None:
    """Give ``source`` the name ``target`` in one step; on Windows wait, bounded, for a reader to let go."""
    for _ in range(REPLACE_RETRIES):
        try:
            source.replace(target)
            return
        except PermissionError:
            time.sleep(REPLACE_PAUSE_S)
    source.replace(target)


def sync_folder(folder: Path) -> None:
    """Wait until the folder's new names are on the disk, where the platform has such a call."""
    if os.name == "nt":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno not in _NO_FOLDER_SYNC:
            raise
    finally:
        os.close(handle)


def remove(path: Path) -> None:
    """Remove a file; one that is not there is no error."""
    path.unlink(missing_ok=True)


def read(path: Path, limit: int) -> bytes:
    """A plain file's bytes.

    Args:
        path: The file. A link, a folder, a pipe or a device is refused, and none of them can make this wait.
        limit: Most bytes to read.

    Raises:
        FileNotFoundError: There is no such file.
        OSError: It is no plain file, is larger than ``limit``, changed while it was read, or cannot be read.
        MemoryError: There is not memory enough for it.
    """
    with _plain_file(path, limit) as (file, size):
        data = file.read(size)
        if len(data) != size or file.read(1):
            raise OSError("it changed while it was read")
    return data


def checksum(path: Path, limit: int) -> tuple[int, str]:
    """How many bytes a plain file holds and their SHA-256, without holding them; as :func:`read`."""
    with _plain_file(path, limit) as (file, size):
        return size, hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def _plain_file(path: Path, limit: int) -> Iterator[tuple[BufferedReader, int]]:
    """A file open for reading, and how many bytes it holds; as :func:`read`."""
    flags = os.O_RDONLY
    for name in ("O_BINARY", "O_NOFOLLOW", "O_NONBLOCK", "O_CLOEXEC", "O_NOINHERIT"):
        flags |= getattr(os, name, 0)
    if path.is_symlink():  # said first, and where O_NOFOLLOW does not exist
        raise OSError("it is a link, not a file")
    handle = os.open(path, flags)
    try:
        status = os.fstat(handle)
        if not stat.S_ISREG(status.st_mode):
            raise OSError("it is not a plain file")
        if status.st_size > limit:
            raise OSError(f"it holds {status.st_size:,} bytes, more than the {limit:,} allowed")
        with open(handle, "rb", closefd=False) as file:
            yield file, status.st_size
    finally:
        os.close(handle)


def write_whole(path: Path, *parts: Bytes) -> None:
    """Write a file so that its name stands for all of ``parts`` on the disk, or for what it stood for before.

    Raises:
        OSError: A call failed. ``path`` is as it was, and the temporary file is removed where possible.
    """
    temporary = temporary_of(path)
    _unfinished.add(temporary)
    try:
        file = create(temporary)
        try:
            write(file, *parts)
            sync(file)
        finally:
            close(file)
        replace(temporary, path)
    except BaseException:
        with suppress(OSError):
            remove(temporary)
        raise
    finally:
        _unfinished.discard(temporary)


def remove_unfinished() -> None:
    """Remove the temporary files of writes under way: for a process that ends at once, whatever its threads do."""
    for temporary in tuple(_unfinished):
        with suppress(OSError):
            remove(temporary)


def has_other_names(path: Path) -> bool:
    """Whether a file is a link of either kind, so that writing to it would write to a file of another name, too."""
    try:
        status = os.lstat(path)
    except OSError:
        return False
    return stat.S_ISLNK(status.st_mode) or (stat.S_ISREG(status.st_mode) and status.st_nlink > 1)


def append(path: Path, data: bytes) -> int:
    """Add to the end of a plain file, made where there is none; returns its length in bytes afterwards.

    Raises:
        OtherNamesError: It has another name, too; nothing was written.
        OSError: It is no plain file, or cannot be written. A pipe cannot make this wait.
    """
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT
    for name in ("O_BINARY", "O_NOFOLLOW", "O_NONBLOCK", "O_CLOEXEC", "O_NOINHERIT"):
        flags |= getattr(os, name, 0)
    handle = os.open(path, flags, 0o666)
    try:
        status = os.fstat(handle)
        if not stat.S_ISREG(status.st_mode):
            raise OSError("it is not a plain file")
        if status.st_nlink > 1:
            raise OtherNamesError("it is a link to another file, too")
        os.write(handle, data)
        return os.fstat(handle).st_size
    finally:
        os.close(handle)


def temporary_of(path: Path) -> Path:
    """The name in the same folder under which :func:`write_whole` writes before it replaces ``path``."""
    return path.with_name(f".{path.name}.tmp")


def reason(error: OSError | MemoryError | ValueError) -> str:
    """Why a call failed, in a few words without a path, such as ``no space left on device``."""
    if isinstance(error, MemoryError):
        return "not enough memory"
    text = (isinstance(error, OSError) and error.strerror) or str(error) or type(error).__name__
    return text[0].lower() + text[1:]
