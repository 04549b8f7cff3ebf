"""Families without an encoder, or whose prior is not N(0, I), in the window, by real events and real training."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
import pytest
from families_without import ALL
from helpers_images import pixels_of
from own_families import LaplaceVAE
from PySide6.QtCore import QPointF, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QComboBox, QDockWidget, QLabel
from pytestqt.qtbot import QtBot

from vaeviewer.analysis.classifier import Classifier
from vaeviewer.analysis.prior import prior_codes
from vaeviewer.backend.config import Settings, updated
from vaeviewer.backend.data.base import ImageDataset
from vaeviewer.backend.models import registry
from vaeviewer.backend.snapshot import Snapshot, as_grey_levels
from vaeviewer.session.states import Action, State
from vaeviewer.ui.window.main_window import MainWindow

MakeWindow = Callable[[Settings], MainWindow]


@pytest.fixture(autouse=True)
def registered() -> Iterator[None]:
    own = (*ALL, LaplaceVAE())
    for family in own:
        registry.register(family)
    yield
    for family in own:
        registry.unregister(family.key)


def snapshot_of(window: MainWindow) -> Snapshot:
    snapshot = window.session.snapshot
    assert snapshot is not None
    return snapshot


def generated_of(qtbot: QtBot, window: MainWindow) -> np.ndarray:
    """The points, once they are of the newest model."""

    def there() -> bool:
        generated = window._frames.frame().generated
        return generated is not None and generated.table.row_steps[0] == snapshot_of(window).step

    qtbot.waitUntil(there, timeout=30_000)
    positions = window.plane._points.positions
    assert positions is not None
    return positions


def decoded(window: MainWindow) -> np.ndarray:
    image = window.decoded._image.shown_image()
    assert image is not None
    return pixels_of(image)[:: image.height() // 28, :: image.width() // 28, 0]


def train(qtbot: QtBot, window: MainWindow, steps: int) -> None:
    window.session.request(Action.TRAIN)
    qtbot.waitUntil(lambda: snapshot_of(window).step >= steps, timeout=60_000)
    window.session.request(Action.PAUSE)
    qtbot.waitUntil(lambda: window.session.state is State.PAUSED, timeout=30_000)

    def at_rest() -> bool:
        progress = window.session.progress
        return progress is not None and snapshot_of(window).step == progress.step

    qtbot.waitUntil(at_rest, timeout=30_000)


def test_without_an_encoder_the_plane_shows_what_is_generated(
    qtbot: QtBot, make_window: MakeWindow, small: Settings, digits: ImageDataset
) -> None:
    window = make_window(updated(small, family="game", epochs=1000))
    points = generated_of(qtbot, window)
    np.testing.assert_array_equal(points, prior_codes(snapshot_of(window), len(points)))
    assert window.plane._marks_item._prior.circles == (1, 2, 3)
    legend = window.plane._legend.list
    assert legend.listed() == [*digits.class_names]
    assert "no encoder" in window.plane.toolTip()
    room = next(dock for dock in window.findChildren(QDockWidget) if dock.windowTitle() == "Reconstructions")
    assert any("this needs an encoder" in label.text() for label in room.findChildren(QLabel))

    train(qtbot, window, 60)
    points = generated_of(qtbot, window)
    shown = window._frames.frame().generated
    assert shown is not None
    images = as_grey_levels(snapshot_of(window).decode(shown.table.loc))
    assert np.array_equal(shown.images, images)
    again = Classifier(digits)
    for _ in again.train():
        pass
    assert np.array_equal(shown.classes, again.classify(images))
    assert np.array_equal(window.plane._points._labels, shown.classes)

    # A class that is hidden stays so, with the generated images that look like it.
    some = int(shown.classes[0])
    window.set_view(hidden_classes=frozenset({some}))
    train(qtbot, window, snapshot_of(window).step + 5)
    generated_of(qtbot, window)
    shown = window._frames.frame().generated
    assert shown is not None
    rows = window.plane._picture.raster._rows
    assert rows is not None
    assert np.array_equal(rows, np.flatnonzero(shown.classes != some))
    window.set_view(hidden_classes=frozenset())

    # Enter selects the nearest one, and the handle goes to its code: its image is decoded, and on its card.
    window.activateWindow()
    window.plane.setFocus()
    QTest.keyClick(window.plane, Qt.Key.Key_Return)
    row = window.view.selected
    assert row is not None
    assert window.view.z == pytest.approx(points[row].tolist())
    qtbot.waitUntil(lambda: np.array_equal(decoded(window), shown.images[row]), timeout=30_000)
    at = window.plane._canvas.plane()
    assert at is not None
    window.plane._hover.move_to(QPointF(*at.to_pixels(*points[row])))
    qtbot.waitUntil(window.plane._hover.card.isVisible)
    assert window.plane._hover._dataset is not None
    assert np.array_equal(window.plane._hover._dataset.train_images[row], shown.images[row])


def test_a_generated_image_is_decoded_again_where_z_has_more_numbers(
    qtbot: QtBot, make_window: MakeWindow, small: Settings
) -> None:
    window = make_window(updated(small, family="game", latent_dim=5))
    generated_of(qtbot, window)
    window.activateWindow()
    window.plane.setFocus()
    QTest.keyClick(window.plane, Qt.Key.Key_Return)
    shown, row = window._frames.frame().generated, window.view.selected
    assert shown is not None
    assert row is not None
    np.testing.assert_allclose(window.view.code(5), shown.table.loc[row], atol=1e-5)
    qtbot.waitUntil(
        lambda: int(np.abs(decoded(window).astype(int) - shown.images[row]).max()) <= 1, timeout=30_000
    )


def test_without_labels_there_is_no_class_and_the_window_says_so(
    qtbot: QtBot, make_window: MakeWindow, small: Settings, digits: ImageDataset
) -> None:
    window = make_window(updated(small, family="game"))
    plain = replace(
        digits,
        class_names=(),
        train_labels=np.zeros(600, np.int64),
        held_out_labels=np.zeros(100, np.int64),
    )
    window.session.use_data(plain, keep_model=False)
    qtbot.waitUntil(lambda: window.session.dataset is plain, timeout=30_000)
    generated_of(qtbot, window)
    assert any("no labels" in label.text() for label in window.plane.findChildren(QLabel))
    assert "classifier" not in window.plane.toolTip()
    assert window.plane._picture.raster._painted_as.max() > 0  # by density


@pytest.mark.parametrize("key", ["mixture", "ring", "laplace"])
def test_another_prior_has_contours_and_a_manifold_of_its_codes(
    qtbot: QtBot, make_window: MakeWindow, small: Settings, key: str
) -> None:
    window = make_window(updated(small, family=key, epochs=1000))
    marks = window.plane._marks_item._prior
    qtbot.waitUntil(lambda: marks.shape is not None, timeout=30_000)
    assert not marks.circles
    at = window.plane._canvas.plane()
    assert at is not None
    names = [name for name, _ in marks.names(at, 20.0, line=False)]
    assert names == ["39 %", "86 %", "99 %"]
    first = marks.shape
    spacing = window.findChild(QComboBox, "manifoldSpacing")
    assert spacing is not None
    assert spacing.itemText(1) == "Evenly in probability"
    spacing.setCurrentIndex(1)
    picture = window.manifold._picture

    def as_drawn() -> bool:
        return window.manifold.picture() is not None and hasattr(picture._places, "_cells")

    qtbot.waitUntil(as_drawn, timeout=30_000)
    cells = picture._places._cells  # type: ignore[attr-defined]
    row, column = 3, 7
    rect = picture.image_rect()
    place = QPointF(
        rect.x() + (column + 0.5) / 20 * rect.width(), rect.y() + (row + 0.5) / 20 * rect.height()
    )
    qtbot.mouseClick(picture, Qt.MouseButton.LeftButton, pos=place.toPoint())
    assert window.view.z == pytest.approx(cells[row, column].tolist())
    qtbot.waitUntil(
        lambda: np.array_equal(
            decoded(window), as_grey_levels(snapshot_of(window).decode(cells[row, column][None])[0])
        ),
        timeout=30_000,
    )
    train(qtbot, window, 30)
    qtbot.waitUntil(lambda: marks.shape is not first, timeout=30_000)  # it follows the weights
    assert marks.shape is not None
    assert first is not None
    assert np.array_equal(marks.shape.codes, first.codes) == (key != "mixture")
