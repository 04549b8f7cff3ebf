"""Any order of anything: random actions on the real window, with nothing that fails and nothing logged as an error."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from helpers_monkey import Monkey
from PySide6.QtCore import QObject, QUrl, Slot
from PySide6.QtGui import QDesktopServices
from PySide6.QtWidgets import QApplication
from small_images import write_idx_folder

from vaeviewer.backend.config import Settings, updated
from vaeviewer.session.states import State
from vaeviewer.ui.window.main_window import MainWindow

pytestmark = pytest.mark.slow


class Opener(QObject):
    """Takes the folders that would be shown by another program."""

    @Slot(QUrl)
    def open(self, _url: QUrl) -> None:
        """Show nothing."""


@pytest.fixture(autouse=True)
def no_other_programs(qapp: QApplication) -> Iterator[None]:
    opener = Opener()
    for scheme in ("file", "https"):
        QDesktopServices.setUrlHandler(scheme, opener, "open")
    yield
    for scheme in ("file", "https"):
        QDesktopServices.unsetUrlHandler(scheme)


def resident_mb() -> float:
    status = Path("/proc/self/status")
    found = re.search(r"VmRSS:\s+(\d+)", status.read_text()) if status.exists() else None
    return int(found[1]) / 1024 if found else float("nan")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "seed" in metafunc.fixturenames:
        metafunc.parametrize("seed", range(20 if metafunc.config.getoption("--exhaustive") else 1))


@pytest.mark.qt_log_ignore("This plugin does not support", extend=True)  # popups, without a screen
@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_any_order_of_anything_is_safe(
    seed: int,
    make_window: Callable[..., MainWindow],
    small: Settings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    exhaustive: bool,
    figures: list[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    folders = [tmp_path / name for name in ("forty", "wide", "none")]
    write_idx_folder(folders[0], train=40, height=28, width=28)
    write_idx_folder(folders[1], train=30, width=6)
    window = make_window(updated(small, epochs=40))
    monkey = Monkey(window, seed, folders, tmp_path)
    if seed % 2 == 0:
        monkey.open_mathematics()
    monkey.act(2000 if exhaustive else 300)
    assert window.session.state in State, monkey.story()
    window.close()
    for other in QApplication.topLevelWidgets():
        other.close()
    seconds, when = monkey.longest
    figures.append(
        f"monkey, seed {seed}: busy for {1000 * seconds:.0f} ms at most ({when}); "
        f"{resident_mb():.0f} MB at its end"
    )
