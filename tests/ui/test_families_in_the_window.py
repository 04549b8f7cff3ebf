"""The window with a run of each kind of model: after a kill, trained on in it while it is dragged, and saved."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from helpers_images import pixels_of
from helpers_mouse import drag
from PySide6.QtCore import QPointF
from pytestqt.qtbot import QtBot

from vaeviewer.backend.config import Settings, updated
from vaeviewer.backend.data.base import ImageDataset
from vaeviewer.backend.models import registry
from vaeviewer.backend.runs import restore
from vaeviewer.backend.runs.copying import copy_of_run
from vaeviewer.backend.runs.listing import summary_of
from vaeviewer.backend.runs.saving import save_run
from vaeviewer.backend.training.trainer import Trainer
from vaeviewer.session.states import Action, State
from vaeviewer.ui.runs import recovery
from vaeviewer.ui.window.main_window import MainWindow

pytestmark = pytest.mark.slow

STEPS = 3

FEWER = {"exact": {"codes": 64}}
"""What makes a step of a family a short one."""


@pytest.fixture
def killed(
    small: Settings, digits: ImageDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[str], Path]:
    """Leaves a run of a family as a kill does, a few steps on."""
    monkeypatch.setattr(restore, "load_source", lambda *_: digits)

    def left(key: str) -> Path:
        trainer = Trainer(digits, updated(small, family=key, epochs=100_000, **FEWER.get(key, {})))
        if registry.family(key).capabilities.trains:
            for _ in range(STEPS):
                trainer.step()
        trainer.finish_block()
        save_run(copy_of_run(trainer, tmp_path / key, in_training=True))
        return tmp_path / key

    return left


@pytest.mark.parametrize("key", registry.families())
def test_what_a_kill_left_is_offered_with_a_picture(key: str, killed: Callable[[str], Path]) -> None:
    offer = recovery._first_whole([summary_of(killed(key))])
    assert offer is not None
    assert offer.picture.shape == (5 * 28, 5 * 28)
    assert offer.picture.std() > 0


def test_it_is_opened_trained_while_dragged_and_saved(
    qtbot: QtBot,
    make_window: Callable[[Settings], MainWindow],
    small: Settings,
    killed: Callable[[str], Path],
) -> None:
    """One window for all of them, one after the other."""
    window = make_window(small)
    session = window.session
    problems: list[str] = []
    session.problem.connect(lambda sentence, *_: problems.append(sentence))
    for key, family in registry.families().items():
        folder = killed(key)
        trains = family.capabilities.trains
        session.open_run(folder)
        rests = State.PAUSED if trains else State.SOLVED
        qtbot.waitUntil(lambda: session.folder == folder and session.state is rests, timeout=30_000)  # noqa: B023
        assert session.snapshot is not None
        assert session.snapshot.model.family == key
        if trains:
            assert session.snapshot.step == STEPS
            session.request(Action.TRAIN)
            qtbot.waitUntil(lambda: step_of(window) > STEPS, timeout=30_000)
        seen: set[bytes] = set()
        room = window.plane.viewport().rect()
        path = [
            QPointF(0.8 * share * room.width(), share * room.height()) for share in np.linspace(0.2, 0.8, 12)
        ]

        def look() -> None:
            qtbot.wait(5)
            seen.add(pixels_of(window.decoded.grab().toImage()).tobytes())  # noqa: B023

        drag(window.plane.viewport(), path, look)
        assert len(seen) > 5, key
        assert session.state is (State.RUNNING if trains else State.SOLVED), key
        if trains:
            session.request(Action.PAUSE)
            qtbot.waitUntil(lambda: session.saved_step == step_of(window) > STEPS, timeout=30_000)
            assert not summary_of(folder).in_training
        assert not problems, key
        assert not window.message.text, key


def step_of(window: MainWindow) -> int:
    assert window.session.snapshot is not None
    return window.session.snapshot.step
