"""Which runs there are: those in the user's runs folder, and those opened or saved elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from PySide6.QtCore import QObject, QSettings, Signal

from vaeviewer import paths
from vaeviewer.backend.runs.folder import MANIFEST
from vaeviewer.backend.runs.listing import RunSummary, list_runs, summary_of
from vaeviewer.errors import RunFolderError
from vaeviewer.limits import MAX_LISTED_RUNS
from vaeviewer.session.background import Background
from vaeviewer.session.messages import Opened, Saved
from vaeviewer.session.session import Session
from vaeviewer.ui.runs.stored_list import StoredList

MOST_ELSEWHERE = 10
"""Folders remembered outside the runs folder."""


class RecentRuns(QObject):
    """Reads the summaries of runs in the background, and remembers folders outside the runs folder.

    Args:
        session: Whose runs are remembered.
        store: Where.
        parent: The owner, which calls :meth:`close`.

    Attributes:
        runs: What was read last, the newest run first.
        background: The thread that reads.

    Signals:
        listed(tuple[RunSummary, ...]): The runs were read anew.
    """

    listed = Signal(object)

    def __init__(self, session: Session, store: QSettings, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.runs: tuple[RunSummary, ...] = ()
        self.background = Background(self)
        self._elsewhere = StoredList(store, "runs/elsewhere", MOST_ELSEWHERE)
        session.opened.connect(self._on_opened)
        session.saved.connect(self._on_saved)

    def refresh(self, most: int = MAX_LISTED_RUNS) -> None:
        """Read the newest ``most`` runs of the runs folder and those remembered."""
        folder, elsewhere = paths.runs_dir(), self._elsewhere.texts()
        self.background.run(lambda: _read(folder, elsewhere, most), self._on_read)

    def close(self, timeout_s: float) -> bool:
        """End the thread; returns whether it ended in time."""
        return self.background.close(timeout_s)

    def _on_read(self, found: tuple[tuple[RunSummary, ...], list[str]]) -> None:
        self.runs, vanished = found
        self._elsewhere.forget(vanished)
        self.listed.emit(self.runs)

    def _on_opened(self, opened: Opened) -> None:
        if opened.folder is not None:
            self._remember(opened.folder)

    def _on_saved(self, saved: Saved) -> None:
        self._remember(saved.folder)

    def _remember(self, folder: Path) -> None:
        if folder.parent != paths.runs_dir():
            self._elsewhere.add(str(folder))


def _read(runs_dir: Path, elsewhere: Sequence[str], most: int) -> tuple[tuple[RunSummary, ...], list[str]]:
    """The summaries, the newest first, and the folders of ``elsewhere`` that hold no run any more."""
    summaries, vanished = list_runs(runs_dir, most), []
    for folder in map(Path, elsewhere):
        try:
            summaries.append(summary_of(folder))
        except RunFolderError:
            if not (folder / MANIFEST).exists():  # a damaged one may be mended
                vanished.append(str(folder))
    return tuple(sorted(summaries, key=lambda run: run.saved, reverse=True)), vanished
