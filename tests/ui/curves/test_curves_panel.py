from __future__ import annotations

import time
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PySide6.QtCore import QEvent, QPoint, QPointF, QRect, Qt
from PySide6.QtGui import QColor, QImage, QMouseEvent, QPainter, QWheelEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QCheckBox, QComboBox, QLabel
from pytestqt.qtbot import QtBot

from vaeviewer.backend.config import Settings
from vaeviewer.backend.models.families.vae import FAMILY
from vaeviewer.backend.training.history import History
from vaeviewer.ui.curves.curve_data import (
    Curves,
    every_pixel,
    extremes,
    nearest_row,
    smoothed,
    smoothing_window,
    telling_range,
)
from vaeviewer.ui.curves.curves_panel import CurvesPanel
from vaeviewer.ui.curves.metric_plot import MetricPlot
from vaeviewer.ui.curves.value_axis import number_label
from vaeviewer.ui.curves.verdict import overfits, warning
from vaeviewer.ui.widgets.theme import DARK, LIGHT, build_palette

PER_EPOCH = 100


def made_history(steps: int, *, kl: float = 7.0, falls_after: int | None = None, seed: int = 0) -> History:
    """An ELBO that rises from −540 towards −150 nats with noise, evaluated once per 100 steps."""
    rng = np.random.default_rng(seed)
    history = History.empty(FAMILY.metrics)
    step = np.arange(1, steps + 1)
    divergence = kl * (1 - np.exp(-step / 200.0)) * rng.uniform(0.95, 1.05, steps) + 1e-4
    elbo = -150 - 390 * np.exp(-step / 60.0) - 14 * np.exp(-step / 2000.0) + rng.normal(0, 2, steps)
    history.training.append(
        step.astype(np.int32),
        (step / PER_EPOCH).astype(np.float32),
        np.stack([elbo + divergence, divergence], axis=1).astype(np.float32),
    )
    for epoch in range(1, steps // PER_EPOCH + 1):
        at = epoch * PER_EPOCH
        value = -151 - 390 * np.exp(-at / 60.0) - 14 * np.exp(-at / 2000.0)
        if falls_after is not None:
            value -= 2.0 * max(0, epoch - falls_after)
        divergence_then = kl * (1 - np.exp(-at / 200.0))
        history.held_out.append_row(
            at, float(epoch), {"reconstruction": float(value + divergence_then), "kl": float(divergence_then)}
        )
    return history


@pytest.fixture
def panel(qtbot: QtBot) -> CurvesPanel:
    widget = CurvesPanel()
    qtbot.addWidget(widget)
    widget.resize(1280, 200)
    with qtbot.waitActive(widget):
        widget.show()
        widget.activateWindow()
    return widget


def text(panel: CurvesPanel, name: str) -> str:
    label = panel.findChild(QLabel, name)
    assert label is not None
    return label.text()


def check(panel: CurvesPanel, name: str) -> QCheckBox:
    box = panel.findChild(QCheckBox, name)
    assert box is not None
    return box


def choose(panel: CurvesPanel, name: str, value: str) -> None:
    box = panel.findChild(QComboBox, name)
    assert box is not None
    box.setCurrentIndex(box.findData(value))


def shown_values(panel: CurvesPanel, kind: str) -> list[str]:
    return [panel._readout._values[kind, term].text() for term in ("elbo", "reconstruction", "kl")]


def plots(panel: CurvesPanel) -> tuple[MetricPlot, MetricPlot]:
    first, second = panel.findChildren(MetricPlot)
    return first, second


def test_without_steps_it_says_when_curves_appear(panel: CurvesPanel) -> None:
    for history in (None, History.empty(FAMILY.metrics)):
        panel.update_frame(history)
        assert text(panel, "emptyMessage") == "The curves appear with the first step."
        assert panel.findChild(QLabel, "emptyMessage").isVisible()
        assert shown_values(panel, "training") == ["–", "–", "–"]


def test_a_frame_shows_which_plot_has_the_keys(panel: CurvesPanel) -> None:
    panel.update_frame(made_history(300))

    def corner(plot: MetricPlot) -> QColor:
        return plot.viewport().grab().toImage().pixelColor(0, 0)

    first, second = plots(panel)
    first.setFocus()
    assert corner(first) != corner(second)
    QTest.keyClick(first, Qt.Key.Key_Tab)
    assert second.hasFocus()
    assert corner(second) != corner(first) == QColor(LIGHT.canvas)


def test_the_newest_values_are_those_of_the_history(panel: CurvesPanel) -> None:
    history = made_history(950)
    panel.update_frame(history)
    view, held_out = history.training.view(), history.held_out.view()
    last = view["elbo"][-smoothing_window(949) :].mean(dtype=np.float64)
    assert shown_values(panel, "training")[0] == number_label(float(last), 2)
    assert shown_values(panel, "held_out") == [
        number_label(float(value), 2)
        for value in (held_out["elbo"][-1], held_out["reconstruction"][-1], held_out["kl"][-1])
    ]
    assert shown_values(panel, "held_out")[0].startswith("−")


def test_the_first_step_is_shown_as_it_is(panel: CurvesPanel) -> None:
    history = History.empty(FAMILY.metrics)
    history.training.append_row(1, 0.01, {"reconstruction": -543.25, "kl": 0.5})
    panel.update_frame(history)
    assert shown_values(panel, "training") == ["−543.75", "−543.25", "0.50"]
    assert not panel.findChild(QLabel, "emptyMessage").isVisible()


def test_loss_turns_signs_round(panel: CurvesPanel) -> None:
    history = History.empty(FAMILY.metrics)
    history.training.append_row(1, 0.01, {"reconstruction": -150.0, "kl": 5.0})
    panel.update_frame(history)
    choose(panel, "yAxis", "loss")
    assert shown_values(panel, "training") == ["155.00", "150.00", "5.00"]
    assert check(panel, "elbo").text() == "Loss (−ELBO)"


def test_it_shows_the_past_up_to_a_step(panel: CurvesPanel) -> None:
    history = made_history(950)
    panel.update_frame(history, until_step=420)
    assert shown_values(panel, "held_out")[0] == number_label(float(history.held_out.view()["elbo"][3]), 2)
    panel.update_frame(history)
    assert shown_values(panel, "held_out")[0] == number_label(float(history.held_out.view()["elbo"][-1]), 2)


def test_a_history_that_went_back_is_read_again(panel: CurvesPanel) -> None:
    history = made_history(950)
    panel.update_frame(history)
    history.training.truncate(500)
    history.held_out.truncate(500)
    panel.update_frame(history)
    assert shown_values(panel, "held_out")[0] == number_label(float(history.held_out.view()["elbo"][-1]), 2)


def test_the_protocol_stands_beside_the_unit(panel: CurvesPanel) -> None:
    panel.set_settings(Settings())
    assert text(panel, "protocol") == "nats per image · grey levels as Bernoulli probabilities"


class CountingHistory:
    """A history that counts how often it is read."""

    def __init__(self, history: History) -> None:
        self.reads = 0
        self._history = history

    @property
    def training(self) -> Any:
        self.reads += 1
        return self._history.training

    @property
    def held_out(self) -> Any:
        return self._history.held_out


def test_a_hidden_panel_does_nothing_and_catches_up_when_shown(qtbot: QtBot) -> None:
    panel = CurvesPanel()
    qtbot.addWidget(panel)
    history = CountingHistory(made_history(300))
    for _ in range(5):
        panel.update_frame(history)  # type: ignore[arg-type]
    assert history.reads == 0
    panel.show()
    assert history.reads == 1
    assert shown_values(panel, "training")[0] != "–"
    panel.hide()
    panel.update_frame(history)  # type: ignore[arg-type]
    assert history.reads == 1


def test_nothing_is_drawn_when_nothing_changed(panel: CurvesPanel, monkeypatch: pytest.MonkeyPatch) -> None:
    history = made_history(300)
    panel.update_frame(history)
    drawn: list[int] = []
    monkeypatch.setattr(MetricPlot, "set_curves", lambda *_, **__: drawn.append(1))
    panel.update_frame(history)
    assert not drawn
    history.training.append_row(301, 3.01, {"reconstruction": -150.0, "kl": 7.0})
    panel.update_frame(history)
    assert drawn


def test_a_check_box_hides_the_curves_of_its_term(panel: CurvesPanel, qtbot: QtBot) -> None:
    panel.update_frame(made_history(950))
    first, second = plots(panel)
    assert curve_visible(first, "smooth", "elbo")
    click(qtbot, check(panel, "elbo"))
    assert not curve_visible(first, "smooth", "elbo")
    assert curve_visible(first, "smooth", "reconstruction")
    click(qtbot, check(panel, "kl"))
    assert not second.isVisible()
    click(qtbot, check(panel, "reconstruction"))
    assert text(panel, "emptyMessage") == "Tick a metric to see its curves."


def test_training_and_held_out_are_hidden_apart(panel: CurvesPanel, qtbot: QtBot) -> None:
    panel.update_frame(made_history(950))
    first, _ = plots(panel)
    click(qtbot, check(panel, "training"))
    assert not curve_visible(first, "raw", "elbo")
    assert not curve_visible(first, "smooth", "elbo")
    assert curve_visible(first, "held_out", "elbo")


def click(qtbot: QtBot, box: QCheckBox) -> None:
    qtbot.mouseClick(box, Qt.MouseButton.LeftButton, pos=QPoint(8, box.height() // 2))


def curve_visible(plot: MetricPlot, kind: str, term: str) -> bool:
    return (kind, term) in plot._item.lines


def test_a_log_axis_opens_to_positive_values_only(panel: CurvesPanel, qtbot: QtBot) -> None:
    panel.update_frame(made_history(950))
    log = check(panel, "logAxis")
    assert not log.isEnabled()
    assert "ELBO is not positive everywhere" in log.toolTip()
    choose(panel, "yAxis", "loss")
    assert log.isEnabled()
    click(qtbot, log)
    first, _ = plots(panel)
    low, high = first.getViewBox().viewRange()[1]
    assert 1.5 < low < high < 3.0  # decimal logarithms
    choose(panel, "yAxis", "rising")
    assert not log.isEnabled()
    low, high = first.getViewBox().viewRange()[1]
    assert low < high < 0
    click(qtbot, check(panel, "elbo"))
    click(qtbot, check(panel, "reconstruction"))
    assert log.isEnabled(), "the KL alone is positive"


def test_a_gaussian_likelihood_may_forbid_the_log_axis(panel: CurvesPanel) -> None:
    history = History.empty(FAMILY.metrics)
    history.training.append_row(1, 0.01, {"reconstruction": 300.0, "kl": 5.0})  # a density may exceed 1
    panel.update_frame(history)
    choose(panel, "yAxis", "loss")
    assert not check(panel, "logAxis").isEnabled()
    assert "Loss (−ELBO) is not positive everywhere" in check(panel, "logAxis").toolTip()


def test_the_best_epoch_is_named_and_marked(panel: CurvesPanel) -> None:
    history = made_history(950, falls_after=7)
    panel.update_frame(history)
    value = number_label(float(history.held_out.view()["elbo"][6]), 2)
    assert text(panel, "verdict") == f"Best held-out: epoch 7, {value}"
    first, _ = plots(panel)
    assert first._item.best == (700, pytest.approx(history.held_out.view()["elbo"][6]))


def test_a_falling_held_out_elbo_is_overfitting(panel: CurvesPanel) -> None:
    panel.update_frame(made_history(1500, falls_after=7))
    assert text(panel, "verdict").startswith("Overfitting since epoch 7? Best there: −")
    panel.update_frame(made_history(1500))
    assert text(panel, "verdict").startswith("Best held-out: epoch 15")


def test_falling_with_the_training_elbo_is_not_overfitting() -> None:
    history = made_history(1500, falls_after=7)
    view = history.training.view()
    falling = History.empty(FAMILY.metrics)
    lower = np.stack([view["reconstruction"] - view.step * 0.5, view["kl"]], axis=1)
    falling.training.append(view.step, view.epoch, lower.astype(np.float32))
    training = Curves.of(falling.training.view(), smooth=True)
    assert not overfits(FAMILY, training, Curves.of(history.held_out.view(), smooth=False))


def test_a_kl_near_zero_is_posterior_collapse(panel: CurvesPanel) -> None:
    panel.update_frame(made_history(300, kl=0.01))
    verdict = panel.findChild(QLabel, "verdict")
    assert verdict is not None
    assert verdict.text() == "KL near zero: posterior collapse — q(z|x) ignores x"
    assert verdict.palette().color(verdict.foregroundRole()) in (QColor(LIGHT.warning), QColor(DARK.warning))
    panel.update_frame(made_history(300))
    assert text(panel, "verdict").startswith("Best")
    assert verdict.palette().color(verdict.foregroundRole()) in (QColor(LIGHT.ink), QColor(DARK.ink))


def test_an_untrained_model_has_not_collapsed() -> None:
    history = made_history(60, kl=0.01)
    training = Curves.of(history.training.view(), smooth=True)
    assert warning(FAMILY, Settings().model, training, Curves.of(history.held_out.view(), smooth=False)) == ""


def move_mouse(plot: MetricPlot, position: QPoint) -> None:
    viewport = plot.viewport()
    event = QMouseEvent(
        QEvent.Type.MouseMove,
        QPointF(position),
        QPointF(viewport.mapToGlobal(position)),
        Qt.MouseButton.NoButton,
        Qt.MouseButton.NoButton,
        Qt.KeyboardModifier.NoModifier,
    )
    QApplication.sendEvent(viewport, event)


def test_the_table_follows_the_cursor(panel: CurvesPanel, qtbot: QtBot) -> None:
    history = made_history(950)
    panel.update_frame(history)
    choose(panel, "xAxis", "epochs")
    newest = shown_values(panel, "held_out")
    first, second = plots(panel)
    position = first.mapFromScene(first.getViewBox().mapViewToScene(QPointF(4.1, -160.0)))
    move_mouse(first, position)
    assert text(panel, "where").startswith("Epoch 4.")
    held_out = history.held_out.view()
    assert shown_values(panel, "held_out")[0] == number_label(float(held_out["elbo"][3]), 2)
    assert first._cursor.isVisible()
    assert second._cursor.isVisible()
    QApplication.sendEvent(first, QEvent(QEvent.Type.Leave))
    assert text(panel, "where") == "Now"
    assert shown_values(panel, "held_out") == newest
    assert not first._cursor.isVisible()


def test_a_zoom_stays_until_it_is_reset(panel: CurvesPanel, qtbot: QtBot) -> None:
    history = made_history(950)
    panel.update_frame(history)
    first, second = plots(panel)
    zoom(first)
    zoomed = first.getViewBox().viewRange()
    assert zoomed[0][1] - zoomed[0][0] < 950
    assert second.getViewBox().viewRange()[0] == pytest.approx(zoomed[0])
    history.training.append_row(2000, 20.0, {"reconstruction": -150.0, "kl": 7.0})
    panel.update_frame(history)
    assert first.getViewBox().viewRange() == zoomed
    middle = first.viewport().rect().center()
    # Two clicks as the window system would send them: press, release, double press, release.
    QTest.mouseClick(first.viewport(), Qt.MouseButton.LeftButton, pos=middle)
    QTest.mouseDClick(first.viewport(), Qt.MouseButton.LeftButton, pos=middle)
    QTest.mouseRelease(first.viewport(), Qt.MouseButton.LeftButton, pos=middle)
    assert first.getViewBox().viewRange()[0][1] >= 2000
    assert second.getViewBox().viewRange()[0] == pytest.approx(first.getViewBox().viewRange()[0])


def zoom(plot: MetricPlot, delta: int = 480) -> None:
    middle = QPointF(plot.viewport().rect().center())
    event = QWheelEvent(
        middle,
        QPointF(plot.viewport().mapToGlobal(middle.toPoint())),
        QPoint(),
        QPoint(0, delta),
        Qt.MouseButton.NoButton,
        Qt.KeyboardModifier.NoModifier,
        Qt.ScrollPhase.NoScrollPhase,
        False,
    )
    QApplication.sendEvent(plot.viewport(), event)


def test_another_run_ends_a_zoom(panel: CurvesPanel) -> None:
    panel.update_frame(made_history(950))
    zoom(plots(panel)[0])
    panel.update_frame(made_history(400))
    assert plots(panel)[0].getViewBox().viewRange()[0] == pytest.approx([0, 1.012 * 400])


def test_the_axis_begins_where_training_began(panel: CurvesPanel) -> None:
    panel.update_frame(made_history(500))
    assert ends(panel)[0] == 0.0
    # Weights brought along to other images: first their figures on these, then more steps.
    history = History.empty(FAMILY.metrics)
    history.held_out.append_row(700, 7.0, {"reconstruction": -150.0, "kl": 7.0})
    panel.update_frame(history)
    low, high = ends(panel)
    assert low == 700
    assert high > 700
    for step in (701, 750):
        history.training.append_row(step, step / PER_EPOCH, {"reconstruction": -150.0, "kl": 7.0})
    panel.update_frame(history)
    low, high = ends(panel)
    assert low == 700
    assert 750 < high < 760
    (axis,) = [box for box in panel.findChildren(QComboBox) if box.itemText(1) == "Epochs"]
    axis.setCurrentIndex(1)
    low, high = ends(panel)
    assert low == 7
    assert 7.5 < high < 7.6


def ends(panel: CurvesPanel) -> tuple[float, float]:
    """Left and right end of the first plot's horizontal axis."""
    low, high = panel.findChildren(MetricPlot)[0].getViewBox().viewRange()[0]
    return low, high


def test_the_first_steps_do_not_squash_the_rest(panel: CurvesPanel) -> None:
    panel.update_frame(made_history(5000))
    low, high = plots(panel)[0].getViewBox().viewRange()[1]
    assert -230 < low < -155
    assert -145 < high < -120
    low, high = plots(panel)[1].getViewBox().viewRange()[1]
    assert low == 0
    assert 7 < high < 10


def exploding_history(steps: int = 60) -> History:
    """An ELBO that falls tenfold with each step, to the end of float32."""
    history = History.empty(FAMILY.metrics)
    for step in range(1, steps + 1):
        history.training.append_row(
            step, step / PER_EPOCH, {"reconstruction": -(10.0 ** min(38.0, 2 + step)), "kl": 3.4e38}
        )
    history.held_out.append_row(steps, steps / PER_EPOCH, {"reconstruction": -8.1e18, "kl": 3.4e38})
    return history


def test_numbers_that_explode_are_short_and_leave_everything_where_it_is(panel: CurvesPanel) -> None:
    panel.update_frame(made_history(950))
    QTest.qWait(0)
    columns = [label.geometry() for label in panel._readout._values.values()]
    places = [plot.getViewBox().width() for plot in plots(panel)]
    panel.update_frame(exploding_history())
    QTest.qWait(50)
    assert [label.geometry() for label in panel._readout._values.values()] == columns
    for label in panel._readout._values.values():
        assert label.fontMetrics().horizontalAdvance(label.text()) <= label.width()
    assert shown_values(panel, "held_out")[1] == "−8.1 × 10¹⁸"
    for plot in plots(panel):
        assert len(axis_labels(plot, "left")) >= 2
        assert plot.getAxis("left").width() < 100
    panel.update_frame(made_history(950))
    QTest.qWait(50)
    assert [plot.getViewBox().width() for plot in plots(panel)] == places


@pytest.mark.parametrize("nats", [1e3, 47e3, 460e3, 3e6, 2e9, 1e30])
def test_the_vertical_axis_has_numbers_however_large_they_are(panel: CurvesPanel, nats: float) -> None:
    history = History.empty(FAMILY.metrics)
    for step in range(1, 101):
        history.training.append_row(
            step, step / PER_EPOCH, {"reconstruction": -nats * (1 + 1 / step), "kl": 7.0}
        )
    panel.update_frame(history)
    QTest.qWait(50)
    assert len(axis_labels(plots(panel)[0], "left")) >= 2


def axis_labels(plot: MetricPlot, side: str) -> list[str]:
    """What is written beside an axis."""
    image = QImage(8, 8, QImage.Format.Format_RGB32)
    painter = QPainter(image)
    specs = plot.getAxis(side).generateDrawSpecs(painter)
    painter.end()
    assert specs is not None
    return [text for _, _, text in specs[2]]


def test_one_step_is_a_dot_at_a_whole_number(panel: CurvesPanel) -> None:
    history = History.empty(FAMILY.metrics)
    history.training.append_row(1, 0.01, {"reconstruction": -543.25, "kl": 0.5})
    panel.update_frame(history)
    QTest.qWait(50)
    for plot in plots(panel):
        assert axis_labels(plot, "bottom") == ["0", "1"]
        view = plot.getViewBox()
        x, y = (float(values[0]) for values in plot._item.lines["smooth", plot.keys[0]])
        at = plot.mapFromScene(view.mapViewToScene(QPointF(x, y)))
        picture = plot.viewport().grab(QRect(at.x() - 1, at.y() - 1, 3, 3)).toImage()
        assert picture.pixelColor(1, 1) != plot.backgroundBrush().color()


@pytest.mark.parametrize("width", [620, 700, 800])
def test_a_narrow_panel_has_numbers_below_curves_of_any_length(panel: CurvesPanel, width: int) -> None:
    panel.resize(width, 200)
    history = History.empty(FAMILY.metrics)
    for steps in (*range(1, 60), 99, 100, 101, 459, 460, 461, 499, 999, 1001, 4600, 9999):
        history.training.append_row(steps, steps / PER_EPOCH, {"reconstruction": -150.0, "kl": 7.0})
        panel.update_frame(history)
        for plot in plots(panel):
            labels = axis_labels(plot, "bottom")
            assert len(labels) >= 2, (steps, labels)
            assert all(label.replace(",", "").isdigit() for label in labels)


@pytest.mark.parametrize("log", [False, True])
def test_zooming_ends_before_numbers_do(panel: CurvesPanel, qtbot: QtBot, log: bool) -> None:
    panel.update_frame(made_history(950))
    choose(panel, "yAxis", "loss")
    check(panel, "logAxis").setChecked(log)
    first, _ = plots(panel)
    for delta in (-12_000, 12_000):  # far out, then far in
        for _ in range(40):
            zoom(first, delta)
        QTest.qWait(20)
        assert np.isfinite(first.getViewBox().viewRange()).all()
        for side in ("left", "bottom"):
            assert axis_labels(first, side), (delta, first.getViewBox().viewRange())


def test_another_scale_ends_a_zoom_that_would_miss_the_curves(panel: CurvesPanel, qtbot: QtBot) -> None:
    panel.update_frame(made_history(950))
    first, _ = plots(panel)
    for name, value in (("yAxis", "loss"), ("logAxis", ""), ("xAxis", "epochs"), ("yAxis", "elbo")):
        zoom(first)
        if value:
            choose(panel, name, value)
        else:
            click(qtbot, check(panel, name))
        (left, right), (low, high) = first.getViewBox().viewRange()
        x, y = first._item.lines["smooth", "elbo"]
        seen = (left <= x) & (x <= right) & (low <= y) & (y <= high)
        assert seen.mean() > 0.5, name


def test_options_round_trip_and_damaged_ones_are_ignored(panel: CurvesPanel, qtbot: QtBot) -> None:
    before = panel.options()
    choices = {
        "x": "epochs",
        "y": "loss",
        "log": True,
        "training": False,
        "held_out": True,
        "hidden": ["reconstruction"],
    }
    panel.set_options(choices)
    assert panel.options() == choices
    panel.set_options({"x": 3, "y": None, "log": "yes", "hidden": "all", "unknown": 1})
    assert panel.options() == choices
    panel.set_options(before)
    assert panel.options() == before


def test_a_long_history_is_drawn_with_about_two_points_per_pixel(panel: CurvesPanel) -> None:
    history = made_history(65_000)
    panel.update_frame(history)
    for plot in plots(panel):
        width = plot.getViewBox().width()
        assert plot._item.lines
        for x, _ in plot._item.lines.values():
            assert len(x) <= 2 * width + 2


def test_a_long_history_updates_quickly(panel: CurvesPanel) -> None:
    history = made_history(65_000)
    panel.update_frame(history)
    seconds = []
    for k in range(15):
        history.training.append_row(65_001 + k, 650.0, {"reconstruction": -143.0, "kl": 7.0})
        start = time.process_time()
        panel.update_frame(history)
        seconds.append(time.process_time() - start)
    assert sorted(seconds)[len(seconds) // 2] < 0.030  # about 5 ms on an idle machine


@pytest.mark.parametrize("size", [(640, 160), (1280, 200), (1900, 320)])
def test_the_readout_is_never_clipped(panel: CurvesPanel, size: tuple[int, int]) -> None:
    panel.set_options({"y": "loss"})
    panel.update_frame(made_history(950))
    assert panel.minimumSizeHint().width() <= size[0]
    assert panel.minimumSizeHint().height() <= size[1]
    panel.resize(*size)
    QTest.qWait(0)
    for box in panel.findChildren(QCheckBox):
        assert box.width() >= box.minimumSizeHint().width()


def test_colours_follow_the_scheme(panel: CurvesPanel) -> None:
    panel.update_frame(made_history(950))
    for theme in (DARK, LIGHT):
        panel.setPalette(build_palette(theme))
        first, _ = plots(panel)
        assert first.backgroundBrush().color() == QColor(theme.canvas)
        box = check(panel, "kl")
        assert box.palette().color(box.foregroundRole()) == QColor(theme.curve(2))


@given(st.lists(st.floats(-1e4, 1e4), min_size=1, max_size=300), st.integers(0, 299))
def test_smoothing_is_the_mean_of_a_window(values: list[float], row: int) -> None:
    row %= len(values)
    window = smoothing_window(row)
    expected = np.mean(values[row + 1 - window : row + 1])
    assert smoothed(np.array(values))[row] == pytest.approx(expected, abs=1e-6)


def test_smoothing_reaches_its_longest_window() -> None:
    values = np.random.default_rng(0).normal(size=8000)
    means = smoothed(values)
    for row in (0, 19, 20, 4979, 4980, 4999, 5000, 5001, 7999):
        window = smoothing_window(row)
        assert means[row] == pytest.approx(values[row + 1 - window : row + 1].mean())


@pytest.mark.parametrize("burst", [2e6, 1e18, 3e38])
def test_means_after_an_explosion_are_those_of_the_rows_after_it(burst: float) -> None:
    values = np.random.default_rng(1).normal(-550, 20, 8000).astype(np.float32)
    values[280:290], values[6000:6003] = -burst, burst
    means = smoothed(values)
    assert means.dtype == values.dtype
    assert np.isfinite(means).all()
    for row in (279, 285, 310, 543, 4999, 5000, 5999, 6001, 6252, 7999):
        window = smoothing_window(row)
        of = values[row + 1 - window : row + 1].astype(np.float64)
        assert means[row] == pytest.approx(of.mean(), rel=1e-6)


@given(st.integers(1, 5000), st.integers(1, 600))
def test_thinning_keeps_extremes_and_ends(rows: int, pixels: int) -> None:
    x = np.arange(rows, dtype=np.float64)
    y = np.random.default_rng(rows).normal(size=rows)
    thin_x, thin_y = extremes(x, y, pixels)
    assert len(thin_x) == len(thin_y) <= 2 * pixels
    assert (thin_y.min(), thin_y.max()) == (y.min(), y.max())
    assert (np.diff(thin_x) >= 0).all()
    line_x, _ = every_pixel(x, y, pixels)
    assert len(line_x) <= 2 * pixels
    assert line_x[0] == 0 or pixels == 1
    assert pixels == 1 or line_x[-1] == rows - 1


def test_a_range_needs_rows() -> None:
    nothing = np.empty(0)
    assert telling_range([]) is None
    assert telling_range([(nothing, nothing, True)]) is None
    one = np.array([3.0])
    assert telling_range([(one, one, False)]) == (3.0, 3.0)


def test_nearest_rows() -> None:
    x = np.array([1.0, 2.0, 4.0])
    assert [nearest_row(x, at) for at in (-9.0, 1.4, 1.6, 3.1, 99.0)] == [0, 0, 1, 2, 2]
    assert nearest_row(np.empty(0), 1.0) is None
    assert nearest_row(x.astype(np.float32), 1e300) == 2
