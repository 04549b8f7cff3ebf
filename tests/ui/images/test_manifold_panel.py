from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from helpers_images import grabbed, holds_enlarged, make_snapshot
from hypothesis import given
from hypothesis import strategies as st
from PySide6.QtCore import QEvent, QPointF, Qt
from PySide6.QtGui import QColor, QMouseEvent
from PySide6.QtWidgets import QApplication, QComboBox, QWidget
from pytestqt.qtbot import QtBot

from vaeviewer.analysis.latent_plane import axes_plane
from vaeviewer.analysis.manifold import grid
from vaeviewer.backend.snapshot import as_grey_levels
from vaeviewer.session.view_state import ViewState
from vaeviewer.ui.images.image_widget import ImageWidget
from vaeviewer.ui.images.manifold_panel import ManifoldPanel
from vaeviewer.ui.images.manifold_places import CellPlaces, _from_unit, _to_unit
from vaeviewer.ui.widgets.theme import DARK

VIEW = ViewState(manifold_size=10, z=(9.0, 9.0))


@pytest.fixture
def panel(qtbot: QtBot) -> ManifoldPanel:
    panel = ManifoldPanel()
    qtbot.addWidget(panel)
    panel.resize(320, 400)
    with qtbot.waitExposed(panel):
        panel.show()
    panel.update_frame(VIEW)
    return panel


def picture_of(panel: ManifoldPanel) -> ImageWidget:
    return panel.findChild(ImageWidget)


def send(widget: QWidget, kind: QEvent.Type, place: QPointF, held: Qt.MouseButton) -> None:
    changed = Qt.MouseButton.NoButton if kind == QEvent.Type.MouseMove else Qt.MouseButton.LeftButton
    event = QMouseEvent(kind, place, widget.mapToGlobal(place), changed, held, Qt.KeyboardModifier.NoModifier)
    QApplication.sendEvent(widget, event)


def drag(widget: QWidget, path: list[QPointF]) -> None:
    send(widget, QEvent.Type.MouseButtonPress, path[0], Qt.MouseButton.LeftButton)
    for place in path[1:]:
        send(widget, QEvent.Type.MouseMove, place, Qt.MouseButton.LeftButton)
    send(widget, QEvent.Type.MouseButtonRelease, path[-1], Qt.MouseButton.NoButton)


def centre_of_image(panel: ManifoldPanel, row: int, column: int, size: int) -> QPointF:
    rect = picture_of(panel).image_rect()
    return QPointF(
        rect.x() + (column + 0.5) * rect.width() / size, rect.y() + (row + 0.5) * rect.height() / size
    )


def test_images_lie_as_in_the_latent_plane(panel: ManifoldPanel) -> None:
    snapshot = make_snapshot()
    panel.show_images(as_grey_levels(snapshot.decode(panel.wanted(VIEW))))
    picture = panel.picture()
    assert picture.shape == (280, 280)
    for corner, z in (
        (picture[:28, :28], (-3, 3)),
        (picture[:28, -28:], (3, 3)),
        (picture[-28:, :28], (-3, -3)),
    ):
        alone = as_grey_levels(snapshot.decode(np.array([z], dtype=np.float32))[0])
        assert abs(corner.astype(int) - alone).max() <= 1  # batched products round differently


def test_the_picture_is_crisp_where_a_whole_factor_fits(panel: ManifoldPanel) -> None:
    panel.show_images(as_grey_levels(make_snapshot().decode(panel.wanted(VIEW))))
    panel.resize(280 + 2 + 16, 500)
    assert holds_enlarged(grabbed(panel), panel.picture(), 1)


@pytest.mark.parametrize("spacing", ["equal", "gaussian"])
def test_a_press_moves_the_handle_to_the_z_of_the_image_pressed(
    qtbot: QtBot, panel: ManifoldPanel, spacing: str
) -> None:
    view = ViewState(manifold_size=15, manifold_spacing=spacing)
    panel.update_frame(view)
    wanted = panel.wanted(view)
    panel.show_images(as_grey_levels(make_snapshot().decode(wanted)))
    for row, column in ((0, 0), (3, 11), (14, 14), (7, 7)):
        with qtbot.waitSignal(panel.handle_moved) as moved:
            place = centre_of_image(panel, row, column, 15)
            drag(picture_of(panel), [place])
        assert moved.args == pytest.approx(wanted[15 * row + column], abs=1e-5)


