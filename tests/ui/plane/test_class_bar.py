"""The choice of the class below the plane: by keys, by mouse, while dragging, and only where there is one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Literal

import numpy as np
import pytest
from conftest import same_arrays
from helpers_images import pixels_of
from helpers_mouse import mouse
from PySide6.QtCore import QEvent, QPointF, QSize, Qt
from PySide6.QtGui import QIcon
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QListWidget, QWidget
from pytestqt.qtbot import QtBot

from vaeviewer.backend.config import Settings, updated
from vaeviewer.backend.data.base import DataSource, ImageDataset
from vaeviewer.backend.models import registry
from vaeviewer.backend.models.families.vae import VAE, VaeConfig
from vaeviewer.backend.snapshot import as_grey_levels
from vaeviewer.session.states import Action, State
from vaeviewer.ui.plane.class_bar import ClassBar
from vaeviewer.ui.window.main_window import MainWindow
from vaeviewer.ui.window.text_size import set_text_scale

MakeWindow = Callable[[Settings], MainWindow]


@pytest.fixture
def window(qtbot: QtBot, make_window: MakeWindow, small: Settings) -> MainWindow:
    window = make_window(updated(small, family="conditional", epochs=100_000))
    window.activateWindow()
    qtbot.waitUntil(window.isActiveWindow)
    window.session.request(Action.TRAIN)
    qtbot.waitUntil(lambda: snapshot_step(window) >= 200, timeout=60_000)
    return window


def snapshot_step(window: MainWindow) -> int:
    return 0 if window.session.snapshot is None else window.session.snapshot.step


def at_rest(qtbot: QtBot, window: MainWindow) -> None:
    window.session.request(Action.PAUSE)

    def encoded_anew() -> bool:
        snapshot = window.session.snapshot
        assert snapshot is not None
        assert snapshot.posterior is not None
        progress = window.session.progress
        same_step = progress is not None and progress.step == snapshot.step
        shown = window.plane._points.posterior is snapshot.posterior
        return shown and same_step and bool((snapshot.posterior.row_steps == snapshot.step).all())

    qtbot.waitUntil(encoded_anew, timeout=30_000)


def choice(window: MainWindow) -> QListWidget:
    found = window.findChild(QListWidget, "classChoice")
    assert isinstance(found, QListWidget)
    return found


def at_the_handle(window: MainWindow) -> np.ndarray:
    image = window.decoded._image.shown_image()
    assert image is not None
    factor = image.width() // 28
    return pixels_of(image)[::factor, ::factor, 0]


def expected(window: MainWindow, y: int) -> np.ndarray:
    snapshot = window.session.snapshot
    assert snapshot is not None
    return as_grey_levels(snapshot.decode(np.array([window.view.z], np.float32), y)[0])


def test_a_key_chooses_the_class_while_the_handle_is_dragged(qtbot: QtBot, window: MainWindow) -> None:
    """All of the window is of that class: the decoded image, the manifold, and a mark in the row of classes."""
    viewport, left = window.plane.viewport(), Qt.MouseButton.LeftButton
    places = [window.plane.viewport_position(*z) for z in ((0.2, 0.1), (-0.6, 0.5), (0.8, -0.4))]
    mouse(viewport, QEvent.Type.MouseButtonPress, places[0], left, left)
    for number, place in enumerate(places):
        mouse(viewport, QEvent.Type.MouseMove, place, Qt.MouseButton.NoButton, left)
        QTest.keyClick(QApplication.focusWidget(), str(7 + number))
        assert window.view.y == 7 + number
        assert choice(window).currentRow() == 7 + number
        assert window.session.state is State.RUNNING
    at_rest(qtbot, window)
    for z in ((0.5, 0.5), (-1.0, 0.2)):
        at = window.plane.viewport_position(*z)
        mouse(viewport, QEvent.Type.MouseMove, at, Qt.MouseButton.NoButton, left)
        qtbot.waitUntil(lambda: np.array_equal(at_the_handle(window), expected(window, 9)))
    mouse(viewport, QEvent.Type.MouseButtonRelease, at, left, Qt.MouseButton.NoButton)
    assert np.abs(expected(window, 9).astype(int) - expected(window, 0)).max() > 30
    snapshot = window.session.snapshot
    assert snapshot is not None

    def corner_is_of(y: int) -> bool:
        picture = window.manifold.picture()
        corner = as_grey_levels(snapshot.decode(np.float32([[-3, 3]]), y)[0])
        return picture is not None and np.array_equal(picture[:28, :28], corner)

    qtbot.waitUntil(lambda: corner_is_of(9), timeout=30_000)
    QTest.keyClick(QApplication.focusWidget(), Qt.Key.Key_C)
    assert window.view.y == 0
    qtbot.waitUntil(lambda: corner_is_of(0), timeout=30_000)
    QTest.keyClick(QApplication.focusWidget(), Qt.Key.Key_C, Qt.KeyboardModifier.ShiftModifier)
    assert window.view.y == 9


def test_its_images_are_of_the_handle_and_a_click_chooses(qtbot: QtBot, window: MainWindow) -> None:
    at_rest(qtbot, window)
    window.set_view(z=(0.7, -0.4))
    snapshot, row = window.session.snapshot, choice(window)
    assert snapshot is not None
    assert [row.item(n).text() for n in range(row.count())] == [str(n) for n in range(10)]
    levels = as_grey_levels(snapshot.decode(np.tile(np.float32([[0.7, -0.4]]), (10, 1)), np.arange(10)))

    def shown() -> bool:
        return all(
            np.array_equal(pixels_of(row.item(n).icon().pixmap(QSize(28, 28), mode).toImage())[..., 0], level)
            for n, level in enumerate(levels)
            for mode in (QIcon.Mode.Normal, QIcon.Mode.Selected)
        )

    qtbot.waitUntil(shown, timeout=10_000)
    try:
        set_text_scale(1.8)  # as in a lecture hall
        side = row.iconSize()
        assert side.width() > 1.5 * 28
        qtbot.waitUntil(lambda: row.item(4).icon().actualSize(side) == side)
    finally:
        set_text_scale(1.0)
    middle = row.visualItemRect(row.item(4)).center()
    QTest.mouseClick(row.viewport(), Qt.MouseButton.LeftButton, pos=middle)
    assert window.view.y == 4
    qtbot.waitUntil(lambda: np.array_equal(at_the_handle(window), expected(window, 4)))
    QTest.keyClick(row, Qt.Key.Key_Right)  # reached by Tab
    assert window.view.y == 5
    assert row.focusPolicy() & Qt.FocusPolicy.TabFocus


def test_a_selected_image_brings_its_class(qtbot: QtBot, window: MainWindow) -> None:
    """So that what is decoded at its point is its reconstruction."""
    at_rest(qtbot, window)
    dataset, snapshot = window.session.dataset, window.session.snapshot
    assert dataset is not None
    assert snapshot is not None
    chosen = set()
    for _ in range(15):
        QTest.keyClick(window.plane, Qt.Key.Key_N)
        row = window.view.selected
        assert row is not None
        assert window.view.y == dataset.train_labels[row]
        chosen.add(window.view.y)
        codes = snapshot.encode(dataset.train_images[[row]], window.view.y)
        assert codes is not None
        np.testing.assert_allclose(window.view.z, codes[0][0], atol=1e-3)
    assert len(chosen) > 1


def test_reconstructions_are_made_with_the_images_own_classes(qtbot: QtBot, window: MainWindow) -> None:
    at_rest(qtbot, window)
    snapshot, dataset = window.session.snapshot, window.session.dataset
    assert snapshot is not None
    assert dataset is not None
    rows = list(window.view.examples)
    own = dataset.held_out_labels[rows]
    codes = snapshot.encode(dataset.held_out_images[rows], own)
    assert codes is not None
    drawn = as_grey_levels(snapshot.decode(codes[0], own))

    def reconstructed() -> bool:
        pictures = window.reconstructions._pairs._drawn
        return bool(pictures) and all(
            np.array_equal(pixels_of(a)[..., 0], b) for a, b in zip(pictures, drawn, strict=False)
        )

    qtbot.waitUntil(reconstructed, timeout=30_000)


def test_other_kinds_of_models_have_none_and_the_class_is_forgotten(
    qtbot: QtBot, window: MainWindow, small: Settings
) -> None:
    bar = window.findChild(ClassBar)
    assert bar is not None
    assert bar.isVisible()
    QTest.keyClick(window.plane, "6")
    assert window.view.y == 6
    at_rest(qtbot, window)
    window.session.request(Action.RESET)
    qtbot.waitUntil(lambda: window.session.state is State.READY, timeout=30_000)
    assert window.view.y == 6, "the same classes are there"
    window.session.use_settings(updated(small, family="vae"))
    qtbot.waitUntil(lambda: not bar.isVisible(), timeout=30_000)
    assert window.view.y == 0
    QTest.keyClick(window.plane, "4")
    assert window.view.y == 0


def test_images_without_labels_leave_the_model_there_was(
    qtbot: QtBot, window: MainWindow, digits: ImageDataset
) -> None:
    at_rest(qtbot, window)
    before = window.session.snapshot
    none = {"train_labels": np.zeros(600, np.int64), "class_names": ()}
    bare = replace(digits, name="bare digits", source=DataSource(key="folder", checksum="of others"), **none)
    for keep_model in (True, False):
        said: list[str] = []
        window.session.problem.connect(lambda sentence, *_, said=said: said.append(sentence))
        window.session.use_data(bare, keep_model=keep_model)
        qtbot.waitUntil(lambda said=said: bool(said), timeout=30_000)
        assert len(said) == 1
        assert "bare digits" in said[0]
        assert window.session.snapshot is not None
        assert before is not None
        assert same_arrays(window.session.snapshot.weights, before.weights)


class SaysConfig(VaeConfig):
    family: Literal["says"] = "says"  # type: ignore[assignment]


class Says(VAE):
    """A VAE that says that it has classes of its own to choose, as many as somebody could wish for."""

    key, class_title = "says", "Category"
    Config = SaysConfig

    def class_names(self, config: VaeConfig, of_images: object) -> list[str]:
        return [f"category {'abcdefghij'[n % 10]}{n}" for n in range(300)]


@pytest.fixture
def many() -> Iterator[None]:
    registry.register(Says())
    yield
    registry.unregister("says")


@pytest.mark.usefixtures("many")
def test_hundreds_of_names_that_are_no_digits(qtbot: QtBot, make_window: MakeWindow, small: Settings) -> None:
    """The first by 1, the tenth by 0; one far away comes into sight, and only those in sight are decoded."""
    window = make_window(updated(small, family="says", engine="eager"))
    row = choice(window)
    qtbot.waitUntil(lambda: row.count() == 300)
    title: QWidget = row.parentWidget()
    assert title.findChild(QWidget).text().startswith("Category")  # type: ignore[union-attr]
    window.plane.setFocus()
    window.activateWindow()
    qtbot.waitUntil(window.isActiveWindow)
    for key, y in (("1", 0), ("0", 9), ("3", 2)):
        QTest.keyClick(window.plane, key)
        assert window.view.y == y
    qtbot.waitUntil(lambda: not row.item(0).icon().isNull())
    assert row.item(299).icon().isNull()
    window.set_view(y=299)
    qtbot.waitUntil(lambda: not row.item(299).icon().isNull())
    assert row.viewport().rect().contains(row.visualItemRect(row.item(299)).center())
    assert title.height() < 120
    assert QPointF(row.visualItemRect(row.item(150)).center()).x() < 0
