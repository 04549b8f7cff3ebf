"""Keys of the plane in the real window, and the arrow that points to a handle out of view."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from helpers_mouse import drag, mouse
from PySide6.QtCore import QEvent, QPointF, QRectF, Qt
from PySide6.QtGui import QPainter, QPixmap
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from vaeviewer.backend.config import Settings
from vaeviewer.ui.plane.latent_view import LatentView
from vaeviewer.ui.window.main_window import MainWindow

MakeWindow = Callable[[Settings], MainWindow]
KEY = Qt.Key


@pytest.fixture
def window(make_window: MakeWindow, small: Settings) -> MainWindow:
    made = make_window(small)
    made.plane.setFocus()
    QApplication.processEvents()
    return made


def press(window: MainWindow, *keys: Qt.Key) -> None:
    for key in keys:
        QTest.keyClick(window.plane, key)
    QApplication.processEvents()


def order(plane: LatentView, z: tuple[float, float], but: frozenset[int] = frozenset()) -> list[int]:
    away = np.hypot(*(plane._points.positions - np.float32(z)).T)
    labels = plane._points._labels
    return [row for row in np.argsort(away, kind="stable").tolist() if labels[row] not in but]


def test_enter_selects_the_nearest_image_and_n_and_p_go_outwards_and_back(window: MainWindow) -> None:
    plane = window.plane
    window.set_view(z=(0.4, -0.3))
    rows = order(plane, (0.4, -0.3))
    press(window, KEY.Key_Return)
    assert window.view.selected == rows[0]
    assert window.view.z == pytest.approx(plane._points.posterior.loc[rows[0]], abs=1e-7)
    found = []
    for key in (KEY.Key_N, KEY.Key_N, KEY.Key_N, KEY.Key_P, KEY.Key_P, KEY.Key_P, KEY.Key_P):
        press(window, key)
        found.append(window.view.selected)
    assert found == [rows[n] for n in (1, 2, 3, 2, 1, 0, 0)]
    press(window, KEY.Key_N, KEY.Key_Escape)
    assert window.view.selected is None
    press(window, KEY.Key_Left)  # moved by hand: images are counted from there
    start = window.view.z
    press(window, KEY.Key_N, KEY.Key_N)
    assert window.view.selected == order(plane, start)[1]


def test_hidden_classes_are_passed_over_and_all_images_are_come_by_once(window: MainWindow) -> None:
    hidden = frozenset(range(1, 10))
    window.set_view(hidden_classes=hidden, z=(0.0, 0.0))
    rows = order(window.plane, (0.0, 0.0), hidden)
    press(window, KEY.Key_Enter)
    found = [window.view.selected]
    for _ in range(len(rows) + 3):
        press(window, KEY.Key_N)
        found.append(window.view.selected)
    assert found == rows + [rows[-1]] * 4
    window.set_view(hidden_classes=frozenset(range(10)))
    press(window, KEY.Key_Enter)
    assert window.view.selected == rows[-1], "there is none to select"


def out_of_view(plane: LatentView) -> QPointF:
    """Where the arrow is, in the viewport; the handle is out of view."""
    area: QRectF = plane._canvas.pointer_area
    assert not area.isEmpty()
    assert plane._pointer.isVisible()
    assert plane._canvas.box.rect().contains(area.center())
    return plane._canvas.to_viewport(area.center())


@pytest.mark.parametrize("z", [(90.0, 1.0), (-40.0, -80.0), (0.0, 30.0), (0.0, -1e9)])
def test_an_arrow_at_the_edge_points_to_the_handle_and_leads_there(
    window: MainWindow, z: tuple[float, float]
) -> None:
    plane = window.plane
    assert not plane._pointer.isVisible()
    window.set_view(z=z)
    at = out_of_view(plane)
    middle = plane._canvas.to_viewport(plane._canvas.box.rect().center())
    arrow, way = at - middle, np.array(z) - np.mean([plane.plane_map().x_range, plane.plane_map().y_range], 1)
    np.testing.assert_allclose(
        np.array([arrow.x(), -arrow.y()]) / np.hypot(arrow.x(), arrow.y()), way / np.hypot(*way), atol=0.02
    )
    assert plane._pointer.rotation() == pytest.approx(np.degrees(np.arctan2(-way[1], way[0])), abs=1)
    width = np.ptp(plane.plane_map().x_range)
    drag(plane.viewport(), [at])
    assert window.view.z == z, "the handle stays, the view goes to it"
    assert not plane._pointer.isVisible()
    shown = plane.plane_map()
    assert np.ptp(shown.x_range) == pytest.approx(width, rel=1e-3)
    assert shown.x_range[0] < z[0] < shown.x_range[1]
    assert shown.y_range[0] < z[1] < shown.y_range[1]


def test_the_mouse_over_the_arrow_says_that_it_can_be_pressed(window: MainWindow) -> None:
    plane, none = window.plane, Qt.MouseButton.NoButton
    window.set_view(z=(90.0, 0.0))
    at = out_of_view(plane)
    for place, shape in (
        (at, Qt.CursorShape.PointingHandCursor),
        (at - QPointF(80, 0), Qt.CursorShape.CrossCursor),
    ):
        mouse(plane.viewport(), QEvent.Type.MouseMove, place, none, none)
        assert plane.viewport().cursor().shape() == shape


def test_h_brings_the_handle_into_the_middle_of_the_view(window: MainWindow) -> None:
    window.set_view(z=(90.0, -90.0))
    press(window, KEY.Key_H)
    shown = window.plane.plane_map()
    assert window.view.z == pytest.approx((np.mean(shown.x_range), np.mean(shown.y_range)), abs=1e-6)
    assert not window.plane._pointer.isVisible()


def test_zooming_out_ends_where_all_is_small(window: MainWindow) -> None:
    plane = window.plane
    fitted = plane.plane_map()
    for _ in range(60):
        press(window, KEY.Key_Minus)
    shown = plane.plane_map()
    assert 3 < np.ptp(shown.x_range) / np.ptp(fitted.x_range) < 8
    before = shown
    press(window, KEY.Key_Minus)
    assert plane.plane_map().x_range == pytest.approx(before.x_range)


def painted_labels(plane: LatentView) -> set[str]:
    """What stands beside the left axis."""
    picture = QPixmap(plane.size())
    painter = QPainter(picture)
    drawn = plane._canvas.getAxis("left").generateDrawSpecs(painter)
    painter.end()
    return {text for *_, text in drawn[2]} if drawn else set()


def test_each_tick_has_its_number_however_far_one_zooms_in(window: MainWindow) -> None:
    plane, axis = window.plane, window.plane._canvas.getAxis("left")
    window.set_view(z=(-1.23456, -1.23456))
    plane._canvas.go_to(-1.23456, -1.23456)
    for _ in range(50):
        press(window, KEY.Key_Plus)
        shown = plane.plane_map()
        ((spacing, ticks),) = axis.tickValues(*shown.y_range, shown.height)
        inner = [t for t in ticks if 12 < (shown.y_range[1] - t) * shown.y_scale < shown.height - 12]
        assert set(axis.tickStrings(inner, 1.0, spacing)) <= painted_labels(plane) or len(inner) < 2
    assert np.ptp(shown.x_range) < 0.003
    press(window, KEY.Key_F)
    QApplication.processEvents()
    assert axis.width() == 46
