"""What goes wrong before the window is up is told in a sentence, and logged with its details."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """
import sys
from vaeviewer import app, cli

def broken(*_, **__):
    raise RuntimeError("a panel could not be made")

app.MainWindow = broken
sys.exit(cli.main(sys.argv[1:]))
"""


@pytest.mark.slow
def test_it_is_told_and_logged(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env={**os.environ, "QT_QPA_PLATFORM": "offscreen", "VAEVIEWER_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout) == (1, "")
    (sentence,) = done.stderr.splitlines()
    told, _, place = sentence.partition(" More is in ")
    assert told == "vaeviewer: The window could not be opened: RuntimeError, a panel could not be made."
    assert "Traceback" in Path(place).read_text(encoding="utf-8")
