"""Draws with machine code, once there is any; the same pixels as ``passes``."""

from __future__ import annotations

import ctypes
import threading
import time
from functools import cache, lru_cache

import numpy as np
from numpy.typing import NDArray

from vaeviewer.backend.training.affinity import let_the_window_go_first
from vaeviewer.native import WORDS
from vaeviewer.native.object_code import MachineCode, machine_code
from vaeviewer.ui.plane.raster.scene import Scene, disc_stencil

COMPILE_SECONDS = 120.0
"""After so long a compiler is given up; it needs some seconds."""

HEAD_START_SECONDS = 15.0
"""So long training has to have its own kernels compiled: two compilers at once would take half a gigabyte."""

PREPARER = "raster compiler"
"""What the thread is called that has the kernel compiled."""

_FUNCTION = ctypes.CFUNCTYPE(ctypes.c_int32, ctypes.c_int64, ctypes.c_int64, ctypes.c_int64)
"""Of machine code. Python's lock is given back while it runs."""


def raster_code() -> MachineCode:
    """The kernel that draws."""
    return machine_code(f"{__package__}.kernels", ("paint",))


@cache
def prepare_soon() -> threading.Thread:
    """Load the kernel, or have it compiled, once, on a thread of its own; until then NumPy draws."""
    thread = threading.Thread(target=_prepare_in_turn, name=PREPARER, daemon=True)
    thread.start()
    return thread


def prepare() -> None:
    """Load the kernel, or compile it, and wait for it."""
    code = raster_code()
    code.prepare()
    code.wait(COMPILE_SECONDS)


def _prepare_in_turn() -> None:
    let_the_window_go_first()
    if not raster_code().kept:
        time.sleep(HEAD_START_SECONDS)
    prepare()


class CompiledPainter:
    """Memory that is used again for the next image of the same size."""

    def __init__(self) -> None:
        self._room: NDArray[np.uint16] = np.zeros(0, np.uint16)

    def can_paint(self, scene: Scene) -> bool:
        """Whether there is machine code, and it is for scenes like this one."""
        between, within = scene.positions.strides
        return (
            raster_code().addresses is not None
            and scene.keys.dtype == np.uint16
            and scene.positions.dtype == np.float32
            and within == scene.positions.itemsize
            and between > 0
            and between % within == 0
        )

    def paint(self, scene: Scene, image: NDArray[np.uint32]) -> None:
        """Draw the scene into an image of its size; see :meth:`PointRaster.render`."""
        addresses = raster_code().addresses
        assert addresses is not None, "can_paint"
        places, margin, most = _places(scene.radius)
        rows = scene.height + 2 * margin
        room = 2 * rows * (scene.width + 2 * margin) + 2 * scene.width + rows
        if len(self._room) != room:
            self._room = np.empty(room, np.uint16)
        frame = np.array([*scene.corner, *scene.scale], np.float32)
        words = np.zeros(WORDS, np.int64)
        words[:15] = [
            len(scene.positions),
            scene.positions.strides[0] // scene.positions.itemsize,
            scene.positions.ctypes.data,
            scene.keys.ctypes.data,
            frame.ctypes.data,
            scene.width,
            scene.height,
            len(places),
            places.ctypes.data,
            margin,
            most,
            self._room.ctypes.data,
            scene.table.ctypes.data,
            scene.levels,
            image.ctypes.data,
        ]
        _FUNCTION(addresses["paint"])(words.ctypes.data, 0, 0)


@lru_cache(maxsize=8)
def _places(radius: float) -> tuple[NDArray[np.int64], int, int]:
    """Pixels that a disc covers as ``(right, down, coverage)``, the margin it needs, and the most counts of a pixel.

    With more, a sum of coverages could be more than uint16 holds.
    """
    stencil = disc_stencil(radius).astype(np.int64)
    margin = len(stencil) // 2
    rows, columns = np.nonzero(stencil)
    places = np.stack([columns - margin, rows - margin, stencil[rows, columns]], axis=1)
    places = np.pad(places, ((0, -len(places) % 4), (0, 0)))  # with the middle, covering nothing more
    return places, margin, np.iinfo(np.uint16).max // int(stencil.sum())
