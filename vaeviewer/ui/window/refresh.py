"""When each panel is drawn while training runs: as often as an eye can use, and one panel at a time."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping


class Schedule:
    """Remembers when each panel is to be drawn next.

    Args:
        cadences: Time between two redraws by panel, seconds, on average.
    """

    def __init__(self, cadences: Mapping[str, float]) -> None:
        self._cadences = dict(cadences)
        self._next = dict.fromkeys(cadences, 0.0)

    def most_overdue(self, seen: Callable[[str], bool] = lambda panel: True) -> str | None:
        """The panel that is most past its time, by its own measure, or ``None``; it then counts as drawn.

        Args:
            seen: Whether somebody sees a panel; others take no turns.
        """
        now = time.perf_counter()
        due = [panel for panel, planned in self._next.items() if planned <= now]
        due.sort(key=lambda panel: (now - self._next[panel]) / self._cadences[panel])
        while due:
            panel = due.pop()
            # From when it was planned, not from when it happens: delays would add up.
            following = self._next[panel] + self._cadences[panel]
            self._next[panel] = following if following > now else now + self._cadences[panel]
            if seen(panel):
                return panel
        return None

    def all_drawn(self) -> None:
        """Everything was drawn just now."""
        now = time.perf_counter()
        self._next = {panel: now + seconds for panel, seconds in self._cadences.items()}
