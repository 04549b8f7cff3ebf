"""The metrics of the family over training: curves, newest values, and what they show."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from PySide6.QtCore import QEvent, QSize, Qt
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import QHBoxLayout, QLabel, QStackedLayout, QVBoxLayout, QWidget

from vaeviewer.backend.config import Settings, protocol_text
from vaeviewer.backend.models.interface import Metric
from vaeviewer.backend.models.registry import AnyFamily
from vaeviewer.backend.training.findings import within_sentence
from vaeviewer.backend.training.history import History, MetricsTable, MetricsView
from vaeviewer.backend.training.records import Change
from vaeviewer.ui.curves.curve_data import (
    TRAINING_WORDS,
    Column,
    Curves,
    change_marks,
    nearest_row,
    smoothing_window,
)
from vaeviewer.ui.curves.curves_item import metric_colors
from vaeviewer.ui.curves.metric_plot import MetricCurves, MetricPlot
from vaeviewer.ui.curves.readout import KINDS, Readout
from vaeviewer.ui.curves.readout_column import ReadoutColumn
from vaeviewer.ui.curves.value_axis import number_label
from vaeviewer.ui.curves.verdict import best_of, overfits, warning
from vaeviewer.ui.widgets.labels import ElidedLabel, tint
from vaeviewer.ui.widgets.theme import theme_of

_EMPTY = "The curves appear with the first step."
_NOTHING_CHOSEN = "Tick a metric to see its curves."
_NONE_DRAWN = "This model’s metrics are numbers only: none of them has curves."
_SOLVED = "Nothing is trained, so there are no curves: the figures beside this say all."
_PLOT_HELP = "Wheel zooms, dragging moves; double-click or F shows everything again"


@dataclass(frozen=True, eq=False)
class _Parts:
    """What is built for a family."""

    body: QWidget
    readout: Readout
    message: QLabel
    plots: dict[MetricPlot, ElidedLabel]
    pages: QStackedLayout


class CurvesPanel(QWidget):
    """What a family measures of training batches and held-out images; metrics that share an axis in one plot.

    It begins with the family of the plain settings. What was built for a family stays, hidden while another one is
    shown: Qt and Python do not agree on who deletes the items of pyqtgraph's plots, and deleting them can crash.
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("elboTerms")
        self._history: History | None = None
        self._until_step: int | None = None
        self._timeline: tuple[Change, ...] = ()
        self._read: tuple[History | None, tuple[int, ...], tuple[Change, ...]] | None = None
        self._cursor: float | None = None
        self._losses = False
        self._row = QHBoxLayout(self)
        self._row.setContentsMargins(10, 4, 6, 4)
        self._parts: dict[str, _Parts] = {}
        self._config = Settings().model
        self._use(Settings().family)

    def update_frame(
        self, history: History | None, until_step: int | None = None, timeline: tuple[Change, ...] = ()
    ) -> None:
        """Show a history; cheap where nothing has changed, and nothing at all while the panel is hidden.

        Args:
            history: The metrics of the run, or ``None`` without one.
            until_step: The last step to show, as when looking at the past; ``None`` shows all.
            timeline: Changes of settings on the way, which are marked.
        """
        self._history, self._until_step, self._timeline = history, until_step, timeline
        if self.isVisible():
            self._refresh()

    def set_settings(self, settings: Settings) -> None:
        """Show what the family of these settings measures, and which protocol its numbers belong to."""
        family, self._config = settings.family, settings.model
        if family is not self._family:
            choices = self.options()
            self._body.hide()
            self._cursor = None
            self._use(family)
            self._readout.set_options(choices)
            if self.isVisible():
                self._refresh()
        self._readout.set_protocol_text(protocol_text(settings))

    def reset_view(self) -> None:
        """Show everything again after zooming."""
        for plot in self._plots:
            plot.fit()

    def options(self) -> dict[str, Any]:
        """The user's choices as plain values, to be kept between sessions."""
        return self._readout.options()

    def set_options(self, options: Mapping[str, Any]) -> None:
        """Take over choices from :meth:`options`; what is missing or damaged stays as it is."""
        self._readout.set_options(options)

    def sizeHint(self) -> QSize:
        """Wide and short, but as high as all words beside the curves."""
        margins = self._row.contentsMargins()
        return QSize(1280, max(200, self._readout.sizeHint().height() + margins.top() + margins.bottom()))

    def showEvent(self, event: QShowEvent) -> None:
        """Catch up with what happened while hidden."""
        super().showEvent(event)
        self._refresh()

    def changeEvent(self, event: QEvent) -> None:
        """Take over the colours of a new scheme."""
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange:
            self._apply_theme()

    def _refresh(self) -> None:
        """Read the history if it has changed since it was last read."""
        views = self._views()
        extent = tuple(n for view in views for n in (len(view), int(view.step[-1]) if len(view) else -1))
        read = (self._history, extent, self._timeline)
        if self._read is not None and self._read[0] is self._history and self._read[1:] == read[1:]:
            return
        if self._read is None or self._read[0] is not self._history:
            self.reset_view()  # a zoom into another run would miss this one
        self._read = read
        training, held_out = views
        self._curves = {
            "training": Curves.of(training, smooth=True),
            "held_out": Curves.of(held_out, smooth=False),
        }
        self._redraw()

    def _views(self) -> tuple[MetricsView, MetricsView]:
        if self._history is None:
            return self._no_rows, self._no_rows
        training, held_out = self._history.training.view(), self._history.held_out.view()
        if training.metrics != self._family.metrics:
            return self._no_rows, self._no_rows  # until the session has told of another family
        if self._until_step is None:
            return training, held_out
        return training.until(self._until_step), held_out.until(self._until_step)

    def _redraw(self) -> None:
        readout, drawn = self._readout, self._readout.drawn
        self.setAccessibleName(readout.title)
        self.setWindowTitle(readout.title)  # which its dock takes over
        any_rows = any(len(curves) for curves in self._curves.values())
        trains = self._family.capabilities.trains
        has_curves = any(metric.plot for metric in self._family.metrics)
        why_none = _NOTHING_CHOSEN if has_curves else _NONE_DRAWN
        self._message.setText((why_none if trains else _SOLVED) if any_rows else _EMPTY)
        self._pages.setCurrentIndex(1 if any_rows and drawn and trains else 0)
        readout.forbid_log(self._why_not_log())
        readout.set_smoothing(smoothing_window(max(0, len(self._curves["training"]) - 1)))
        self._show_values()
        self._show_verdict()
        x_ends = self._x_ends()
        losses = any(readout.sign(metric) < 0 for metric in drawn)
        turned, self._losses = losses != self._losses, losses
        for plot, title in self._plots.items():
            shown = [metric for metric in drawn if metric.key in plot.keys]
            plot.parentWidget().setVisible(bool(shown))
            title.setText(*(self._titles(shown) if shown else ("",)))
            plot.set_curves(
                {metric.key: self._metric_curves(metric) for metric in shown},
                log=readout.log,
                whole=readout.axis == "steps",
                x_ends=x_ends,
            )
            if turned:
                plot.fit()  # a zoom would be on the other side of zero
        self._mark_best()
        changes = change_marks(self._timeline, self._until_step, self._place, self._change_words)
        for plot in self._plots:
            plot.set_changes(changes)

    def _titles(self, shown: list[Metric]) -> list[str]:
        """What a plot of some metrics is called, and what it is called where there is less room, longest first."""
        readout = self._readout
        names, unit = in_a_row([readout.name(metric) for metric in shown]), readout.unit(shown)
        axis = f"by {readout.axis.removesuffix('s')}"
        title = shown[0].plot.capitalize()  # such as “Players”
        return [f"{names} {axis}" + (f", {unit}" if unit else ""), f"{names} {axis}", names, title]

    def _place(self, step: int) -> float:
        """Where a step lies on the horizontal axis."""
        curves = self._curves["training"]
        if self._readout.axis == "steps" or not len(curves):
            return float(step)
        return float(np.interp(step, curves.step, curves.epoch))

    def _x_ends(self) -> tuple[float, float]:
        """From where training began to the newest row."""
        training, held_out = (self._curves[kind].x(self._readout.axis) for kind in ("training", "held_out"))
        # With weights brought along to other images, it began with figures of these.
        brought = len(held_out) and not (len(training) and training[0] <= held_out[0])
        start = float(held_out[0]) if brought else 0.0
        end = max((float(x[-1]) for x in (training, held_out) if len(x)), default=start)
        return start, end if end > start else start + 1.0

    def _metric_curves(self, metric: Metric) -> MetricCurves:
        readout, training, held_out = self._readout, self._curves["training"], self._curves["held_out"]
        x, x_held_out, key = training.x(readout.axis), held_out.x(readout.axis), metric.key
        with_training, with_held_out = (kind in readout.kinds for kind in KINDS)
        return MetricCurves(
            raw=(x, self._scaled(training.raw[key], metric)) if with_training else None,
            smooth=(x, self._scaled(training.smooth[key], metric)) if with_training else None,
            held_out=(x_held_out, self._scaled(held_out.raw[key], metric)) if with_held_out else None,
        )

    def _scaled(self, values: Column, metric: Metric) -> Column:
        """Values as drawn: of the loss rather than what rises, and as decimal logarithms, where chosen."""
        signed = values if self._readout.sign(metric) > 0 else -values
        return np.log10(signed) if self._readout.log else signed

    def _why_not_log(self) -> str:
        """What stands against a logarithmic axis; empty if all shown values are positive."""
        readout = self._readout
        for metric in readout.drawn:
            values = [self._curves[kind].raw[metric.key] for kind in readout.kinds]
            rising = readout.sign(metric) > 0
            if any(len(v) and (v.min() if rising else -v.max()) <= 0 for v in values):
                remedy = f"choose {readout.loss_choice}" if metric.loss_title and rising else "hide it"
                return f"{readout.name(metric)} is not positive everywhere; {remedy}"
        return ""

    def _mark_best(self) -> None:
        held_out, headline = self._curves["held_out"], self._family.metrics.headline
        best = best_of(self._family, held_out)
        point = None
        if best is not None and headline in self._readout.drawn and "held_out" in self._readout.kinds:
            y = self._scaled(held_out.raw[headline.key][best : best + 1], headline)
            point = float(held_out.x(self._readout.axis)[best]), float(y[0])
        for plot in self._plots:
            plot.set_best(point if headline.key in plot.keys else None)

    def _show_verdict(self) -> None:
        """Say what matters most: the family's warning, then overfitting, then the best epoch."""
        training, held_out = self._curves["training"], self._curves["held_out"]
        headline = self._family.metrics.headline
        best = best_of(self._family, held_out)
        warns = warning(self._family, self._config, training, held_out)
        if warns or best is None:
            self._readout.set_verdict(warns, warns=bool(warns))
            return
        epoch = round(float(held_out.epoch[best]))
        value = self._readout.sign(headline) * float(held_out.raw[headline.key][best])
        text = f"Best held-out: epoch {epoch}, {number_label(value, 2)}"
        if overfits(self._family, training, held_out):
            text = f"Overfitting since epoch {epoch}? Best there: {number_label(value, 2)}"
        self._readout.set_verdict(text, warns=False)

    def _show_values(self) -> None:
        """Write the newest values, or those at the cursor, into the table."""
        axis = self._readout.axis
        for kind, curves in self._curves.items():
            newest = len(curves) - 1 if len(curves) else None
            row = newest if self._cursor is None else nearest_row(curves.x(axis), self._cursor)
            values = None if row is None else {key: float(y[row]) for key, y in curves.smooth.items()}
            self._readout.set_values(kind, values)
        if self._cursor is None:
            self._readout.set_where("Now")
        elif axis == "epochs":
            self._readout.set_where(f"Epoch {number_label(max(0.0, self._cursor), 2)}")
        else:
            self._readout.set_where(f"Step {number_label(max(0.0, self._cursor), 0)}")

    def _move_cursor(self, x: float | None) -> None:
        self._cursor = x
        for plot in self._plots:
            plot.set_cursor(x)
        self._show_values()

    def _zoomed(self, low: float, high: float) -> None:
        # pyqtgraph's own link goes by where views lie on the screen, and a hidden one lies anywhere.
        for plot in self._plots:
            if plot is not self.sender():
                plot.show_x(low, high)

    def _use(self, family: AnyFamily) -> None:
        """Show a row for each metric of a family, and a plot for those that share one."""
        self._family = family
        self._no_rows = MetricsTable(family.metrics, 4).view()
        self._curves = {kind: Curves.of(self._no_rows, smooth=False) for kind in KINDS}
        self._read = None
        own = {name: str(field.title or name) for name, field in family.Config.model_fields.items()}
        self._change_words = TRAINING_WORDS | own
        if family.key not in self._parts:
            self._parts[family.key] = self._build(family)
        parts = self._parts[family.key]
        self._body, self._readout, self._message = parts.body, parts.readout, parts.message
        self._plots, self._pages = parts.plots, parts.pages
        self._body.show()
        self._apply_theme()
        self._redraw()

    def _build(self, family: AnyFamily) -> _Parts:
        readout = Readout(family.metrics)
        readout.choices_changed.connect(self._redraw)
        message = QLabel(_EMPTY)
        message.setObjectName("emptyMessage")
        message.setAlignment(Qt.AlignmentFlag.AlignCenter)
        groups: dict[str, list[Metric]] = {}
        for metric in family.metrics:
            if metric.plot:
                groups.setdefault(metric.plot, []).append(metric)
        # What training is to make neither large nor small, such as a KL, is read against 0.
        plots = {
            MetricPlot(
                tuple(metric.key for metric in group),
                from_zero=all(metric.better == "neither" for metric in group),
            ): ElidedLabel()
            for group in groups.values()
        }
        body, pages = QWidget(), QStackedLayout()
        pages.addWidget(message)
        pages.addWidget(self._lay_out(plots))
        row = QHBoxLayout(body)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(12)
        row.addWidget(ReadoutColumn(readout))
        row.addLayout(pages, stretch=1)
        self._row.addWidget(body)
        return _Parts(body, readout, message, plots, pages)

    def _lay_out(self, plots: Mapping[MetricPlot, ElidedLabel]) -> QWidget:
        side_by_side = QHBoxLayout()
        side_by_side.setContentsMargins(0, 0, 0, 0)
        side_by_side.setSpacing(12)
        for plot, title in plots.items():
            plot.setToolTip(_PLOT_HELP)
            plot.cursor_moved.connect(self._move_cursor)
            plot.zoomed.connect(self._zoomed)
            plot.reset_requested.connect(self.reset_view)
            part = QWidget()
            column = QVBoxLayout(part)
            column.setContentsMargins(0, 0, 0, 0)
            column.setSpacing(0)
            column.addWidget(title)
            column.addWidget(plot, stretch=1)
            side_by_side.addWidget(part, stretch=1 + len(plot.keys))
        page = QWidget()
        page.setLayout(side_by_side)
        return page

    def _apply_theme(self) -> None:
        theme = theme_of(self.palette())
        colors = metric_colors(self._family.metrics, theme)
        tint(self._message, theme.muted)
        for plot, title in self._plots.items():
            plot.apply_theme(theme, colors)
            tint(title, theme.muted)


def in_a_row(names: list[str]) -> str:
    """``"ELBO, reconstruction and KL"``: names one after the other, of which only acronyms keep their capitals."""
    later = [within_sentence(name) for name in names[1:]]
    *first, last = [*names[:1], *later] or [""]
    return " and ".join(filter(None, (", ".join(first), last)))
