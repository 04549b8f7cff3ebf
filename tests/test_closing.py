"""Closing the window, whatever the program is in the middle of: exit code 0, soon, and nothing on standard error."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from vaeviewer.backend.runs.folder import load_run

pytestmark = pytest.mark.slow

BOUND_S = 2.0
GIVE_UP_S = 20.0

no_windows = pytest.mark.skipif(
    sys.platform == "win32", reason="SIGTERM there ends a process without asking it"
)

WINDOW = """
import sys
from PySide6.QtCore import QTimer
from vaeviewer import app, cli
from vaeviewer.session.states import Action, State

moment, delay_ms, how = sys.argv[1], int(sys.argv[2]), sys.argv[3]
build = app.create_main_window

def leave(window):
    print("closing", flush=True)
    if how == "float":
        for dock in window.docks:
            dock.setFloating(True)
        if not window.docks[1].close():
            print("a panel taken from behind another's tab does not close")
        QTimer.singleShot(100, window.close)
    if how == "close":
        window.close()

def build_and_watch(*options, **named):
    window = build(*options, **named)
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

app.create_main_window = build_and_watch
sys.exit(cli.main([]))
"""


@pytest.mark.parametrize(
    ("moment", "delay_ms", "how", "is_first"),
    [
        ("starting", 0, "close", False),
        ("starting", 600, "signal", False),
        ("stepping", 0, "close", False),
        ("running", 0, "close", True),
        ("running", 700, "signal", False),
        ("paused", 100, "close", False),
        ("starting", 600, "float", False),
    ],
)
@no_windows
def test_closing_leaves_cleanly(
    tmp_path: Path, compiled: Path, moment: str, delay_ms: int, how: str, is_first: bool
) -> None:
    """The first one compiles when it is closed; the others have found what was compiled before."""
    close_at(tmp_path, moment, delay_ms, how, cache=None if is_first else compiled)


@no_windows
@pytest.mark.timeout(600)
@pytest.mark.parametrize("batch", range(20))
def test_closing_at_random_moments(tmp_path: Path, batch: int, exhaustive: bool, figures: list[str]) -> None:
    """300 in all."""
    if not exhaustive:
        pytest.skip("the moments above are enough for every day")
    rng = random.Random(batch)
    seconds = []
    for number in range(15):
        moment = rng.choice(("starting", "starting", "stepping", "running", "paused"))
        place = tmp_path / str(number)
        place.mkdir()
        seconds.append(close_at(place, moment, rng.randrange(2500), rng.choice(("close", "signal"))))
    figures.append(f"closing, batch {batch}: {len(seconds)} times, at most {max(seconds):.2f} s")


def close_at(place: Path, moment: str, delay_ms: int, how: str, cache: Path | None = None) -> float:
    """Start the program, with an empty cache or this one, and close it; returns how long it took to end, seconds."""
    home, temporary = place / "home", place / "temporary"
    temporary.mkdir()
    if cache is not None:
        home.mkdir()
        (home / "cache").symlink_to(cache)
    environment = {
        **os.environ,
        "QT_QPA_PLATFORM": "offscreen",
        "VAEVIEWER_HOME": str(home),
        "TMPDIR": str(temporary),
    }
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
            output, errors = process.communicate(timeout=GIVE_UP_S)
        finally:
            process.kill()
        seconds = time.perf_counter() - asked
    when = f"{moment}, {delay_ms} ms, {how}"
    assert process.returncode == 0, when
    assert (output, errors) == ("", ""), when
    assert seconds < BOUND_S, when
    assert [path for path in temporary.rglob("*") if path.is_file()] == [], (
        when
    )  # torch makes an empty folder
    assert list(home.rglob("*.tmp")) == [], when
    for manifest in home.rglob("manifest.json"):
        assert load_run(manifest.parent).notes == (), when
    return seconds
