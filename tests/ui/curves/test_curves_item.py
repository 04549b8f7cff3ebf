"""Curves are painted where their values are, in the colours of the scheme."""

from __future__ import annotations

import numpy as np
import pytest
from PySide6.QtCore import QPoint, QPointF
from PySide6.QtGui import QColor, QFontMetricsF, QImage
from pytestqt.qtbot import QtBot

from vaeviewer.backend.models.families.vae import FAMILY
from vaeviewer.ui.curves.curves_item import metric_colors
from vaeviewer.ui.curves.metric_plot import MetricCurves, MetricPlot
from vaeviewer.ui.widgets.theme import DARK, LIGHT, Theme

COLORS = {theme: metric_colors(FAMILY.metrics, theme) for theme in (LIGHT, DARK)}
X = np.arange(0, 101, dtype=np.float32)


@pytest.fixture
def plot(qtbot: QtBot) -> MetricPlot:
    made = MetricPlot(("elbo", "reconstruction"), from_zero=False)
    qtbot.addWidget(made)
    made.apply_theme(LIGHT, COLORS[LIGHT])
    made.resize(500, 240)
    made.show()
    return made


def show(plot: MetricPlot, **kinds: object) -> None:
    """Curves of the ELBO in the range from −200 to −50."""
    curves = MetricCurves(**{"raw": None, "smooth": None, "held_out": None} | kinds)
    plot.set_curves({"elbo": curves}, log=False, x_ends=(0.0, 100.0))
    plot.setYRange(-200, -50, padding=0)


def picture(plot: MetricPlot) -> QImage:
    return plot.viewport().grab().toImage()


def place(plot: MetricPlot, x: float, y: float) -> QPoint:
    view = plot.getViewBox()
    (left, right), (bottom, top) = view.viewRange()
    across, down = (x - left) / (right - left), (top - y) / (top - bottom)
    return plot.mapFromScene(view.mapToScene(QPointF(across * view.width(), down * view.height())))


def strength(image: QImage, at: QPoint, color: str, theme: Theme = LIGHT, reach: int = 1) -> float:
    """How much of a colour there is on the canvas near a place: 1 for the colour itself."""

    def rgb(color: QColor) -> np.ndarray:
        return np.array([color.red(), color.green(), color.blue()], float)

    canvas, way = rgb(QColor(theme.canvas)), rgb(QColor(color)) - rgb(QColor(theme.canvas))
    steps = range(-reach, reach + 1)
    found = [rgb(image.pixelColor(at + QPoint(dx, dy))) - canvas for dx in steps for dy in steps]
    return max(float(pixel @ way / (way @ way)) for pixel in found)


@pytest.mark.parametrize("theme", [LIGHT, DARK], ids=["light", "dark"])
def test_a_line_runs_through_its_values_also_after_a_zoom(plot: MetricPlot, theme: Theme) -> None:
    plot.apply_theme(theme, COLORS[theme])
    y = -140 + 30 * np.sin(X / 20)
    show(plot, smooth=(X, y))
    for low, high in [(0.0, 101.2), (40.0, 60.0)]:
        plot.show_x(low, high)
        image = picture(plot)
        for x in (x for x in (5, 20, 45, 50, 55, 80) if low < x < high):
            assert strength(image, place(plot, x, y[x]), theme.curve(0), theme) > 0.4
            assert strength(image, place(plot, x, y[x] - 7), theme.curve(0), theme) < 0.3  # but for the grid


def test_held_out_values_are_marked_unless_they_lie_too_close(plot: MetricPlot) -> None:
    def thickness(x: np.ndarray, at: float) -> float:
        show(plot, held_out=(x, np.full_like(x, -107.0)))
        image, middle = picture(plot), place(plot, at, -107.0)
        return sum(strength(image, middle + QPoint(0, dy), LIGHT.curve(0), reach=0) for dy in range(-6, 7))

    few = np.arange(0, 101, 20, dtype=np.float32)
    line = thickness(few, 50.0)
    assert line == pytest.approx(2, abs=0.3)
    assert thickness(few, 40.0) == pytest.approx(5, abs=1)
    assert thickness(X, 40.0) == pytest.approx(line, abs=0.1)
    assert thickness(few[2:3], 40.0) == pytest.approx(5, abs=1), (
        "the first one, of which there is no line yet"
    )


def test_the_trace_of_batches_is_fainter_and_behind(plot: MetricPlot) -> None:
    flat = np.full_like(X, -107.0)
    show(plot, raw=(X, flat))
    at = place(plot, 50, -107)
    assert strength(picture(plot), at, LIGHT.curve(0)) == pytest.approx(0.22, abs=0.03)
    show(plot, raw=(X, flat), smooth=(X, flat))
    assert strength(picture(plot), at, LIGHT.curve(0)) > 0.4


def test_a_ring_marks_the_best_value(plot: MetricPlot) -> None:
    show(plot)
    plot.set_best((30.0, -83.0))
    at, image = place(plot, 30, -83), picture(plot)
    for way in (QPoint(6, 0), QPoint(-6, 0), QPoint(0, 6), QPoint(0, -6)):
        assert strength(image, at + way, LIGHT.ink) > 0.6
    assert strength(image, at, LIGHT.ink, reach=2) < 0.1
    plot.set_best(None)
    assert strength(picture(plot), at + QPoint(6, 0), LIGHT.ink) < 0.1


def test_no_value_and_one_far_off_are_no_trouble(plot: MetricPlot) -> None:
    none = np.empty(0, np.float32)
    y = np.full_like(X, -107.0)
    y[10] = -3e38
    show(plot, raw=(none, none), smooth=(X, y), held_out=(none, none))
    assert strength(picture(plot), place(plot, 50, -107), LIGHT.curve(0)) > 0.4


CHANGES = (
    (10.0, "β 4"),
    (50.0, "rate 0.001"),
    (52.0, "β 2"),
    (53.0, "β 3"),
    (54.0, "batch 64"),
    (100.0, "rate 1e-05"),
)


def test_changes_are_lines_with_labels_that_do_not_overlap(plot: MetricPlot) -> None:
    show(plot)
    plain = picture(plot)
    plot.set_changes(CHANGES)
    image = picture(plot)
    for x, _ in CHANGES:
        assert strength(image, place(plot, x, -190), LIGHT.muted) > 0.9
        assert strength(plain, place(plot, x, -190), LIGHT.muted) < 0.4
    labels = plot._item.change_labels(QFontMetricsF(plot.font()))
    rooms = [room for _, room, _ in labels if room is not None]
    assert [text for _, room, text in labels if room is None] == ["batch 64"], "there are three rows"
    for i, room in enumerate(rooms):
        assert room.left() >= 0
        assert room.right() <= plot.getViewBox().width()
        assert not any(room.intersects(other) for other in rooms[:i])
    plot.set_changes(())
    assert picture(plot) == plain
