"""A lesson in the real window: how soon there are digits, and what memory minutes of live training take."""

from __future__ import annotations

import math
import time
from typing import Any

import numpy as np

from vaeviewer.bench import memory
from vaeviewer.bench.common import MNIST_IMAGES, median, say
from vaeviewer.bench.stage import open_window, precise_timer, wait_until
from vaeviewer.session.states import Action, State
from vaeviewer.ui.window.main_window import MainWindow

DIGITS_ELBO = -155.0
"""Held-out ELBO at which images decoded from a 2-D latent space are recognised as digits, nats per image."""

SAMPLE_MS = 250


def measure(quick: bool) -> dict[str, Any]:
    """The figures ``time_to_digits_s``, ``time_to_digits`` and ``memory_mb``."""
    window = open_window(MNIST_IMAGES)
    recorder = _MemoryRecorder(window)
    limit_s, repeats = (20.0, 1) if quick else (60.0, 3)
    runs: list[dict[str, Any]] = []
    for number in range(repeats):
        if number:
            _start_anew(window)
        say(f"time to digits, run {number + 1} of {repeats}")
        runs.append(_until_digits(window, limit_s))
    say("memory while it trains on")
    recorder.wait(6.0 if quick else 300.0)
    middle = median([run["seconds"] or math.inf for run in runs])
    return {
        "time_to_digits_s": middle if math.isfinite(middle) else None,
        "time_to_digits": {"target_elbo": DIGITS_ELBO, "limit_s": limit_s, "runs": runs},
        "memory_mb": recorder.figures(tail=0.5 if quick else 0.6),
    }


def _until_digits(window: MainWindow, limit_s: float) -> dict[str, Any]:
    session = window.session
    window.controls.press_train()
    start = time.perf_counter()
    reached = wait_until(
        lambda: _held_out(window)[1] >= DIGITS_ELBO or session.state is not State.RUNNING, limit_s
    )
    seconds = time.perf_counter() - start
    epochs, elbo = _held_out(window)
    reached = reached and elbo >= DIGITS_ELBO
    return {
        "seconds": seconds if reached else None,
        "epochs": epochs,
        "elbo": elbo if math.isfinite(elbo) else None,
    }


def _held_out(window: MainWindow) -> tuple[float, float]:
    """Epochs and ELBO of the newest held-out figures, which come at the end of each epoch."""
    history = window.session.history
    rows = history.held_out.view() if history is not None else None
    if rows is None or not len(rows):
        return 0.0, -math.inf
    return float(rows.epoch[-1]), float(rows["elbo"][-1])


def _start_anew(window: MainWindow) -> None:
    session = window.session
    session.request(Action.STOP)
    wait_until(lambda: session.state is State.FINISHED)
    session.request(Action.RESET)

    def is_new() -> bool:
        progress = session.progress
        return session.state is State.READY and progress is not None and progress.step == 0

    if not wait_until(is_new):
        raise RuntimeError("the window does not reset")


class _MemoryRecorder:
    """Samples resident memory, children counted, from now on; trains further whenever a run is finished."""

    def __init__(self, window: MainWindow) -> None:
        self._window = window
        self._begin = time.perf_counter()
        self._samples: list[tuple[float, float]] = []  # seconds, MB
        self._timer = precise_timer(self._sample)
        self._timer.start(SAMPLE_MS)

    def wait(self, seconds: float) -> None:
        """Go on until so long after the beginning."""
        left = max(0.0, seconds - (time.perf_counter() - self._begin))
        wait_until(self._finished_training_on, left, poll_ms=50)

    def figures(self, tail: float) -> dict[str, float | None]:
        """In MB of 10⁶ bytes: ``peak``, and ``slope_per_min`` of the last share ``tail`` of the time.

        The peak is the system's own of this process, or what it and its children took together at one moment.
        """
        alone, times_sizes = memory.peak_mb(), np.array(self._samples).reshape(-1, 2)
        late = times_sizes[:, 0] >= times_sizes[-1:, 0] * (1 - tail)
        slope = memory.slope(*times_sizes[late].T)
        together = max((size for _, size in self._samples), default=0.0)
        return {
            "peak": None if alone is None else max(alone, together),
            "slope_per_min": None if slope is None else 60 * slope,
            "seconds": time.perf_counter() - self._begin,
        }

    def _sample(self) -> None:
        size = memory.resident_mb()
        if size is not None:
            self._samples.append((time.perf_counter() - self._begin, size))

    def _finished_training_on(self) -> bool:
        if self._window.session.state is State.FINISHED:
            self._window.controls.press_train()
        return False
