"""What refusing bad input may cost: a second, and memory in proportion to the file."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

SECONDS = 1.0
FIXED_BYTES = 64 * 2**20


class Bounds:
    """Holds many cases to their bounds and remembers the worst of each.

    Attributes:
        cases: How many there were.
        seconds: The slowest.
        growth: The most memory that one took beyond what the process had, bytes; 0 where nobody can say.
    """

    def __init__(self) -> None:
        self.cases = 0
        self.seconds = 0.0
        self.growth = 0

    @contextmanager
    def case(self, size: int) -> Iterator[None]:
        """One case that reads ``size`` bytes from disk; fails where it costs too much."""
        before = _forget_peak()
        start = time.perf_counter()
        yield
        seconds = time.perf_counter() - start
        growth = _peak() - before
        self.cases += 1
        self.seconds = max(self.seconds, seconds)
        self.growth = max(self.growth, growth)
        assert seconds <= SECONDS, f"took {seconds:.2f} s"
        assert growth <= 3 * size + FIXED_BYTES, f"took {growth:,} bytes for {size:,} on disk"

    def __str__(self) -> str:
        return f"{self.cases:,} cases, at most {self.seconds:.3f} s and {self.growth / 2**20:.1f} MiB each"


def size_on_disk(folder: Path) -> int:
    """Bytes that the files in a folder occupy: a sparse giant counts for what there is of it."""
    return sum(path.lstat().st_blocks * 512 for path in folder.iterdir())


def _forget_peak() -> int:
    """Begin to measure the process's largest resident memory anew; returns what it has now, bytes."""
    if sys.platform != "linux":
        return 0
    Path("/proc/self/clear_refs").write_text("5")
    return _peak()


def _peak() -> int:
    """Largest resident memory since :func:`_forget_peak`: of all libraries, not only what Python allocates."""
    if sys.platform != "linux":
        return 0
    status = Path("/proc/self/status").read_text()
    return 1024 * int(status.partition("VmHWM:")[2].split()[0])


@contextmanager
def grows_by_less_than(limit: int) -> Iterator[None]:
    """Fails where the process's largest resident memory meanwhile is so many bytes above what it had."""
    before = _forget_peak()
    yield
    growth = _peak() - before
    assert growth < limit, f"took {growth:,} bytes, expected less than {limit:,}"
