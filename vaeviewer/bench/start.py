"""How soon there is a window, how soon it can train, and whether it stays in hand meanwhile."""

from __future__ import annotations

import time
from typing import Any

TRAINING_S = 2.0
"""How long, in seconds, training is watched after it has begun; what is compiled is compiled then."""


def measure(spawned: float) -> dict[str, Any]:
    """Times of one start, s, and the longest gap of its event loop, ms.

    Args:
        spawned: ``time.time()`` just before this process was made.
    """
    from vaeviewer import app
    from vaeviewer.bench import stage
    from vaeviewer.session.states import State

    stage.hush_qt()
    window = app.create_main_window()
    session = window.session
    times: dict[str, float] = {}
    heartbeat = stage.Heartbeat()

    def painted() -> None:
        if not times:
            times["first_paint_s"] = time.time() - spawned
            heartbeat.start()

    watcher = stage.PaintWatcher([window], begins=lambda: None, painted=painted)
    window.show()
    if not stage.wait_until(lambda: session.state is State.READY):
        raise RuntimeError("the window was not ready in time")
    times["ready_s"] = time.time() - spawned
    watcher.deleteLater()
    stage.train(window)
    stage.pause(TRAINING_S)
    heartbeat.stop()
    return {**times, "gap_max_ms": max(heartbeat.late_ms)}
