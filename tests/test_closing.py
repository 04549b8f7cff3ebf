"""Closing the window, whatever the program is in the middle of: exit code 0, soon, and nothing on standard error."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

BOUND_S = 2.0
GIVE_UP_S = 20.0

WINDOW = """
import sys
from PySide6.QtCore import QTimer
from vaeviewer import app, cli
from vaeviewer.session.states import Action, State

moment, delay_ms, how = sys.argv[1], int(sys.argv[2]), sys.argv[3]
build = app._build_window

def leave(window):
    print("closing", flush=True)
    if how == "close":
        window.close()

def build_and_watch(options):
    window = build(options)
    session = window.session
    later = lambda: QTimer.singleShot(delay_ms, lambda: leave(window))

    def on_state(state):
        if state is State.READY and moment in ("running", "paused"):
            session.request(Action.TRAIN)
        elif state is State.READY and moment == "stepping":
            session.request(Action.STEP)
            later()
        elif state is State.RUNNING and moment == "running":
            later()
        elif state is State.RUNNING:
            QTimer.singleShot(300, lambda: session.request(Action.PAUSE))
        elif state is State.PAUSED and moment == "paused":
            later()

    session.state_changed.connect(on_state)
    if moment == "starting":
        window.first_shown.connect(later)
    return window

app._build_window = build_and_watch
sys.exit(cli.main([]))
"""


@pytest.mark.parametrize(
    ("moment", "delay_ms", "how"),
    [
        ("starting", 0, "close"),
        ("starting", 300, "signal"),
        ("starting", 900, "close"),
        ("stepping", 0, "close"),
        ("running", 0, "close"),
        ("running", 700, "signal"),
        ("paused", 100, "close"),
    ],
)
@pytest.mark.skipif(sys.platform == "win32", reason="SIGTERM there ends a process without asking it")
def test_closing_leaves_cleanly(tmp_path: Path, moment: str, delay_ms: int, how: str) -> None:
    environment = {**os.environ, "QT_QPA_PLATFORM": "offscreen", "VAEVIEWER_HOME": str(tmp_path)}
    with subprocess.Popen(
        [sys.executable, "-c", WINDOW, moment, str(delay_ms), how],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "closing\n", process.stderr and process.stderr.read()
        asked = time.perf_counter()
        if how == "signal":
            process.send_signal(signal.SIGTERM)
        try:
            _, errors = process.communicate(timeout=GIVE_UP_S)
        finally:
            process.kill()
        seconds = time.perf_counter() - asked
    assert process.returncode == 0
    assert errors == ""
    assert seconds < BOUND_S
