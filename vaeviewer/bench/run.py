"""The whole benchmark: each part in a process of its own, one after the other."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

from vaeviewer.backend.config import Settings, value_of
from vaeviewer.bench.common import median, say
from vaeviewer.bench.load import OtherLoad
from vaeviewer.bench.report import table

DEFAULT_HIDDEN = value_of(Settings(), "hidden")
GROWTH: tuple[tuple[int, int, tuple[int, ...]], ...] = (
    (10_000, 2, DEFAULT_HIDDEN),
    (60_000, 2, DEFAULT_HIDDEN),
    (240_000, 2, DEFAULT_HIDDEN),
    (60_000, 32, DEFAULT_HIDDEN),
    (60_000, 2, (500,)),
    (60_000, 2, (2_000,)),
)
"""Images, latent variables and hidden units of each row."""
QUICK_GROWTH = GROWTH[:1]


def run(*, quick: bool, as_json: bool) -> int:
    """Measure everything, print it, and return the exit code: 1 where a part could not be measured."""
    begin, other_load = time.perf_counter(), OtherLoad()
    with tempfile.TemporaryDirectory(prefix="vaeviewer-bench-", ignore_cleanup_errors=True) as home:
        parts = _Parts(_environment(home), quick)
        training = parts.measure("training", quick=quick)
        busy = parts.measure("busy", quick=quick)
        window = parts.measure("window", quick=quick)
        drag_conv = parts.measure("drag_conv", quick=quick)
        plane = parts.measure("plane", quick=quick)
        start, gap_max_startup_ms = _starts(parts)
        lesson = parts.measure("lesson", quick=quick)
        growth = [
            parts.measure("growth", quick=quick, images=images, latent_dim=latent_dim, hidden=hidden)
            for images, latent_dim, hidden in (QUICK_GROWTH if quick else GROWTH)
        ]
    drag = window.get("drag")
    figures = {
        "quick": quick,
        "seconds": time.perf_counter() - begin,
        "other_load_cores": other_load.cores(),
        "machine": training.get("machine"),
        "training": training.get("training"),
        "busy": busy.get("busy"),
        "window": window.get("window"),
        "drag": {**drag, "gap_max_startup_ms": gap_max_startup_ms} if drag else None,
        "drag_conv": drag_conv or None,
        "plane": plane or None,
        "start": start,
        "time_to_digits_s": lesson.get("time_to_digits_s"),
        "time_to_digits": lesson.get("time_to_digits"),
        "growth": [row for row in growth if row],
        "memory_mb": lesson.get("memory_mb"),
    }
    sys.stdout.write((json.dumps(figures) if as_json else table(figures)) + "\n")
    return 1 if parts.failed else 0


def _environment(home: str) -> dict[str, str]:
    """The environment of the parts: nothing of the user's is read or written, and a window opens off-screen."""
    found = {**os.environ, "VAEVIEWER_HOME": home}
    found.pop("PYTHONDONTWRITEBYTECODE", None)  # a program is compiled once, not at each start
    on_screen = found.get("DISPLAY") or found.get("WAYLAND_DISPLAY")
    if sys.platform.startswith("linux") and not on_screen:
        found.setdefault("QT_QPA_PLATFORM", "offscreen")
    return found


@dataclass
class _Parts:
    environment: dict[str, str]
    quick: bool
    failed: bool = False

    def measure(self, part: str, **options: Any) -> dict[str, Any]:
        """The answer of ``python -m vaeviewer.bench``; empty if it fails, which is told on standard error."""
        command = [sys.executable, "-m", "vaeviewer.bench", part, json.dumps(options)]
        pipe = subprocess.PIPE
        with subprocess.Popen(command, stdin=pipe, stdout=pipe, env=self.environment, text=True) as process:
            try:
                assert process.stdout is not None, "it is a pipe"
                answer = process.stdout.read()
                code = process.wait()
            except BaseException:  # Ctrl-C above all: it must not go on behind our back
                process.kill()
                raise
        if code != 0:
            self.failed = True
            say(f"{part} could not be measured (exit code {code})")
            return {}
        found: dict[str, Any] = json.loads(answer)
        return found

    @contextmanager
    def nothing_compiled(self) -> Iterator[None]:
        """What is measured in this context finds the cache of a first start."""
        before = self.environment
        with tempfile.TemporaryDirectory(prefix="vaeviewer-bench-", ignore_cleanup_errors=True) as home:
            self.environment = {**before, "VAEVIEWER_HOME": home}
            try:
                yield
            finally:
                self.environment = before


def _starts(parts: _Parts) -> tuple[dict[str, Any] | None, float | None]:
    """The figures ``start``, and the longest gap of any start, ms. The first one compiles everything, unless quick."""
    starts: list[dict[str, Any]] = []
    imports: list[float] = []
    repeats = 1 if parts.quick else 3
    for number in range(repeats):
        say(f"start, {number + 1} of {repeats}")
        begin = time.perf_counter()
        subprocess.run([sys.executable, "-c", "import torch"], env=parts.environment, check=True)
        imports.append(time.perf_counter() - begin)
        first = number == 0 and not parts.quick
        with parts.nothing_compiled() if first else nullcontext():
            starts.append(parts.measure("start", spawned=time.time(), compiles=first))
    starts = [start for start in starts if start]
    if not starts:
        return None, None
    figures = {
        "first_paint_s": median([start["first_paint_s"] for start in starts]),
        "ready_s": median([start["ready_s"] for start in starts]),
        "torch_import_s": median(imports),
        "compiled_s": starts[0]["compiled_s"],
    }
    figures["first_paint_over_torch_import"] = figures["first_paint_s"] / figures["torch_import_s"]
    return figures, max(start["gap_max_ms"] for start in starts)
