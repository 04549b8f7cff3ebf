"""Whether the start before this one came to a good end."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from filelock import FileLock, Timeout


class StartMarker:
    """A small file that is there, and locked, from the making of the window until it is up.

    One that is found unlocked was left by a start that a crash or the system ended. Where none can be written,
    the program does without.

    Args:
        path: The file.

    Attributes:
        found: Whether a start left it behind.
    """

    def __init__(self, path: Path) -> None:
        self.found = False
        self._path = path
        self._lock = FileLock(path, thread_local=False)
        with suppress(OSError, Timeout):  # nowhere to write, or another window is starting
            path.parent.mkdir(parents=True, exist_ok=True)
            left = path.is_file()
            self._lock.acquire(timeout=0)
            self.found = left

    def remove(self) -> None:
        """The start came to a good end, or was ended in good order. May be called again."""
        if self._lock.is_locked:
            with suppress(OSError):
                self._lock.release(force=True)
                self._path.unlink(missing_ok=True)
