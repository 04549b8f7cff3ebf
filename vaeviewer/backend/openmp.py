"""torch's own OpenMP runtime: the threads that its operations share."""

from __future__ import annotations

import ctypes
import os
import sys
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
