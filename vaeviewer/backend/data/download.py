"""Fetches MNIST and Fashion-MNIST, with time-outs, checksums, progress and a way to cancel.

Addresses and checksums are torchvision's, but not its downloader, which has no time-out and can take a
partial file for a whole one.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from vaeviewer import paths
from vaeviewer.backend.data.base import Cancelled
from vaeviewer.backend.data.folder import FILES
from vaeviewer.backend.data.known_sets import KNOWN_SETS
from vaeviewer.errors import DataError
from vaeviewer.limits import MAX_DOWNLOAD_BYTES

TIMEOUT_S = 10.0
"""Longest wait for a connection and for each next piece of data, seconds."""

# Progress is reported and cancelling noticed once per piece, so pieces are small enough for a slow line.
_PIECE_BYTES = 8192

DOWNLOAD_BYTES = {"mnist": 11_594_722, "fashion-mnist": 30_878_645}
"""Sum over the four packed files, for the progress bar."""


@dataclass(frozen=True)
class Remote:
    """Where the files of a data set are.

    Attributes:
        mirrors: Addresses to put a file's name behind, the preferred one first.
        files: Name and MD5 checksum of each file.
    """

    mirrors: tuple[str, ...]
    files: tuple[tuple[str, str], ...]


def remote(key: str) -> Remote:
    """Ask torchvision for the addresses of ``mnist`` or ``fashion-mnist``; loads torch, which takes seconds.

    Raises:
        DataError: torchvision cannot be imported.
    """
    try:
        from torchvision import datasets
    # Not only ImportError: wheels of different builds end in a RuntimeError of torch's.
    except Exception as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0].rstrip(".")
        raise DataError(
            f"{KNOWN_SETS[key].title} cannot be fetched, as torchvision does not load ({reason}); install "
            "torch and torchvision together, or choose the bundled digits."
        ) from None
    of_torchvision = getattr(datasets, KNOWN_SETS[key].subfolder)
    return Remote(tuple(of_torchvision.mirrors), tuple(of_torchvision.resources))


def fetch(
    key: str,
    *,
    progress: Callable[[int, int], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> Path:
    """Fetch what is missing or damaged of a data set. Blocks; call it on a worker.

    Args:
        key: ``mnist`` or ``fashion-mnist``.
        progress: Called with the bytes done and the bytes in total, over all files, on this thread.
        cancelled: Asked about every 8 KB; while a server is silent, only after :data:`TIMEOUT_S`.

    Returns:
        The folder that :func:`~vaeviewer.backend.data.folder.load_folder` wants,
        :func:`vaeviewer.paths.data_dir`.

    Raises:
        Cancelled: ``cancelled`` said so. Files already complete are kept for the next time.
        DataError: No mirror gave the right file, or it could not be written.
    """
    report = progress or (lambda done, total: None)
    stop = cancelled or (lambda: False)
    title = KNOWN_SETS[key].title
    root = paths.data_dir()
    folder = root / KNOWN_SETS[key].subfolder / "raw"
    total = DOWNLOAD_BYTES[key]
    if not all((folder / f"{name}.gz").is_file() for name in FILES):
        report(0, total)  # asking for the addresses takes seconds
    source = remote(key)
    done = 0
    for name, md5 in source.files:
        meter = _Meter(title, done, total, report, stop)
        try:
            _fetch_file(source.mirrors, name, md5, folder, meter)
            done += (folder / name).stat().st_size
        except OSError as error:
            raise DataError(
                f"{title} cannot be kept in {folder} ({error.strerror or error}); make room or set "
                "VAEVIEWER_HOME to another folder."
            ) from None
    report(total, total)
    return root


def _fetch_file(mirrors: tuple[str, ...], name: str, md5: str, folder: Path, meter: _Meter) -> None:
    """Fetch one file unless it is there and right; tries the mirrors in turn.

    Raises:
        OSError: The file cannot be written.
    """
    import pooch
    from requests.exceptions import RequestException

    # It announces each download on standard error, which is for errors here.
    pooch.get_logger().setLevel(logging.WARNING)
    downloader = pooch.HTTPDownloader(
        progressbar=meter,
        chunk_size=_PIECE_BYTES,
        timeout=TIMEOUT_S,
        # The files are packed already; a server that says so would have them unpacked on the way.
        headers={"Accept-Encoding": "identity"},
    )
    reasons: list[str] = []
    for mirror in mirrors:
        meter.reset()
        meter.check_stop()
        try:
            # Writes to a temporary file beside the target and moves it there once the checksum is right.
            pooch.retrieve(mirror + name, f"md5:{md5}", fname=name, path=folder, downloader=downloader)
            return
        except RequestException as error:  # before OSError and ValueError, as it may be either
            reasons.append(_reason(error))
        except ValueError:
            reasons.append(f"{name} arrived damaged")
    meter.check_stop()
    raise DataError(
        f"{meter.title} could not be fetched ({', then '.join(dict.fromkeys(reasons))}); "
        "choose the bundled digits, or a folder that holds the files."
    )


def _reason(error: Exception) -> str:
    """What went wrong between here and the server, in a few words."""
    from requests import exceptions

    if isinstance(error, exceptions.HTTPError) and error.response is not None:
        return f"the server answered {error.response.status_code}"
    # A silence in the middle of a file is reported as a ConnectionError about a time-out.
    if isinstance(error, exceptions.Timeout) or "timed out" in str(error):
        return "the server did not answer in time"
    if isinstance(error, exceptions.ConnectionError):
        return "no connection"
    return "the connection broke off"


class _Meter:
    """What pooch takes for a progress bar: passes the count on, and ends the download by raising."""

    def __init__(
        self,
        title: str,
        done_before: int,
        total: int,
        report: Callable[[int, int], None],
        stop: Callable[[], bool],
    ) -> None:
        self.title = title
        self.total = 0  # set by pooch: bytes of this file, if the server said
        self._done_before = done_before
        self._all = total
        self._report = report
        self._stop = stop
        self._done = 0

    def check_stop(self) -> None:
        if self._stop():
            raise Cancelled(f"Fetching {self.title} was cancelled.")

    def update(self, count: int) -> None:
        self._done += count
        if self._done > MAX_DOWNLOAD_BYTES:
            raise ValueError("more data than the file can have")
        self.check_stop()
        # pooch counts whole pieces, so the last one would reach beyond the end.
        done = min(self._done, self.total) if self.total else self._done
        self._report(min(self._done_before + done, self._all), self._all)

    def reset(self) -> None:
        self._done = 0

    def close(self) -> None:
        pass
