"""Curves of all images together: the terms of their KL, and the shares of holes and of like neighbours."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PySide6.QtCore import QEvent
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from vaeviewer.analysis.whole_set import WholeSet
from vaeviewer.backend.training.history import History
from vaeviewer.ui.curves.curve_data import Column
from vaeviewer.ui.curves.metric_plot import MetricCurves, MetricPlot
from vaeviewer.ui.widgets.labels import ElidedLabel, tint
from vaeviewer.ui.widgets.theme import Theme, theme_of

TERMS = ("kl", "information", "marginal", "ceiling")
SHARES = ("accuracy", "holes")


def colors_of(theme: Theme) -> dict[str, str]:
    """The colour of each curve, by key."""
    found = {key: theme.curve(number) for number, key in enumerate(("kl", "information", "marginal"))}
    return {**found, "ceiling": theme.muted, "accuracy": theme.curve(3), "holes": theme.curve(4)}


class TermCurves(QWidget):
    """Two plots by step: nats on the left, per cent on the right."""

    def __init__(self) -> None:
        super().__init__()
        self.terms, self.shares = MetricPlot(TERMS, from_zero=True), MetricPlot(SHARES, from_zero=True)
        self._titles = ElidedLabel("Nats per image by step"), ElidedLabel("Per cent by step")
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(10)
        for plot, title, stretch in zip((self.terms, self.shares), self._titles, (3, 2), strict=True):
            plot.reset_requested.connect(plot.fit)
            column = QVBoxLayout()
            column.setSpacing(0)
            column.addWidget(title)
            column.addWidget(plot, stretch=1)
            row.addLayout(column, stretch)
        self._apply_theme()

    def show_terms(self, known: bool) -> None:
        """Whether there are terms to draw, in nats; a plot without any would have an axis of nothing."""
        self.terms.setVisible(known)
        self._titles[0].setVisible(known)

    def show_times(self, times: Sequence[WholeSet], history: History | None) -> None:
        """Draw the figures of these steps, and the KL of training batches that is known of all steps, faintly."""
        with_terms = [time for time in times if time.terms is not None]
        steps = _column([time.step for time in with_terms])
        terms = [time.terms for time in with_terms if time.terms is not None]
        curves = {
            "kl": (steps, _column([found.kl for found in terms])),
            "information": (steps, _column([found.information for found in terms])),
            "marginal": (steps, _column([found.marginal for found in terms])),
        }
        batches = _kl_of_batches(history)
        last = max(
            [float(times[-1].step) if times else 0.0, float(batches[0][-1]) if batches is not None else 0.0]
        )
        ends = (0.0, max(last, 1.0))
        drawn = {
            key: MetricCurves(batches if key == "kl" else None, None, curve) for key, curve in curves.items()
        }
        if terms:
            ceiling = _column([0.0, ends[1]]), _column([terms[-1].ceiling] * 2)
            drawn["ceiling"] = MetricCurves(None, None, ceiling)
        self.terms.set_curves(drawn, log=False, x_ends=ends)
        right = [time for time in times if time.accuracy is not None]
        shares = {
            "accuracy": (
                _column([t.step for t in right]),
                _column([100.0 * (t.accuracy or 0.0) for t in right]),
            )
        }
        of_holes = [time for time in with_terms if time.terms is not None and time.terms.holes is not None]
        holes = [100.0 * (time.terms.holes or 0.0) for time in of_holes if time.terms is not None]
        shares["holes"] = _column([time.step for time in of_holes]), _column(holes)
        self.shares.set_curves(
            {key: MetricCurves(None, None, curve) for key, curve in shares.items()}, log=False, x_ends=ends
        )

    def changeEvent(self, event: QEvent) -> None:
        """Take over the colours of a new scheme."""
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange:
            self._apply_theme()

    def _apply_theme(self) -> None:
        theme = theme_of(self.palette())
        for plot, title in zip((self.terms, self.shares), self._titles, strict=True):
            plot.apply_theme(theme, colors_of(theme))
            tint(title, theme.muted)


def _column(values: Sequence[float]) -> Column:
    return np.array(values, np.float64)


def _kl_of_batches(history: History | None) -> tuple[Column, Column] | None:
    """The KL that training has stored, of families that have one, in nats."""
    if history is None:
        return None
    view = history.training.view()
    known = any(metric.key == "kl" and metric.of is None for metric in view.metrics)
    return (view.step, view.stored["kl"]) if known and len(view) else None
