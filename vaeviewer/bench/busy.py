"""What training keeps of its speed beside other busy programs, as without a window: a video call, a compiler."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from vaeviewer.backend.config import Settings, updated
from vaeviewer.backend.data import load_dataset
from vaeviewer.backend.training import loop
from vaeviewer.backend.training.affinity import any_core
from vaeviewer.backend.training.neighbours import LOOK_EVERY_S
from vaeviewer.backend.training.trainer import Trainer
from vaeviewer.bench.common import paired, say
from vaeviewer.bench.training import FOREVER, warm_up

PROGRAMS = {"one": 1, "three": 3}

SETTLE_S = 2.5 * LOOK_EVERY_S
"""Until training has noticed what changed."""


def measure(quick: bool) -> dict[str, Any]:
    """The figures ``busy``: shares of the speed alone, by the way steps are taken and how many programs there are."""
    rounds, seconds = (1, 0.6) if quick else (6, 2.0)
    dataset = load_dataset()
    preset = updated(Settings(), epochs=FOREVER)
    ways = {
        "plain": updated(preset, optimizer="sgd", learning_rate=1e-5),
        "fused": preset,
    }  # Adam alone is fused
    return {
        "busy": {way: _shares(way, Trainer(dataset, chosen), rounds, seconds) for way, chosen in ways.items()}
    }


def _shares(way: str, trainer: Trainer, rounds: int, seconds: float) -> dict[str, float]:
    trainer.cores.stay(give_way_to_window=False)
    warm_up(trainer)
    programs = {"alone": 0, **PROGRAMS}
    speeds: dict[str, list[float]] = {name: [] for name in programs}
    for number in range(rounds):
        say(f"{way} steps beside busy programs, round {number + 1} of {rounds}")
        # Back and forth: a machine that becomes slower is on nobody's side.
        for name in list(programs) if number % 2 == 0 else reversed(programs):
            with _busy(programs[name]):
                speeds[name].append(_speed(trainer, seconds))
    any_core()
    return {name: paired(speeds[name], speeds["alone"]) for name in PROGRAMS}


def _speed(trainer: Trainer, seconds: float) -> float:
    """Steps per second of the program's own loop, once it has settled."""
    begin = time.perf_counter()
    settled: tuple[float, int] | None = None

    def allowed() -> int:
        nonlocal settled
        now = time.perf_counter()
        if settled is None and now - begin >= SETTLE_S:
            settled = now, trainer.step_count
        return 0 if settled is not None and now - settled[0] >= seconds else loop.FREELY

    loop.train(trainer, go_on=allowed, after_block=lambda: None)
    assert settled is not None, "it ends later"
    return (trainer.step_count - settled[1]) / (time.perf_counter() - settled[0])


@contextmanager
def _busy(programs: int) -> Iterator[None]:
    processes = [subprocess.Popen([sys.executable, "-c", _BUSY, str(os.getpid())]) for _ in range(programs)]
    try:
        yield
    finally:
        for process in processes:
            process.kill()
            process.wait()


_BUSY = """
import os, sys
if hasattr(os, "sched_setaffinity"):  # not kept where the thread that started it is
    os.sched_setaffinity(0, range(os.cpu_count()))
parent = int(sys.argv[1])
while os.getppid() == parent or sys.platform == "win32":
    for _ in range(1_000_000): pass
"""
"""Ends with who has started it."""
