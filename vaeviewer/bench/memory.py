"""How much memory a process takes, as the system counts it. Linux tells now and at most; others less."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

MB = 1e6


def slope(times: NDArray[np.float64], sizes: NDArray[np.float64]) -> float | None:
    """What sizes grow by in a unit of time: the median of the slopes between any two (Theil 1950, Sen 1968).

    A line of least squares would follow copies that come and go, such as those that are being saved.

    Args:
        times: Shape ``(n,)``, rising.
        sizes: Shape ``(n,)``.
    """
    first, second = np.triu_indices(len(times), 1)
    if not len(first):
        return None
    return float(np.median((sizes[second] - sizes[first]) / (times[second] - times[first])))


def resident_mb() -> float | None:
    """Resident memory of this process and its children now, in 10⁶ bytes; ``None`` where that is not told."""
    if not sys.platform.startswith("linux"):
        return None
    return _from_status("self", "VmRSS") + children_mb()


def peak_mb() -> float | None:
    """The most resident memory this process has had, without its children, in 10⁶ bytes."""
    if sys.platform.startswith("linux"):
        return _from_status("self", "VmHWM")
    try:
        import resource
    except ImportError:
        return None  # Windows
    # Bytes on macOS, KiB on other Unixes.
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / MB


def children_mb() -> float:
    """Resident memory of all child processes and theirs, in 10⁶ bytes; 0 where that is not told."""
    return sum(_from_status(child, "VmRSS") + _descendants_mb(child) for child in _children("self"))


def _descendants_mb(process: str) -> float:
    return sum(_from_status(child, "VmRSS") + _descendants_mb(child) for child in _children(process))


def _children(process: str) -> list[str]:
    found: list[str] = []
    for file in Path(f"/proc/{process}/task").glob("*/children"):
        try:
            found += file.read_text(encoding="ascii").split()
        except OSError:
            continue  # the thread or the process has ended meanwhile
    return found


def _from_status(process: str, name: str) -> float:
    try:
        lines = Path(f"/proc/{process}/status").read_text(encoding="utf-8").splitlines()
    except OSError:
        return 0.0  # it has ended meanwhile
    kib = next((line.split()[1] for line in lines if line.startswith(f"{name}:")), "0")
    return int(kib) * 1024 / MB
