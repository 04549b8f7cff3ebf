"""The ELBO and its terms over training: curves, newest values, and what they show."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from PySide6.QtCore import QEvent, QSize, Qt
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import QHBoxLayout, QLabel, QStackedLayout, QVBoxLayout, QWidget

from vaeviewer.backend.history import History, MetricsTable, MetricsView
from vaeviewer.backend.run_manifest import Change
from vaeviewer.ui.elbo_curves import (
    TERMS,
    Column,
    Curves,
    best_row,
    change_marks,
    collapsed,
    nearest_row,
    overfits,
    smoothing_window,
)
from vaeviewer.ui.elbo_plot import ElboPlot, TermCurves
from vaeviewer.ui.elbo_readout import KINDS, ElboReadout
from vaeviewer.ui.labels import ElidedLabel, tint
from vaeviewer.ui.theme import theme_of
from vaeviewer.ui.value_axis import number_label

_EMPTY = "The curves appear with the first step."
_NOTHING_CHOSEN = "Tick a term to see its curves."
_PLOT_HELP = "Wheel zooms, dragging moves; double-click or F shows everything again"
_NO_ROWS = MetricsTable(4).view()


class LossPanel(QWidget):
    """ELBO, reconstruction and KL of training batches and held-out images, in nats per image."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("elboTerms")
        self._history: History | None = None
        self._until_step: int | None = None
        self._timeline: tuple[Change, ...] = ()
        self._read: tuple[History | None, tuple[int, ...], tuple[Change, ...]] | None = None
        self._curves = {kind: Curves.of(_NO_ROWS, smooth=False) for kind in KINDS}
        self._cursor: float | None = None
        self._sign = 1.0

        self._readout = ElboReadout()
        self._readout.choices_changed.connect(self._redraw)
        self._message = QLabel(_EMPTY)
        self._message.setObjectName("emptyMessage")
        self._message.setAlignment(Qt.AlignmentFlag.AlignCenter)
        # The KL is some 7 nats where the others are −150, so it has its own scale.
        self._plots = {
            ElboPlot(("elbo", "reconstruction"), from_zero=False): ElidedLabel(),
            ElboPlot(("kl",), from_zero=True): ElidedLabel(),
        }
        row = QHBoxLayout(self)
        row.setContentsMargins(10, 4, 6, 4)
        row.setSpacing(12)
        row.addWidget(self._readout)
        row.addLayout(self._lay_out_plots(), stretch=1)
        self._apply_theme()
        self._redraw()

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

    def set_protocol_text(self, text: str) -> None:
        """Say which protocol the numbers belong to, such as ``"grey levels as Bernoulli probabilities"``."""
        self._readout.set_protocol_text(text)

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
        """Wide and short."""
        return QSize(1280, 200)

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
            return _NO_ROWS, _NO_ROWS
        training, held_out = self._history.training.view(), self._history.held_out.view()
        if self._until_step is None:
            return training, held_out
        return training.until(self._until_step), held_out.until(self._until_step)

    def _redraw(self) -> None:
        readout = self._readout
        panel_title = "ELBO terms" if readout.sign("elbo") > 0 else "Loss terms"
        self.setAccessibleName(panel_title)
        self.setWindowTitle(panel_title)  # which its dock takes over
        any_rows = any(len(curves) for curves in self._curves.values())
        self._message.setText(_NOTHING_CHOSEN if any_rows else _EMPTY)
        self._pages.setCurrentIndex(1 if any_rows and readout.terms else 0)
        readout.forbid_log(self._why_not_log())
        readout.set_smoothing(smoothing_window(max(0, len(self._curves["training"]) - 1)))
        self._show_values()
        self._show_verdict()
        x_ends = self._x_ends()
        turned, self._sign = readout.sign("elbo") != self._sign, readout.sign("elbo")
        for plot, title in self._plots.items():
            shown = [term for term in plot.terms if term in readout.terms]
            plot.parentWidget().setVisible(bool(shown))
            names = " and ".join(map(readout.name, shown)).replace("and Rec", "and rec")
            title.setText(f"{names} by {readout.axis.removesuffix('s')}")
            plot.set_curves(
                {term: self._term_curves(term) for term in shown},
                log=readout.log,
                whole=readout.axis == "steps",
                x_ends=x_ends,
            )
            if turned:
                plot.fit()  # a zoom would be on the other side of zero
        self._mark_best()
        changes = change_marks(self._timeline, self._until_step, self._place)
        for plot in self._plots:
            plot.set_changes(changes)

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

    def _term_curves(self, term: str) -> TermCurves:
        readout, training, held_out = self._readout, self._curves["training"], self._curves["held_out"]
        x, x_held_out = training.x(readout.axis), held_out.x(readout.axis)
        with_training, with_held_out = (kind in readout.kinds for kind in KINDS)
        return TermCurves(
            raw=(x, self._scaled(training.raw[term], term)) if with_training else None,
            smooth=(x, self._scaled(training.smooth[term], term)) if with_training else None,
            held_out=(x_held_out, self._scaled(held_out.raw[term], term)) if with_held_out else None,
        )

    def _scaled(self, values: Column, term: str) -> Column:
        """Values as drawn: of the loss rather than the ELBO, and as decimal logarithms, where chosen."""
        signed = values if self._readout.sign(term) > 0 else -values
        return np.log10(signed) if self._readout.log else signed

    def _why_not_log(self) -> str:
        """What stands against a logarithmic axis; empty if all shown values are positive."""
        readout = self._readout
        for term in readout.terms:
            values = [self._curves[kind].raw[term] for kind in readout.kinds]
            rising = readout.sign(term) > 0
            if any(len(v) and (v.min() if rising else -v.max()) <= 0 for v in values):
                remedy = "choose Loss (−ELBO)" if term != "kl" and readout.sign(term) > 0 else "hide it"
                return f"{readout.name(term)} is not positive everywhere; {remedy}"
        return ""

    def _mark_best(self) -> None:
        held_out = self._curves["held_out"]
        best = best_row(held_out)
        point = None
        if best is not None and "elbo" in self._readout.terms and "held_out" in self._readout.kinds:
            y = self._scaled(held_out.raw["elbo"][best : best + 1], "elbo")
            point = float(held_out.x(self._readout.axis)[best]), float(y[0])
        for plot in self._plots:
            plot.set_best(point if "elbo" in plot.terms else None)

    def _show_verdict(self) -> None:
        """Say what matters most: collapse, then overfitting, then the best epoch."""
        training, held_out = self._curves["training"], self._curves["held_out"]
        best = best_row(held_out)
        if collapsed(training, held_out):
            self._readout.set_verdict("KL near zero: posterior collapse — q(z|x) ignores x", warns=True)
        elif best is None:
            self._readout.set_verdict("", warns=False)
        else:
            epoch = round(float(held_out.epoch[best]))
            elbo = self._readout.sign("elbo") * float(held_out.raw["elbo"][best])
            text = f"Best held-out: epoch {epoch}, {number_label(elbo, 2)}"
            if overfits(training, held_out):
                text = f"Overfitting since epoch {epoch}? Best there: {number_label(elbo, 2)}"
            self._readout.set_verdict(text, warns=False)

    def _show_values(self) -> None:
        """Write the newest values, or those at the cursor, into the table."""
        axis = self._readout.axis
        for kind, curves in self._curves.items():
            newest = len(curves) - 1 if len(curves) else None
            row = newest if self._cursor is None else nearest_row(curves.x(axis), self._cursor)
            values = None if row is None else {term: float(curves.smooth[term][row]) for term in TERMS}
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

    def _lay_out_plots(self) -> QStackedLayout:
        side_by_side = QHBoxLayout()
        side_by_side.setContentsMargins(0, 0, 0, 0)
        side_by_side.setSpacing(12)
        for plot, title in self._plots.items():
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
            side_by_side.addWidget(part, stretch=1 + len(plot.terms))
        page = QWidget()
        page.setLayout(side_by_side)
        self._pages = QStackedLayout()
        self._pages.addWidget(self._message)
        self._pages.addWidget(page)
        return self._pages

    def _apply_theme(self) -> None:
        theme = theme_of(self.palette())
        tint(self._message, theme.muted)
        for plot, title in self._plots.items():
            plot.apply_theme(theme)
            tint(title, theme.muted)
