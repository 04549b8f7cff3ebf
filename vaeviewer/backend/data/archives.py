"""Takes the files of a data set out of the archive they come in: EMNIST's zip file, CIFAR-10's tar file.

Only members that are wanted are read, by the last part of their names, into names of our own choosing; whatever else an
archive holds, links and paths among it, is never looked at.
"""

from __future__ import annotations

import lzma
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from functools import partial
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import IO

from vaeviewer.errors import DataError
from vaeviewer.limits import MAX_ARCHIVE_MEMBERS, MAX_MEMBER_BYTES

_DAMAGED = (
    *(zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError),
    *(EOFError, NotImplementedError, RuntimeError),
)
_PIECE_BYTES = 2**20


def taken_out(archive: Path, folder: Path, names: Sequence[str]) -> bool:
    """Whether all files are in the folder, and are those of the archive where that is still there and has checksums."""
    if not all((folder / name).is_file() for name in names):
        return False
    if not zipfile.is_zipfile(archive):
        return True
    with zipfile.ZipFile(archive) as opened:
        members = _zip_members(opened)
        return all(name in members and _same(folder / name, members[name]) for name in names)


def take_out(archive: Path, folder: Path, names: Sequence[str], check_stop: Callable[[], None]) -> None:
    """Write files of an archive into a folder, each whole or not at all.

    Args:
        archive: A zip or tar file, packed or not.
        folder: Where they go.
        names: Their names, without the folders they lie in within the archive.
        check_stop: Called often; ends it by raising.

    Raises:
        DataError: The archive is damaged, lacks a file, or has one that is too large.
        OSError: A file cannot be written.
    """
    missing = set(names)
    try:
        with closing(_members(archive)) as members:
            for name, size, open_member in members:
                check_stop()
                if name not in missing:
                    continue
                if size > MAX_MEMBER_BYTES:
                    raise DataError(
                        f"{archive} has {size:,} bytes in {name}, more than {MAX_MEMBER_BYTES:,}; fetch it again."
                    )
                with open_member() as stream:
                    _write(stream, folder / name, size, check_stop)
                missing.remove(name)
    except _DAMAGED:
        raise DataError(f"{archive} is damaged; remove it and fetch it again.") from None
    if missing:
        raise DataError(f"{archive} lacks {' and '.join(sorted(missing))}; remove it and fetch it again.")


def _members(archive: Path) -> Generator[tuple[str, int, Callable[[], IO[bytes]]]]:
    """The ordinary files of an archive: the last part of the name, the size unpacked, and a way to open it."""
    if zipfile.is_zipfile(archive):
        with zipfile.ZipFile(archive) as packed:
            for name, info in _zip_members(packed).items():
                yield name, info.file_size, partial(packed.open, info)
        return
    with tarfile.open(archive) as tar:
        for member in islice(tar, MAX_ARCHIVE_MEMBERS):
            if member.isreg():
                yield PurePosixPath(member.name).name, member.size, partial(_opened, tar, member)


def _opened(tar: tarfile.TarFile, member: tarfile.TarInfo) -> IO[bytes]:
    stream = tar.extractfile(member)
    assert stream is not None, "an ordinary file"
    return stream


def _zip_members(packed: zipfile.ZipFile) -> dict[str, zipfile.ZipInfo]:
    return {PurePosixPath(info.filename).name: info for info in packed.infolist() if not info.is_dir()}


def _write(stream: IO[bytes], target: Path, size: int, check_stop: Callable[[], None]) -> None:
    """Write ``size`` bytes to a file, whole or not at all."""
    part, done = target.with_name(f"{target.name}.part"), 0
    try:
        with part.open("wb") as file:
            # Also reads the end, where a zip file compares its checksum; no more than ``size`` is ever taken.
            while piece := stream.read(min(_PIECE_BYTES, size - done) or 1):
                check_stop()
                done += len(piece)
                if done > size:
                    break
                file.write(piece)
        if done != size:
            raise EOFError
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)


def _same(path: Path, member: zipfile.ZipInfo) -> bool:
    """Whether a file is the member of a zip file, by size and checksum."""
    if path.stat().st_size != member.file_size:
        return False
    check = 0
    with path.open("rb") as file:
        while piece := file.read(_PIECE_BYTES):
            check = zlib.crc32(piece, check)
    return check == member.CRC
