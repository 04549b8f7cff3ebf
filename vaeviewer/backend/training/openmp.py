"""torch's own OpenMP runtime: the threads that its operations share, and how they wait for each other."""

from __future__ import annotations

import ctypes
import os
import sys
import threading
from collections.abc import Callable
from functools import cache

from threadpoolctl import threadpool_info


@cache
def torch_runtime() -> str | None:
    """The file of the runtime whose threads torch uses, or ``None`` where it has no GNU interface."""
    if not sys.platform.startswith("linux"):
        return None
    import torch

    root = os.path.realpath(next(iter(torch.__path__)))
    pools = [pool["filepath"] for pool in threadpool_info() if pool["user_api"] == "openmp"]
    # Another package may have brought another runtime.
    pools.sort(key=lambda path: not os.path.realpath(path).startswith(root))
    return next((path for path in pools if hasattr(ctypes.CDLL(path), "GOMP_parallel")), None)


_CALLED_BY_EACH = ctypes.CFUNCTYPE(None, ctypes.c_void_p)


def call_on_each(function: Callable[[], None], threads: int) -> bool:
    """Have each OpenMP thread of this thread's team call a function once; whether there is a runtime to ask."""
    library = torch_runtime()
    if library is None:
        return False
    ctypes.CDLL(library).GOMP_parallel(_CALLED_BY_EACH(lambda _: function()), None, threads, 0)
    return True


class PassiveWaiting:
    """While it lasts, torch's threads wait for each other asleep (OMP_WAIT_POLICY), and compute the same numbers.

    By default they spin for milliseconds at the end of every operation. On idle cores that doubles the speed of
    training; beside a busy program it costs nearly all of it, as the thread that is waited for may be the one whose
    core the spinning keeps. The environment decides that once, but GNU's runtime also lets nobody spin while it has
    more threads than cores. A second team with nothing to do makes it so.

    Args:
        cores: Threads of that team: as many as this process has cores.
    """

    def __init__(self, cores: int) -> None:
        self._over = threading.Event()
        begun = threading.Event()
        self._thread = threading.Thread(
            target=_idle, args=(cores, begun, self._over), name="OpenMP waits asleep", daemon=True
        )
        self._thread.start()
        begun.wait()

    def end(self) -> None:
        """Let them spin again."""
        self._over.set()
        self._thread.join()


def _idle(threads: int, begun: threading.Event, over: threading.Event) -> None:
    call_on_each(lambda: None, threads)
    begun.set()
    over.wait()
