"""Every family shows its own metrics: rows, plots, units and verdicts derive from what it says of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pytest
from own_families import LaplaceVAE, TwoPlayers
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QColor
from PySide6.QtWidgets import QCheckBox, QComboBox, QLabel
from pytestqt.qtbot import QtBot

from vaeviewer.backend.config import Settings, updated
from vaeviewer.backend.models import registry
from vaeviewer.backend.models.families.denoising import FAMILY as DENOISING
from vaeviewer.backend.models.interface import Metric, Metrics
from vaeviewer.backend.training.history import History, MetricsTable
from vaeviewer.backend.training.overfitting import Figures, best_row, overfitting
from vaeviewer.session.states import Action, State
from vaeviewer.ui.curves.curves_panel import CurvesPanel, in_a_row
from vaeviewer.ui.curves.metric_plot import MetricPlot
from vaeviewer.ui.curves.value_axis import number_label
from vaeviewer.ui.widgets.theme import DARK, LIGHT, Theme, theme_of
from vaeviewer.ui.window.main_window import MainWindow

MakeWindow = Callable[[Settings], MainWindow]


@pytest.fixture
def two() -> Iterator[Settings]:
    registry.register(TwoPlayers())
    yield updated(Settings(), family="two-players")
    registry.unregister("two-players")


@pytest.fixture
def panel(qtbot: QtBot) -> CurvesPanel:
    widget = CurvesPanel()
    qtbot.addWidget(widget)
    widget.resize(1280, 200)
    with qtbot.waitExposed(widget):
        widget.show()
    return widget


def rows(panel: CurvesPanel) -> list[str]:
    """The check boxes of the metrics."""
    others = {"training", "heldOut", "logAxis"}
    return [box.text() for box in panel._body.findChildren(QCheckBox) if box.objectName() not in others]


def titles(panel: CurvesPanel) -> list[str]:
    """What stands above the plots."""
    return [title.text() for plot, title in panel._plots.items() if plot.isVisible()]


def text(panel: CurvesPanel, name: str) -> str:
    label = panel._body.findChild(QLabel, name)
    assert label is not None
    return label.text()


def drawn(panel: CurvesPanel) -> list[set[str]]:
    """The metrics of which each plot has curves."""
    return [{key for _, key in plot._item.lines} for plot in panel._body.findChildren(MetricPlot)]


def denoising_history(*errors: float) -> History:
    """A held-out evaluation after every ten steps, with these squared errors; training errors fall."""
    history = History.empty(DENOISING.metrics)
    for epoch, error in enumerate(errors, start=1):
        for step in range(10 * epoch - 9, 10 * epoch + 1):
            values = {"squared_error": 90.0 - 0.1 * step, "corruption": 50.0, "cross_entropy": 190.0}
            history.training.append_row(step, step / 10, values)
        values = {"squared_error": error, "corruption": 50.0, "cross_entropy": 200.0}
        history.held_out.append_row(10 * epoch, float(epoch), values)
    return history


def test_another_family_has_its_own_rows_plots_and_units(panel: CurvesPanel) -> None:
    settings = updated(Settings(), family="denoising")
    panel.set_settings(settings)
    panel.update_frame(denoising_history(80.0, 70.0))
    assert rows(panel) == ["Squared error", "Noise", "Cross-entropy"]
    assert titles(panel) == [
        "Squared error and noise by step, per image",
        "Cross-entropy by step, nats per image",
    ]
    assert drawn(panel) == [{"squared_error", "corruption"}, {"cross_entropy"}]
    assert text(panel, "protocol") == "grey levels, 50 % of them blackened"
    assert panel.windowTitle() == "Metrics"
    assert not panel._body.findChild(QComboBox, "yAxis").isVisible(), "nothing has a negative that is a loss"
    assert panel._body.findChild(QCheckBox, "logAxis").isEnabled(), (
        "without a loss to choose: all is positive"
    )
    panel.set_settings(updated(settings, noise_level=0.2))
    assert text(panel, "protocol") == "grey levels, 20 % of them blackened"


def test_the_lowest_is_best_where_lower_is_better(panel: CurvesPanel) -> None:
    panel.set_settings(updated(Settings(), family="denoising"))
    panel.update_frame(denoising_history(80.0, 70.0, 75.0))
    assert text(panel, "verdict") == "Best held-out: epoch 2, 70.00"
    assert [plot._item.best for plot in panel._body.findChildren(MetricPlot)] == [(20.0, 70.0), None]
    panel.update_frame(denoising_history(80.0, 72.0, 70.0, 72.0, 75.0, 78.0, 81.0))
    assert text(panel, "verdict") == "Overfitting since epoch 3? Best there: 70.00"


def test_of_what_is_solved_there_are_figures_and_no_curves(panel: CurvesPanel) -> None:
    """A run of no steps has one row, of which there is no line and no best."""
    settings = updated(Settings(), family="pca")
    panel.set_settings(settings)
    history = History.empty(settings.family.metrics)
    history.held_out.append_row(0, 0.0, {"log_px": 19.39, "squared_error": 43.09, "from_mean": 52.24})
    panel.update_frame(history)
    assert panel._readout._values["held_out", "log_px"].text() == "19.39"
    assert text(panel, "verdict") == ""
    assert titles(panel) == []
    assert text(panel, "emptyMessage").startswith("Nothing is trained, so there are no curves")
    panel.set_settings(updated(Settings(), family="denoising"))
    panel.update_frame(denoising_history(80.0))
    assert len(titles(panel)) == 2


def test_there_is_no_best_of_what_is_neither() -> None:
    metric = Metric("size", "Size", "pixels", plot="size")
    table = MetricsTable(Metrics((metric,)), 16)
    for step in range(1, 9):
        table.append_row(step, float(step), {"size": 1.0})
    view = table.view()
    figures = Figures(view.epoch, view["size"])
    assert best_row(figures.values, metric) is None
    assert overfitting(metric, figures, figures) is None


def test_an_undefined_value_is_left_out(panel: CurvesPanel, two: Settings) -> None:
    ratio = Metric("ratio", "Ratio", "", better="higher", plot="r", of=lambda t: t["a"] / t["b"])
    metrics = Metrics((ratio, Metric("a", "A", "", plot="r"), Metric("b", "B", "")))

    class Ratios(TwoPlayers):
        key = "two-players"

    Ratios.metrics = metrics
    registry.register(Ratios())
    panel.set_settings(updated(Settings(), family="two-players", pull=0.2))
    history = History.empty(metrics)
    for step in range(1, 30):
        history.training.append_row(step, step / 10, {"a": float(step), "b": float(step > 1)})
    for epoch, (a, b) in enumerate([(0.0, 0.0), (3.0, 1.0), (2.0, 1.0)], start=1):
        history.held_out.append_row(10 * epoch, float(epoch), {"a": a, "b": b})
    panel.update_frame(history)
    assert text(panel, "verdict") == "Best held-out: epoch 2, 3.00"
    (plot,) = panel._body.findChildren(MetricPlot)
    assert np.isfinite(plot.getViewBox().viewRange()).all()
    assert [len(plot._item.lines["held_out", key][0]) for key in ("ratio", "a")] == [2, 3]
    assert rows(panel) == ["Ratio", "A"], "one that is in no plot has nothing to tick"
    assert panel._readout._names["b"].text() == "B"
    assert panel._readout._values["training", "b"].text() != "–"


def test_names_in_a_row() -> None:
    assert in_a_row([]) == ""
    assert in_a_row(["KL"]) == "KL"
    assert in_a_row(["Loss (−ELBO)", "Reconstruction error"]) == "Loss (−ELBO) and reconstruction error"
    assert in_a_row(["Error", "KL", "Code size"]) == "Error, KL and code size"


def test_choices_outlast_another_family(panel: CurvesPanel, two: Settings) -> None:
    choices = panel.options() | {"y": "loss", "x": "epochs", "hidden": ["kl", "corruption"]}
    panel.set_options(choices)
    panel.set_settings(updated(Settings(), family="denoising"))
    panel.update_frame(denoising_history(80.0))
    assert drawn(panel) == [{"squared_error"}, {"cross_entropy"}]
    assert [panel._readout._values["held_out", "squared_error"].text()] == ["80.00"], "it is no loss"
    panel.set_settings(two)
    panel.set_settings(Settings())
    assert {**panel.options(), "hidden": sorted(panel.options()["hidden"])} == {
        **choices,
        "hidden": ["corruption", "kl"],
    }
    assert panel.windowTitle() == "Loss terms"
    old = {"x": "steps", "y": "elbo", "terms": ["squared_error"], "hidden": [3, None, "reconstruction"]}
    panel.set_options(old)  # of a version before, or damaged
    assert [metric.key for metric in panel._readout.drawn] == ["elbo", "kl"]


def test_rows_of_another_family_wait_until_it_is_told(panel: CurvesPanel) -> None:
    panel.update_frame(denoising_history(80.0))
    assert text(panel, "emptyMessage") == "The curves appear with the first step."
    panel.set_settings(updated(Settings(), family="denoising"))
    assert drawn(panel) == [{"squared_error", "corruption"}, {"cross_entropy"}]


@pytest.mark.parametrize("theme", [LIGHT, DARK], ids=["light", "dark"])
def test_colours_of_metrics_are_apart_and_legible(theme: Theme) -> None:
    def luminance(name: str) -> float:
        parts = [QColor(name).redF(), QColor(name).greenF(), QColor(name).blueF()]
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return float(np.dot([0.2126, 0.7152, 0.0722], linear))

    colors = [theme.curve(position) for position in range(len(theme.curves))]
    assert len(set(colors)) == len(colors) >= 6
    assert theme.curve(len(colors)) == colors[0]
    for color in colors:
        for ground in (theme.canvas, theme.window):
            brighter, darker = sorted((luminance(color), luminance(ground)), reverse=True)
            assert (brighter + 0.05) / (darker + 0.05) > 4.5  # WCAG 2, for text


def test_the_window_shows_the_curves_of_each_run_s_family(
    qtbot: QtBot, make_window: MakeWindow, small: Settings, two: Settings
) -> None:
    window = make_window(small)
    panel, session = window.elbo_terms, window.session
    dock = next(dock for dock in window.docks if dock.isAncestorOf(panel))

    def train() -> None:
        session.request(Action.TRAIN)
        qtbot.waitUntil(lambda: session.state is State.FINISHED, timeout=60_000)
        qtbot.waitUntil(lambda: all(drawn(panel)), timeout=10_000)

    train()
    assert titles(panel) == ["ELBO and reconstruction by step", "KL by step"]
    for settings, expected, names in (
        (updated(small, family="two-players"), [{"error", "balance"}, {"size"}], ["Error", "Code size"]),
        (updated(small, family="denoising"), [{"squared_error", "corruption"}, {"cross_entropy"}], []),
        (small, [{"elbo", "reconstruction"}, {"kl"}], ["ELBO", "Reconstruction", "KL"]),
    ):
        session.request(Action.RESET)
        qtbot.waitUntil(lambda: session.state is State.READY, timeout=30_000)
        session.use_settings(settings)
        family = settings.family
        qtbot.waitUntil(lambda family=family: panel._family is family, timeout=30_000)
        train()
        assert drawn(panel) == expected
        assert rows(panel)[: len(names)] == names
        assert rows(panel) == [metric.title for metric in family.metrics]
        assert dock.windowTitle() == panel.windowTitle()
        held_out = session.history.held_out.view()
        for position, metric in enumerate(family.metrics):
            value = panel._readout._values["held_out", metric.key]
            assert value.text() == number_label(float(held_out[metric.key][-1]), 2)
            color = value.palette().color(value.foregroundRole())
            assert color == QColor(theme_of(panel.palette()).curve(position))
        assert text(panel, "verdict").startswith("Best held-out: epoch")
        box = panel._body.findChild(QCheckBox, family.metrics[0].key)
        qtbot.mouseClick(box, Qt.MouseButton.LeftButton, pos=QPoint(8, box.height() // 2))
        assert family.metrics[0].key not in drawn(panel)[0]
        box.click()


def test_metrics_that_name_no_plot_are_said_to_have_no_curves(panel: CurvesPanel) -> None:
    registry.register(LaplaceVAE())
    try:
        settings = updated(Settings(), family="laplace")
        panel.set_settings(settings)
        history = History.empty(settings.family.metrics)
        history.training.append_row(1, 0.1, {"bound": 400.0})
        panel.update_frame(history)
        assert text(panel, "emptyMessage").endswith("none of them has curves.")
    finally:
        registry.unregister("laplace")


def test_going_back_to_a_family_builds_nothing_anew(panel: CurvesPanel, two: Settings) -> None:
    """Deleting the items of pyqtgraph's plots can crash: nothing is deleted before the panel is."""
    before = panel.findChildren(MetricPlot)
    panel.set_settings(two)
    there = len(panel.findChildren(MetricPlot))
    for settings in (Settings(), two) * 3:
        panel.set_settings(settings)
        assert panel._body.isVisibleTo(panel)
        assert set(before) <= set(panel.findChildren(MetricPlot))
    assert len(panel.findChildren(MetricPlot)) == there > len(before)
