"""Start and quit the real window on an X display from 40 states, most of them left by a real quit.

    python tests/starts.py      # wants DISPLAY and a window manager, or makes its own Xvfb

Each start must show the window, quit with exit code 0, and print nothing on standard error.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from mutators import damaged_bytes

PATIENCE_S = 60.0

PROGRAM = """
import sys
from PySide6.QtCore import QTimer, Qt
from vaeviewer import app, cli

change = sys.argv[1]
build = app.create_main_window

def act(window):
    exec(change, {"w": window, "Qt": Qt, "docks": window.docks})
    QTimer.singleShot(400, window.close)

def build_and_watch(*options, **named):
    window = build(*options, **named)

    def shown():
        assert window.isVisible()
        print("shown", flush=True)
        QTimer.singleShot(300, lambda: act(window))

    window.first_shown.connect(shown)
    return window

app.create_main_window = build_and_watch
sys.exit(cli.main(sys.argv[2:]))
"""
"""The program, told what to do with its window before it is closed as by a user."""

LEFT_BY_A_QUIT = {
    "as it was": "pass",
    "maximised": "w.showMaximized()",
    "full screen": "w.showFullScreen()",
    "minimised": "w.showMinimized()",
    "maximised, then minimised": "w.showMaximized(); w.showMinimized()",
    "full screen, then maximised": "w.showFullScreen(); w.showMaximized()",
    "small": "w.resize(1, 1)",
    "larger than the screen": "w.resize(5000, 4000)",
    "far to the left": "w.move(-3000, -2000)",
    "far to the right": "w.move(9000, 9000)",
    "all panels closed": "[d.close() for d in docks]",
    "all panels floating": "[d.setFloating(True) for d in docks]",
    "all panels floating and closed": "[(d.setFloating(True), d.close()) for d in docks]",
    "a panel floating far away": "docks[0].setFloating(True); docks[0].move(8000, 8000)",
    "a panel floating and huge": "docks[2].setFloating(True); docks[2].resize(6000, 6000)",
    "floating and maximised": "docks[3].setFloating(True); w.showMaximized()",
    "floating and full screen": "docks[3].setFloating(True); w.showFullScreen()",
    "floating and minimised": "docks[3].setFloating(True); w.showMinimized()",
    "all panels at the left": "[w.addDockWidget(Qt.DockWidgetArea.LeftDockWidgetArea, d) for d in docks]",
    "all panels at the top": "[w.addDockWidget(Qt.DockWidgetArea.TopDockWidgetArea, d) for d in docks]",
    "all panels as tabs": "[w.tabifyDockWidget(docks[0], d) for d in docks[1:]]",
    "the lower panel closed": "docks[-1].close()",
    "the layout restored": "w.reset_layout()",
    "the settings in front": "docks[1].raise_()",
    "the mathematics as tabs": "[d.toggleViewAction().trigger() for d in docks if d.property('onDemand')]",
    "the mathematics floating": "[(d.show(), d.setFloating(True)) for d in docks if d.property('onDemand')]",
}
"""What is done to the window before it is quit; it then starts again from what that left."""

ENVIRONMENTS = {
    "scale 1.5": {"QT_SCALE_FACTOR": "1.5"},
    "scale 2": {"QT_SCALE_FACTOR": "2"},
    "no Wayland display": {"WAYLAND_DISPLAY": "gone"},
}
"""Started after a maximised window was quit."""


def make_unreadable(home: Path) -> None:
    (home / "settings.ini").chmod(0)


def make_read_only(home: Path) -> None:
    (home / "settings.ini").chmod(0o400)
    home.chmod(0o500)


def remove(home: Path) -> None:
    (home / "settings.ini").unlink()


def empty(home: Path) -> None:
    (home / "settings.ini").write_bytes(b"")


def make_folder(home: Path) -> None:
    (home / "settings.ini").unlink()
    (home / "settings.ini").mkdir()


def make_pipe(home: Path) -> None:
    (home / "settings.ini").unlink()
    os.mkfifo(home / "settings.ini")


def make_huge(home: Path) -> None:
    with (home / "settings.ini").open("ab") as file:
        file.truncate(2**34)


def of_another_version(home: Path) -> None:
    text = (home / "settings.ini").read_text()
    (home / "settings.ini").write_text(
        text.replace("checksum=", "checksum_of_1=") + "future=@Variant(\\0\\0\\0\\x7f)\n"
    )


def of_a_crash(home: Path) -> None:
    (home / "starting").touch()


def damage(seed: int) -> Callable[[Path], object]:
    def damage(home: Path) -> None:
        file = home / "settings.ini"
        file.write_bytes(damaged_bytes(random.Random(seed), file.read_bytes()))

    return damage


MADE = {
    "no settings": remove,
    "empty settings": empty,
    "settings that cannot be read": make_unreadable,
    "settings that cannot be written": make_read_only,
    "a folder in their place": make_folder,
    "a pipe in their place": make_pipe,
    "16 GB of settings": make_huge,
    "settings of another version": of_another_version,
    "a start that crashed": of_a_crash,
    **{f"damage {seed}": damage(seed) for seed in range(2)},
}
"""What becomes of the settings that a maximised window with a floating panel left."""


def run(home: Path, change: str = "pass", **environment: str) -> str:
    """Start the program, let it be shown, change it, and quit; what was wrong, or nothing."""
    kept = {
        key: value for key, value in os.environ.items() if key not in ("QT_QPA_PLATFORM", "WAYLAND_DISPLAY")
    }
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, change],
        env={**kept, "VAEVIEWER_HOME": str(home), **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        output, errors = process.communicate(timeout=PATIENCE_S)
    except subprocess.TimeoutExpired:
        process.kill()
        return f"did not end: {process.communicate()}"
    if (process.returncode, output, errors) != (0, "shown\n", ""):
        return f"exit code {process.returncode}, output {output!r}, standard error {errors!r}"
    return ""


def starts(only: str = "") -> list[tuple[str, str]]:
    """Each state by name, and what was wrong with the start from it."""
    results: list[tuple[str, str]] = []

    def note(name: str, problem: str) -> None:
        print(f"{name}: {problem or 'opens'}", flush=True)
        results.append((name, problem))

    with tempfile.TemporaryDirectory() as folder:
        for number, (name, change) in enumerate(LEFT_BY_A_QUIT.items()):
            if only in name:
                home = Path(folder, f"quit-{number}")
                note(name, run(home, change) or run(home))
        whole = Path(folder, "whole")
        problem = run(whole, "docks[0].setFloating(True); w.showMaximized()")
        assert not problem, problem
        for number, (name, make) in enumerate(MADE.items()):
            if only in name:
                home = Path(folder, f"made-{number}")
                shutil.copytree(whole, home)
                make(home)
                note(name, run(home))
                home.chmod(0o700)
        for name, environment in ENVIRONMENTS.items():
            if only in name:
                note(name, run(whole, **environment))
    return results


def main() -> int:
    """Run them all; the exit code is the number that failed."""
    server = None
    if not os.environ.get("DISPLAY"):
        server = subprocess.Popen(
            ["Xvfb", ":98", "-noreset", "-screen", "0", "1920x1080x24"], stderr=subprocess.DEVNULL
        )
        os.environ["DISPLAY"] = ":98"
        time.sleep(2)
    try:
        results = starts(*sys.argv[1:2])
    finally:
        if server is not None:
            server.send_signal(signal.SIGTERM)
    failed = [name for name, problem in results if problem]
    print(f"{len(results) - len(failed)} of {len(results)} open, exit with 0 and print nothing")
    return len(failed)


if __name__ == "__main__":
    sys.exit(main())
