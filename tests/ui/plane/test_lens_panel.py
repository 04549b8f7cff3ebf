"""The posterior lens in the real window: what it looks at, what it says and draws, and the chain on it."""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np
import pytest
from helpers_mouse import drag
from PySide6.QtCore import QPointF, Qt
from PySide6.QtGui import QImage
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QDockWidget, QLabel, QPushButton, QWidget
from pytestqt.qtbot import QtBot

from vaeviewer.backend.config import Settings, updated
from vaeviewer.session.states import State
from vaeviewer.ui.plane.lens_panel import LensPanel
from vaeviewer.ui.window.main_window import MainWindow

MakeWindow = Callable[[Settings], MainWindow]


@pytest.fixture
def window(qtbot: QtBot, make_window: MakeWindow, small: Settings) -> MainWindow:
    """A window whose model has been trained, with the lens open."""
    made = make_window(small)
    made.controls.press_train()
    qtbot.waitUntil(lambda: made.session.state is State.FINISHED, timeout=30_000)
    opened(made)
    return made


def opened(window: MainWindow) -> LensPanel:
    dock = window.findChild(QDockWidget, "posterior-lens-dock")
    assert dock is not None
    dock.show()
    dock.raise_()
    panel = window.findChild(LensPanel)
    assert panel is not None
    return panel


def pixels(widget: QWidget) -> np.ndarray:
    """What it shows, a pixel for each logical one, ``(height, width, 4)``."""
    image = widget.grab().toImage().convertToFormat(QImage.Format.Format_RGB32)
    return np.array(image.constBits(), np.uint8).reshape(image.height(), image.width(), 4).astype(int)


def texts(panel: LensPanel) -> str:
    return "\n".join(label.text() for label in panel.findChildren(QLabel))


def numbers(text: str) -> list[float]:
    return [float(found.replace("−", "-").replace(",", "")) for found in re.findall(r"−?\d[\d,]*\.\d+", text)]


def test_the_numbers_are_those_of_the_selected_image_and_add_up(qtbot: QtBot, window: MainWindow) -> None:
    panel = opened(window)
    window.plane.image_selected.emit(3)
    qtbot.waitUntil(lambda: panel.follower.complete and "Training image 3" in texts(panel), timeout=20_000)
    lens, snapshot = panel.follower.lens, panel.follower.snapshot
    assert lens is not None
    assert snapshot is window.session.snapshot
    log_px, elbo, kl = numbers(
        next(line for line in texts(panel).splitlines() if line.startswith("log p(x)"))
    )
    whole, approximation, amortization = numbers(
        next(line for line in texts(panel).splitlines() if line.startswith("KL"))
    )
    assert log_px - elbo == pytest.approx(kl, abs=0.011)
    assert whole == kl
    assert approximation + amortization == pytest.approx(whole, abs=0.011)
    assert "grey levels" in texts(panel)
    image = window.session.dataset.train_images[3]  # type: ignore[union-attr]
    loc, scale = snapshot.encode(image[None])  # type: ignore[union-attr, misc]
    assert lens.q is not None
    np.testing.assert_allclose(lens.q.loc, loc[0], atol=1e-5)
    np.testing.assert_allclose(lens.q.scale, scale[0], rtol=1e-4)  # type: ignore[index]
    shown = window.plane.grab().toImage()
    panel._in_plane.click()
    assert window.plane.grab().toImage() != shown, "the plane shows it while that is wanted"


def test_before_training_the_hint_in_the_plane_stays_legible(
    qtbot: QtBot, make_window: MakeWindow, small: Settings
) -> None:
    window = make_window(small)
    panel, plane = opened(window), window.plane
    qtbot.waitUntil(lambda: panel.follower.complete, timeout=20_000)

    shown = plane._marks_item.hint.boundingRect()
    middle = plane._canvas.to_viewport(QPointF(shown.center().x(), shown.top() + 0.86 * shown.height()))
    x, y = round(middle.x()), round(middle.y())

    def changed_by_lens() -> int:
        """The largest change of a colour in the middle of the hint."""
        seen = []
        for _ in range(2):
            rows = pixels(plane.viewport())
            seen.append(rows[y - 6 : y + 6, x - 180 : x + 180])
            panel._in_plane.click()
        return int(np.abs(seen[0] - seen[1]).max())

    assert changed_by_lens() < 0.1 * 255, "it shines through a little"
    plane.set_hint("")
    assert changed_by_lens() > 0.5 * 255, "its lines are there"


