"""Files that nobody else can have written, as they are run: a folder and files of this user's, writable by no other.

A checksum says that a file is whole, not who wrote it: in a folder that several people share, anyone could.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH


class PrivateFiles:
    """A folder for the user alone.

    Args:
        folder: Made by the first :meth:`write`, with the mode 0700.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def problem(self) -> str:
        """Why nothing may be kept in the folder, or empty. A folder of the user's own is closed to others."""
        try:
            found = self.folder.lstat()
            if not stat.S_ISDIR(found.st_mode):
                return f"{self.folder} is not a folder"
            if not _is_ours(found):
                return f"{self.folder} belongs to another user"
            if found.st_mode & OTHERS_WRITE:
                self.folder.chmod(0o700)
                if self.folder.lstat().st_mode & OTHERS_WRITE:
                    return f"others may write to {self.folder}"
        except FileNotFoundError:
            return ""
        except OSError as error:
            return f"{self.folder} cannot be used ({error.strerror})"
        return ""

    def read(self, path: Path) -> bytes | None:
        """What a file of the folder holds; ``None`` where there is none, or one that others may have written."""
        if self.problem():
            return None
        try:
            # Looked at once it is open, so that it cannot be exchanged in between.
            descriptor = os.open(
                path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
            )
        except OSError:
            return None
        try:
            found = os.fstat(descriptor)
            if not stat.S_ISREG(found.st_mode) or not _is_ours(found) or found.st_mode & OTHERS_WRITE:
                return None
            with os.fdopen(descriptor, "rb", closefd=False) as file:
                return file.read()
        except OSError:
            return None
        finally:
            os.close(descriptor)

    def write(self, path: Path, data: bytes) -> None:
        """Write a file of the folder, all of it or none.

        Raises:
            OSError: It could not be written.
        """
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        part = path.with_name(f"{path.name}.{os.getpid()}")
        part.unlink(missing_ok=True)
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(data)
            part.replace(path)
        except OSError:
            part.unlink(missing_ok=True)
            raise


def _is_ours(found: os.stat_result) -> bool:
    return not hasattr(os, "getuid") or found.st_uid == os.getuid()
