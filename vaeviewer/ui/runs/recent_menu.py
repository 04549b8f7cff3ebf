"""The menu of recent runs."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import Qt
from PySide6.QtGui import QAction, QFontMetrics
from PySide6.QtWidgets import QMenu

from vaeviewer.backend.runs.listing import RunSummary
from vaeviewer.backend.training.findings import within_sentence
from vaeviewer.counts import counted
from vaeviewer.session.session import Session
from vaeviewer.ui.curves.value_axis import number_label
from vaeviewer.ui.runs.recent_runs import RecentRuns
from vaeviewer.ui.widgets.plain_text import menu_text, plain_tip

MOST_SHOWN = 10
TEXT_WIDTH = 220
"""Of a run's name, and of the name of its data, pixels; what is longer is shortened."""


class RecentMenu(QMenu):
    """The newest runs with their data, kind of model, step and figure of held-out images; a click opens one.

    Args:
        parent: The menu it is part of; whenever that opens, the runs are read anew in the background.
        recent: The runs.
        session: What opens them.
    """

    def __init__(self, parent: QMenu, recent: RecentRuns, session: Session) -> None:
        super().__init__("Open &recent", parent)
        self._session = session
        self._shown: list[tuple[RunSummary, Path | None]] | None = None
        self.setToolTipsVisible(True)
        self.setObjectName("recentRuns")
        self.show_runs(recent.runs)
        recent.listed.connect(self.show_runs)
        parent.aboutToShow.connect(lambda: recent.refresh(MOST_SHOWN))

    def show_runs(self, runs: tuple[RunSummary, ...]) -> None:
        """Show the newest of ``runs``, which come newest first."""
        shown = [(run, self._session.folder) for run in runs[:MOST_SHOWN]]
        if shown == self._shown:
            return  # it may be open under the cursor
        self._shown = shown
        self.clear()
        for run, _ in shown:
            self.addAction(self._entry(run))
        if not shown:
            self.addAction("No runs yet").setEnabled(False)

    def _entry(self, run: RunSummary) -> QAction:
        here = run.folder == self._session.folder
        metrics, elide = QFontMetrics(self.font()), Qt.TextElideMode
        facts = [
            metrics.elidedText(run.name, elide.ElideMiddle, TEXT_WIDTH),
            metrics.elidedText(run.data, elide.ElideRight, TEXT_WIDTH),
            run.kind,
            f"step {run.step:,}",
        ]
        if run.held_out is not None:
            facts.append(f"held-out {within_sentence(run.headline.title)} {number_label(run.held_out, 1)}")
        tip = str(run.folder)
        if run.latent_dim != 2:
            facts.append(counted(run.latent_dim, "latent dimension"))
        if here:
            facts.append("open here")
        elif run.in_use:
            facts.append("open elsewhere")
            tip += "\nIt is open in another window or command; here it opens read-only."
        elif run.interrupted:
            facts.append("interrupted")
            tip += "\nIt did not end cleanly; what was saved last opens."
        entry = QAction(menu_text(" · ".join(filter(None, facts))), self)
        entry.setToolTip(plain_tip(tip))
        entry.setEnabled(not here)
        entry.triggered.connect(lambda _checked=False: self._session.open_run(run.folder))
        return entry
