"""Training while the fused step is still being compiled: it waits in plain sight, in hand, and changes no number."""

from __future__ import annotations

import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from conftest import same_arrays
from pytestqt.qtbot import QtBot

from vaeviewer.backend.config import Settings, updated
from vaeviewer.backend.data.base import ImageDataset
from vaeviewer.backend.runs.listing import summary_of
from vaeviewer.backend.training import loop
from vaeviewer.backend.training.engines.fused.engine import COMPILING, FUSED_FROM
from vaeviewer.backend.training.trainer import Trainer
from vaeviewer.native import object_code
from vaeviewer.session.session import Session
from vaeviewer.session.states import Action, State

pytestmark = pytest.mark.slow

SWITCH = 5
"""The step that waits: see ``slow_compiler``."""


@pytest.fixture
def session(
    qtbot: QtBot, digits: ImageDataset, small: Settings, slow_compiler: Callable[[], None]
) -> Iterator[Session]:
    """Ready, on the small digits; its compiler waits for ``slow_compiler`` to be called."""
    session = Session(updated(small, epochs=100_000))
    session._thread.start()
    session.use_data(digits, keep_model=False)
    qtbot.waitUntil(lambda: session.state is State.READY, timeout=30_000)
    yield session
    assert session.close()


def waits(session: Session) -> bool:
    session.drain()
    progress = session.progress
    return progress is not None and progress.step == SWITCH and COMPILING in progress.mode


def is_fused(session: Session) -> bool:
    session.drain()
    return session.progress is not None and "fused" in session.progress.mode


def answered(qtbot: QtBot, session: Session) -> float:
    """Seconds until the training thread has done what was asked last."""
    begin = time.perf_counter()
    while session._thread._announcer.handled < session._sent:
        qtbot.wait(5)
    return time.perf_counter() - begin


def test_commands_are_answered_while_it_waits(
    qtbot: QtBot, session: Session, slow_compiler: Callable[[], None]
) -> None:
    session.request(Action.TRAIN)
    qtbot.waitUntil(lambda: waits(session), timeout=30_000)
    taken = []
    for rate in (2e-3, 3e-3, 4e-3, 5e-3, 6e-3):
        session.change("learning_rate", rate)
        taken.append(answered(qtbot, session))
    assert statistics.median(taken) < 0.3, taken
    session.request(Action.PAUSE)
    qtbot.waitUntil(lambda: session._thread._announcer.state is State.PAUSED, timeout=300)
    assert session._thread._driver.trainer is not None
    assert session._thread._driver.trainer.step_count == SWITCH

    session.request(Action.STEP)
    qtbot.waitUntil(lambda: waits(session), timeout=30_000)
    session.request(Action.TRAIN)  # the step gives way
    assert answered(qtbot, session) < 1
    slow_compiler()
    qtbot.waitUntil(lambda: is_fused(session), timeout=120_000)


@pytest.mark.parametrize("action", [Action.STOP, None])
def test_stop_and_close_do_not_wait_for_the_compiler(
    qtbot: QtBot, session: Session, action: Action | None
) -> None:
    session.request(Action.TRAIN)
    qtbot.waitUntil(lambda: waits(session), timeout=30_000)
    if action is None:
        assert session.close()
    else:
        session.request(action)
        qtbot.waitUntil(lambda: session._thread._announcer.state is State.FINISHED, timeout=5_000)


def test_a_run_that_waited_has_the_numbers_of_one_that_did_not(
    digits: ImageDataset, small: Settings, slow_compiler: Callable[[], None]
) -> None:
    settings = updated(small, precision="float32")
    waited, ready = Trainer(digits, settings), Trainer(digits, settings)
    blocks = []

    def after_block() -> None:
        blocks.append((waited.step_count, waited.mode))
        if len(blocks) > 3:
            slow_compiler()

    loop.train(waited, go_on=lambda: loop.FREELY, after_block=after_block)
    assert [entry for entry in blocks if COMPILING in entry[1]][:2] == [(SWITCH, f"float32, {COMPILING}")] * 2
    assert waited.mode.endswith(", fused")
    assert ready.engine.ready
    loop.train(ready, go_on=lambda: loop.FREELY, after_block=lambda: None)
    assert same_arrays(waited.snapshot().weights, ready.snapshot().weights)


@pytest.mark.skipif(sys.platform == "win32", reason="signals end a process otherwise there")
@pytest.mark.skipif(not object_code.available(), reason="no compiler is installed")
def test_ctrl_c_ends_the_command_while_it_waits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VAEVIEWER_HOME", str(tmp_path / "home"))
    sleeper, out = tmp_path / "sleeper", tmp_path / "run"
    sleeper.write_text("#!/bin/sh\nexec sleep 300\n")
    sleeper.chmod(0o755)
    script = (
        f"import sys; sys.executable = {str(sleeper)!r}; from vaeviewer.cli import main; "
        f"sys.exit(main(['train', '--out', {str(out)!r}, '--hidden', '16', '--save-every', '0.1', '--device', 'cpu']))"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        end = time.perf_counter() + 60
        while not (out / "manifest.json").exists() or summary_of(out).step < FUSED_FROM:
            assert process.poll() is None
            assert time.perf_counter() < end
            time.sleep(0.05)
        time.sleep(0.5)
        assert summary_of(out).step == FUSED_FROM
        begin = time.perf_counter()
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=30)
        assert process.returncode == 130, errors
        assert time.perf_counter() - begin < 10
