"""Trains with a constant drag and autosave, and says whether memory, handles, threads or timers grow.

    python tests/long_run.py --minutes 30

A line per sample on standard error, then one JSON object on standard output. The slope of the memory is a line's
through the samples after the first five minutes (of a shorter run, after its first third). Ends with 1 if training did
not go on to the end. Needs Linux.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import sys
import tempfile
import threading
import time
import weakref
from pathlib import Path
from typing import Any

import numpy as np
from PySide6.QtCore import QTimer
from shiboken6 import isValid

from vaeviewer.bench import memory, stage
from vaeviewer.bench.drag import Drag
from vaeviewer.bench.training import FOREVER
from vaeviewer.session.states import State

MOVES_PER_S = 125
SAMPLE_S = 10.0
SETTLE_S = 300.0


timers: weakref.WeakSet[QTimer] = weakref.WeakSet()


def note_timers() -> None:
    """Note every timer from now on. To ask the garbage collector for them would break the tuples that other threads
    are building at that moment: Python gives those away unfinished, and then raises SystemError in the other thread."""
    begin = QTimer.__init__

    def begin_noted(timer: QTimer, *arguments: Any, **options: Any) -> None:
        begin(timer, *arguments, **options)
        timers.add(timer)

    QTimer.__init__ = begin_noted  # type: ignore[method-assign]


def sample() -> dict[str, float]:
    """What the process holds now."""
    gc.collect()
    living = [timer for timer in timers if isValid(timer)]
    return {
        "memory_mib": (memory.resident_mb() or 0.0) * memory.MB / 2**20,
        "handles": len(list(Path("/proc/self/fd").iterdir())),
        "threads": len(list(Path("/proc/self/task").iterdir())),
        "python_threads": threading.active_count(),
        "timers": len(living),
        "active_timers": sum(timer.isActive() for timer in living),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description="Trains, drags and saves, and watches what grows.")
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--images", type=int, default=10_000)
    options = parser.parse_args()
    seconds = 60 * options.minutes
    note_timers()
    with tempfile.TemporaryDirectory() as home:
        os.environ["VAEVIEWER_HOME"] = home
        window = stage.open_window(options.images, epochs=FOREVER)
        stage.train(window)
        times, samples, moves = [], [], 0
        begin = time.perf_counter()
        while (now := time.perf_counter() - begin) < seconds:
            drag = Drag(window, MOVES_PER_S)  # a new one, as each keeps the times of all its moves
            drag.start()
            stage.pause(min(SAMPLE_S, seconds - now))
            drag.stop()
            moves += drag.moves
            del drag
            times.append(time.perf_counter() - begin)
            samples.append(sample())
            print(f"{times[-1]:6.0f} s  {samples[-1]}", file=sys.stderr, flush=True)
            if window.session.state is not State.RUNNING:
                break
        steps, running = stage.steps_taken(window), window.session.state is State.RUNNING
        window.close()
        saved = sorted(path.name for path in Path(home).rglob("step-*"))
    settled = np.array(times) >= min(SETTLE_S, seconds / 3)
    slope = np.polyfit(
        np.array(times)[settled] / 60, [s["memory_mib"] for s in np.array(samples)[settled]], 1
    )[0]
    first = samples[int(np.argmax(settled))]
    report = {
        "minutes": round(times[-1] / 60, 2),
        "trained_to_the_end": running,
        "steps": steps,
        "moves": moves,
        "memory_slope_mib_per_min": round(float(slope), 3),
        "settled": first,
        "end": samples[-1],
        "files_of_the_run": saved,
    }
    print(json.dumps(report, indent=1))
    sys.stdout.flush()
    os._exit(0 if running else 1)  # at once, as the program itself leaves


if __name__ == "__main__":
    main()
