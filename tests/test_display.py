"""Where no window can be opened the program says so in one sentence and exits with 2; Qt would abort the process."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="elsewhere there is a display")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("environment", "words"),
    [
        ({}, "set DISPLAY"),
        ({"DISPLAY": ":987"}, "The display :987 does not answer"),
        ({"WAYLAND_DISPLAY": "gone"}, "The display gone does not answer"),
        ({"WAYLAND_DISPLAY": "gone", "DISPLAY": ":987"}, "The display :987 does not answer"),
        ({"QT_QPA_PLATFORM": "wayland"}, "The display wayland-0 does not answer"),
        ({"QT_QPA_PLATFORM": "xcb"}, "set DISPLAY"),
        ({"QT_QPA_PLATFORM": "nonsense"}, "'nonsense', which Qt has not got here"),
    ],
)
def test_one_sentence_and_2(tmp_path: Path, environment: dict[str, str], words: str) -> None:
    kept = {k: v for k, v in os.environ.items() if not k.endswith("DISPLAY") and k != "QT_QPA_PLATFORM"}
    done = subprocess.run(
        [sys.executable, "-m", "vaeviewer"],
        env={**kept, "XDG_RUNTIME_DIR": str(tmp_path), "VAEVIEWER_HOME": str(tmp_path), **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 2
    assert words in done.stderr
    assert done.stderr.count("\n") == 1
