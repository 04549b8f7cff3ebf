from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray
from PySide6.QtCore import QEvent, QPoint, QPointF, Qt
from PySide6.QtGui import QColor, QImage, QKeyEvent, QMouseEvent, QWheelEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QWidget
from pytestqt.qtbot import QtBot

from vaeviewer.analysis.generated import Generated
from vaeviewer.analysis.manifold import grid_points, mosaic
from vaeviewer.backend.data.base import DataSource, ImageDataset
from vaeviewer.backend.models.families.gan import GanConfig
from vaeviewer.backend.models.families.sparse import SparseConfig
from vaeviewer.backend.models.families.vae import VaeConfig
from vaeviewer.backend.models.interface import DataSpec, ImageSpec
from vaeviewer.backend.snapshot import PosteriorTable, Snapshot, snapshot_of
from vaeviewer.session.view_state import ViewState, posterior_noise
from vaeviewer.ui.plane.latent_backdrop import UNDERLAY_CELLS
from vaeviewer.ui.plane.latent_geometry import (
    PRIOR_BOX,
    Box,
    PlaneMap,
    cloud_box,
    grid_centres,
    mosaic_rect,
    points_near,
    steady_box,
)
from vaeviewer.ui.plane.latent_view import LatentView
from vaeviewer.ui.widgets.theme import CLASS_COLORS, DARK, LIGHT, build_palette

LEFT, RIGHT, MIDDLE = Qt.MouseButton.LeftButton, Qt.MouseButton.RightButton, Qt.MouseButton.MiddleButton
NO_BUTTON = Qt.MouseButton.NoButton
NO_KEY = Qt.KeyboardModifier.NoModifier


def make_dataset(count: int = 300, classes: int = 3, names: tuple[str, ...] = ()) -> ImageDataset:
    images = np.random.default_rng(0).integers(0, 256, (count, 8, 8), dtype=np.uint8)
    labels = np.arange(count) % classes
    names = names or tuple(f"class {number}" for number in range(classes))
    return ImageDataset("test", DataSource(key="folder"), images, labels, images[:2], labels[:2], names)


def make_snapshot(loc: NDArray[np.float32], scale: float = 0.1) -> Snapshot:
    log_variance = np.full_like(loc, 2 * np.log(scale))
    table = PosteriorTable(loc, log_variance, np.zeros(len(loc), np.int32))
    return snapshot_of(VaeConfig(), DataSpec(ImageSpec(8, 8)), {}, step=1, epoch=0.1, posterior=table)


def ring(count: int = 300, radius: float = 1.0) -> NDArray[np.float32]:
    """Points far enough apart for one to be clicked."""
    angle = np.linspace(0, 2 * np.pi, count, endpoint=False)
    return (radius * np.stack([np.cos(angle), np.sin(angle)], axis=1)).astype(np.float32)


class Recorder:
    """What a view has emitted."""

    def __init__(self, view: LatentView) -> None:
        self.moves: list[tuple[float, float]] = []
        self.selected: list[int] = []
        self.hidden: list[frozenset[int]] = []
        self.following: list[bool] = []
        view.handle_moved.connect(lambda z1, z2: self.moves.append((z1, z2)))
        view.image_selected.connect(self.selected.append)
        view.hidden_classes_changed.connect(self.hidden.append)
        view.following_changed.connect(self.following.append)


@pytest.fixture
def view(qtbot: QtBot) -> LatentView:
    latent_view = LatentView()
    qtbot.addWidget(latent_view)
    latent_view.resize(640, 560)
    latent_view.set_dataset(make_dataset(12))
    with qtbot.waitExposed(latent_view):
        latent_view.show()
    latent_view.update_frame(make_snapshot(ring(12)), ViewState())
    latent_view.grab()
    return latent_view


def mouse(
    view: LatentView,
    kind: QEvent.Type,
    at: QPointF,
    button: Qt.MouseButton = NO_BUTTON,
    buttons: Qt.MouseButton = NO_BUTTON,
) -> None:
    viewport = view.viewport()
    on_screen = QPointF(viewport.mapToGlobal(at.toPoint()))
    event = QMouseEvent(kind, at, on_screen, button, buttons, Qt.KeyboardModifier.NoModifier)
    QApplication.sendEvent(viewport, event)


