"""Whether Qt can open a window here, found out before Qt would abort the process. Linux only; elsewhere it can."""

from __future__ import annotations

import ctypes
import ctypes.util
import importlib.util
import os
import socket
import sys
from pathlib import Path

DEBIAN_PACKAGES = (
    "libegl1 libgl1 libdbus-1-3 libfontconfig1 libxkbcommon-x11-0 libxcb-cursor0 libxcb-icccm4 "
    "libxcb-image0 libxcb-keysyms1 libxcb-render-util0 libxcb-shape0 libxcb-xkb1"
)
"""What a bare Debian or Ubuntu lacks for Qt's windows."""

OFFSCREEN_WAYS = "without a display, use vaeviewer train, or vaeviewer --screenshot FILE.png --epochs 5"


def missing_for_qt() -> str | None:
    """Why Qt itself cannot be loaded, in one sentence with the remedy, or ``None``."""
    try:
        import PySide6.QtWidgets  # noqa: F401 -- the import is the test
    except ImportError as error:
        return f"Qt could not be loaded ({_library_of(error)}). {_install_hint()}"
    return None


def missing_for_window() -> str | None:
    """Why no window can be shown, in one sentence with the remedy, or ``None``."""
    if not sys.platform.startswith("linux"):
        return None
    chosen = os.environ.get("QT_QPA_PLATFORM", "")
    if chosen:  # Qt tries these in turn
        names = [name.partition(":")[0] for name in chosen.split(";")]
        problems = [_problem_of_platform(name) for name in names]
        return None if None in problems else problems[0]
    if os.environ.get("WAYLAND_DISPLAY"):
        problem = _wayland_problem()
        if problem is None or not os.environ.get("DISPLAY"):
            return problem
        os.environ["QT_QPA_PLATFORM"] = (
            "xcb"  # which Qt would fall back on, but not without printing something
        )
    return _x11_problem()


def _problem_of_platform(name: str) -> str | None:
    """Why a platform that ``QT_QPA_PLATFORM`` names cannot be used, or ``None``."""
    if name == "xcb":
        return _x11_problem()
    if name.startswith("wayland"):
        return _wayland_problem()
    plugins = _platform_plugins()
    if plugins is not None and not (plugins / f"libq{name}.so").exists():
        return f"QT_QPA_PLATFORM asks for {name!r}, which Qt has not got here: unset it; {OFFSCREEN_WAYS}."
    return None


def _wayland_problem() -> str | None:
    display = os.environ.get("WAYLAND_DISPLAY") or "wayland-0"
    path = Path(os.environ.get("XDG_RUNTIME_DIR", ""), display)  # which an absolute path replaces
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.connect(str(path))
    except (OSError, ValueError):
        return (
            f"The display {display} does not answer: check WAYLAND_DISPLAY, or set DISPLAY; {OFFSCREEN_WAYS}."
        )
    return None


def _x11_problem() -> str | None:
    if not os.environ.get("DISPLAY"):
        return f"There is no display to open a window on: set DISPLAY; {OFFSCREEN_WAYS}."
    plugins = _platform_plugins()
    plugin = plugins / "libqxcb.so" if plugins is not None else None
    if plugin is not None and plugin.exists():
        try:
            ctypes.CDLL(str(plugin))
        except OSError as error:
            return f"Qt's X11 plugin could not be loaded ({_library_of(error)}). {_install_hint()}"
    if not _display_answers():
        display = os.environ["DISPLAY"]
        return f"The display {display} does not answer: check DISPLAY; {OFFSCREEN_WAYS}."
    return None


def _platform_plugins() -> Path | None:
    """The folder of Qt's platform plugins, where it can be told."""
    spec = importlib.util.find_spec("PySide6")
    if spec is None or not spec.submodule_search_locations:
        return None
    folder = Path(spec.submodule_search_locations[0]) / "Qt" / "plugins" / "platforms"
    return folder if folder.is_dir() else None


def _display_answers() -> bool:
    try:
        xcb = ctypes.CDLL("libxcb.so.1")
    except OSError:
        return True  # no way to ask: let Qt find out
    xcb.xcb_connect.restype = ctypes.c_void_p
    xcb.xcb_connect.argtypes = [ctypes.c_char_p, ctypes.c_void_p]
    xcb.xcb_connection_has_error.argtypes = [ctypes.c_void_p]
    xcb.xcb_disconnect.argtypes = [ctypes.c_void_p]
    connection = xcb.xcb_connect(None, None)
    failed = xcb.xcb_connection_has_error(connection)
    xcb.xcb_disconnect(connection)
    return not failed


def _library_of(error: Exception) -> str:
    return str(error).split(":")[0].strip()


def _install_hint() -> str:
    return f"On Debian or Ubuntu: sudo apt install {DEBIAN_PACKAGES}; {OFFSCREEN_WAYS}."
