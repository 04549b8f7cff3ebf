"""Which cores threads run on: looked up, not believed."""

from __future__ import annotations

import os
import sys
import threading
from pathlib import Path

import pytest
import torch

from vaeviewer.backend.affinity import any_core, available_cores, one_thread_per_core
from vaeviewer.backend.device import use_threads

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="Linux alone has this")


def cores_by_thread() -> dict[int, set[int]]:
    ids = [int(task.name) for task in Path("/proc/self/task").iterdir()]
    return {thread: os.sched_getaffinity(thread) for thread in ids}


def test_each_thread_of_training_stays_on_one_core_and_nobody_else_does() -> None:
    everywhere = os.sched_getaffinity(os.getpid())
    if len(everywhere) < 2:
        pytest.skip("one core leaves no choice")
    found: dict[int, set[int]] = {}
    writer: list[set[int]] = []

    def train() -> None:
        threads = use_threads(0)
        assert one_thread_per_core(threads)
        torch.ones(1 << 20).add_(1.0)
        found.update(cores_by_thread())
        assert available_cores() == len(everywhere), "counted for the process, not for this thread"
        started_here = threading.Thread(target=lambda: (any_core(), writer.append(os.sched_getaffinity(0))))
        started_here.start()
        started_here.join()

    thread = threading.Thread(target=train)
    thread.start()
    thread.join()
    kept = sorted(core for cores in found.values() if len(cores) == 1 for core in cores)
    assert kept == sorted(everywhere)
    assert found[os.getpid()] == everywhere
    assert writer == [everywhere]


def test_with_cores_to_spare_nothing_is_restricted() -> None:
    before = cores_by_thread()
    assert not one_thread_per_core(available_cores() - 1)
    assert all(cores == before[name] for name, cores in cores_by_thread().items() if name in before)
