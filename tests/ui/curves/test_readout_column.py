"""Many metrics in a low panel: the words scroll, the plots keep all of the height and have titles that fit."""

from __future__ import annotations

from PySide6.QtWidgets import QCheckBox
from pytestqt.qtbot import QtBot

from vaeviewer.backend.config import Settings, updated
from vaeviewer.backend.training.history import History
from vaeviewer.ui.curves.curves_panel import CurvesPanel
from vaeviewer.ui.curves.readout_column import ReadoutColumn


def test_in_a_low_panel_the_words_scroll_and_the_plots_do_not(qtbot: QtBot) -> None:
    panel = CurvesPanel()
    qtbot.addWidget(panel)
    settings = updated(Settings(), family="infogan")  # six metrics
    panel.set_settings(settings)
    history = History.empty(settings.family.metrics)
    history.training.append_row(1, 0.1, dict.fromkeys(settings.family.metrics.stored, 1.0))
    panel.update_frame(history)
    panel.resize(990, 150)
    with qtbot.waitExposed(panel):
        panel.show()
    column = panel._body.findChild(ReadoutColumn)
    bar = column.verticalScrollBar()
    qtbot.waitUntil(lambda: bar.isVisible() and panel._readout.width() >= panel._readout.sizeHint().width())
    assert panel.minimumSizeHint().height() < 150
    for plot in panel._plots:
        assert plot.mapTo(panel, plot.rect().bottomRight()).y() < panel.height()
    last = panel._body.findChild(QCheckBox, "logAxis")
    bar.setValue(bar.maximum())
    assert column.viewport().rect().contains(last.mapTo(column.viewport(), last.rect().center()))
    titles = list(panel._plots.values())
    for title in titles:
        shortest = (title._text, *title._shorter)[-1]
        assert title.fontMetrics().horizontalAdvance(shortest) <= title.width(), shortest
    assert [title._shorter[-1] for title in titles] == ["Nearest", "Players", "Gradient", "Information"]

    panel.resize(990, panel.sizeHint().height())
    qtbot.waitUntil(lambda: not bar.isVisible())
    assert column.width() == panel._readout.width()
