"""Importing torch beside a window that must stay in hand meanwhile.

Two things would hold Python's lock, and so the window, for a quarter of a second: the system's loader, which resolves
the symbols of some gigabytes of libraries, and collections of garbage among the objects of a thousand modules.
"""

from __future__ import annotations

import ctypes
import gc
import importlib
import os
import sys
from importlib.util import find_spec
from pathlib import Path


def import_beside_window(module: str) -> None:
    """Import a module that imports torch.

    Raises:
        ImportError: It cannot be imported; or whatever else it raises meanwhile.
    """
    if "torch" in sys.modules:
        importlib.import_module(module)
        return
    open_libraries()
    collecting = gc.isenabled()
    gc.disable()
    try:
        importlib.import_module(module)
        gc.freeze()  # modules stay: no later collection need look at them
    finally:
        if collecting:
            gc.enable()


def open_libraries() -> bool:
    """Load what torch's modules are linked against without holding Python's lock; they then find it in memory.

    Returns:
        Whether that was possible. Where it was not, the import loads them as it always does.
    """
    if not sys.platform.startswith("linux"):
        return False
    torch = find_spec("torch")
    if torch is None or torch.origin is None:
        return False
    path = Path(torch.origin).parent / "lib" / "libtorch.so"
    # Opened by a function called through ctypes: ctypes itself would keep the lock while it opens.
    dlopen = ctypes.CDLL(None).dlopen
    dlopen.argtypes, dlopen.restype = (ctypes.c_char_p, ctypes.c_int), ctypes.c_void_p
    return dlopen(os.fsencode(path), os.RTLD_NOW) is not None
