"""Families that the window has never heard of, from the form to a run opened again, by real events."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from helpers_images import pixels_of
from helpers_mouse import drag
from own_families import LaplaceVAE, Mean, Normed, TwoPlayers
from PySide6.QtCore import Qt
from PySide6.QtGui import QAction
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QComboBox, QDockWidget, QLabel, QPushButton, QWidget
from pytestqt.qtbot import QtBot

from vaeviewer.backend.config import Settings, live_fields, updated
from vaeviewer.backend.data import load_dataset
from vaeviewer.backend.models import registry
from vaeviewer.backend.snapshot import NumpySnapshot, Snapshot, TorchSnapshot, as_grey_levels
from vaeviewer.session.states import Action, State
from vaeviewer.ui.curves.curves_panel import CurvesPanel
from vaeviewer.ui.curves.metric_plot import MetricPlot
from vaeviewer.ui.window.explanations import explanation_of
from vaeviewer.ui.window.main_window import MainWindow
from vaeviewer.ui.window.panel_help import rich_text
from vaeviewer.ui.window.panels import PANELS

MakeWindow = Callable[[Settings], MainWindow]
KINDS = [("two-players", TorchSnapshot), ("normed", TorchSnapshot), ("denoising", NumpySnapshot)]


@pytest.fixture(autouse=True)
def registered() -> Iterator[None]:
    own = (TwoPlayers(), Normed(), LaplaceVAE(), Mean())
    for family in own:
        registry.register(family)
    yield
    for family in own:
        registry.unregister(family.key)


@pytest.fixture
def window(qtbot: QtBot, make_window: MakeWindow, small: Settings) -> MainWindow:
    """With images that a run opened again is sure to find."""
    window = make_window(updated(small, epochs=100_000))
    window.session.use_data(load_dataset(), keep_model=False)
    qtbot.waitUntil(lambda: rows(window) == 9000 and window.session.state is State.READY, timeout=30_000)
    window.activateWindow()
    qtbot.waitUntil(window.isActiveWindow)
    return window


def rows(window: MainWindow) -> int:
    return 0 if window.session.dataset is None else len(window.session.dataset.train_images)


def bring(window: MainWindow, title: str) -> None:
    next(dock for dock in window.findChildren(QDockWidget) if dock.windowTitle() == title).raise_()


def choose(qtbot: QtBot, window: MainWindow, key: str) -> None:
    """Choose a family in the form: the one before or after it, as others would all be built on the way, then by key."""
    bring(window, "Settings")
    box = window.form.findChild(QComboBox, "familyBox")
    assert isinstance(box, QComboBox)
    qtbot.waitUntil(box.isVisible)
    box.setFocus()
    place, models = box.findData(key), [row for row in range(box.count()) if box.itemData(row)]
    down = place > box.currentIndex()
    if place != box.currentIndex():
        box.setCurrentIndex(models[models.index(place) + (-1 if down else 1)])
    way = Qt.Key.Key_Down if down else Qt.Key.Key_Up
    while box.currentData() != key:
        before = box.currentIndex()
        QTest.keyClick(box, way)
        assert box.currentIndex() != before
    made = State.READY if registry.family(key).capabilities.trains else State.SOLVED
    qtbot.waitUntil(
        lambda: (
            window.session.snapshot is not None
            and window.session.snapshot.model.family == key
            and window.session.state is made
        ),
        timeout=30_000,
    )
    bring(window, "Reconstructions")
    window.activateWindow()  # which a dock that was raised may have changed
    qtbot.waitUntil(window.isActiveWindow)


def snapshot_of(window: MainWindow) -> Snapshot:
    snapshot = window.session.snapshot
    assert snapshot is not None
    return snapshot


def train(qtbot: QtBot, window: MainWindow, steps: int) -> None:
    button = window.findChild(QPushButton, "trainButton")
    assert button is not None
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(
        lambda: window.session.snapshot is not None and window.session.snapshot.step >= steps, timeout=60_000
    )
    assert window.session.state is State.RUNNING


def pause(qtbot: QtBot, window: MainWindow) -> None:
    session = window.session
    session.request(Action.PAUSE)

    def at_rest() -> bool:  # where all images are encoded anew
        posterior = snapshot_of(window).posterior
        assert posterior is not None
        step = snapshot_of(window).step
        return (
            bool((posterior.row_steps == step).all())
            and session.progress is not None
            and session.progress.step == step
        )

    qtbot.waitUntil(at_rest, timeout=30_000)


def shown_at_the_handle(window: MainWindow) -> np.ndarray:
    """Grey levels of the decoded image, one a pixel of the model."""
    image = window.decoded._image.shown_image()
    assert image is not None
    factor = image.width() // 28
    return pixels_of(image)[::factor, ::factor, 0]


def text(window: MainWindow, name: str) -> str:
    label = window.findChild(QLabel, name)
    assert label is not None
    return label.text()


@pytest.mark.parametrize(("key", "kind"), KINDS)
def test_chosen_trained_dragged_saved_and_opened_again(
    qtbot: QtBot,
    window: MainWindow,
    make_window: MakeWindow,
    small: Settings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    key: str,
    kind: type[Snapshot],
) -> None:
    threads: set[str] = set()
    decode = kind._decode

    def noted(snapshot: Snapshot, z: np.ndarray, y: np.ndarray | None) -> np.ndarray:
        if len(z) == 1:
            threads.add(threading.current_thread().name)
        return decode(snapshot, z, y)

    monkeypatch.setattr(kind, "_decode", noted)
    problems: list[str] = []
    window.session.problem.connect(lambda sentence, *_: problems.append(sentence))
    choose(qtbot, window, key)
    assert window.session.settings.family.key == key
    assert window.session.settings.train.batch_size == small.train.batch_size  # what both have stays
    train(qtbot, window, 40)

    # Points, and an image that follows the hand while it trains.
    positions = window.plane._points.positions
    assert positions is not None
    assert positions.shape == (9000, 2)
    assert np.ptp(positions, axis=0).min() > 0
    seen: set[bytes] = set()
    steps: set[int] = set()

    def look() -> None:
        QTest.qWait(1)
        steps.add(snapshot_of(window).step)
        seen.add(pixels_of(window.decoded.grab().toImage()).tobytes())

    path = [window.plane.viewport_position(*z) for z in np.linspace((-2.0, -2.0), (2.0, 1.5), 150).tolist()]
    for _ in range(10):
        drag(window.plane.viewport(), path, look)
        if len(seen) > 20 and len(steps) > 3:
            break
    assert len(seen) > 20
    assert len(steps) > 3
    assert window.session.state is State.RUNNING
    assert threads == ({"MainThread"} if kind is NumpySnapshot else {"grid-decoder"})
    pause(qtbot, window)
    snapshot = snapshot_of(window)
    assert isinstance(snapshot, kind)

    def image_of(snapshot: Snapshot) -> np.ndarray:
        return as_grey_levels(snapshot.decode(np.array([window.view.z], np.float32))[0])

    qtbot.waitUntil(lambda: np.array_equal(shown_at_the_handle(window), image_of(snapshot)), timeout=30_000)
    assert window.view.z != (0.0, 0.0)

    # Reconstructions, the manifold, and the curves of its own metrics.
    held_out = window.session.dataset.held_out_images[list(window.view.examples)]  # type: ignore[union-attr]
    codes = snapshot.encode(held_out)
    assert codes is not None
    expected = as_grey_levels(snapshot.decode(codes[0]))

    def reconstructed() -> bool:
        drawn = window.reconstructions._pairs._drawn
        return bool(drawn) and all(
            np.array_equal(pixels_of(a)[..., 0], b) for a, b in zip(drawn, expected, strict=False)
        )

    qtbot.waitUntil(reconstructed, timeout=30_000)
    qtbot.waitUntil(lambda: window.manifold.picture() is not None, timeout=30_000)
    assert window.manifold.picture().shape == (20 * 28, 20 * 28)  # type: ignore[union-attr]
    history = window.session.history
    assert history is not None
    assert set(window.session.settings.family.metrics.stored) == set(history.training.view().stored)
    assert np.isfinite(history.training.view()[window.session.settings.family.metrics.headline.key]).all()
    curves = window.findChild(CurvesPanel)
    assert curves is not None
    of_family = {metric.key for metric in window.session.settings.family.metrics if metric.plot}

    def drawn() -> set[str]:
        plots = [plot for plot in curves.findChildren(MetricPlot) if plot.isVisible()]
        return {name for plot in plots for _, name in plot._item.lines}

    qtbot.waitUntil(lambda: drawn() == of_family, timeout=30_000)

    # Saved, closed, and opened again in another window.
    folder = tmp_path / "run"
    window.session.save(folder)
    qtbot.waitUntil(lambda: window.session.folder == folder, timeout=30_000)
    assert window.close()
    again = make_window(small)
    again.session.open_run(folder)
    qtbot.waitUntil(lambda: again.session.folder == folder, timeout=30_000)
    opened = snapshot_of(again)
    assert isinstance(opened, kind)
    assert opened.step == snapshot.step
    box = again.form.findChild(QComboBox, "familyBox")
    assert isinstance(box, QComboBox)
    assert box.currentData() == key
    again.set_view(z=window.view.z)
    qtbot.waitUntil(lambda: np.array_equal(shown_at_the_handle(again), image_of(opened)), timeout=30_000)
    assert np.array_equal(image_of(opened), image_of(snapshot))
    again.session.request(Action.STEP)
    qtbot.waitUntil(lambda: snapshot_of(again).step == snapshot.step + 1, timeout=30_000)
    assert not problems
    assert not again.message.text


@pytest.mark.parametrize(("key", "kind"), KINDS)
def test_nothing_speaks_of_what_it_has_not(
    qtbot: QtBot, window: MainWindow, key: str, kind: type[Snapshot]
) -> None:
    sample = next(a for a in window.findChildren(QAction) if a.text() == "One &sample of each posterior")
    spacing = window.findChild(QComboBox, "manifoldSpacing")
    assert spacing is not None
    for family, has in ((key, False), ("vae", True)):
        choose(qtbot, window, family)
        window.session.request(Action.STEP)
        qtbot.waitUntil(lambda: snapshot_of(window).step == 1, timeout=30_000)
        window.plane.setFocus()
        QTest.keyClick(window.plane, Qt.Key.Key_Return)  # selects the nearest image
        assert window.view.selected is not None
        qtbot.waitUntil(lambda: text(window, "selectedPosterior") != "", timeout=30_000)
        lines = text(window, "selectedPosterior").split("\n")
        assert lines[0] == ("q(z|x)" if has else "z")
        assert all(("±" in line) == has for line in lines[1:])
        mark = window.plane._marks_item._selected
        assert mark is not None
        assert (mark.scale is not None) == has
        assert bool(window.plane._marks_item._prior.circles) == has
        assert ("prior" in text(window, "decodedShare")) == has
        assert sample.isEnabled() == has
        assert spacing.model().item(1).isEnabled() == has
        panels = (window.plane, window.decoded, window.reconstructions, window.manifold)
        words = " ".join(
            widget.toolTip() + (widget.text() if isinstance(widget, QLabel) else "")
            for panel in panels
            for widget in (panel, *panel.findChildren(QWidget))
            if widget.isVisible()
        )
        assert ("q(z|x)" in words) == has
        assert ("prior" in words) == has
        kind_of_model = window.session.settings.family
        there = [panel.title for panel in PANELS if not panel.why_not(kind_of_model)]
        helps = "".join(rich_text(explanation_of(title, kind_of_model)) for title in there)
        assert ("q(z|x)" in helps) == has
        assert ("prior" in helps) == has
        assert ("ELBO" in helps) == has
        window.session.request(Action.RESET)
        qtbot.waitUntil(lambda: window.session.snapshot is not None, timeout=30_000)  # of the new model


def test_a_prior_that_is_not_normal_has_no_circles(make_window: MakeWindow, small: Settings) -> None:
    window = make_window(updated(small, family="laplace"))
    spacing = window.findChild(QComboBox, "manifoldSpacing")
    assert spacing is not None
    assert snapshot_of(window).posterior is not None
    assert not window.plane._marks_item._prior.circles
    assert text(window, "decodedDistance") != ""
    assert text(window, "decodedShare") == ""
    assert "Φ" not in spacing.toolTip()
    family = window.session.settings.family
    assert "standard deviations" not in rich_text(explanation_of("Latent plane", family))
    assert "Φ" not in rich_text(explanation_of("Manifold", family))


def test_one_that_is_solved_at_once_says_that_there_is_nothing_to_train(
    qtbot: QtBot, window: MainWindow, tmp_path: Path
) -> None:
    button = window.findChild(QPushButton, "trainButton")
    assert button is not None
    choose(qtbot, window, "mean-image")
    qtbot.waitUntil(lambda: button.text() == "Solved")
    assert "nothing to train" in button.toolTip()
    assert text(window, "epochLabel") == "Solved"
    assert "nothing to train" in text(window, "waitingLabel")
    assert not window.controls._live.isEnabled()
    qtbot.waitUntil(lambda: text(window, "leftStatus") == "" == text(window, "stepStatus"))
    window.plane.setFocus()
    QTest.keyClick(window.plane, Qt.Key.Key_Space)
    assert window.session.state is State.SOLVED
    window.session.save(tmp_path / "run")
    qtbot.waitUntil(lambda: window.session.folder == tmp_path / "run", timeout=30_000)
    choose(qtbot, window, "vae")
    assert button.isEnabled()
    assert text(window, "epochLabel").startswith("Epoch 0")
    window.session.open_run(tmp_path / "run")
    qtbot.waitUntil(lambda: button.text() == "Solved", timeout=30_000)
    assert snapshot_of(window).model.family == "mean-image"


def test_its_live_settings_are_beside_the_button(qtbot: QtBot, window: MainWindow) -> None:
    def boxes() -> set[str]:
        return {
            box.objectName()
            for box in window.controls.findChildren(QWidget)
            if box.isVisible() and box.objectName().endswith("Box") and not isinstance(box, QComboBox)
        }

    both = {"epochsBox", "learningRateBox"}
    assert boxes() == {*both, "betaBox"}
    choose(qtbot, window, "denoising")
    assert boxes() == {*both, "noiseLevelBox"}
    assert live_fields(window.session.settings) == {"epochs", "learning_rate", "noise_level"}
    choose(qtbot, window, "vae")
    assert boxes() == {*both, "betaBox"}
    choose(qtbot, window, "two-players")
    assert boxes() == {*both, "pullBox"}
    train(qtbot, window, 5)
    pull = window.controls.findChild(QWidget, "pullBox")
    assert pull is not None
    pull.setFocus()
    pull.selectAll()  # type: ignore[attr-defined]
    QTest.keyClicks(pull, "2")
    QTest.keyClick(pull, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: getattr(snapshot_of(window).model, "pull", 0) == 2.0, timeout=30_000)
    assert window.form.settings().model.pull == 2.0  # type: ignore[attr-defined]
    assert QApplication.focusWidget() is window.plane
