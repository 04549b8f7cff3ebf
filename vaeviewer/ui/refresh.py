"""When each panel is drawn: as often as an eye can use while training runs, at once when it rests."""

from __future__ import annotations

import time
from collections.abc import Mapping

SECONDS_BETWEEN: Mapping[str, float] = {
    "plane": 0.0,  # each snapshot; training publishes at most 15 a second
    "curves": 0.2,
    "reconstructions": 0.3,
    "manifold": 0.6,
    "underlay": 0.4,
}
"""Least time between two redraws of a panel while training runs, seconds."""


class Schedule:
    """Remembers when each panel was last drawn."""

    def __init__(self) -> None:
        self._drawn: dict[str, float] = {}

    def due(self, panel: str, *, now: bool) -> bool:
        """Whether to draw ``panel`` (then it counts as drawn); with ``now`` always."""
        moment = time.perf_counter()
        if not now and moment - self._drawn.get(panel, -1e9) < SECONDS_BETWEEN[panel]:
            return False
        self._drawn[panel] = moment
        return True
