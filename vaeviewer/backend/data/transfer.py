"""Brings one file from one address, from where an earlier try ended, and lets go within a moment when told to.

The server is asked on a thread of its own, as neither looking up a name nor waiting for data can be interrupted. That
thread only hands over what comes; all that is written is written by the caller's thread, so nothing is touched any more
once it is told to stop.
"""

from __future__ import annotations

import queue
import re
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vaeviewer.limits import MAX_DOWNLOAD_BYTES

TIMEOUT_S = 10.0
"""Longest wait for a connection and for each next piece of data, seconds."""

_PIECE_BYTES = 65_536
_PIECES = 16
"""Pieces that may wait to be written."""

_LOOK_S = 0.1
"""Time between two looks whether to stop, seconds."""

_LET_GO_S = 0.3
"""How long the asking thread is waited for at the end; one that waits for a connection outlives that."""


class TransferError(Exception):
    """The file did not come whole.

    Args:
        reason: Why, in a few words.
        received: Bytes that came.
    """

    def __init__(self, reason: str, received: int) -> None:
        super().__init__(reason)
        self.reason = reason
        self.received = received


@dataclass(frozen=True)
class _Answer:
    """What the server says first: its status, the place in the file its data begin at, and how many bytes come."""

    status: int
    start: int
    length: int | None


def transfer(
    address: str, part: Path, progress: Callable[[int, int | None], None], check_stop: Callable[[], None]
) -> None:
    """Fetch what a file still lacks.

    Args:
        address: Of the whole file.
        part: What there is of it so far, if anything; is the whole file in the end.
        progress: Called with the bytes there are, and in all where the server says that.
        check_stop: Called several times a second; ends the transfer by raising. What came stays.

    Raises:
        TransferError: The file did not come whole. What came stays, for the next try.
        OSError: It cannot be written.
    """
    done = part.stat().st_size if part.is_file() else 0
    asking = _Asking(address, done)
    asking.start()
    received = 0
    try:
        answer = asking.next(check_stop)
        assert isinstance(answer, _Answer), "comes first"
        if answer.status == 416:  # there is no more than what is here, whatever that is
            return
        if answer.status not in (200, 206) or answer.start > done:
            raise TransferError(f"the server answered {answer.status}", 0)
        done = answer.start
        total = None if answer.length is None else done + answer.length
        progress(done, total)
        part.parent.mkdir(parents=True, exist_ok=True)
        with part.open("r+b" if part.is_file() else "wb") as file:
            file.truncate(done)
            file.seek(done)
            while (piece := asking.next(check_stop)) is not None:
                assert isinstance(piece, bytes)
                if done + len(piece) > MAX_DOWNLOAD_BYTES:
                    file.truncate(0)
                    raise TransferError("it goes on for ever", 0)
                file.write(piece)
                done += len(piece)
                received += len(piece)
                progress(done, total)
        if total is not None and done < total:
            raise TransferError("the connection broke off", received)
    except _Failed as failed:
        raise TransferError(failed.reason, received) from None
    finally:
        asking.give_up()


class _Failed(Exception):  # noqa: N818 (only within this file)
    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class _Asking(threading.Thread):
    """Asks a server for a file from a place on, and hands over an :class:`_Answer`, pieces, and ``None`` at the end."""

    def __init__(self, address: str, start: int) -> None:
        # A daemon, as nothing can end it while it looks up a name.
        super().__init__(name="download", daemon=True)
        self._address, self._start = address, start
        self._came: queue.Queue[_Answer | bytes | _Failed | None] = queue.Queue(_PIECES)
        self._given_up = threading.Event()
        self._response: Any = None

    def next(self, check_stop: Callable[[], None]) -> _Answer | bytes | None:
        """What comes next; waits for it.

        Raises:
            _Failed: It does not come.
        """
        end = time.monotonic() + TIMEOUT_S
        while True:
            check_stop()
            try:
                came = self._came.get(timeout=_LOOK_S)
            except queue.Empty:
                if time.monotonic() > end:
                    raise _Failed("the server did not answer in time") from None
                continue
            if isinstance(came, _Failed):
                raise came
            return came

    def give_up(self) -> None:
        """End the connection."""
        self._given_up.set()
        if self._response is not None:
            with suppress(Exception):  # it may have ended by itself
                self._response.raw.shutdown()
        self.join(_LET_GO_S)

    def run(self) -> None:
        try:
            self._ask()
        except Exception as error:
            self._put(_Failed(_reason(error)))

    def _ask(self) -> None:
        import requests

        # The files are packed already; a server that says so would have them unpacked on the way.
        headers = {"Accept-Encoding": "identity"}
        if self._start:
            headers["Range"] = f"bytes={self._start}-"
        with requests.get(self._address, stream=True, timeout=TIMEOUT_S, headers=headers) as response:
            self._response = response
            length = response.headers.get("Content-Length", "")
            self._put(
                _Answer(response.status_code, _start_of(response), int(length) if length.isdigit() else None)
            )
            if response.status_code not in (200, 206):
                return
            while not self._given_up.is_set():
                piece = response.raw.read1(_PIECE_BYTES, decode_content=False)
                if not piece:
                    self._put(None)
                    return
                self._put(piece)

    def _put(self, item: _Answer | bytes | _Failed | None) -> None:
        while not self._given_up.is_set():
            with suppress(queue.Full):
                self._came.put(item, timeout=_LOOK_S)
                return


def _start_of(response: Any) -> int:
    """Where in the file the data of an answer begin."""
    if response.status_code != 206:
        return 0
    match = re.match(r"bytes (\d{1,15})-", response.headers.get("Content-Range", ""))
    return int(match[1]) if match else 0


def _reason(error: Exception) -> str:
    """What went wrong between here and the server, in a few words."""
    from requests import exceptions
    from urllib3.exceptions import ReadTimeoutError

    if isinstance(error, (exceptions.Timeout, ReadTimeoutError)) or "timed out" in str(error):
        return "the server did not answer in time"
    if isinstance(error, exceptions.SSLError):
        return "the connection is not secure"
    if isinstance(error, (exceptions.ConnectionError, exceptions.InvalidURL)):
        return "no connection"
    return "the connection broke off"
