"""A digit drawn with the mouse has its place at once; a real one loses what is rubbed out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from helpers_mouse import drag
from PySide6.QtCore import QPointF, Qt
from PySide6.QtWidgets import QDockWidget
from pytestqt.qtbot import QtBot

from vaeviewer.analysis.likely import Likely, likely_in_steps
from vaeviewer.backend.config import Settings, updated
from vaeviewer.session.states import Action, State
from vaeviewer.ui.draw import draw_panel
from vaeviewer.ui.draw.draw_panel import DrawPanel
from vaeviewer.ui.images.decoded_image_view import number_text
from vaeviewer.ui.images.selected_image import posterior_text
from vaeviewer.ui.widgets.scrolled import Scrolled
from vaeviewer.ui.window.main_window import MainWindow

MakeWindow = Callable[[Settings], MainWindow]


def opened(qtbot: QtBot, window: MainWindow) -> DrawPanel:
    dock = window.findChild(QDockWidget, "draw-dock")
    assert isinstance(dock, QDockWidget)
    dock.toggleViewAction().trigger()
    qtbot.waitUntil(lambda: window.findChild(DrawPanel) is not None)
    panel = window.findChild(DrawPanel)
    assert panel is not None
    qtbot.waitUntil(panel.isVisible)
    return panel


def said_of(window: MainWindow, image: np.ndarray) -> str:
    """What the newest model says of an image."""
    assert window.session.snapshot is not None
    codes = window.session.snapshot.encode(image[None])
    assert codes is not None
    assert codes[1] is not None
    return ", ".join(posterior_text(codes[0][0], codes[1][0]).split("\n")[1:])


def draw_a_one(panel: DrawPanel) -> None:
    width, height = panel.canvas.width(), panel.canvas.height()
    drag(panel.canvas, [QPointF(0.5 * width, (0.2 + 0.06 * i) * height) for i in range(11)])


def test_in_the_smallest_window_nothing_scrolls_sideways(
    qtbot: QtBot, make_window: MakeWindow, small: Settings
) -> None:
    window = make_window(small)
    window.resize(1000, 700)
    panel = opened(qtbot, window)
    around = next(area for area in window.findChildren(Scrolled) if area.isAncestorOf(panel))
    qtbot.waitUntil(lambda: around.verticalScrollBar().isVisible())
    assert around.horizontalScrollBar().maximum() == 0


def test_a_stroke_goes_to_its_place_in_the_plane_and_is_compared(
    qtbot: QtBot, make_window: MakeWindow, small: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(draw_panel, "MOST_HELD_OUT", 10)
    window = make_window(updated(small, epochs=8, engine="eager"))
    session = window.session
    session.request(Action.TRAIN)
    qtbot.waitUntil(lambda: session.state is State.FINISHED, timeout=60_000)
    panel = opened(qtbot, window)
    moves: list[tuple[float, float]] = []
    panel.canvas.changed.connect(lambda: moves.append(window.view.z))
    draw_a_one(panel)
    assert len(moves) == 11
    assert len(set(moves)) > 3, "it follows each move"
    own, snapshot = window.view.own_image, session.snapshot
    assert own is not None
    assert snapshot is not None
    assert own.shape == (28, 28)
    codes = snapshot.encode(own[None])
    assert codes is not None
    assert np.allclose(window.view.z, codes[0][0], atol=1e-5), "the handle is at its posterior mean"
    ones = snapshot.posterior.loc[window.session.dataset.train_labels == 1]  # type: ignore[union-attr]
    others = snapshot.posterior.loc[window.session.dataset.train_labels == 0]  # type: ignore[union-attr]
    z = np.array(window.view.z)
    assert np.linalg.norm(z - ones.mean(0)) < np.linalg.norm(z - others.mean(0)), (
        "a stroke down is a one, no nought"
    )

    qtbot.waitUntil(lambda: "held-out" in panel.likely.text(), timeout=120_000)
    held_out = panel._of_held_out.value
    assert isinstance(held_out, Likely)
    assert held_out.exact
    assert len(held_out.log_px) == 10
    qtbot.mouseClick(panel.clear, Qt.MouseButton.LeftButton)
    assert window.view.own_image is None
    assert not panel.canvas.ink().any()


@pytest.mark.parametrize(
    ("value", "said"),
    [(-90.0, "more than all 4"), (-250.0, "less than all 4"), (-150.0, "more than 50 % of 4")],
)
def test_where_a_drawing_stands_is_said_as_one_would(value: float, said: str) -> None:
    others = Likely(np.array([-100.0, -120.0, -180.0, -200.0]), exact=True)
    assert draw_panel.words(Likely(np.array([value]), exact=True), others).endswith(
        f",\n{said} held-out images"
    )


def test_a_real_image_loses_what_is_rubbed_out(
    qtbot: QtBot, make_window: MakeWindow, small: Settings
) -> None:
    window = make_window(small)
    panel = opened(qtbot, window)
    assert not panel.take.isEnabled(), "nothing is selected"
    window.set_view(selected=3)
    dataset = window.session.dataset
    assert dataset is not None
    qtbot.waitUntil(panel.take.isEnabled)
    qtbot.mouseClick(panel.take, Qt.MouseButton.LeftButton)
    before = window.view.own_image
    assert before is not None
    assert np.array_equal(before, dataset.train_images[3]), "not centred anew"
    assert panel.erase.isChecked()
    width, height = panel.canvas.width(), panel.canvas.height()
    drag(panel.canvas, [QPointF(x * width, 0.5 * height) for x in np.linspace(0.05, 0.95, 30)])
    after = window.view.own_image
    assert after is not None
    assert after.astype(int).sum() < before.astype(int).sum()
    assert np.array_equal(after[:8], before[:8]), "elsewhere it is as it was"

    window.set_view(selected=5, own_image=None)
    place, beside = window.view.z, panel.posterior.text()
    window.session.request(Action.TRAIN)
    qtbot.waitUntil(lambda: window.session.state is State.FINISHED, timeout=30_000)
    qtbot.waitUntil(lambda: panel.posterior.text() != beside)
    assert panel.posterior.text() == said_of(window, after), (
        "it is the newest model's, of what is on the sheet"
    )
    assert window.view.z == place, "the handle is the other image's now"
    window.session.request(Action.RESET)
    qtbot.waitUntil(lambda: window.session.state is State.READY, timeout=30_000)
    qtbot.waitUntil(lambda: panel.posterior.text() == said_of(window, after), timeout=5_000)


def test_a_stroke_waits_for_a_model_that_takes_its_time(
    qtbot: QtBot, make_window: MakeWindow, small: Settings
) -> None:
    window = make_window(updated(small, network="conv"))
    panel = opened(qtbot, window)
    panel.canvas.stroke([QPointF(0.5, 0.2), QPointF(0.5, 0.8)])
    assert window.view.own_image is None, "torch is asked on another thread"
    window._frames.draw()  # as training has it done all the time
    qtbot.waitUntil(lambda: window.view.own_image is not None, timeout=10_000)
    assert panel.posterior.text()


def test_of_a_model_that_sees_classes_it_follows_the_class_that_is_chosen(
    qtbot: QtBot, make_window: MakeWindow, small: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also in so many dimensions that log p(x|y) is weighted importance."""
    monkeypatch.setattr(draw_panel, "MOST_HELD_OUT", 10)
    window = make_window(updated(small, family="conditional", latent_dim=3))
    panel = opened(qtbot, window)
    draw_a_one(panel)
    own, snapshot = window.view.own_image, window.session.snapshot
    assert own is not None
    assert snapshot is not None
    for y in (0, 7):
        window.set_view(y=y)
        codes = snapshot.encode(own[None], y)
        assert codes is not None
        assert codes[1] is not None
        assert panel.posterior.text() == ", ".join(posterior_text(codes[0][0], codes[1][0]).split("\n")[1:])
        *_, expected = likely_in_steps(snapshot, own[None], np.array([y]))
        assert isinstance(expected, Likely)
        value = number_text(float(expected.log_px[0]), 1)
        qtbot.waitUntil(lambda value=value: f"log p(x|y) = {value} nats, by" in panel.likely.text())  # type: ignore[misc]
    qtbot.waitUntil(lambda: "10 held-out" in panel.likely.text(), timeout=20_000)
    assert "at step" not in panel.likely.text()
    panel.update_frame(replace(window._frames.frame(), snapshot=replace(snapshot, step=5)))
    assert "nats at step 0" in panel.likely.text(), "until the newer model's is known"
    qtbot.waitUntil(lambda: "at step" not in panel.likely.text())