def test_a_drag_follows_the_mouse_and_stops_at_the_grids_ends(panel: ManifoldPanel) -> None:
    panel.show_images(as_grey_levels(make_snapshot().decode(panel.wanted(VIEW))))
    seen: list[tuple[float, float]] = []
    panel.handle_moved.connect(lambda z1, z2: seen.append((z1, z2)))
    middle = picture_of(panel).image_rect().center()
    drag(picture_of(panel), [middle, middle + QPointF(28, 0), middle + QPointF(0, -28), QPointF(-500, 5000)])
    step = 6 / 9 * 28 / (picture_of(panel).image_rect().width() / 10)
    assert seen[0] == pytest.approx((0, 0), abs=1e-9)
    assert seen[1] == pytest.approx((step, 0), abs=1e-9)
    assert seen[2] == pytest.approx((0, step), abs=1e-9)  # z₂ rises upwards
    assert seen[3] == (-3, -3)


def test_presses_beside_the_picture_or_without_one_do_nothing(panel: ManifoldPanel) -> None:
    seen: list[object] = []
    panel.handle_moved.connect(lambda *z: seen.append(z))
    picture = picture_of(panel)
    middle = QPointF(picture.rect().center())
    drag(picture, [middle, middle + QPointF(5, 5)])
    panel.show_images(as_grey_levels(make_snapshot().decode(panel.wanted(VIEW))))
    drag(picture, [QPointF(picture.width() / 2, 1), middle])  # above the picture, then into it
    assert seen == []


def test_the_marker_shows_the_handle_if_within(panel: ManifoldPanel) -> None:
    panel.show_images(np.zeros((100, 28, 28), np.uint8))
    accent = np.array(QColor(DARK.accent).getRgb()[:3])

    def marker() -> tuple[float, float] | None:
        rows, columns = np.nonzero((grabbed(picture_of(panel)) == accent).all(-1))
        return (
            None if len(rows) == 0 else ((columns.min() + columns.max()) / 2, (rows.min() + rows.max()) / 2)
        )

    assert marker() is None
    panel.set_handle((3.0, -3.0))
    place = centre_of_image(panel, 9, 9, 10)
    assert marker() == pytest.approx((place.x(), place.y()), abs=1)
    panel.update_frame(ViewState(manifold_size=10, z=(0.0, 0.0)))
    place = picture_of(panel).image_rect().center()
    assert marker() == pytest.approx((place.x(), place.y()), abs=1)
    panel.set_handle((0.0, 3.1))
    assert marker() is None
    panel.set_handle((0.0, 0.0))
    panel.show_images(None)
    assert marker() is None


@given(st.sampled_from(["equal", "gaussian"]), st.sampled_from([10, 15, 20, 25]), st.floats(0.05, 0.95))
def test_places_and_coordinates_are_inverse(spacing: str, size: int, share: float) -> None:
    axis, _ = grid(size, spacing)
    assert _to_unit(_from_unit(share, axis), axis) == pytest.approx(share)


def test_choices_are_signalled_when_the_user_makes_them(qtbot: QtBot, panel: ManifoldPanel) -> None:
    spacing = panel.findChild(QComboBox, "manifoldSpacing")
    size = panel.findChild(QComboBox, "manifoldSize")
    assert [spacing.itemText(i) for i in range(spacing.count())] == [
        "Equal spacing, −3 to 3",
        "Evenly in probability, as in the paper",
    ]
    with qtbot.waitSignal(panel.spacing_changed) as chosen:
        qtbot.keyClick(spacing, Qt.Key.Key_Down)
    assert chosen.args == ["gaussian"]
    with qtbot.waitSignal(panel.size_changed) as chosen:
        qtbot.keyClick(size, Qt.Key.Key_Down)
    assert chosen.args == [15]


