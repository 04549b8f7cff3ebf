"""Which cores threads run on: looked up, not believed."""

from __future__ import annotations

import os
import sys
import threading
from contextlib import suppress
from pathlib import Path

import pytest
import torch

from vaeviewer.backend.training.affinity import (
    any_core,
    available_cores,
    core_each,
    is_kept,
    one_thread_per_core,
)
from vaeviewer.backend.training.device import use_threads

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="Linux alone has this")


def cores_by_thread() -> dict[int, set[int]]:
    found = {}
    for task in Path("/proc/self/task").iterdir():
        with suppress(ProcessLookupError):  # it has just ended
            found[int(task.name)] = os.sched_getaffinity(int(task.name))
    return found


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


def test_threads_of_ones_own_take_the_cores_that_torchs_have() -> None:
    everywhere = os.sched_getaffinity(os.getpid())
    if len(everywhere) < 2:
        pytest.skip("one core leaves no choice")
    found: dict[int, set[int]] = {}
    others: list[int] = []
    over = threading.Event()

    def train() -> None:
        threads = use_threads(0)
        one_thread_per_core(threads)
        mine = os.sched_getaffinity(0)
        assert is_kept()
        helpers = [threading.Thread(target=over.wait) for _ in range(threads - 1)]
        for helper in helpers:
            helper.start()
        others.extend(helper.native_id or 0 for helper in helpers)
        cores = core_each([threading.get_native_id(), *others])
        assert {cores[0]} == mine == os.sched_getaffinity(0), "it stays where it was"
        assert core_each([threading.get_native_id()]) == [], "there are cores to spare"
        found.update(cores_by_thread())
        over.set()
        for helper in helpers:
            helper.join()

    failures: list[BaseException] = []

    def watched() -> None:
        try:
            train()
        except BaseException as error:
            failures.append(error)
            over.set()

    thread = threading.Thread(target=watched)
    thread.start()
    thread.join()
    assert not failures, failures
    kept = [min(cores) for cores in found.values() if len(cores) == 1]
    assert sorted(kept) == sorted(everywhere)
    assert all(len(found[other]) == 1 for other in others)
    assert not is_kept()


def test_with_cores_to_spare_nothing_is_restricted() -> None:
    before = cores_by_thread()
    assert not one_thread_per_core(available_cores() - 1)
    assert all(cores == before[name] for name, cores in cores_by_thread().items() if name in before)