def press(view: LatentView, at: QPointF, button: Qt.MouseButton = LEFT) -> None:
    mouse(view, QEvent.Type.MouseButtonPress, at, button, button)


def move(view: LatentView, at: QPointF, button: Qt.MouseButton = LEFT) -> None:
    mouse(view, QEvent.Type.MouseMove, at, NO_BUTTON, button)


def release(view: LatentView, at: QPointF, button: Qt.MouseButton = LEFT) -> None:
    mouse(view, QEvent.Type.MouseButtonRelease, at, button)


def wheel(view: LatentView, at: QPointF, delta: int) -> None:
    on_screen = QPointF(view.viewport().mapToGlobal(at.toPoint()))
    none, phase = Qt.KeyboardModifier.NoModifier, Qt.ScrollPhase.NoScrollPhase
    event = QWheelEvent(at, on_screen, QPoint(), QPoint(0, delta), NO_BUTTON, none, phase, False)
    QApplication.sendEvent(view.viewport(), event)


def count_renders(view: LatentView, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    calls: list[int] = []
    original = view._picture.raster.render
    monkeypatch.setattr(view._picture.raster, "render", lambda *args: calls.append(1) or original(*args))
    return calls


def visible_range(view: LatentView) -> tuple[float, ...]:
    plane = view.plane_map()
    assert plane is not None
    return (*plane.x_range, *plane.y_range)


# Handle


def test_every_move_of_a_drag_is_emitted_at_once_where_the_mouse_is(view: LatentView) -> None:
    seen = Recorder(view)
    path = [(-2.0, 2.5), (-1.99, 2.5), (0.3, 0.4), (1.7, -2.0)]
    press(view, view.viewport_position(*path[0]))
    for z in path[1:]:
        move(view, view.viewport_position(*z))
    assert len(seen.moves) == len(path)  # synchronously: no event loop has run
    release(view, view.viewport_position(*path[-1]))
    np.testing.assert_allclose(seen.moves, path, atol=1e-6)
    assert seen.selected == []


def test_a_press_anywhere_brings_the_handle_there(view: LatentView) -> None:
    seen = Recorder(view)
    x0, x1, y0, y1 = visible_range(view)
    for z in [(x0 + 0.05, y1 - 0.05), (x1 - 0.05, y0 + 0.05), (0.0, 0.0)]:
        press(view, view.viewport_position(*z))
        release(view, view.viewport_position(*z))
        np.testing.assert_allclose(seen.moves[-1], z, atol=1e-6)
        handle = view._handle_item.pos()
        np.testing.assert_allclose((handle.x(), handle.y()), view.plane_map().to_pixels(*z), atol=1e-3)


def test_a_press_on_the_axes_does_nothing(view: LatentView) -> None:
    seen = Recorder(view)
    press(view, QPointF(3, 100))
    move(view, QPointF(100, 100))
    release(view, QPointF(100, 100))
    assert seen.moves == []


def test_the_second_press_of_a_double_click_moves_the_handle_too(view: LatentView) -> None:
    seen = Recorder(view)
    at = view.viewport_position(2.0, 2.0)
    mouse(view, QEvent.Type.MouseButtonDblClick, at, LEFT, LEFT)
    release(view, at)
    np.testing.assert_allclose(seen.moves, [(2.0, 2.0)], atol=1e-6)


@pytest.mark.parametrize(("distance", "selects"), [(0.0, True), (11.0, True), (20.0, False)])
def test_a_click_selects_the_nearest_point_within_reach(
    view: LatentView, distance: float, selects: bool
) -> None:
    seen = Recorder(view)
    at = view.viewport_position(1.0, 0.0) + QPointF(distance, 0)
    press(view, at)
    release(view, at + QPointF(2, 2))
    assert seen.selected == ([0] if selects else [])
    if selects:
        np.testing.assert_allclose(seen.moves[-1], (1.0, 0.0), atol=1e-6)


def test_a_drag_that_ends_on_a_point_selects_nothing(view: LatentView) -> None:
    seen = Recorder(view)
    at = view.viewport_position(1.0, 0.0)
    press(view, at)
    move(view, at + QPointF(5, 0))
    move(view, at)
    release(view, at)
    assert seen.selected == []
    assert len(seen.moves) == 3


def test_a_drag_whose_release_was_lost_ends_with_the_next_move(view: LatentView) -> None:
    seen = Recorder(view)
    at = view.viewport_position(1.0, 0.0)
    for held in (LEFT, RIGHT):
        press(view, at, held)
        before = visible_range(view)
        move(view, at + QPointF(50, 0), NO_BUTTON)
        assert visible_range(view) == before
        assert not view._canvas.dragging
    assert len(seen.moves) == 1
    assert seen.selected == []


def test_points_of_hidden_classes_cannot_be_clicked(view: LatentView) -> None:
    view.update_frame(make_snapshot(ring(12)), ViewState(hidden_classes=frozenset({0})))
    seen = Recorder(view)
    at = view.viewport_position(1.0, 0.0)
    press(view, at)
    release(view, at)
    assert seen.selected == []


def test_arrow_keys_move_the_handle(view: LatentView) -> None:
    seen = Recorder(view)
    QTest.keyClick(view, Qt.Key.Key_Right)
    QTest.keyClick(view, Qt.Key.Key_Up, Qt.KeyboardModifier.ShiftModifier)
    QTest.keyClick(view, Qt.Key.Key_Left)
    QTest.keyClick(view, Qt.Key.Key_Down)
    np.testing.assert_allclose(seen.moves, [(0.05, 0), (0.05, 0.5), (0, 0.5), (0, 0.45)], atol=1e-9)


def test_escape_selects_nothing_and_other_keys_are_left_to_the_window(view: LatentView) -> None:
    seen = Recorder(view)
    QTest.keyClick(view, Qt.Key.Key_Escape)
    QTest.keyClick(view, Qt.Key.Key_Space)
    unnamed = QKeyEvent(QEvent.Type.KeyPress, 0x0416, Qt.KeyboardModifier.NoModifier, "Ж")
    QApplication.sendEvent(view, unnamed)
    assert not unnamed.isAccepted()
    assert seen.selected == [-1]
    assert seen.moves == []


def test_before_there_is_a_snapshot_the_handle_moves_and_says_what_it_waits_for(view: LatentView) -> None:
    view.update_frame(None, ViewState())
    view.set_hint("Loading PyTorch…")
    assert view._marks_item.hint.at is None
    seen = Recorder(view)
    press(view, view.viewport_position(1.0, 2.0))
    assert len(seen.moves) == 1
    np.testing.assert_allclose(view._marks_item.hint.at, (1.0, 2.0), atol=1e-6)
    view.grab()
    view.update_frame(make_snapshot(ring(12)), ViewState())
    view.set_hint("")
    assert view._marks_item.hint.at is None


def test_a_hint_wider_than_the_plane_takes_more_lines(view: LatentView) -> None:
    def columns(text: str) -> list[QImage]:
        view.set_hint(text)
        image = view.grab().toImage()
        return [image.copy(x, 0, 1, image.height()) for x in range(image.width())]

    view.resize(320, 320)
    pairs = zip(
        columns(""), columns("Press Train and watch the model organise all its images here"), strict=True
    )
    changed = [x for x, (before, after) in enumerate(pairs) if before != after]
    assert 0 < changed[-1] - changed[0] < view._marks_item._rect.width() - 10


# Range


def test_the_wheel_zooms_about_the_cursor_and_stops_following(view: LatentView) -> None:
    seen = Recorder(view)
    at = view.viewport_position(1.0, 2.0)
    width = visible_range(view)[1] - visible_range(view)[0]
    wheel(view, at, 120)
    assert seen.following == [False]
    assert not view.following
    assert visible_range(view)[1] - visible_range(view)[0] == pytest.approx(width / 1.2)
    after = view.viewport_position(1.0, 2.0)
    assert (after.x(), after.y()) == pytest.approx((at.x(), at.y()), abs=1e-3)
    kept = visible_range(view)
    view.update_frame(make_snapshot(ring(12, 9.0)), ViewState())
    QTest.qWait(60)
    assert visible_range(view) == kept


def test_zooming_has_limits(view: LatentView) -> None:
    at = view.viewport_position(0.0, 0.0)
    for delta in (120_0, -120_0):
        for _ in range(30):
            wheel(view, at, delta)
        assert 1e-4 < visible_range(view)[1] - visible_range(view)[0] < 1e5
    view.grab()


@pytest.mark.parametrize("button", [RIGHT, MIDDLE])
def test_right_and_middle_drags_pan(view: LatentView, button: Qt.MouseButton) -> None:
    seen = Recorder(view)
    start, end = view.viewport_position(0.0, 0.0), view.viewport_position(1.0, -0.5)
    before = np.array(visible_range(view))
    press(view, start, button)
    move(view, (start + end) / 2, button)
    move(view, end, button)
    release(view, end, button)
    np.testing.assert_allclose(np.array(visible_range(view)), before - [1.0, 1.0, -0.5, -0.5], atol=1e-5)
    assert seen.moves == []
    assert seen.following == [False]


@pytest.mark.parametrize("key", [Qt.Key.Key_F, Qt.Key.Key_Home])
def test_fit_restores_the_range_and_follows_again(view: LatentView, key: Qt.Key) -> None:
    before = visible_range(view)
    seen = Recorder(view)
    wheel(view, view.viewport_position(1.0, 1.0), 360)
    QTest.keyClick(view, key)
    assert visible_range(view) == pytest.approx(before)
    assert seen.following == [False, True]


def test_scales_of_both_axes_are_equal(view: LatentView) -> None:
    for size in [(640, 560), (300, 500), (900, 240)]:
        view.resize(*size)
        QApplication.processEvents()
        plane = view.plane_map()
        assert plane.x_scale == pytest.approx(plane.y_scale, rel=0.01)
        x0, x1, y0, y1 = visible_range(view)
        assert x0 <= -3.2 < 3.2 <= x1
        assert y0 <= -3.2 < 3.2 <= y1


@pytest.mark.slow
def test_the_range_goes_after_the_points_but_not_under_a_held_handle(view: LatentView, qtbot: QtBot) -> None:
    before = visible_range(view)
    at = view.viewport_position(0.0, 0.0)
    press(view, at)
    view.update_frame(make_snapshot(ring(12, 8.0)), ViewState())
    QTest.qWait(60)
    assert visible_range(view) == before
    release(view, at)
    qtbot.waitUntil(lambda: visible_range(view)[0] < -8.0 and visible_range(view)[3] > 8.0)


def test_the_range_settles_once_after_a_burst_of_zooming(view: LatentView, qtbot: QtBot) -> None:
    with qtbot.waitSignal(view.range_settled):
        pass  # from being shown
    settled: list[int] = []
    view.range_settled.connect(lambda: settled.append(1))
    with qtbot.waitSignal(view.range_settled):
        for _ in range(5):
            wheel(view, view.viewport_position(0.0, 0.0), 120)
    assert settled == [1]


# Points


def test_only_what_changed_is_rasterised_again(view: LatentView, monkeypatch: pytest.MonkeyPatch) -> None:
    snapshot, state = make_snapshot(ring(12)), ViewState()
    view.update_frame(snapshot, state)
    view.grab()
    renders = count_renders(view, monkeypatch)
    view.update_frame(snapshot, state)
    view.update_frame(snapshot, replace(state, z=(1.0, 1.0), selected=3))
    view.update_frame(replace(snapshot, step=2), state)  # other weights, the same table
    view.grab()
    assert renders == []
    view.update_frame(snapshot, replace(state, hidden_classes=frozenset({1})))
    view.update_frame(make_snapshot(ring(12)), replace(state, hidden_classes=frozenset({1})))
    view.grab()
    assert renders == [1]


def test_nothing_is_rasterised_while_hidden(view: LatentView, monkeypatch: pytest.MonkeyPatch) -> None:
    renders = count_renders(view, monkeypatch)
    view.hide()
    for radius in (2.0, 4.0, 6.0):
        view.update_frame(make_snapshot(ring(12, radius)), ViewState())
        QApplication.processEvents()
    assert renders == []
    view.show()
    QApplication.processEvents()
    view.grab()
    assert renders
    assert visible_range(view)[0] < -3.5  # it went after the points on being shown


def test_a_sample_of_each_posterior_is_the_same_every_time(view: LatentView) -> None:
    state = ViewState(points="sample")
    loc = ring(12)
    view.update_frame(make_snapshot(loc, 0.3), state)
    first = view._points.positions.copy()
    np.testing.assert_allclose(first, loc + np.float32(0.3) * posterior_noise(12, 2), rtol=1e-5, atol=1e-6)
    view.update_frame(make_snapshot(ring(12), 0.3), state)
    np.testing.assert_array_equal(view._points.positions, first)


def pixel(image: QImage, at: QPointF, view: LatentView) -> str:
    place = view.viewport().mapTo(view, at.toPoint()) * image.devicePixelRatio()
    return image.pixelColor(place).name()


def test_points_lie_where_the_handle_would_be_put_on_them(view: LatentView) -> None:
    view.set_class_labels(False)
    view.update_frame(make_snapshot(ring(12, 2.5)), ViewState())
    wheel(view, view.viewport_position(0.0, 0.0), -120)  # stop following
    image = view.grab().toImage()
    for row, z in enumerate(ring(12, 2.5).tolist()):
        color = np.array(
            image.pixelColor(view.viewport().mapTo(view, view.viewport_position(*z).toPoint())).getRgb()[:3]
        )
        wanted = CLASS_COLORS[row % 3].lstrip("#")
        target = np.array([int(wanted[i : i + 2], 16) for i in (0, 2, 4)])
        assert np.abs(color - target).max() < 60  # opaque enough to be told apart


def test_points_that_do_not_fit_the_data_set_are_not_drawn(view: LatentView) -> None:
    for loc in (ring(13), np.zeros((12, 1), np.float32), np.full((12, 2), np.nan, np.float32)):
        view.update_frame(make_snapshot(loc), ViewState(selected=12))
        view.grab()
    view.update_frame(replace(make_snapshot(ring(12)), posterior=None), ViewState(selected=1))
    view.set_dataset(None)
    view.update_frame(make_snapshot(ring(12)), ViewState(z=(float("nan"), 0.0)))
    view.grab()


def test_the_selected_image_shows_its_posterior(view: LatentView) -> None:
    view.update_frame(make_snapshot(ring(12), 0.25), ViewState(selected=3, points="sample"))
    mark = view._marks_item._selected
    assert mark.loc == pytest.approx(tuple(ring(12)[3]))
    assert mark.scale == pytest.approx((0.25, 0.25))
    assert mark.point == pytest.approx(tuple(view._points.positions[3]))
    view.grab()
    view.update_frame(make_snapshot(ring(12), 0.25), ViewState())
    assert view._marks_item._selected is None


@pytest.mark.slow
def test_class_names_stand_at_the_medians_of_visible_classes(qtbot: QtBot, view: LatentView) -> None:
    loc = np.repeat([[1.0, 2.0]], 12, axis=0).astype(np.float32)
    loc[0::3] = [-1.0, 0.5]
    loc[0] = np.nan
    view.update_frame(make_snapshot(loc), ViewState(hidden_classes=frozenset({1})))
    expected = [("class 0", (-1.0, 0.5)), ("class 2", (1.0, 2.0))]
    # Names follow moving points a little later.
    qtbot.waitUntil(lambda: [(m.name, m.z) for m in view._marks_item._classes] == expected)
    view.set_class_labels(False)
    assert view._marks_item._classes == ()


def test_names_stay_while_their_points_hardly_move(qtbot: QtBot, view: LatentView) -> None:
    loc = ring(12)
    view.update_frame(make_snapshot(loc), ViewState())
    qtbot.waitUntil(lambda: len(view._marks_item._classes) == 3)
    plane = view.plane_map()
    assert plane is not None
    stood = view._marks_item._classes
    for pixels in (0.5, 1.5):
        view.update_frame(make_snapshot(loc + np.float32(pixels / plane.x_scale)), ViewState())
        view.set_class_labels(True)  # lays out at once
        assert view._marks_item._classes is stood
    view.update_frame(make_snapshot(loc + np.float32(6 / plane.x_scale)), ViewState())
    view.set_class_labels(True)
    assert view._marks_item._classes[0].z != stood[0].z


def test_a_million_points(qtbot: QtBot) -> None:
    count = 1_000_000
    images = np.zeros((count, 1, 1), np.uint8)
    labels = np.arange(count) % 10
    view = LatentView()
    qtbot.addWidget(view)
    source = DataSource(key="folder")
    names = tuple("0123456789")
    view.set_dataset(ImageDataset("big", source, images, labels, images[:1], labels[:1], names))
    with qtbot.waitExposed(view):
        view.show()
    loc = np.random.default_rng(0).standard_normal((count, 2), dtype=np.float32)
    view.update_frame(make_snapshot(loc), ViewState())
    view.grab()
    move(view, view.viewport_position(0.1, 0.1), NO_BUTTON)
    qtbot.waitUntil(view._hover.card.isVisible)


# Legend, hovering, underlay, colours


def click(view: LatentView, number: int, held: Qt.KeyboardModifier = NO_KEY, double: bool = False) -> None:
    """Click a class in the legend."""
    entries = view._legend.list
    at = entries.visualRect(entries.item_of(number).index()).center()
    (QTest.mouseDClick if double else QTest.mouseClick)(entries.viewport(), LEFT, held, at)


def is_shown(view: LatentView, number: int) -> bool:
    return view._legend.list.item_of(number).checkState() == Qt.CheckState.Checked


def test_the_legend_hides_and_shows_classes(view: LatentView) -> None:
    seen = Recorder(view)
    click(view, 1)
    assert seen.hidden == [frozenset({1})]
    assert not is_shown(view, 1)
    view.update_frame(None, ViewState(hidden_classes=frozenset({2})))
    assert [is_shown(view, n) for n in range(3)] == [True, True, False]


@pytest.mark.parametrize("modifier", [Qt.KeyboardModifier.ControlModifier, Qt.KeyboardModifier.ShiftModifier])
def test_a_class_is_singled_out_and_all_come_back(view: LatentView, modifier: Qt.KeyboardModifier) -> None:
    seen = Recorder(view)
    click(view, 1, modifier)
    click(view, 1, modifier)
    assert seen.hidden == [frozenset({0, 2}), frozenset()]


def test_a_double_click_singles_out_though_its_first_click_toggles(view: LatentView) -> None:
    seen = Recorder(view)
    for _ in range(2):
        click(view, 1)
        click(view, 1, double=True)
    assert seen.hidden[-3:] == [frozenset({0, 2}), frozenset({0, 1, 2}), frozenset()]


def test_the_legend_has_room_for_its_names_and_scrolls_when_there_are_many(view: LatentView) -> None:
    names = ("T-shirt/top", "Ankle boot", "Sneaker")
    view.set_dataset(make_dataset(12, 3, names))
    QApplication.processEvents()
    entries = view._legend.list
    for number, name in enumerate(names):
        index = entries.item_of(number).index()
        area = entries.visualRect(index)
        assert area.width() >= entries.fontMetrics().horizontalAdvance(name) + 20
        assert entries.viewport().rect().contains(area)
        assert name in entries.tip(index)
    view.set_dataset(make_dataset(120, 60))
    QApplication.processEvents()
    view.grab()
    assert entries.verticalScrollBar().maximum() > 0
    assert entries.horizontalScrollBar().maximum() == 0


def test_hovering_shows_the_image_but_not_while_dragging(view: LatentView, qtbot: QtBot) -> None:
    at = view.viewport_position(1.0, 0.0) + QPointF(3, 3)
    move(view, at, NO_BUTTON)
    qtbot.waitUntil(view._hover.card.isVisible)
    assert view._hover.card._text.text() == "class 0  ·  image 0"
    assert view.rect().contains(view._hover.card.geometry())
    press(view, at)
    assert not view._hover.card.isVisible()
    move(view, at + QPointF(1, 0))
    QTest.qWait(40)
    assert not view._hover.card.isVisible()
    release(view, at)
    move(view, view.viewport_position(0.0, 0.0), NO_BUTTON)
    QTest.qWait(40)
    assert not view._hover.card.isVisible()


def test_the_underlay_is_shown_where_it_belongs_and_only_when_wanted(view: LatentView) -> None:
    wheel(view, view.viewport_position(0.0, 0.0), -120)
    levels = np.zeros((2, 2), np.uint8)
    levels[0, 1] = 255  # high z2, high z1
    view.backdrop.set_images(levels, (1.5, 1.5, 1.0, 1.0))
    corner, other = view.viewport_position(2.25, 2.2), view.viewport_position(1.75, 2.2)
    image = view.grab().toImage()
    assert pixel(image, corner, view) == pixel(image, other, view) == LIGHT.canvas
    view.update_frame(make_snapshot(ring(12)), ViewState(behind="images"))
    image = view.grab().toImage()
    assert pixel(image, other, view) == LIGHT.canvas  # the negative of black
    assert pixel(image, corner, view) != LIGHT.canvas
    view.backdrop.set_images(None)
    assert pixel(view.grab().toImage(), corner, view) == LIGHT.canvas


def test_the_underlay_grid_covers_the_visible_range_within_its_limit(view: LatentView) -> None:
    for size in [(640, 560), (2400, 1800), (300, 220)]:
        view.resize(*size)
        QApplication.processEvents()
        xs, ys = view.backdrop.grid()
        assert xs.dtype == ys.dtype == np.float32
        assert len(xs) * len(ys) <= UNDERLAY_CELLS
        assert (np.diff(xs) > 0).all()
        assert (np.diff(ys) > 0).all()
        x0, y0, width, height = mosaic_rect(xs, ys)
        left, right, low, high = visible_range(view)
        tolerance = 1e-4
        assert x0 <= left + tolerance
        assert x0 + width >= right - tolerance
        assert y0 <= low + tolerance
        assert y0 + height >= high - tolerance


def test_a_decoded_grid_lies_where_it_was_decoded(view: LatentView) -> None:
    wheel(view, view.viewport_position(0.0, 0.0), -120)
    xs, ys = view.backdrop.grid()
    z = grid_points(xs, ys)
    lit = (z[:, 0] > 0) & (z[:, 1] > 0)
    images = np.where(lit, np.uint8(255), np.uint8(0))[:, None, None].repeat(4, 1).repeat(4, 2)
    view.backdrop.set_images(mosaic(images, len(xs)), mosaic_rect(xs, ys))
    view.update_frame(None, ViewState(behind="images"))
    image = view.grab().toImage()
    lit_at = {
        (a, b): pixel(image, view.viewport_position(2.9 * a, 2.9 * b), view) for a in (-1, 1) for b in (-1, 1)
    }
    dark = lit_at.pop((1, 1))
    assert dark != LIGHT.canvas  # the negative of white
    assert set(lit_at.values()) == {LIGHT.canvas}


def test_a_change_of_scheme_is_followed_at_once(view: LatentView) -> None:
    corner = view.viewport_position(3.0, 3.0)
    assert pixel(view.grab().toImage(), corner, view) == LIGHT.canvas
    view.setPalette(build_palette(DARK))
    assert pixel(view.grab().toImage(), corner, view) == DARK.canvas
    view.setPalette(build_palette(LIGHT))
    assert pixel(view.grab().toImage(), corner, view) == LIGHT.canvas


def test_names_are_written_in_the_ink_of_the_scheme(qtbot: QtBot, view: LatentView) -> None:
    points = np.array([[-2, 0], [2, 0]], np.float32).repeat(50, axis=0)
    images, labels = np.zeros((100, 8, 8), np.uint8), np.arange(2).repeat(50)
    source = DataSource(key="folder", path="/nowhere", checksum="0" * 64)
    view.set_dataset(ImageDataset("two", source, images, labels, images, labels, ("I", "I")))
    view.update_frame(make_snapshot(points), ViewState())
    view.set_hint("")
    view.set_class_labels(True)  # lays out at once
    for theme in (LIGHT, DARK, LIGHT):
        view.setPalette(build_palette(theme))
        mark = view.viewport_position(-2.0, 0.0).toPoint()
        seen = view.viewport().grab().toImage()
        near = {seen.pixelColor(mark + QPoint(x, y)).name() for x in range(-8, 9) for y in range(-8, 9)}
        assert QColor(theme.ink).name() in near


def test_it_takes_the_scheme_of_a_window_it_is_built_into(qtbot: QtBot) -> None:
    window = QWidget()
    qtbot.addWidget(window)
    window.setPalette(build_palette(DARK))
    assert LatentView(window)._marks_item._theme is DARK


def test_it_can_be_found_focused_and_explained(view: LatentView) -> None:
    assert view.objectName() == "latentPlane"
    assert view.accessibleName()
    assert view.focusPolicy() == Qt.FocusPolicy.StrongFocus
    assert "approximate posterior q(z|x)" in view.toolTip()
    press(view, view.viewport_position(0.0, 0.0))
    assert view.window().focusWidget() is view  # whether or not the window is active


# Geometry


def test_the_box_of_a_cloud_leaves_strays_out_and_keeps_the_prior_in() -> None:
    points = np.random.default_rng(0).normal(size=(10_000, 2)).astype(np.float32) * [2.0, 0.1]
    points[:5] = 1e6
    points[5] = np.nan
    box = cloud_box(points.astype(np.float32))
    assert 4.5 < box.x1 < 8.0
    assert (box.y0, box.y1) == (-3.2, 3.2)
    assert cloud_box(np.zeros((0, 2), np.float32)) == PRIOR_BOX


def test_codes_that_no_prior_spreads_fill_the_plane_all_the_same(view: LatentView) -> None:
    """Those of a sparse autoencoder lie from 0 to 1: beside three deviations of a prior they were a dot."""
    codes = np.random.default_rng(0).random((300, 2), np.float32)
    table = PosteriorTable(codes, None, np.zeros(300, np.int32))
    view.set_dataset(make_dataset())
    view.update_frame(
        snapshot_of(SparseConfig(latent_dim=2), DataSpec(ImageSpec(8, 8)), {}, posterior=table),
        ViewState(),
    )
    view.fit()
    plane = view.plane_map()
    assert plane is not None
    assert 2.0 < min(np.ptp(plane.x_range), np.ptp(plane.y_range)) < 2.5


def test_a_box_is_kept_while_it_fits() -> None:
    current = Box(-5, 5, -5, 5)
    assert steady_box(current, Box(-4.5, 4.9, -4, 4)) is current
    assert steady_box(current, Box(-5.1, 4, -4, 4)).x0 < -5.1
    assert steady_box(current, PRIOR_BOX).x1 < 4.0


def test_points_near_a_pixel_come_nearest_first() -> None:
    plane = PlaneMap((0, 10), (0, 10), 100, 100)
    points = np.array([[5, 5], [5.5, 5], [np.nan, 5], [6.3, 5], [5.8, 5.8]], np.float32)
    assert points_near(points, plane, (51.0, 50.0), 12).tolist() == [0, 1, 4]


def test_grid_cells_keep_their_places_when_the_range_is_panned() -> None:
    here, there = grid_centres(-1.03, 0.97, 0.25), grid_centres(-0.9, 1.1, 0.25)
    np.testing.assert_allclose(here[1:], there[:-1])
    assert len(grid_centres(0.1, 0.2, 5.0)) == 2


def test_without_an_encoder_it_says_that_the_points_are_on_their_way(view: LatentView) -> None:
    """Until a classifier has learned, which takes a second or more, there are none."""
    dataset = make_dataset()
    view.set_dataset(dataset)
    snapshot = snapshot_of(GanConfig(), DataSpec(ImageSpec(8, 8), 3, 300), {}, step=1)
    view.update_frame(snapshot, ViewState())
    assert view._marks_item.hint.text == "Images are being generated: their codes will be the points"
    table = PosteriorTable(ring(), None, np.ones(300, np.int32))
    view.update_frame(
        snapshot,
        ViewState(),
        generated=Generated(table, dataset.train_images, dataset.train_labels),
    )
    assert view._points.positions is not None
    assert view._marks_item.hint.text == ""
    view.set_dataset(dataset)
    view.update_frame(snapshot, ViewState())
    assert view._marks_item.hint.text
    view.update_frame(make_snapshot(ring()), ViewState())
    assert view._marks_item.hint.text == ""
