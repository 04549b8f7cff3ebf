"""The log of a run: a small text file in its folder, and the time at which the run last showed a sign of life."""

from __future__ import annotations

import os
import time
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from vaeviewer.backend.runs import atomic_files
from vaeviewer.limits import MAX_LOG_BYTES

LOG = "log.txt"
"""Its name in the run folder."""


class RunLog:
    """Appends lines such as ``2026-11-21 12:34:56 step 703: saved``. A log that cannot be written stops nothing.

    Args:
        folder: The run folder; until it exists, nothing is noted.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / LOG

    def note(self, step: int, text: str) -> None:
        """Add a line; ``text`` is cut to one line of at most 500 characters."""
        line = f"{time.strftime('%Y-%m-%d %H:%M:%S')} step {step}: {' '.join(text.split())[:500]}\n"
        with suppress(OSError):
            try:
                size = atomic_files.append(self._path, line.encode())
            except atomic_files.OtherNamesError:
                self._make_own()
                size = atomic_files.append(self._path, line.encode())
            if size > MAX_LOG_BYTES:
                self._forget_older_half()

    def show_life(self) -> None:
        """Set the file's time of change to now: the run is still being trained."""
        with suppress(OSError):
            if not atomic_files.has_other_names(self._path):
                os.utime(self._path)

    def _make_own(self) -> None:
        """Put a copy in the place of a file that has another name, too, such as in a backup made of links."""
        atomic_files.write_whole(self._path, atomic_files.read(self._path, 2 * MAX_LOG_BYTES))

    def _forget_older_half(self) -> None:
        data = atomic_files.read(self._path, 2 * MAX_LOG_BYTES)
        newer = data[len(data) // 2 :]
        atomic_files.write_whole(self._path, newer[newer.index(b"\n") + 1 :])


def last_sign_of_life(folder: Path) -> datetime | None:
    """When the run in ``folder`` was last being trained, UTC, or ``None`` where it has no log."""
    try:
        return datetime.fromtimestamp((folder / LOG).stat().st_mtime, UTC)
    except (OSError, OverflowError, ValueError):
        return None