def test_following_the_view_signals_nothing(qtbot: QtBot, panel: ManifoldPanel) -> None:
    with qtbot.assertNotEmitted(panel.spacing_changed), qtbot.assertNotEmitted(panel.size_changed):
        panel.update_frame(ViewState(manifold_spacing="gaussian", manifold_size=25))
    assert panel.findChild(QComboBox, "manifoldSpacing").currentData() == "gaussian"
    assert panel.findChild(QComboBox, "manifoldSize").currentText() == "25 × 25"


def test_hidden_it_keeps_images_and_draws_them_when_shown(qtbot: QtBot) -> None:
    panel = ManifoldPanel()
    qtbot.addWidget(panel)
    panel.show_images(as_grey_levels(make_snapshot().decode(panel.wanted(VIEW))))
    assert not picture_of(panel).has_image()
    with qtbot.waitSignal(panel.images_wanted):
        panel.show()
    assert picture_of(panel).has_image()


def test_late_images_of_another_spacing_keep_their_own_axes(panel: ManifoldPanel, qtbot: QtBot) -> None:
    panel.show_images(np.zeros((100, 4, 4), np.uint8), spacing="gaussian")  # the panel shows "equal"
    with qtbot.waitSignal(panel.handle_moved) as moved:
        drag(picture_of(panel), [centre_of_image(panel, 0, 9, 10)])
    assert moved.args == pytest.approx([1.6449, 1.6449], abs=1e-4)  # Φ⁻¹(0.95)


def test_large_images_are_shown_smaller_and_exported_whole(panel: ManifoldPanel) -> None:
    images = np.random.default_rng(0).integers(0, 256, (100, 256, 256), dtype=np.uint8)
    panel.show_images(images)
    picture = panel.picture()
    assert picture is not None
    np.testing.assert_array_equal(picture[256:512, :256], images[10])
    shown = picture_of(panel)._image
    assert shown is not None
    assert 1024 <= shown.width() <= 2048


def test_no_picture_without_images_and_no_picture_of_an_odd_number(panel: ManifoldPanel) -> None:
    assert panel.picture() is None
    with pytest.raises(ValueError, match="no square"):
        panel.show_images(np.zeros((7, 4, 4), np.uint8))
    panel.show_images(np.zeros((4, 4, 4), np.uint8))
    panel.show_images(None)
    assert panel.picture() is None
    blank = grabbed(panel)
    panel.set_hint("Waiting for the model…")
    assert (grabbed(panel) != blank).any()


def test_the_codes_it_asks_for_are_of_the_models_space(panel: ManifoldPanel) -> None:
    asked: list[tuple[object, ...]] = []
    panel._request = lambda *request: asked.append(request)
    deep = make_snapshot(latent_dim=4)
    panel.update_frame(replace(VIEW, plane=axes_plane(4, 3, 1), y=2), deep)
    ((kind, snapshot, z, grid, y),) = asked
    assert (kind, snapshot, grid, y) == ("manifold", deep, ("equal", 4, None), 2)
    assert isinstance(z, np.ndarray)
    np.testing.assert_array_equal(z[:, [3, 1]], panel.wanted(VIEW))
    assert not z[:, [0, 2]].any()
    panel.hide()
    panel.update_frame(VIEW, deep)
    assert len(asked) == 1, "nothing while it is hidden"


def test_images_that_lie_anywhere_are_found_by_their_codes() -> None:
    cells = np.array([[(0, 3), (4, 3)], [(0.5, -1), (4, 0)], [(0, -3), (4, -3)]], np.float32)  # (3, 2, 2)
    places = CellPlaces(cells)
    for row, column in np.ndindex(3, 2):
        share = (column + 0.3) / 2, 1 - (row + 0.7) / 3
        assert places.z_at(share) == tuple(cells[row, column].tolist())
        assert places.share_of(places.z_at(share)) == pytest.approx(((column + 0.5) / 2, 1 - (row + 0.5) / 3))
    assert places.share_of((40.0, 0.0)) is None
    assert places.kept_within((40.0, 0.0)) == (4.0, 0.0)
    assert places.z_at((1.0, 0.0)) == (4.0, -3.0)
