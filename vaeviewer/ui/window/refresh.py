"""When each panel is drawn while training runs: as often as an eye can use, and one panel at a time."""

from __future__ import annotations

import time
from collections.abc import Mapping

SECONDS_BETWEEN: Mapping[str, float] = {
    "status": 0.3,
    "decoded": 0.19,
    "curves": 0.23,
    "reconstructions": 0.42,
    "manifold": 0.8,
    "underlay": 0.5,
}
"""Time between two redraws of a panel, seconds, on average. The plane is drawn with each snapshot."""


class Schedule:
    """Remembers when each panel is to be drawn next."""

    def __init__(self) -> None:
        self._next = dict.fromkeys(SECONDS_BETWEEN, 0.0)

    def most_overdue(self) -> str | None:
        """The panel that is most past its time, by its own measure, or ``None``; it then counts as drawn."""
        now = time.perf_counter()
        name = max(self._next, key=lambda panel: (now - self._next[panel]) / SECONDS_BETWEEN[panel])
        planned = self._next[name]
        if now < planned:
            return None
        # From when it was planned, not from when it happens: delays would add up.
        following = planned + SECONDS_BETWEEN[name]
        self._next[name] = following if following > now else now + SECONDS_BETWEEN[name]
        return name

    def all_drawn(self) -> None:
        """Everything was drawn just now."""
        now = time.perf_counter()
        self._next = {panel: now + seconds for panel, seconds in SECONDS_BETWEEN.items()}
