"""The same codes decoded over time, in the window while a game is played, and which times are kept."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pytest
from families_without import ALL
from helpers_images import pixels_of
from PySide6.QtWidgets import QDockWidget
from pytestqt.qtbot import QtBot

from vaeviewer.analysis.prior import prior_codes
from vaeviewer.backend.config import Settings, updated
from vaeviewer.backend.models import registry
from vaeviewer.session.states import Action, State
from vaeviewer.ui.images.samples_panel import COLUMNS, MOST_ROWS, Row, SamplesPanel
from vaeviewer.ui.window.main_window import MainWindow

MakeWindow = Callable[[Settings], MainWindow]


@pytest.fixture(autouse=True)
def registered() -> Iterator[None]:
    for family in ALL:
        registry.register(family)
    yield
    for family in ALL:
        registry.unregister(family.key)


def panel_of(window: MainWindow) -> tuple[SamplesPanel, QDockWidget]:
    panel = window.findChild(SamplesPanel)
    dock = window.findChild(QDockWidget, "samples-over-time-dock")
    assert panel is not None
    assert dock is not None
    return panel, dock


def test_a_game_is_followed_from_its_first_step_on(
    qtbot: QtBot, make_window: MakeWindow, small: Settings
) -> None:
    window = make_window(updated(small, family="game", epochs=100_000))
    session = window.session
    panel, dock = panel_of(window)
    assert not dock.isHidden()  # a tab behind the manifold
    qtbot.waitUntil(lambda: [row.step for row in panel.rows] == [0], timeout=30_000)
    first = session.snapshot
    assert first is not None
    dock.raise_()
    qtbot.waitUntil(panel.isVisible)
    below = pixels_of(panel.grab().toImage())[round(panel._width_of_a_cell()) + 12 :]
    assert below.std() > 0, "a sentence says what is to come"
    codes = prior_codes(first, COLUMNS)
    session.request(Action.TRAIN)
    qtbot.waitUntil(lambda: len(panel.rows) >= 3, timeout=60_000)
    session.request(Action.PAUSE)
    qtbot.waitUntil(lambda: session.state is State.PAUSED, timeout=30_000)
    qtbot.waitUntil(
        lambda: session.snapshot is not None and panel.rows[-1].step == session.snapshot.step, timeout=30_000
    )
    assert session.snapshot is not None
    assert np.array_equal(panel.rows[0].images, first.decode_levels(codes))
    assert np.array_equal(panel.rows[-1].images, session.snapshot.decode_levels(codes))
    steps = [row.step for row in panel.rows]
    assert steps == sorted(set(steps))
    dock.raise_()
    qtbot.waitUntil(panel.isVisible)
    assert panel.shown()[0] is panel.rows[0]
    assert panel.shown()[-1] is panel.rows[-1]
    before = panel.grab().toImage()
    session.request(Action.RESET)
    qtbot.waitUntil(lambda: [row.step for row in panel.rows] == [0], timeout=30_000)
    assert panel.grab().toImage() != before


def test_with_an_encoder_it_waits_in_the_view_menu(
    qtbot: QtBot, make_window: MakeWindow, small: Settings
) -> None:
    window = make_window(small)
    panel, dock = panel_of(window)
    assert dock.isHidden()
    assert not panel.rows
    dock.toggleViewAction().trigger()
    dock.raise_()
    qtbot.waitUntil(panel.isVisible)
    window.session.request(Action.STEP)
    qtbot.waitUntil(lambda: [row.step for row in panel.rows][-1:] == [1], timeout=30_000)


def test_times_are_kept_evenly_however_long_it_trains(make_window: MakeWindow, small: Settings) -> None:
    panel, _ = panel_of(make_window(small))
    nothing = np.zeros((COLUMNS, 2, 2), np.uint8)
    codes = np.zeros((COLUMNS, 2), np.float32)
    for step in range(0, 30_000, 7):
        panel._take((codes, Row(step, nothing)))
        steps = [row.step for row in panel.rows]
        assert steps[0] == 0
        assert steps[-1] == step
        assert len(steps) <= MOST_ROWS
    apart = np.diff(steps[:-1])
    assert apart.max() <= 2 * apart.min()
    assert len(steps) >= MOST_ROWS // 2
    panel._take((codes, Row(11_000, nothing)))  # training went back
    steps = [row.step for row in panel.rows]
    assert steps[-1] == 11_000
    assert steps == sorted(set(steps))
