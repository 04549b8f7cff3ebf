"""Fetches the data sets of the catalogue, with checksums, progress and a way to cancel.

Addresses and checksums are torchvision's, but not its downloader, which has no time-out and can take a
partial file for a whole one.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from vaeviewer import paths
from vaeviewer.backend.data.base import Cancelled
from vaeviewer.backend.data.catalog import title_of
from vaeviewer.backend.data.remotes import REMOTES, Remote, RemoteFile
from vaeviewer.backend.data.transfer import TransferError, transfer
from vaeviewer.errors import DataError, FetchError

TRIES = 4
"""How often an address is asked that breaks off each time after it gave something."""

PAUSE_S = 1.0
"""Between two of these tries, seconds."""

_LOOK_S = 0.1
_PIECE_BYTES = 2**20


def fetch(
    key: str,
    *,
    progress: Callable[[int, int], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> Path:
    """Fetch what is missing or damaged of a data set. Blocks; call it on a worker.

    Args:
        key: A key of :data:`~vaeviewer.backend.data.remotes.REMOTES`.
        progress: Called with the bytes done and the bytes in total, over all files, on this thread.
        cancelled: Asked several times a second.

    Returns:
        The folder of all data sets, :func:`vaeviewer.paths.data_dir`.

    Raises:
        Cancelled: ``cancelled`` said so. What came is kept, and the next time goes on from there.
        FetchError: No server gave the right file. What came is kept likewise, unless it was wrong.
        DataError: It could not be written.
    """
    remote, root = REMOTES[key], paths.data_dir()
    meter = _Meter(title_of(key), remote, progress or (lambda *_: None), cancelled or (lambda: False))
    folder = root / remote.folder
    try:
        with _alone(root / f".{folder.relative_to(root).parts[0]}.lock", meter.check_stop):
            if remote.members:
                _fetch_archive(remote, folder, meter)
            else:
                for file in remote.files:
                    _fetch_file(file, folder / file.name, meter)
    except OSError as error:
        raise DataError(
            f"{meter.title} cannot be kept in {folder} ({error.strerror or error}); make room or set "
            "VAEVIEWER_HOME to another folder."
        ) from None
    meter.finish()
    return root


def _fetch_archive(remote: Remote, folder: Path, meter: _Meter) -> None:
    """Fetch an archive and unpack its members, unless they are there."""
    from vaeviewer.backend.data.archives import take_out, taken_out

    (file,) = remote.files
    archive = folder / file.name
    if taken_out(archive, folder, remote.members):
        return
    _fetch_file(file, archive, meter)
    take_out(archive, folder, remote.members, meter.check_stop)
    if not remote.keeps_archive:
        archive.unlink()


def _fetch_file(file: RemoteFile, target: Path, meter: _Meter) -> None:
    """Fetch one file unless it is there and right; tries its addresses in turn.

    Raises:
        OSError: The file cannot be written.
    """
    meter.begin(file)
    if target.is_file() and _is_right(target, file, meter):
        meter.end(target)
        return
    part = target.with_name(f"{target.name}.part")
    reasons: list[str] = []
    for address in file.addresses:
        for attempt in range(TRIES):
            if attempt:
                meter.wait(PAUSE_S)
            fresh = not part.exists()
            try:
                transfer(address, part, meter.show, meter.check_stop)
            except TransferError as error:
                reasons.append(error.reason)
                if not error.received:
                    break
                continue
            if _is_right(part, file, meter):
                part.replace(target)
                meter.end(target)
                return
            part.unlink()
            reasons.append(f"{file.name} arrived damaged")
            if fresh:  # the whole file, and it is another one
                break
    raise FetchError(
        f"{meter.title} could not be fetched ({', then '.join(dict.fromkeys(reasons))}); "
        "open a folder that holds it instead, or try again later."
    )


def _is_right(path: Path, file: RemoteFile, meter: _Meter) -> bool:
    """Whether a file has its checksum."""
    digest = hashlib.md5(usedforsecurity=False)
    with path.open("rb") as stream:
        while piece := stream.read(_PIECE_BYTES):
            meter.check_stop()
            digest.update(piece)
    return digest.hexdigest() == file.md5


@contextmanager
def _alone(path: Path, check_stop: Callable[[], None]) -> Iterator[None]:
    """Wait until nobody else, here or in another window, fetches the same."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(path, thread_local=False)
    while True:
        check_stop()
        try:
            lock.acquire(timeout=_LOOK_S)
            break
        except Timeout:
            continue
    try:
        yield
    finally:
        lock.release()


class _Meter:
    """Counts bytes over all files of a data set, and ends the download by raising."""

    def __init__(
        self, title: str, remote: Remote, report: Callable[[int, int], None], stop: Callable[[], bool]
    ) -> None:
        self.title = title
        self._report, self._stop = report, stop
        self._before = 0
        self._after = sum(file.size for file in remote.files)
        self._expected = 0

    def check_stop(self) -> None:
        if self._stop():
            raise Cancelled(f"Fetching {self.title} was cancelled.")

    def wait(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.check_stop()
            time.sleep(_LOOK_S)

    def begin(self, file: RemoteFile) -> None:
        self._after -= file.size
        self._expected = file.size

    def show(self, done: int, total: int | None) -> None:
        if total is not None:
            self._expected = total
        self._report(self._before + done, self._before + max(done, self._expected) + self._after)

    def end(self, target: Path) -> None:
        self._before += target.stat().st_size

    def finish(self) -> None:
        self._report(self._before, self._before)
