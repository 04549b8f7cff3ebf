"""What every test shares: a display that needs no screen, and proof that nothing is left running."""

from __future__ import annotations

import os
import sys

import pytest

if sys.platform.startswith("linux") and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")


@pytest.fixture(autouse=True)
def own_home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each test has its own place for settings and data, so that none reads or writes the user's."""
    monkeypatch.setenv("VAEVIEWER_HOME", str(tmp_path_factory.mktemp("home")))
