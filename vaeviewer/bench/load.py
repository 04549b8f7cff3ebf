"""Whether other programs kept the processor busy meanwhile: no figure is worth much then. Linux tells."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path


class OtherLoad:
    """Begins to watch when it is made."""

    def __init__(self) -> None:
        self._start = time.perf_counter(), _busy_s(), _own_s()

    def cores(self) -> float | None:
        """Cores that other programs have kept busy on average since then; ``None`` where that is not told."""
        clock, busy, own = self._start
        if busy is None or own is None:
            return None
        now, busy_now, own_now = time.perf_counter(), _busy_s(), _own_s()
        if busy_now is None or own_now is None:
            return None
        return max(0.0, ((busy_now - busy) - (own_now - own)) / (now - clock))


def _busy_s() -> float | None:
    """Processor time that all programs have taken, seconds."""
    try:
        words = Path("/proc/stat").read_text(encoding="ascii").split("\n", 1)[0].split()
    except OSError:
        return None
    ticks = [int(word) for word in words[1:9]]
    idle, waiting = ticks[3], ticks[4]
    return (sum(ticks) - idle - waiting) / os.sysconf("SC_CLK_TCK")


def _own_s() -> float | None:
    """Processor time that this process and its ended children have taken, seconds."""
    if sys.platform == "win32":
        return None
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system
