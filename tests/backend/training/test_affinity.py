"""Training's threads keep to a core each, on whatever thread it runs."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from vaeviewer.backend.config import Settings, updated
from vaeviewer.backend.data.base import ImageDataset
from vaeviewer.backend.training.affinity import any_core
from vaeviewer.backend.training.trainer import Trainer
from vaeviewer.bench.training import warm_up
from vaeviewer.native.cores import available_cores, cores

pytestmark = pytest.mark.skipif(
    not sys.platform.startswith("linux") or available_cores() < 2, reason="Linux alone pins threads"
)


@pytest.fixture
def unpinned() -> Iterator[None]:
    """Leaves this thread as it was."""
    yield
    any_core()


@pytest.mark.slow
@pytest.mark.usefixtures("unpinned")
def test_the_main_thread_trains_on_every_core(digits: ImageDataset, small: Settings) -> None:
    def pinned() -> dict[str, set[int]]:
        masks = {
            task.name: os.sched_getaffinity(int(task.name)) for task in Path("/proc/self/task").iterdir()
        }
        return {task: mask for task, mask in masks.items() if len(mask) == 1}

    others = pinned()
    trainer = Trainer(digits, updated(small, threads=available_cores()))
    trainer.cores.stay(give_way_to_window=False)  # before steps are fused, as the command line does
    warm_up(trainer)
    assert trainer.engine.key == "fused"
    assert os.sched_getaffinity(0) in pinned().values()
    assert available_cores() == len(cores()) == len(set().union(*pinned().values()))
    mine = [mask for task, mask in pinned().items() if task not in others]
    assert sorted(core for mask in mine for core in mask) == sorted(cores())