def test_it_follows_the_handle_and_an_image_of_ones_own(qtbot: QtBot, window: MainWindow) -> None:
    panel, plane = opened(window), window.plane
    plane.image_selected.emit(-1)
    drag(plane.viewport(), [plane.viewport_position(a, -0.6) for a in (0.2, 0.5, 0.8)])
    qtbot.waitUntil(lambda: panel.follower.complete and "handle" in texts(panel), timeout=20_000)
    snapshot, lens = panel.follower.snapshot, panel.follower.lens
    assert snapshot is not None
    assert lens is not None
    assert panel.follower.asked is not None
    assert panel.follower.asked.near == pytest.approx((0.8, -0.6), abs=0.02)
    own = np.zeros(snapshot.image_shape, np.uint8)
    own[6:22, 12:16] = 255
    window.set_view(own_image=own)
    qtbot.waitUntil(lambda: panel.follower.complete and "Your own image" in texts(panel), timeout=20_000)
    assert panel.follower.lens is not None
    assert panel.follower.lens.log_px != lens.log_px
    window.plane.image_selected.emit(1)
    qtbot.waitUntil(lambda: panel.follower.complete and "Training image 1" in texts(panel), timeout=20_000)


def test_a_chain_steps_runs_and_goes_with_its_image(qtbot: QtBot, window: MainWindow) -> None:
    panel = opened(window)
    window.plane.image_selected.emit(5)
    step, run, clear = (panel.findChild(QPushButton, f"lens{name}") for name in ("Step", "Run", "Clear"))
    assert step is not None
    assert run is not None
    assert clear is not None
    qtbot.waitUntil(lambda: panel.follower.complete and step.isEnabled(), timeout=20_000)
    plain = panel.map.grab().toImage()
    QTest.mouseClick(step, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: panel.sampler.state is not None)
    assert panel.map.grab().toImage() != plain
    assert "step size" in texts(panel)
    QTest.mouseClick(run, Qt.MouseButton.LeftButton)
    assert run.text() == "Stop HMC"
    qtbot.waitUntil(lambda: panel.sampler.state.count > 200, timeout=30_000)  # type: ignore[union-attr]
    found = re.search(r"acceptance (0\.\d+), ESS (\d+) of (\d+) samples", texts(panel))
    assert found is not None
    assert float(found[1]) > 0.5
    QTest.mouseClick(run, Qt.MouseButton.LeftButton)
    assert not panel.sampler.running
    lens = panel.follower.lens
    assert lens is not None
    assert lens.mean is not None
    assert lens.covariance is not None
    state = panel.sampler.state
    assert state is not None
    error = np.sqrt(np.diag(lens.covariance) / state.effective)
    assert (np.abs(state.samples.mean(axis=0) - lens.mean) < 5.0 * error).all()
    QTest.mouseClick(clear, Qt.MouseButton.LeftButton)
    assert panel.sampler.state is None
    QTest.mouseClick(step, Qt.MouseButton.LeftButton)
    window.plane.image_selected.emit(6)
    assert not panel.sampler.begun, "it was of another image"


def test_of_more_dimensions_it_says_why_not(qtbot: QtBot, window: MainWindow) -> None:
    panel = opened(window)
    window.session.new_run()
    qtbot.waitUntil(lambda: window.session.state is State.READY, timeout=20_000)
    window.session.use_settings(updated(window.session.settings, latent_dim=5))
    qtbot.waitUntil(
        lambda: window.session.snapshot is not None and window.session.snapshot.model.latent_dim == 5,
        timeout=20_000,
    )
    qtbot.waitUntil(lambda: "has 5" in panel._hint, timeout=5_000)
    assert panel.follower.lens is None


def test_it_stays_with_a_model_while_it_has_a_chain_and_follows_training_else(
    qtbot: QtBot, make_window: MakeWindow, small: Settings
) -> None:
    window = make_window(updated(small, epochs=100_000))
    panel = opened(window)
    window.plane.image_selected.emit(2)
    window.controls.press_train()
    qtbot.waitUntil(
        lambda: panel.follower.snapshot is not None and panel.follower.snapshot.step > 0, timeout=20_000
    )
    seen = panel.follower.snapshot
    qtbot.waitUntil(lambda: panel.follower.snapshot is not seen, timeout=20_000)
    QTest.mouseClick(panel._step, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: panel.sampler.state is not None)
    held = panel.follower.snapshot
    qtbot.wait(1000)
    assert panel.follower.snapshot is held
    QTest.mouseClick(panel._clear, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: panel.follower.snapshot is not held, timeout=20_000)


def test_no_number_of_another_image_stands_beneath_the_name_of_one_that_is_chosen(
    qtbot: QtBot, make_window: MakeWindow, small: Settings
) -> None:
    """Of a model that takes its time."""
    window = make_window(updated(small, network="conv"))
    panel = opened(window)
    window.plane.image_selected.emit(3)
    qtbot.waitUntil(lambda: "KL(q‖p)" in texts(panel) and "image 3" in texts(panel), timeout=20_000)
    shown = panel.map.grab().toImage()
    window.plane.image_selected.emit(9)
    assert "image 9" in texts(panel)
    assert "log p(x)" not in texts(panel)
    assert panel.map.grab().toImage() != shown
    qtbot.waitUntil(lambda: panel.follower.current and "log p(x)" in texts(panel), timeout=20_000)
    window.set_view(selected=None, own_image=window.session.dataset.held_out_images[0], held_out=0)  # type: ignore[union-attr]
    assert "Held-out image 0" in texts(panel)
    assert "log p(x)" not in texts(panel)
