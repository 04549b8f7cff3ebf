"""How many processors' worth of time a container may use: a quota of its control group. Imports no torch."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

GROUPS = Path("/proc/self/cgroup")
MOUNTED = Path("/sys/fs/cgroup")


def cpu_quota(groups: Path = GROUPS, mounted: Path = MOUNTED) -> float | None:
    """Processors' worth of time that this process and its group may use, or ``None`` without a limit.

    The smallest limit of the group and those around it counts, of control groups version 2 (``cpu.max``) or 1
    (``cpu.cfs_quota_us`` over ``cpu.cfs_period_us``).

    Args:
        groups: Names the process's groups.
        mounted: Where their hierarchies are mounted.
    """
    try:
        lines = groups.read_text().splitlines()
    except OSError:
        return None
    limits: list[float] = []
    for line in lines:
        _, controllers, path = [*line.split(":", 2), "none", ""][:3]
        if controllers == "":
            roots, limit_of = (mounted, mounted / "unified"), _version_2
        elif "cpu" in controllers.split(","):
            roots, limit_of = (mounted / controllers, mounted / "cpu"), _version_1
        else:
            continue
        for root in roots:
            for folder in _upwards(root, path):
                try:
                    limits += limit_of(folder)
                except (
                    OSError,
                    ValueError,
                    ZeroDivisionError,
                ):  # no such file at the top, or in another mount
                    continue
    return min(limits, default=None)


def _upwards(root: Path, path: str) -> Iterator[Path]:
    """A group's folder and those around it. Inside a container the mount may begin at the group itself."""
    folder = root / path.lstrip("/")
    while folder != root and root in folder.parents:
        yield folder
        folder = folder.parent
    yield root


def _version_2(folder: Path) -> list[float]:
    quota, period = (folder / "cpu.max").read_text().split()
    return [] if quota == "max" else [int(quota) / int(period)]


def _version_1(folder: Path) -> list[float]:
    quota = int((folder / "cpu.cfs_quota_us").read_text())
    return [] if quota <= 0 else [quota / int((folder / "cpu.cfs_period_us").read_text())]
