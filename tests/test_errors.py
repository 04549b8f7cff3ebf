"""The program goes on after exceptions in a slot, a timer, a paint event and the training thread."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

PROGRAM = """
import sys, time
from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QWidget
from vaeviewer import app, cli
from vaeviewer.session.states import Action, State

build = app.create_main_window

class Bad(QWidget):
    def paintEvent(self, event):
        raise RuntimeError("wrong in a paint event")

def in_timer():
    raise RuntimeError("wrong in a timer")

def in_slot(*_):
    raise RuntimeError("wrong in a slot")

def break_training(window):
    from vaeviewer.backend.training.trainer import Trainer
    step = Trainer.step

    def broken(trainer, most):
        Trainer.step = step
        raise RuntimeError("wrong in the training thread")

    Trainer.step = broken

def build_and_break(*options, **named):
    window = build(*options, **named)
    session = window.session
    waiting = [
        ("a slot", lambda: (window.controls.steps_per_second_changed.connect(in_slot),
                            window.controls.steps_per_second_changed.emit(0.0))),
        ("a timer", lambda: QTimer.singleShot(0, in_timer)),
        ("a paint event", lambda: (setattr(window, "bad", Bad(window)), window.bad.show())),
        ("the training thread", lambda: break_training(window)),
    ]
    now = []

    def next_failure():
        if now:
            place, began, step = now
            if "wrong in " + place in window.message.text and "told" not in now_told:
                print("told", place, time.perf_counter() - began < 10.0, flush=True)
                now_told.append("told")
                now[2] = session.progress.step
            elif "told" in now_told and session.state is State.FAILED:
                # Which it comes to be after it has told, and kept what there is.
                session.request(Action.TRAIN)
                now[2] = session.progress.step
            elif "told" in now_told and session.state is State.RUNNING and session.progress.step != step:
                print("trains", flush=True)
                now.clear()
            return
        if session.state is not State.RUNNING:
            return
        if not waiting:
            timer.stop()
            window.close()
            return
        place, fail = waiting.pop(0)
        now[:] = [place, time.perf_counter(), 0]
        now_told.clear()
        fail()

    now_told = []
    timer = QTimer(window)
    timer.timeout.connect(next_failure)
    timer.start(20)

    def on_state(state):
        if state is State.READY:
            session.change("epochs", 100_000)
            session.request(Action.TRAIN)

    session.state_changed.connect(on_state)
    session.forget_run()
    return window

app.create_main_window = build_and_break
sys.exit(cli.main([]))
"""


def test_the_program_goes_on(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env={**os.environ, "QT_QPA_PLATFORM": "offscreen", "VAEVIEWER_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    places = ("a slot", "a timer", "a paint event", "the training thread")
    assert done.stdout.splitlines() == [line for p in places for line in (f"told {p} True", "trains")]
    # PySide itself notes a failed paint event there, past Python's own standard error.
    errors = re.sub(r"Error calling Python override of \w+::\w+\(\): ", "", done.stderr)
    assert (done.returncode, errors) == (0, "")
    log = (tmp_path / "logs" / "vaeviewer.log").read_text(encoding="utf-8")
    for place in places:
        assert log.count(f"wrong in {place}") == 1
