"""A disk that fails at one chosen call of a save: full, broken, or no longer ours."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO, Literal

import pytest

from vaeviewer.backend.runs import atomic_files
from vaeviewer.backend.runs.atomic_files import Bytes

SEAM = (
    *("make_folder", "listing", "create", "write", "sync", "close"),
    *("replace", "sync_folder", "remove", "read", "checksum"),
)
"""All that a save calls of the file system; test_run_folder.py shows that there is nothing else."""


class SmallDisk:
    """A disk with room for so many bytes in one folder: a write beyond gets half way and fails.

    Args:
        monkeypatch: Undoes it.
        folder: What lies on the disk.
        room: Bytes.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch, folder: Path, room: int) -> None:
        real = atomic_files.write

        def write(file: BinaryIO, *parts: Bytes) -> None:
            data = b"".join(parts)
            free = room - sum(path.stat().st_size for path in folder.iterdir())
            if Path(file.name).parent == folder and len(data) > free:
                real(file, data[: max(0, free)])
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            real(file, data)

        monkeypatch.setattr(atomic_files, "write", write)


Mode = Literal["instead", "after", "dead"]


class Saboteur:
    """Makes the k-th file-system call of a save fail.

    Args:
        monkeypatch: Undoes it.
        k: Which call, from one.
        mode: ``instead``: the call does nothing; a write gets half way. ``after``: it takes effect and then
            fails, as a network file system can. ``dead``: it and all later calls do nothing, as when the process
            is killed.
        code: The error's number, such as ``errno.ENOSPC``.

    Attributes:
        calls: How many there were.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch, k: int, mode: Mode, code: int = errno.ENOSPC) -> None:
        self.calls = 0
        self._k, self._mode, self._code = k, mode, code
        for name in SEAM:
            monkeypatch.setattr(atomic_files, name, self._wrapped(name, getattr(atomic_files, name)))

    def _wrapped(self, name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any) -> Any:
            self.calls += 1
            strikes = self.calls >= self._k if self._mode == "dead" else self.calls == self._k
            if not strikes:
                return real(*arguments)
            if self._mode == "after" or name == "close":  # a test must not leak handles
                real(*arguments)
            elif name == "write":
                file: BinaryIO = arguments[0]
                data = b"".join(arguments[1:])
                file.write(data[: len(data) // 2])
                file.flush()
            raise OSError(self._code, os.strerror(self._code))

        return call
