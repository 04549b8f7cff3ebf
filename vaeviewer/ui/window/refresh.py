"""When each panel is drawn while training runs: as often as an eye can use, and one panel at a time."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping


class Schedule:
    """Remembers when each panel is to be drawn next.

    Args:
        cadences: Time between two redraws by panel, seconds, on average.
    """

    def __init__(self, cadences: Mapping[str, float]) -> None:
        self._cadences = dict(cadences)
        self._next = dict.fromkeys(cadences, 0.0)

    def most_overdue(self, without: Collection[str] = ()) -> str | None:
        """The panel that is most past its time, by its own measure, or ``None``; it then counts as drawn.

        Args:
            without: Panels that nobody sees: they take no turns.
        """
        now = time.perf_counter()
        seen = [panel for panel in self._next if panel not in without]
        name = max(seen, key=lambda panel: (now - self._next[panel]) / self._cadences[panel])
        planned = self._next[name]
        if now < planned:
            return None
        # From when it was planned, not from when it happens: delays would add up.
        following = planned + self._cadences[name]
        self._next[name] = following if following > now else now + self._cadences[name]
        return name

    def all_drawn(self) -> None:
        """Everything was drawn just now."""
        now = time.perf_counter()
        self._next = {panel: now + seconds for panel, seconds in self._cadences.items()}
