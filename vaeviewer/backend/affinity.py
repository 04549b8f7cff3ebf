"""Which processor cores the threads of training stay on, where it uses all of them and a window wants some too."""

from __future__ import annotations

import ctypes
import os
import sys
import threading
from contextlib import suppress

from vaeviewer.backend.openmp import torch_runtime

_CALLED_BY_EACH = ctypes.CFUNCTYPE(None, ctypes.c_void_p)


def available_cores() -> int:
    """Processor cores this process may run on."""
    return len(_cores()) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def one_thread_per_core(threads: int) -> bool:
    """Keep each of this thread's OpenMP threads on a core of its own; returns whether that was done.

    They meet many times in every step. When something else takes a core for a moment, the system moves the thread
    that ran there onto another one's core and is slow to move it back, so that training loses about twice the time
    that was taken. A thread that stays waits just that long. Done on Linux, where training uses every core.

    Args:
        threads: How many there are.
    """
    if not sys.platform.startswith("linux") or threads < available_cores():
        return False
    ids: list[int] = []

    def note(_: int | None) -> None:
        ids.append(threading.get_native_id())

    library = torch_runtime()
    if library is None:
        return False
    with suppress(OSError):  # no say in the matter
        # Each thread of the team calls note once.
        ctypes.CDLL(library).GOMP_parallel(_CALLED_BY_EACH(note), None, threads, 0)
        for thread, core in zip(ids, sorted(_cores()), strict=False):
            os.sched_setaffinity(thread, {core})
        return True
    return False


def any_core() -> None:
    """Let this thread run on any core, though the one that started it may not."""
    if sys.platform.startswith("linux"):
        with suppress(OSError):
            os.sched_setaffinity(0, _cores())


def _cores() -> set[int]:
    return os.sched_getaffinity(os.getpid())  # of the main thread, which nobody restricts
