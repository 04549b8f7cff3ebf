"""How fast training goes."""

from __future__ import annotations

import time

RATE_SECONDS = 2.0
"""The time over which steps are counted."""


class RateMeter:
    """Steps per second over the last seconds of running time; pauses do not count."""

    def __init__(self) -> None:
        self._marks: list[tuple[float, int]] = []

    def start(self, step: int) -> None:
        """Begin to count at ``step``."""
        self._marks = [(time.perf_counter(), step)]

    def note(self, step: int) -> None:
        """Training has come to ``step``."""
        now = time.perf_counter()
        self._marks.append((now, step))
        while len(self._marks) > 2 and now - self._marks[1][0] >= RATE_SECONDS:
            self._marks.pop(0)

    def stop(self) -> None:
        """Training rests; there is no rate until it starts again."""
        self._marks = []

    @property
    def steps_per_s(self) -> float | None:
        """Steps per second, or ``None`` before it is known."""
        if len(self._marks) < 2:
            return None
        (t0, s0), (t1, s1) = self._marks[0], self._marks[-1]
        return (s1 - s0) / (t1 - t0) if t1 > t0 and s1 > s0 else None
