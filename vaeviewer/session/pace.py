"""How fast training may go: the window says, training waits."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable


class Pace:
    """Full speed, or a number of steps per second. Set on any thread, waited for on the training thread."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._steps_per_s = 0.0
        self._next_step = 0.0

    @property
    def steps_per_s(self) -> float:
        """The number chosen; 0 is full speed."""
        return self._steps_per_s

    def set(self, steps_per_s: float) -> None:
        """Choose another one. Acts at once."""
        with self._changed:
            self._steps_per_s = steps_per_s
            self._next_step = 0.0
            self._changed.notify()

    def begin(self) -> None:
        """Training begins: its first step is due at once."""
        self._next_step = 0.0

    def wake(self) -> None:
        """End a wait under way: there is something else to do."""
        with self._changed:
            self._changed.notify()

    def wait(self, wanted: Callable[[], bool]) -> bool:
        """Wait until the next step is due; ``False`` if something else wants attention first.

        Args:
            wanted: Says whether something else already does.
        """
        with self._changed:
            if self._steps_per_s == 0.0:
                return True
            now = time.perf_counter()
            left = self._next_step - now
            if left > 0:
                if not wanted():
                    self._changed.wait(left)
                return False
            period = 1.0 / self._steps_per_s
            following = self._next_step + period
            self._next_step = (
                following if following > now else now + period
            )  # missed steps are not made up for
            return True
