"""When each panel is drawn: as often as an eye can use while training runs, at once when it rests."""

from __future__ import annotations

import time
from collections.abc import Mapping

SECONDS_BETWEEN: Mapping[str, float] = {
    "plane": 0.0,  # each snapshot; training publishes 11 a second
    "status": 0.12,
    "curves": 0.23,
    "reconstructions": 0.42,
    "manifold": 0.8,
    "underlay": 0.5,
}
"""Time between two redraws of a panel while training runs, seconds, on average."""


class Schedule:
    """Remembers when each panel is to be drawn next."""

    def __init__(self) -> None:
        self._next: dict[str, float] = {}

    def due(self, panel: str, *, now: bool) -> bool:
        """Whether to draw ``panel`` (then it counts as drawn); with ``now`` always."""
        moment = time.perf_counter()
        planned = self._next.get(panel, moment)
        if not now and moment < planned:
            return False
        # From when it was planned, not from when it happens: news come in steps, and delays would add up.
        following = planned + SECONDS_BETWEEN[panel]
        self._next[panel] = following if following > moment else moment + SECONDS_BETWEEN[panel]
        return True
