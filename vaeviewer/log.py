"""The log: a rotating file in the user's log folder, and what a crash of the interpreter leaves there."""

from __future__ import annotations

import faulthandler
import logging
import os
import platform
from contextlib import suppress
from importlib import metadata
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import IO

from vaeviewer import __version__, paths

MAX_BYTES = 1_000_000
BACKUPS = 2
"""The log and two older ones, a million bytes each, are all that is kept."""

MAX_CRASH_BYTES = 64 * 1024

PACKAGES = ("PySide6-Essentials", "torch", "numpy", "pyqtgraph")

_FORMAT = "%(asctime)s %(process)d %(levelname)s %(threadName)s %(name)s: %(message)s"

log = logging.getLogger("vaeviewer")


def log_file() -> Path:
    """Where the log is, if it could be written."""
    return paths.log_dir() / "vaeviewer.log"


def start() -> None:
    """Write log records, Python's warnings and the interpreter's crashes to the log folder from now on.

    Where the folder cannot be written the program does without. Nothing goes to standard error either way.
    """
    logging.raiseExceptions = False  # a full disk is no reason to print
    logging.captureWarnings(True)
    log.setLevel(logging.INFO)
    root = logging.getLogger()
    try:
        paths.log_dir().mkdir(parents=True, exist_ok=True)
        handler: logging.Handler = RotatingFileHandler(
            log_file(), maxBytes=MAX_BYTES, backupCount=BACKUPS, encoding="utf-8", errors="backslashreplace"
        )
    except OSError:
        handler = logging.NullHandler()  # without any, logging prints warnings
    handler.setFormatter(logging.Formatter(_FORMAT))
    root.addHandler(handler)
    log.info("%s", machine())
    with suppress(OSError):
        _watch_for_crashes(paths.log_dir() / "crash.log")


def tail(max_bytes: int = 200_000) -> str:
    """The end of the log, whole lines, or a sentence that says why there is none."""
    try:
        with log_file().open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - max_bytes))
            text = file.read(max_bytes).decode("utf-8", errors="replace")
    except FileNotFoundError:
        return f"There is no log: {log_file()} could not be written or was removed."
    except OSError as error:
        return f"{log_file()} cannot be read: {error.strerror or error}."
    return text.partition("\n")[2] if size > max_bytes else text


def machine() -> str:
    """The versions in use and the machine, on one line."""
    versions = [f"vaeviewer {__version__}", f"Python {platform.python_version()}"]
    for name in PACKAGES:
        with suppress(metadata.PackageNotFoundError):
            versions.append(f"{name} {metadata.version(name)}")
    # Asked for by its parts: platform.platform() starts other programs on some systems.
    system = f"{platform.system()} {platform.release()} {platform.machine()}"
    return f"{', '.join(versions)}; {system}, {os.cpu_count()} processors"


def _watch_for_crashes(path: Path) -> None:
    """Move what the last crash left into the log, and let the next one write there."""
    file = path.open("a+b")
    file.seek(0)
    left = file.read(MAX_CRASH_BYTES).decode("utf-8", errors="replace")
    if left:
        log.error("the program crashed the last time:\n%s", left)
        file.truncate(0)
    faulthandler.enable(_kept_open(file))


_open_files: list[IO[bytes]] = []


def _kept_open(file: IO[bytes]) -> IO[bytes]:
    """Faulthandler knows the file by its number alone, so it must never be closed."""
    _open_files.append(file)
    return file
