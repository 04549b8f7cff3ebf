"""Which processor cores this process may run on, whatever its threads have been pinned to since it began."""

from __future__ import annotations

import os
from functools import cache


@cache
def cores() -> frozenset[int]:
    """Their numbers, as Linux has them; empty elsewhere.

    The system keeps affinity masks per thread only. What passes for the process's is that of its main thread, which
    is pinned to one core where it trains, as it does without a window: so this is asked for once, at import.
    """
    return frozenset(os.sched_getaffinity(os.getpid())) if hasattr(os, "sched_getaffinity") else frozenset()


def available_cores() -> int:
    """How many there are."""
    return len(cores()) or os.cpu_count() or 1


cores()
