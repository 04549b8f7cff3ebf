"""Whether other programs are busy on the cores that training uses. Linux tells."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

from vaeviewer.native.cores import available_cores, cores

LOOK_EVERY_S = 0.5
"""The system counts in hundredths of a second, so shorter looks say little."""

BUSY_CORES, CALM_CORES = 0.4, 0.3
"""What other programs take, beyond the cores that training leaves them, from which on they are busy, and to which on
they no longer are."""


class Neighbours:
    """Watches them from the first look on.

    Args:
        threads: Of training.
    """

    def __init__(self, threads: int) -> None:
        self._threads = threads
        self._busy = False
        self._before: tuple[float, float, float] | None = None  # when, others' time, this process's

    def busy(self) -> bool:
        """Whether there are other busy programs; costs nothing but for a look now and then."""
        now = time.monotonic()
        if self._threads == 1 or (self._before is not None and now - self._before[0] < LOOK_EVERY_S):
            return self._busy
        idle, own = _idle_s(), time.process_time()
        if idle is None:
            self._threads = 1  # nobody tells
            return False
        if self._before is not None:
            since, idle_before, own_before = self._before
            taken = available_cores() - ((idle - idle_before) + (own - own_before)) / (now - since)
            spare = max(0, available_cores() - self._threads)
            self._busy = taken - spare >= (CALM_CORES if self._busy else BUSY_CORES)
        self._before = now, idle, own
        return self._busy


def _idle_s() -> float | None:
    """Seconds in which no program ran on the cores this process may use, or a hypervisor took them."""
    if not sys.platform.startswith("linux"):
        return None
    try:
        lines = Path("/proc/stat").read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    mine = {f"cpu{core}" for core in cores()}
    rows = [line.split() for line in lines if line.startswith("cpu")]
    # user, nice, system, idle, iowait, irq, softirq, steal
    ticks = sum(int(row[place]) for row in rows if row[0] in mine for place in (4, 5, 8))
    return ticks / os.sysconf("SC_CLK_TCK")
