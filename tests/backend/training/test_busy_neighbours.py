"""Training beside other busy programs: they are noticed, and training keeps its share and its numbers."""

from __future__ import annotations

import math
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

import numpy as np
import pytest
import torch

from vaeviewer.backend.config import Settings, updated
from vaeviewer.backend.data.base import ImageDataset
from vaeviewer.backend.training import loop
from vaeviewer.backend.training.affinity import any_core, is_kept
from vaeviewer.backend.training.engines.fused import engine
from vaeviewer.backend.training.neighbours import Neighbours
from vaeviewer.backend.training.openmp import torch_runtime
from vaeviewer.backend.training.trainer import Trainer
from vaeviewer.bench.load import OtherLoad
from vaeviewer.native.cores import available_cores
from vaeviewer.native.object_code import available

pytestmark = pytest.mark.skipif(
    not sys.platform.startswith("linux") or available_cores() < 2,
    reason="Linux tells, and one core has no choice",
)


QUIET = 0.2
"""Cores that other programs may keep busy where speeds are compared."""


@contextmanager
def busy(programs: int) -> Iterator[None]:
    processes = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(programs)]
    try:
        yield
    finally:
        for process in processes:
            process.kill()
            process.wait()


def run(work: Callable[[], None]) -> None:
    """On a thread of its own, whose cores are nobody else's."""
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()


def becomes(neighbours: Neighbours, busy: bool, seconds: float) -> bool:
    end = time.monotonic() + seconds
    while neighbours.busy() is not busy:
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True


@pytest.mark.slow
def test_busy_programs_are_noticed() -> None:
    neighbours = Neighbours(available_cores())
    assert not neighbours.busy(), "one look alone says nothing"
    alone = Neighbours(1)
    alone.busy()
    with busy(available_cores()):
        assert becomes(neighbours, True, 10)
        assert not alone.busy(), "one thread waits for nobody"


@pytest.mark.slow
def test_what_this_process_does_itself_is_no_neighbour() -> None:
    over = threading.Event()

    def burn() -> None:
        numbers = torch.rand(500, 500)
        while not over.is_set():
            numbers @ numbers

    neighbours, load = Neighbours(available_cores()), OtherLoad()
    neighbours.busy()
    threads = [threading.Thread(target=burn) for _ in range(2)]
    for thread in threads:
        thread.start()
    noticed = becomes(neighbours, True, 1.7)
    over.set()
    for thread in threads:
        thread.join()
    if (load.cores() or 0) > QUIET:
        pytest.skip("other programs are busy")
    assert not noticed


BURNT = """
import threading
import time
import torch
from vaeviewer.native.cores import available_cores
from vaeviewer.backend.training.openmp import PassiveWaiting, call_on_each

def late():
    if threading.current_thread() is not threading.main_thread():
        time.sleep(0.01)

def burnt():
    before = time.thread_time()
    for _ in range(20):
        call_on_each(late, 2)
    return time.thread_time() - before

torch.set_num_threads(2)
torch.ones(100_000).add_(1.0)
print(burnt())
waiting = PassiveWaiting(available_cores())
print(burnt())
waiting.end()
print(burnt())
"""
"""Processor time that a thread takes while it waits for another one, where no other team of them was before."""


