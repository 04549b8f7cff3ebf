"""A run that was killed is offered again, in a message that stops nothing."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from PySide6.QtCore import QSettings, Qt
from PySide6.QtWidgets import QLabel, QPushButton
from pytestqt.qtbot import QtBot

from vaeviewer import paths
from vaeviewer.backend.config import Settings
from vaeviewer.backend.data.base import ImageDataset
from vaeviewer.backend.runs.copying import copy_of_run
from vaeviewer.backend.runs.listing import RunSummary, summary_of
from vaeviewer.backend.runs.saving import save_run
from vaeviewer.backend.training.trainer import Trainer
from vaeviewer.session.states import State
from vaeviewer.ui.runs.recovery import RecoveryOffer, offer_sentence
from vaeviewer.ui.window import message_bar
from vaeviewer.ui.window.main_window import MainWindow

MakeWindow = Callable[..., MainWindow]


def settings_file() -> QSettings:
    return QSettings(str(paths.settings_file()), QSettings.Format.IniFormat)


def offering(opening: Path | None = None) -> Callable[[MainWindow], object]:
    return lambda window: RecoveryOffer(window, settings_file(), opening)


def press(qtbot: QtBot, window: MainWindow, text: str) -> None:
    *_, button = [
        b for b in window.message.findChildren(QPushButton) if b.text() == text
    ]  # others are on their way out
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)


@pytest.fixture(autouse=True)
def heard_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(message_bar, "DEAF_S", 0.0)  # these clicks are meant for what they hit


@pytest.fixture
def interrupted(digits: ImageDataset, small: Settings) -> Callable[[str], Path]:
    """Leaves a run as a crash does."""

    def left(name: str) -> Path:
        trainer = Trainer(digits, small)
        trainer.step()
        trainer.finish_block()
        save_run(copy_of_run(trainer, paths.runs_dir() / name, in_training=True))
        return paths.runs_dir() / name

    return left


def test_a_killed_run_is_offered_and_opened(qtbot: QtBot, make_window: MakeWindow, small: Settings) -> None:
    folder = paths.runs_dir() / "killed"
    command = [sys.executable, "-m", "vaeviewer", "train", "--out", str(folder), "--hidden", "32"]
    with subprocess.Popen(
        [*command, "--epochs", "10000", "--save-every", "1"], stderr=subprocess.PIPE
    ) as process:
        end = time.monotonic() + 60
        while not (folder / "manifest.json").exists() or summary_of(folder).step == 0:
            assert process.poll() is None
            assert time.monotonic() < end
            time.sleep(0.05)
        process.kill()
    files = {path.name: path.read_bytes() for path in folder.glob("[!.]*")}
    step = summary_of(folder).step

    window = make_window(small, offering())
    qtbot.waitUntil(lambda: "did not end cleanly" in window.message.text, timeout=10_000)
    assert (
        f"“killed” did not end cleanly. It was saved less than a minute ago at step {step:,},"
        in window.message.text
    )
    picture = window.message.findChild(QLabel, "messagePicture")
    assert picture is not None
    assert picture.isVisible()
    image = picture.pixmap().toImage()
    assert len({image.pixel(x, image.height() // 2) for x in range(image.width())}) > 5
    assert {path.name: path.read_bytes() for path in folder.glob("[!.]*")} == files, "looking changes nothing"
    press(qtbot, window, "&Open it")
    qtbot.waitUntil(lambda: window.session.folder == folder, timeout=20_000)
    qtbot.waitUntil(lambda: window.session.state is State.PAUSED)
    assert window.session.snapshot is not None
    assert window.session.snapshot.step == step
    assert not window.message.text
    qtbot.waitUntil(lambda: not summary_of(folder).in_training, timeout=10_000)


def test_not_now_is_remembered_until_it_is_interrupted_again(
    qtbot: QtBot, make_window: MakeWindow, small: Settings, interrupted: Callable[[str], Path]
) -> None:
    folder = interrupted("one")
    window = make_window(small, offering())
    qtbot.waitUntil(lambda: "“one”" in window.message.text)
    press(qtbot, window, "&Not now")
    assert not window.message.text
    window.close()
    assert summary_of(folder).interrupted

    window = make_window(small, offering())
    qtbot.waitUntil(lambda: len(window.recent_runs.runs) == 1)
    qtbot.wait(100)
    assert not window.message.text
    window.close()

    interrupted("one")
    window = make_window(small, offering())
    qtbot.waitUntil(lambda: "“one”" in window.message.text)


def test_the_newest_is_offered_and_the_others_are_counted(
    qtbot: QtBot, make_window: MakeWindow, small: Settings, interrupted: Callable[[str], Path]
) -> None:
    for name in ("oldest", "older", "newest", "broken"):
        interrupted(name)
    for file in (paths.runs_dir() / "broken").glob("*.weights.*"):
        file.write_bytes(b"rubbish")
    window = make_window(small, offering())
    qtbot.waitUntil(lambda: "“newest”" in window.message.text)
    assert "3 more like it are in File > Open recent" in window.message.text


def test_other_messages_go_first(
    qtbot: QtBot, make_window: MakeWindow, small: Settings, interrupted: Callable[[str], Path]
) -> None:
    interrupted("one")

    def prepare(window: MainWindow) -> None:
        offering()(window)
        window.show_problem("something else is worth knowing.")

    window = make_window(small, prepare)
    qtbot.waitUntil(lambda: len(window.recent_runs.runs) == 1)
    assert window.message.text.startswith("Something else")
    press(qtbot, window, "Dis&miss")
    qtbot.waitUntil(lambda: "“one”" in window.message.text)
    window.show_problem("now this.")
    press(qtbot, window, "Dis&miss")
    qtbot.waitUntil(lambda: "“one”" in window.message.text)
    window.plane.setFocus()
    window.activateWindow()
    qtbot.waitUntil(window.isActiveWindow)
    qtbot.keyClick(window.plane, Qt.Key.Key_Escape)  # as the button that closes it
    qtbot.wait(20)
    assert not window.message.text


def test_a_run_that_the_window_opens_anyway_is_not_offered(
    qtbot: QtBot, make_window: MakeWindow, small: Settings, interrupted: Callable[[str], Path]
) -> None:
    window = make_window(small, offering(interrupted("one")))
    qtbot.waitUntil(lambda: len(window.recent_runs.runs) == 1)
    qtbot.wait(100)
    assert not window.message.text


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (20, "less than a minute ago"),
        (60, "1 minute ago"),
        (3 * 60 + 5, "3 minutes ago"),
        (7200, "2 hours ago"),
        (86_400 * 3, "3 days ago"),
    ],
)
def test_the_sentence_says_how_old_it_is_and_what_is_lost(seconds: float, words: str) -> None:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    run = RunSummary(
        folder=Path("runs/lesson"),
        data="digits",
        saved=now - timedelta(seconds=seconds),
        step=4680,
        epoch=8.21,
        planned_epochs=20,
        kind="",
        latent_dim=2,
        headline=Settings().family.metrics.headline,
        held_out=None,
        in_training=True,
        in_use=False,
        lost_s=10.2,
    )
    assert offer_sentence(run, 0, now) == (
        f"The run “lesson” did not end cleanly. It was saved {words} at step 4,680, epoch 8.2 of 20; "
        "at most 12 s of training are lost."
    )
    assert offer_sentence(replace(run, lost_s=0.0), 1, now).endswith(
        "at most 1 s of training are lost. 1 more like it is in File > Open recent."
    )
