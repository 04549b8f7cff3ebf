"""A server on this machine in place of the mirrors of MNIST and Fashion-MNIST."""

from __future__ import annotations

import gzip
import hashlib
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from vaeviewer.backend.data import download
from vaeviewer.backend.data.download import Remote

NAMES = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)


class Server(ThreadingHTTPServer):
    """Serves ``content`` from a thread; tests change how it behaves."""

    daemon_threads = False  # closing waits for the handlers

    def __init__(self, content: dict[str, bytes]) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked: list[str] = []
        self.content = dict(content)
        self.stall = False
        self.cut = False
        self.released = threading.Event()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/"

    def handle_error(self, *_: object) -> None:
        """A client that hangs up is part of the tests."""


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        name = self.path.rpartition("/")[2]
        self.server.asked.append(self.path.removeprefix("/"))
        if name not in self.server.content or self.path.startswith("/gone/"):
            self.send_error(404)
            return
        content = self.server.content[name]
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        half = len(content) // 2
        if self.server.cut or self.server.stall:
            self.wfile.write(content[:half])
            if self.server.cut:
                return
            self.wfile.flush()
            self.server.released.wait(30)
            self.wfile.write(content[half:])
            return
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        pass


def use_mirrors(monkeypatch: pytest.MonkeyPatch, content: dict[str, bytes], *mirrors: str) -> None:
    """Fetch ``content`` from these addresses, whatever data set is asked for."""
    files = tuple((name, hashlib.md5(data).hexdigest()) for name, data in content.items())
    total = sum(map(len, content.values()))
    monkeypatch.setattr(download, "remote", lambda key: Remote(mirrors, files))
    monkeypatch.setattr(download, "DOWNLOAD_BYTES", {"mnist": total, "fashion-mnist": total})


@contextmanager
def serving(monkeypatch: pytest.MonkeyPatch, content: dict[str, bytes]) -> Iterator[Server]:
    """A server in place of both data sets' mirrors."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with Server(content) as server:
        thread = threading.Thread(target=partial(server.serve_forever, poll_interval=0.02))
        thread.start()
        use_mirrors(monkeypatch, content, server.address)
        yield server
        server.released.set()
        server.shutdown()
        thread.join(10)


def idx(array: np.ndarray) -> bytes:
    """An array as an idx file of bytes."""
    return struct.pack(f">2x2B{array.ndim}I", 8, array.ndim, *array.shape) + array.astype(np.uint8).tobytes()


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
