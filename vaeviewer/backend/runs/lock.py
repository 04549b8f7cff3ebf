"""A run folder's lock: one window or command trains a run. The operating system releases it at a crash."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from filelock import FileLock, Timeout

from vaeviewer.backend.runs import atomic_files
from vaeviewer.errors import RunFolderError, RunInUseError

LOCK = ".lock"
"""Name of the empty file in a run folder that is locked; it stays there, as removing it would race."""

WAIT_S = 0.2
"""How long a lock is waited for: whoever only looks whether it is taken holds it for an instant."""


class RunLock:
    """The lock of one run folder. Two of them exclude each other, in one process as between two.

    Args:
        folder: The run folder; it need not exist yet.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._lock = FileLock(folder / LOCK, thread_local=False)

    @property
    def held(self) -> bool:
        """Whether this object holds the lock."""
        return self._lock.is_locked

    def acquire(self) -> None:
        """Take the lock; again, too, where the folder was removed and made anew. The folder must exist.

        Raises:
            RunInUseError: Somebody else holds it.
            RunFolderError: The folder cannot be written.
        """
        if self.held and (self.folder / LOCK).exists():
            return
        self.release()
        if atomic_files.has_other_names(self.folder / LOCK):
            # Locking it would lock, and perhaps empty, a file that is not ours.
            raise RunFolderError(
                f"{self.folder / LOCK} is a link to another file; remove it, or choose another folder."
            )
        try:
            self._lock.acquire(timeout=WAIT_S, poll_interval=WAIT_S / 10)
        except Timeout:
            raise RunInUseError(
                f"{self.folder} is open in another window or command; close that, or choose another folder."
            ) from None
        except (OSError, ValueError) as error:
            raise RunFolderError(
                f"{self.folder} cannot be written ({atomic_files.reason(error)}); choose another folder."
            ) from error

    def release(self) -> None:
        """Let go; without effect where it is not held."""
        self._lock.release(force=True)


def in_use(folder: Path) -> bool:
    """Whether somebody holds the lock of a run folder, this process included. Writes nothing."""
    if not (folder / LOCK).is_file() or atomic_files.has_other_names(folder / LOCK):
        return False
    lock = FileLock(folder / LOCK, thread_local=False)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return True
    except OSError:  # a folder that cannot be written is in nobody's use
        return False
    lock.release()
    return False


def make_new_folder(choose: Callable[[], Path]) -> Path:
    """Make the folder that ``choose`` names, asking again where somebody else made it first.

    Where it cannot be made it is returned all the same: the first save into it says why.
    """
    while True:
        folder = choose()
        try:
            folder.mkdir(parents=True)
        except FileExistsError:
            if choose() == folder:
                return folder
        except OSError:
            return folder
        else:
            return folder
