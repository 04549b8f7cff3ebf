"""Recent runs and their menu, with real runs on disk."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import run_folders
from PySide6.QtGui import QAction
from pytestqt.qtbot import QtBot

from vaeviewer import paths
from vaeviewer.backend.config import Settings, updated
from vaeviewer.backend.data.base import ImageDataset
from vaeviewer.backend.runs.lock import RunLock
from vaeviewer.backend.training.trainer import Trainer
from vaeviewer.session.states import Action, State
from vaeviewer.ui.runs.recent_menu import MOST_SHOWN, RecentMenu
from vaeviewer.ui.window.main_window import MainWindow

MakeWindow = Callable[..., MainWindow]


@pytest.fixture
def save(digits: ImageDataset, small: Settings) -> Callable[..., Path]:
    """Saves a run of one step."""

    def saved(folder: Path, **changes: object) -> Path:
        trainer = Trainer(digits, updated(small, **changes))
        trainer.step()
        trainer.evaluate()
        run_folders.save(trainer, folder)
        return folder

    return saved


def entries(qtbot: QtBot, window: MainWindow) -> list[QAction]:
    """Those of the menu once it was opened and the runs read."""
    menu = window.findChild(RecentMenu, "recentRuns")
    assert menu is not None
    with qtbot.waitSignal(window.recent_runs.listed):
        menu.parent().aboutToShow.emit()
    return menu.actions()


def test_the_menu_follows_what_is_on_disk(
    qtbot: QtBot, make_window: MakeWindow, small: Settings, save: Callable[..., Path], tmp_path: Path
) -> None:
    window = make_window(small)
    (none,) = entries(qtbot, window)
    assert not none.isEnabled()

    save(paths.runs_dir() / "this & that")
    save(paths.runs_dir() / "deep", latent_dim=5, family="autoencoder")
    deep, plain = entries(qtbot, window)
    assert plain.text().startswith("this && that · 600 digits · step 1 · held-out ELBO −")
    assert plain.isEnabled()
    assert deep.text().startswith("deep · 600 digits · Autoencoder · step 1 · held-out squared error ")
    assert deep.text().endswith(" · 5 latent dimensions")
    assert deep.isEnabled()

    lock = RunLock(paths.runs_dir() / "this & that")
    lock.acquire()
    _, plain = entries(qtbot, window)
    assert "open elsewhere" in plain.text()
    assert plain.isEnabled()
    lock.release()

    # Of the folders elsewhere those are remembered that were saved to or opened, until they vanish.
    with qtbot.waitSignal(window.session.saved):
        window.session.save(tmp_path / "elsewhere")
    first, *others = entries(qtbot, window)
    assert first.text().startswith("elsewhere · ")
    assert "open here" in first.text()
    assert not first.isEnabled()
    assert len(others) == 2
    window.session.new_run()
    qtbot.waitUntil(lambda: window.session.folder is None, timeout=10_000)
    shutil.rmtree(tmp_path / "elsewhere")
    assert [entry.text().split(" · ")[0] for entry in entries(qtbot, window)] == ["deep", "this && that"]
    assert window.recent_runs._elsewhere.texts() == []


def test_an_entry_opens_its_run(
    qtbot: QtBot, make_window: MakeWindow, small: Settings, save: Callable[..., Path]
) -> None:
    save(paths.runs_dir() / "one")
    window = make_window(small)
    (entry,) = entries(qtbot, window)
    # Its data are the bundled digits, of which the small set is a part: the message says that they differ.
    with qtbot.waitSignal(window.session.data_missing, timeout=10_000) as missing:
        entry.trigger()
    folder, sentence = missing.args
    assert folder == paths.runs_dir() / "one"
    assert str(folder) in sentence


def test_no_more_than_ten_are_shown(
    qtbot: QtBot, make_window: MakeWindow, small: Settings, save: Callable[..., Path]
) -> None:
    folder = save(paths.runs_dir() / "0")
    for number in range(1, MOST_SHOWN + 3):
        shutil.copytree(folder, paths.runs_dir() / str(number))
    assert len(entries(qtbot, make_window(small))) == MOST_SHOWN


def test_a_new_run_has_the_same_settings_and_a_folder_of_its_own(
    qtbot: QtBot, make_window: MakeWindow, small: Settings
) -> None:
    window = make_window(updated(small, epochs=1000))
    session = window.session
    session.request(Action.TRAIN)
    qtbot.waitUntil(lambda: session.saved_step is not None, timeout=10_000)
    before, settings = session.folder, session.settings
    (new,) = [a for a in window.findChildren(QAction) if a.text() == "&New run with these settings"]
    new.trigger()  # while it trains
    qtbot.waitUntil(lambda: session.folder is None and session.state is State.READY, timeout=10_000)
    assert session.settings == settings
    assert window.windowTitle().startswith("600 digits")
    session.request(Action.STEP)
    qtbot.waitUntil(lambda: session.folder is not None, timeout=10_000)
    assert session.folder != before
    assert len(list(paths.runs_dir().iterdir())) == 2
