"""A server on this machine in place of the addresses that data sets are fetched from."""

from __future__ import annotations

import gzip
import hashlib
import re
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from vaeviewer.backend.data.known_sets import KNOWN_SETS
from vaeviewer.backend.data.remotes import REMOTES, RemoteFile

NAMES = KNOWN_SETS["mnist"].naming.files
PLAIN_SETS = ("mnist", "fashion-mnist", "kmnist")
"""Data sets whose files are called so."""


class Server(ThreadingHTTPServer):
    """Serves ``content`` from a thread; tests change how it behaves.

    Attributes:
        asked: Paths that were asked for, and where in the file each time.
        stall: Say nothing more after half of what was asked for.
        silent: Say nothing at all.
        cuts: How many times the connection ends after half of what was asked for.
        status: Answer this, instead of the file.
        ranges: Whether a part of a file can be asked for.
    """

    daemon_threads = False  # closing waits for the handlers

    def __init__(self, content: dict[str, bytes]) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked: list[str] = []
        self.starts: list[int] = []
        self.content = dict(content)
        self.stall = self.silent = False
        self.cuts = 0
        self.status = 0
        self.ranges = True
        self.released = threading.Event()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/"

    def handle_error(self, *_: object) -> None:
        """A client that hangs up is part of the tests."""


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        server = self.server
        name = self.path.rpartition("/")[2]
        start = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        begin = int(start[1]) if start and server.ranges else 0
        server.asked.append(self.path.removeprefix("/"))
        server.starts.append(begin)
        if server.silent:
            server.released.wait(30)
            return
        if server.status:
            self.send_error(server.status)
            return
        if name not in server.content or self.path.startswith("/gone/"):
            self.send_error(404)
            return
        content = server.content[name]
        if begin and begin >= len(content):
            self.send_error(416)
            return
        self.send_response(206 if begin else 200)
        if begin:
            self.send_header("Content-Range", f"bytes {begin}-{len(content) - 1}/{len(content)}")
        content = content[begin:]
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        half = len(content) // 2
        if server.cuts > 0:
            server.cuts -= 1
            self.wfile.write(content[:half])
            return
        if server.stall:
            self.wfile.write(content[:half])
            self.wfile.flush()
            server.released.wait(30)
            content = content[half:]
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        pass


def use_mirrors(
    monkeypatch: pytest.MonkeyPatch,
    content: dict[str, bytes],
    *mirrors: str,
    keys: tuple[str, ...] = PLAIN_SETS,
) -> None:
    """Fetch ``content`` from these addresses, whichever of these data sets is asked for."""
    files = tuple(
        RemoteFile(name, hashlib.md5(data).hexdigest(), len(data), tuple(mirror + name for mirror in mirrors))
        for name, data in content.items()
    )
    for key in keys:
        monkeypatch.setitem(REMOTES, key, replace(REMOTES[key], files=files))


@contextmanager
def serving(
    monkeypatch: pytest.MonkeyPatch, content: dict[str, bytes], *, keys: tuple[str, ...] = PLAIN_SETS
) -> Iterator[Server]:
    """A server in place of these data sets' addresses."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with Server(content) as server:
        thread = threading.Thread(target=partial(server.serve_forever, poll_interval=0.02))
        thread.start()
        use_mirrors(monkeypatch, content, server.address, keys=keys)
        try:
            yield server
        finally:  # also where a test fails within the block: its end would wait for the thread
            server.released.set()
            server.shutdown()
            thread.join(10)


def idx(array: np.ndarray) -> bytes:
    """An array as an idx file, of bytes or of int32."""
    kind = 12 if array.dtype == np.int32 else 8
    values = array.astype(">i4" if kind == 12 else np.uint8)
    return struct.pack(f">2x2B{array.ndim}I", kind, array.ndim, *array.shape) + values.tobytes()


def noise_set(side: int = 28) -> dict[str, bytes]:
    """Four gzipped idx files of 300 and 60 images of noise, by name."""
    rng = np.random.default_rng(0)
    arrays: list[np.ndarray] = []
    for count in (300, 60):
        arrays += [rng.integers(0, 256, (count, side, side)), np.arange(count) % 10]
    packed = [gzip.compress(idx(array), mtime=0) for array in arrays]
    return dict(zip((f"{name}.gz" for name in NAMES), packed, strict=True))


def write_noise(folder: Path, side: int = 28) -> Path:
    """The same in a folder."""
    folder.mkdir(parents=True)
    for name, data in noise_set(side).items():
        (folder / name).write_bytes(data)
    return folder