@pytest.mark.slow
def test_waiting_asleep_takes_no_processor_time() -> None:
    if torch_runtime() is None:
        pytest.skip("another OpenMP runtime")
    environment = {
        key: value for key, value in os.environ.items() if key not in ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY")
    }
    command = [sys.executable, "-c", BURNT]
    out = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout
    spinning, asleep, again = (float(line) for line in out.split())
    assert asleep < 0.5 * min(spinning, again), out


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_sharing_the_cores_changes_no_number(
    precision: str, digits: ImageDataset, small: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "FUSED_FROM", 20)
    settings = updated(
        small,
        precision=precision,
        threads=available_cores(),
        hidden=(96, 64),
        batch_size=128,
    )
    found = []

    def train(share_at: set[int], window: bool) -> None:
        trainer = Trainer(digits, settings)
        trainer.cores.stay(give_way_to_window=window)
        try:
            for step in range(60):
                if step in share_at:
                    trainer.cores.share(True)
                elif step - 7 in share_at:
                    trainer.cores.share(False)
                trainer.step()
            trainer.finish_block()
        finally:
            trainer.cores.share(False)
        assert trainer.mode.endswith("fused") is available()
        rows = trainer.history.training.view()
        found.append((trainer.snapshot().weights, rows["reconstruction"].copy(), rows["kl"].copy()))

    for share_at, window in ((set[int](), False), ({5, 17, 33, 50}, False), ({5, 17, 33, 50}, True)):
        run(partial(train, share_at, window))
    first, *others = found
    assert len(others) == 2
    for weights, *terms in others:
        for name, array in first[0].items():
            np.testing.assert_array_equal(weights[name], array)
        np.testing.assert_array_equal(terms, first[1:])


@pytest.mark.slow
@pytest.mark.parametrize("window", [False, True], ids=["command line", "window"])
@pytest.mark.parametrize("fused", [False, True], ids=["plain", "fused"])
def test_training_keeps_a_share_beside_busy_programs(
    fused: bool, window: bool, digits: ImageDataset, small: Settings, exhaustive: bool
) -> None:
    """Threads that wait for each other spinning keep a twentieth of their speed, or less."""
    if window and not exhaustive:
        pytest.skip("training alone is enough for every day")
    if fused and not available():
        pytest.skip("no compiler is installed")
    settings = updated(small, hidden=(512, 256), batch_size=128, epochs=100_000)
    settings = updated(settings, engine="fused" if fused else "eager")
    speeds: list[float] = []
    load, others = OtherLoad(), list[float]()

    def train() -> None:
        trainer = Trainer(digits, settings)
        trainer.engine.prepare(wait=True)
        trainer.cores.stay(give_way_to_window=window)
        while trainer.step_count <= engine.FUSED_FROM:
            trainer.step()
            trainer.finish_block()
        speeds.append(speed(trainer, 1.0))
        others.append(load.cores() or 0.0)
        is_there.set()
        go_on.wait()
        if others[0] <= QUIET:
            speeds.append(speed(trainer, 3.0))
        assert trainer.mode.endswith("fused") is fused

    def speed(trainer: Trainer, seconds: float) -> float:
        """Of the second half, in which it has noticed."""
        begin = time.monotonic()
        halfway = (math.inf, 0)

        def allowed() -> int:
            nonlocal halfway
            now = time.monotonic() - begin
            if halfway[0] == math.inf and now >= seconds / 2:
                halfway = now, trainer.step_count
            return 0 if now >= seconds else loop.FREELY

        loop.train(trainer, go_on=allowed, after_block=lambda: None)
        return (trainer.step_count - halfway[1]) / (time.monotonic() - begin - halfway[0])

    is_there, go_on = threading.Event(), threading.Event()
    thread = threading.Thread(target=train)
    thread.start()
    assert is_there.wait(60)
    if others[0] > QUIET:
        go_on.set()
        thread.join(60)
        pytest.skip("other programs are busy")
    with busy(available_cores() + 1):
        time.sleep(0.2)
        go_on.set()
        thread.join(60)
    assert not thread.is_alive()
    alone, beside = speeds
    assert beside > 0.15 * alone, f"{beside / alone:.3f} of its speed"


def test_afterwards_threads_run_anywhere_and_spin(digits: ImageDataset, small: Settings) -> None:
    waiting: list[bool] = []
    kept: list[bool] = []

    def train() -> None:
        trainer = Trainer(digits, updated(small, threads=available_cores()))
        trainer.cores.stay(give_way_to_window=True)
        kept.append(is_kept())
        trainer.cores.share(True)
        kept.append(is_kept())
        loop.train(trainer, go_on=lambda: 0, after_block=lambda: None)
        waiting.append(trainer.cores._waiting is not None)
        kept.append(is_kept())
        any_core()

    run(train)
    assert kept == [True, False, True]
    assert waiting == [False]
