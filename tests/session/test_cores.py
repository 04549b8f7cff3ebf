"""Nothing that the training thread starts inherits the one core it stays on."""

from __future__ import annotations

import os
import sys
import threading

import pytest
from pytestqt.qtbot import QtBot

from vaeviewer.backend.config import Settings, updated
from vaeviewer.backend.data.base import ImageDataset
from vaeviewer.native.cores import available_cores
from vaeviewer.session.session import Session
from vaeviewer.session.states import Action, State

pytestmark = pytest.mark.skipif(
    not sys.platform.startswith("linux") or available_cores() < 2, reason="Linux alone has this"
)


def test_the_thread_that_saves_may_run_on_every_core(
    qtbot: QtBot, digits: ImageDataset, small: Settings
) -> None:
    session = Session(updated(small, epochs=100_000, threads=available_cores()))
    session._thread.run_keeper._save_seconds = 0.1
    session._thread.start()
    session.use_data(digits, keep_model=False)
    qtbot.waitUntil(lambda: session.state is State.READY, timeout=30_000)
    session.request(Action.TRAIN)
    qtbot.waitUntil(lambda: session.saved_step is not None, timeout=30_000)
    cores = {
        thread.name: os.sched_getaffinity(thread.native_id)
        for thread in threading.enumerate()
        if thread.native_id is not None
    }
    assert cores["autosave"] == cores[threading.main_thread().name] == os.sched_getaffinity(os.getpid())
    assert session.close()
