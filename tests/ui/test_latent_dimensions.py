"""Models of one, three, twenty and 256 latent dimensions in the window: trained, explored, saved and opened again."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from helpers_images import pixels_of
from helpers_mouse import drag, mouse
from PySide6.QtCore import QEvent, QPointF, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QComboBox, QDockWidget, QLabel, QLineEdit, QToolButton, QWidget
from pytestqt.qtbot import QtBot
from small_images import write_idx_folder

from vaeviewer.analysis.dimensions import Dimensions
from vaeviewer.backend.config import Settings, updated
from vaeviewer.backend.snapshot import as_grey_levels
from vaeviewer.session.states import Action, State
from vaeviewer.ui.images.traversal_panel import TraversalPanel, TraversalPicture
from vaeviewer.ui.plane.dimensions_panel import DimensionBars, DimensionsPanel
from vaeviewer.ui.window.main_window import MainWindow

MakeWindow = Callable[[Settings], MainWindow]

pytestmark = pytest.mark.qt_log_ignore("does not support raise", extend=True)


def find(window: MainWindow, kind: type, name: str = "") -> QWidget:
    found = window.findChild(kind, name) if name else window.findChild(kind)
    assert isinstance(found, kind), name
    return found


def train(qtbot: QtBot, window: MainWindow) -> None:
    window.session.request(Action.TRAIN)
    qtbot.waitUntil(lambda: window.session.state is State.FINISHED, timeout=60_000)
    qtbot.waitUntil(lambda: window.session.snapshot.posterior is not None)


def dimensions(window: MainWindow) -> int:
    """Of the model shown; 0 while there is none."""
    snapshot = window.session.snapshot
    return 0 if snapshot is None else snapshot.model.latent_dim


def code(window: MainWindow) -> np.ndarray:
    return window.view.code(window.session.snapshot.model.latent_dim)


def drag_to(window: MainWindow, z1: float, z2: float) -> None:
    drag(window.plane.viewport(), [window.plane.viewport_position(*at) for at in ((0.0, 0.0), (z1, z2))])


@pytest.mark.parametrize("latent_dim", [1, 3, 20, pytest.param(256, marks=pytest.mark.slow)])
def test_it_trains_is_explored_and_opens_again(
    qtbot: QtBot, make_window: MakeWindow, small: Settings, tmp_path: Path, latent_dim: int
) -> None:
    window = make_window(small)
    session = window.session
    editor = window.form.editor("latent_dim")
    assert editor.isEnabled()
    images = write_idx_folder(tmp_path / "images", train=200)
    session.use_data(images, keep_model=False)
    qtbot.waitUntil(lambda: session.dataset is images and session.state is State.READY, timeout=20_000)
    session.use_settings(updated(small, latent_dim=latent_dim))
    bar = find(window, QWidget, "planeBar")
    traversal = find(window, QDockWidget, "traversal-dock")
    qtbot.waitUntil(lambda: dimensions(window) == latent_dim and session.state is State.READY, timeout=20_000)
    train(qtbot, window)
    assert bar.isVisible() == (latent_dim > 2)
    assert traversal.isHidden() == (latent_dim < 3)

    drag_to(window, 1.5, 0.5)
    moved = code(window)
    assert moved[0] == pytest.approx(1.5, abs=0.1)
    if latent_dim > 1:
        assert moved[1] == pytest.approx(0.5, abs=0.1)
    assert not moved[2:].any(), "a drag leaves all others at zero"
    qtbot.wait(20)  # of moves that follow each other at once, the last is drawn a little later
    drawn = pixels_of(window.decoded._image.shown_image())[..., 0]
    expected = as_grey_levels(session.snapshot.decode(moved[None])[0])
    factor = len(drawn) // len(expected)
    np.testing.assert_array_equal(drawn[::factor, ::factor], expected)

    window.plane.setFocus()
    QTest.keyClick(window.plane, Qt.Key.Key_Return)
    row = window.view.selected
    assert row is not None
    np.testing.assert_allclose(code(window), session.snapshot.posterior.loc[row], atol=1e-4)
    held = code(window)[2:].copy()
    QTest.keyClick(window.plane, Qt.Key.Key_Right)
    np.testing.assert_allclose(code(window)[2:], held, atol=1e-5)

    step = session.snapshot.step
    with qtbot.waitSignal(session.saved, timeout=20_000):
        session.save(tmp_path / "run")
    session.new_run()
    qtbot.waitUntil(lambda: session.folder is None and session.snapshot.step == 0, timeout=20_000)
    session.open_run(tmp_path / "run")
    qtbot.waitUntil(
        lambda: session.folder == tmp_path / "run" and session.snapshot.step == step, timeout=20_000
    )
    assert session.snapshot.model.latent_dim == latent_dim
    qtbot.waitUntil(lambda: not window.message.text)


def test_the_plane_shows_the_axes_that_were_chosen(
    qtbot: QtBot, make_window: MakeWindow, small: Settings
) -> None:
    window = make_window(updated(small, latent_dim=5))
    train(qtbot, window)
    across, up = find(window, QComboBox, "planeAcross"), find(window, QComboBox, "planeUp")
    assert [across.currentText(), up.currentText(), across.count()] == ["z₁", "z₂", 5]
    for _ in range(3):
        QTest.keyClick(across, Qt.Key.Key_Down)
    assert window.view.axes == (3, 0), "on the way they changed places"
    QTest.keyClick(up, Qt.Key.Key_End)
    assert window.view.axes == (3, 4)
    QTest.keyClick(up, Qt.Key.Key_Up)
    assert window.view.axes == (4, 3), "taken from the other one, which gets what it leaves"
    drag_to(window, 1.0, -1.0)
    np.testing.assert_allclose(code(window), [0, 0, 0, -1.0, 1.0], atol=0.1)

    share = find(window, QLabel, "planeShare")
    codes = window.session.snapshot.posterior.loc
    expected = codes[:, [3, 4]].var(axis=0).sum() / codes.var(axis=0).sum()
    assert float(share.text().split()[0]) == pytest.approx(100 * expected, abs=1.0)
    assert share.text().endswith("% of the variance")

    kept = code(window)
    principal = find(window, QToolButton, "planePrincipal")
    qtbot.mouseClick(principal, Qt.MouseButton.LeftButton)
    assert window.view.axes is None
    np.testing.assert_allclose(code(window), kept, atol=1e-4)
    assert float(share.text().split()[0]) > 100 * expected
    values = np.linalg.eigvalsh(np.cov(codes.T))
    assert float(share.text().split()[0]) == pytest.approx(100 * values[-2:].sum() / values.sum(), abs=1.0)
    qtbot.mouseClick(find(window, QToolButton, "planeRest"), Qt.MouseButton.LeftButton)
    plane = window.view.plane_of(5)
    np.testing.assert_allclose(
        plane.project(codes.mean(axis=0)[None]) @ [plane.u, plane.v] + plane.origin,
        codes.mean(axis=0)[None],
        atol=1e-3,
    )
    qtbot.mouseClick(principal, Qt.MouseButton.LeftButton)
    assert window.view.axes == (0, 1)

    window.session.request(Action.RESET)
    qtbot.waitUntil(lambda: window.session.state is State.READY, timeout=20_000)
    window.session.use_settings(updated(window.session.settings, latent_dim=2))
    bar = find(window, QWidget, "planeBar")
    qtbot.waitUntil(lambda: dimensions(window) == 2, timeout=20_000)
    qtbot.waitUntil(lambda: not bar.isVisible())


def test_the_traversal_moves_z_while_one_points_and_keeps_what_is_clicked(
    qtbot: QtBot, make_window: MakeWindow, small: Settings
) -> None:
    window = make_window(updated(small, latent_dim=4))
    train(qtbot, window)
    panel, picture = find(window, TraversalPanel), find(window, TraversalPicture)
    find(window, QDockWidget, "traversal-dock").raise_()
    qtbot.waitUntil(lambda: panel.isVisible() and len(picture._rows) == 4, timeout=10_000)
    snapshot = window.session.snapshot
    kl = 0.5 * (
        np.square(snapshot.posterior.loc)
        + np.square(snapshot.posterior.scale)
        - 1
        - snapshot.posterior.log_variance
    ).mean(axis=0)
    order = picture._order.tolist()
    assert order == np.argsort(-kl).tolist()

    none = Qt.MouseButton.NoButton
    start = code(window)
    picked = window.decoded.grab().toImage()
    at = QPointF(picture.place((1, 6)).center())
    mouse(picture, QEvent.Type.MouseMove, at, none, none)
    expected = start.copy()
    expected[order[1]] = 3.0
    np.testing.assert_allclose(code(window), expected, atol=1e-5)
    assert window.decoded.grab().toImage() != picked
    QApplication.sendEvent(picture, QEvent(QEvent.Type.Leave))
    np.testing.assert_allclose(code(window), start, atol=1e-5)

    qtbot.mouseClick(picture, Qt.MouseButton.LeftButton, pos=at.toPoint())
    QApplication.sendEvent(picture, QEvent(QEvent.Type.Leave))
    np.testing.assert_allclose(code(window), expected, atol=1e-5)

    picture.setFocus()
    QTest.keyClick(picture, Qt.Key.Key_Down)  # comes to the middle of the first row
    QTest.keyClick(picture, Qt.Key.Key_Left)
    pointed = expected.copy()
    pointed[order[0]] = -1.0
    np.testing.assert_allclose(code(window), pointed, atol=1e-5)
    QTest.keyClick(picture, Qt.Key.Key_Escape)
    np.testing.assert_allclose(code(window), expected, atol=1e-5)
    QTest.keyClick(picture, Qt.Key.Key_Up)
    QTest.keyClick(picture, Qt.Key.Key_Return)
    window.plane.setFocus()
    pointed[order[0]] = 0.0
    np.testing.assert_allclose(code(window), pointed, atol=1e-5)


def test_the_traversal_of_codes_without_a_prior_goes_as_far_as_they_reach(
    qtbot: QtBot, make_window: MakeWindow, small: Settings
) -> None:
    """Those of a sparse autoencoder lie in 0 … 1."""
    window = make_window(updated(small, family="sparse", latent_dim=6, hidden=(32,)))
    train(qtbot, window)
    panel, picture = find(window, TraversalPanel), find(window, TraversalPicture)
    find(window, QDockWidget, "traversal-dock").raise_()
    qtbot.waitUntil(lambda: panel.isVisible() and len(picture._rows) == 6, timeout=10_000)
    codes = window.session.snapshot.posterior.loc
    assert codes.min() >= 0.0
    row = int(picture._order[0])
    qtbot.mouseClick(picture, Qt.MouseButton.LeftButton, pos=picture.place((0, 6)).center())
    high = code(window)[row]
    qtbot.mouseClick(picture, Qt.MouseButton.LeftButton, pos=picture.place((0, 0)).center())
    low = code(window)[row]
    assert 0.0 <= low < np.quantile(codes, 0.1) + 0.1
    assert np.quantile(codes, 0.9) <= high <= 1.0


def test_a_bar_that_is_clicked_becomes_an_axis(
    qtbot: QtBot, make_window: MakeWindow, small: Settings
) -> None:
    window = make_window(updated(small, latent_dim=4))
    train(qtbot, window)
    find(window, QDockWidget, "dimensions-dock").raise_()
    panel, bars = find(window, DimensionsPanel), find(window, DimensionBars)
    qtbot.waitUntil(lambda: panel.isVisible() and len(bars.order) == 4)
    summary = find(window, QLabel, "dimensionsSummary").text()
    active = int((window.session.snapshot.posterior.loc.var(axis=0) > 0.01).sum())
    assert summary.startswith(f"{active} of 4 active")
    middle = bars.rect().center()
    for row, modifier in ((2, Qt.KeyboardModifier.NoModifier), (3, Qt.KeyboardModifier.ShiftModifier)):
        middle.setY(bars.middle(row))
        qtbot.mouseClick(bars, Qt.MouseButton.LeftButton, modifier, middle)
    assert window.view.axes == (bars.order[2], bars.order[3])
    bars.setFocus()
    for _ in range(3):
        QTest.keyClick(bars, Qt.Key.Key_Up)
    QTest.keyClick(bars, Qt.Key.Key_Return)
    QTest.keyClick(bars, Qt.Key.Key_Down)
    QTest.keyClick(bars, Qt.Key.Key_Return, Qt.KeyboardModifier.ShiftModifier)
    assert window.view.axes == (bars.order[0], bars.order[1])


def test_the_word_beside_the_longest_bar_is_whole(qtbot: QtBot) -> None:
    bars = DimensionBars()
    qtbot.addWidget(bars)
    bars.resize(260, 100)
    bars.show_figures(Dimensions(np.array([0.002, 0.001]), None))
    pixels = pixels_of(bars.grab().toImage())
    assert np.ptp(pixels[: bars.row_height, -2:].reshape(-1, pixels.shape[-1]), axis=0).max() == 0
    assert np.ptp(pixels[: bars.row_height, -40:].reshape(-1, pixels.shape[-1]), axis=0).max() > 0


def test_z_is_typed_and_pasted(qtbot: QtBot, make_window: MakeWindow, small: Settings) -> None:
    window = make_window(updated(small, latent_dim=4))
    window.plane.setFocus()
    QTest.keyClick(window, Qt.Key.Key_Z)
    field, problem = find(window, QLineEdit, "codeField"), find(window, QLabel, "codeProblem")
    assert field.hasFocus()
    assert field.text() == "0, 0, 0, 0"
    QTest.keyClicks(field, "1, 2, 3")
    QTest.keyClick(field, Qt.Key.Key_Return)
    assert problem.isVisible()
    assert problem.text() == "z takes 4 numbers separated by commas here, but there are 3."
    assert field.hasFocus()
    assert not code(window).any()
    QTest.keyClicks(field, ", -4.5")
    assert not problem.isVisible()
    QTest.keyClick(field, Qt.Key.Key_Return)
    assert code(window).tolist() == [1.0, 2.0, 3.0, -4.5]
    assert window.plane.hasFocus()
    assert not field.isVisible()

    caption = find(window, QLabel, "decodedCaption")
    qtbot.waitUntil(lambda: caption.text() == "z = (1.00, 2.00, 3.00, …)")
    qtbot.mouseClick(caption, Qt.MouseButton.LeftButton)
    assert field.text() == "1, 2, 3, −4.5"
    QApplication.clipboard().setText("z = (0.3, −1.2, 0, 1e-3)")
    QTest.keyClick(field, Qt.Key.Key_V, Qt.KeyboardModifier.ControlModifier)
    QTest.keyClick(field, Qt.Key.Key_Return)
    np.testing.assert_allclose(code(window), [0.3, -1.2, 0.0, 0.001], atol=1e-6)
    QTest.keyClick(window, Qt.Key.Key_Z)
    QTest.keyClicks(field, "nonsense")
    QTest.keyClick(field, Qt.Key.Key_Escape)
    assert window.plane.hasFocus()
    np.testing.assert_allclose(code(window), [0.3, -1.2, 0.0, 0.001], atol=1e-6)
    drag_to(window, 1.0, 1.0)
    np.testing.assert_allclose(code(window)[2:], [0.0, 0.001], atol=1e-6, err_msg="what was typed is kept")
    window.plane.setFocus()
    QTest.keyClick(window.plane, Qt.Key.Key_Escape)
    assert not code(window)[2:].any()


@pytest.mark.qt_log_ignore("This plugin does not support", extend=True)
def test_panels_for_more_dimensions_come_with_them_and_stay_closed_once_closed(
    qtbot: QtBot, make_window: MakeWindow, small: Settings
) -> None:
    window = make_window(small)
    traversal, manifold = (find(window, QDockWidget, f"{name}-dock") for name in ("traversal", "manifold"))
    assert traversal.isHidden()
    window.session.use_settings(updated(small, latent_dim=3))
    qtbot.waitUntil(lambda: not traversal.isHidden(), timeout=20_000)
    assert traversal in window.tabifiedDockWidgets(manifold)
    traversal.raise_()
    qtbot.waitUntil(lambda: not traversal.visibleRegion().isEmpty())
    traversal.close()
    window.session.use_settings(updated(small, latent_dim=4))
    qtbot.waitUntil(lambda: dimensions(window) == 4, timeout=20_000)
    assert traversal.isHidden()
    window.session.use_settings(updated(small, latent_dim=2))
    qtbot.waitUntil(lambda: dimensions(window) == 2, timeout=20_000)
    assert find(window, QDockWidget, "dimensions-dock").isHidden()
    traversal.toggleViewAction().trigger()
    assert not traversal.isHidden(), "the View menu always has it"
