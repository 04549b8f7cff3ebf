"""How soon there is a window, how soon it can train, and whether it stays in hand meanwhile."""

from __future__ import annotations

import gc
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # what a start imports is a part of what is measured
    from vaeviewer.ui.window.main_window import MainWindow

TRAINING_S = 2.0
"""How long, in seconds, training is watched after it has begun …"""

COMPILING_S = 90.0
"""… and at most where everything is to be compiled meanwhile."""


def measure(spawned: float, compiles: bool) -> dict[str, Any]:
    """Times of one start, s, and the longest gap of its event loop, ms.

    ``compiled_s`` is the time from the first steps until they are fused, ``None`` if they never are.

    Args:
        spawned: ``time.time()`` just before this process was made.
        compiles: Watch training until all that a first start compiles is compiled.
    """
    gc.disable()  # as the command line does
    from vaeviewer import app
    from vaeviewer.bench import stage
    from vaeviewer.session.states import State

    stage.hush_qt()
    window = app.create_main_window()
    session = window.session
    times: dict[str, float] = {}
    devices: list[str] = []
    session.opened.connect(lambda opened: devices.append(opened.device))
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
    begin = time.perf_counter()
    stage.pause(TRAINING_S)
    compiled_s = _until_compiled(window, begin) if compiles and devices[-1] == "cpu" else None
    heartbeat.stop()
    return {**times, "compiled_s": compiled_s, "gap_max_ms": max(heartbeat.late_ms)}


def _until_compiled(window: MainWindow, begin: float) -> float | None:
    """Wait for the fused step and for the plane's kernel; the seconds that the first of them took."""
    import torch

    from vaeviewer.backend.training.engines.choice import fused_engine
    from vaeviewer.bench import stage
    from vaeviewer.native import object_code
    from vaeviewer.ui.plane.raster.compiled import raster_code

    engine = fused_engine()
    settings = window.session.settings
    if engine is None or engine.why_not(settings, torch.device("cpu")) or not object_code.available():
        return None

    def fused() -> bool:
        progress = window.session.progress
        return progress is not None and "fused" in progress.mode

    compiled_s = time.perf_counter() - begin if stage.wait_until(fused, COMPILING_S) else None
    stage.wait_until(lambda: raster_code().addresses is not None, COMPILING_S)
    return compiled_s
