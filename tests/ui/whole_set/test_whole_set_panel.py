"""The panel on all images together, in the window: figures now and of the time before, maps to click, and sentences."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from helpers_images import pixels_of
from helpers_mouse import drag
from PySide6.QtCore import QPointF
from PySide6.QtWidgets import QDockWidget, QMenu
from pytestqt.qtbot import QtBot

from vaeviewer.analysis.plane_densities import PlaneDensities
from vaeviewer.analysis.surgery import Surgery
from vaeviewer.analysis.whole_set import WholeSet
from vaeviewer.backend.config import Settings, updated
from vaeviewer.session import past_models
from vaeviewer.session.states import Action, State
from vaeviewer.ui.whole_set.density_maps import DensityMaps
from vaeviewer.ui.whole_set.term_curves import SHARES, TERMS
from vaeviewer.ui.whole_set.whole_set_panel import WholeSetPanel, words_of
from vaeviewer.ui.widgets.theme import DARK, build_palette
from vaeviewer.ui.window.main_window import MainWindow

MakeWindow = Callable[[Settings], MainWindow]


def opened(qtbot: QtBot, window: MainWindow) -> WholeSetPanel:
    """The panel, which waits in a menu, and is not there before somebody wants it."""
    assert window.findChild(WholeSetPanel) is None
    dock = window.findChild(QDockWidget, "aggregate-posterior-dock")
    assert isinstance(dock, QDockWidget)
    menu = window.menuBar().findChild(QMenu, "onDemand")
    next(action for action in menu.actions() if action is dock.toggleViewAction()).trigger()
    qtbot.waitUntil(lambda: window.findChild(WholeSetPanel) is not None)
    panel = window.findChild(WholeSetPanel)
    assert panel is not None
    qtbot.waitUntil(panel.isVisible)
    return panel


def test_opened_after_training_it_knows_all_of_it_and_its_maps_move_the_handle(
    qtbot: QtBot, make_window: MakeWindow, small: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(past_models, "MOST_KEPT", 4)
    window = make_window(updated(small, epochs=3, engine="eager"))
    session = window.session
    session.request(Action.TRAIN)
    qtbot.waitUntil(lambda: session.state is State.FINISHED, timeout=60_000)
    panel = opened(qtbot, window)
    figures, kept = panel.figures, [model.step for model in panel._host.past.kept]
    assert kept[0] == 0
    assert len(kept) > 1
    assert session.snapshot is not None
    qtbot.waitUntil(lambda: [time.step for time in figures.times] == kept, timeout=60_000)
    first, last = figures.times[0], figures.times[-1]
    assert last.step == session.snapshot.step == 36
    assert first.terms is not None
    assert last.terms is not None
    assert all(time.terms is not None and abs(time.terms.difference) < 0.02 for time in figures.times)
    assert last.terms.ceiling == pytest.approx(math.log(600))
    assert last.accuracy is not None
    assert first.densities is None, "maps are kept of the newest only"
    words = panel.words.text()
    assert f"{last.terms.information:.2f}" in words
    assert f"{100 * last.accuracy:.1f}" in words
    shown = panel.curves.terms._curves["information"].held_out
    assert shown is not None
    np.testing.assert_allclose(shown[1], [time.terms.information for time in figures.times if time.terms])
    raw = panel.curves.terms._curves["kl"].raw
    assert raw is not None
    assert len(raw[0]) == 36, "the KL of each batch"
    assert last.densities is not None
    x0, x1, y0, y1 = last.densities.box
    before = panel.maps.grab().toImage()
    square = panel.maps.squares()[2]
    drag(panel.maps, [square.center(), square.topLeft() + QPointF(4.0, 4.0)])
    assert window.view.z[0] < 0.5 * (x0 + x1)
    assert window.view.z[1] > 0.5 * (y0 + y1)
    assert panel.maps.grab().toImage() != before, "the handle is on them"
    light = panel.grab().toImage()
    window.setPalette(build_palette(DARK))
    assert panel.grab().toImage() != light
    session.request(Action.RESET)
    qtbot.waitUntil(lambda: [time.step for time in figures.times] == [0], timeout=60_000)


def test_a_sentence_stands_for_terms_that_a_model_has_not(
    qtbot: QtBot, make_window: MakeWindow, small: Settings
) -> None:
    window = make_window(updated(small, family="autoencoder", engine="eager"))
    panel = opened(qtbot, window)
    qtbot.waitUntil(lambda: "single code" in panel.reason.text(), timeout=60_000)
    assert "neighbours" in panel.words.text()
    assert not panel.curves.terms.isVisible(), "there is nothing to draw in nats"
    assert panel.curves.shares.isVisible()
    assert panel.reason.isVisible()
    assert not panel.maps.isVisible()


def test_one_image_that_makes_up_much_of_the_mean_is_told_of() -> None:
    terms = Surgery(60_000, 9.64, 6.66, 0.01, 2.98, 0.04, exact=True, largest=2.71)
    figures = WholeSet(1, 0.1, None, terms, "", None, None, 0)
    marks = dict.fromkeys((*TERMS, *SHARES), "")
    assert "One image adds 2.71 nats" in words_of(figures, marks)
    assert "One image" not in words_of(replace(figures, terms=replace(terms, largest=0.01)), marks)


def test_numbers_below_low_maps_do_not_touch(qtbot: QtBot) -> None:
    codes = np.linspace(-4.0, 4.0, 64)
    p = (np.exp(-0.5 * (codes[:, None] ** 2 + codes[None] ** 2)) / (2 * np.pi)).astype(np.float32)
    found = PlaneDensities(1.3 * p, p, (-4.0, 4.0, -4.0, 4.0))
    maps = DensityMaps()
    qtbot.addWidget(maps)
    maps.resize(420, maps.minimumSizeHint().height())
    maps.show()
    maps.show_densities(found, "z", (0.0, 0.0))
    picture = pixels_of(maps.grab().toImage())[..., :3].astype(int)
    below = int(maps.squares()[0].bottom()) + 14
    for cell in maps.cells():
        row = picture[below:, int(cell.left()) : int(cell.right())]
        empty = (abs(row - row[0, 0]).sum(-1) < 30).all(0)
        inner = "".join("." if column else "x" for column in empty).strip(".")
        assert "......" in inner, inner
