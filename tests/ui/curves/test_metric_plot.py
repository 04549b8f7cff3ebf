"""A plot of metrics by itself."""

from __future__ import annotations

import numpy as np
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QWheelEvent
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from vaeviewer.ui.curves.metric_plot import MetricPlot


def test_nobody_zooms_an_empty_plot_to_infinity(qtbot: QtBot) -> None:
    plot = MetricPlot(("kl",), from_zero=True)
    qtbot.addWidget(plot)
    plot.resize(300, 200)
    plot.show()
    for anew in (False, True):
        if anew:
            plot.set_curves({}, log=False, x_ends=(0.0, 3_000.0))
        for _ in range(40):
            at = QPointF(150.0, 100.0)
            event = QWheelEvent(
                at,
                QPointF(plot.viewport().mapToGlobal(at.toPoint())),
                QPoint(),
                QPoint(0, -12_000),
                Qt.MouseButton.NoButton,
                Qt.KeyboardModifier.NoModifier,
                Qt.ScrollPhase.NoScrollPhase,
                False,
            )
            QApplication.sendEvent(plot.viewport(), event)
        assert np.abs(plot.getViewBox().viewRange()).max() <= 1e12
