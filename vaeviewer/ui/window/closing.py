"""Closing the window: at once where the run is on disk or can be saved, and else only when the user has decided."""

from __future__ import annotations

from PySide6.QtCore import QObject
from PySide6.QtWidgets import QMainWindow

from vaeviewer.session.messages import Saved
from vaeviewer.session.session import Session
from vaeviewer.ui.runs.run_status import RunStatus, cause
from vaeviewer.ui.window.message_bar import MessageBar
from vaeviewer.ui.window.messages import Answer, Kind, nothing

KEY = "closing"


class Closing(QObject):
    """Keeps a window open as long as closing it would lose steps that nobody has given up.

    Args:
        window: The window; this becomes its child.
        session: Whose run is to be saved.
        message: Where it is said why the window stays.
        status: What asks for another folder.
    """

    def __init__(self, window: QMainWindow, session: Session, message: MessageBar, status: RunStatus) -> None:
        super().__init__(window)
        self._window = window
        self._session = session
        self._message = message
        self._status = status
        self._waiting = False
        self._anyway = False
        session.left.connect(self._on_left)
        session.saved.connect(self._on_saved)

    def may_close(self) -> bool:
        """Save the run; returns whether the window may close. If not, a message says why, or that it will soon."""
        if self._anyway:
            return True
        unsaved = self._session.unsaved_steps
        problem = self._session.leave()
        self._waiting = problem is None and unsaved > 0
        if self._waiting:
            self._say(
                "The window closes as soon as the run is saved…",
                [("Close without &saving", self.close_anyway)],
            )
        elif problem:
            self._say_problem(problem)
        return not self._waiting and not problem

    def close_anyway(self) -> None:
        """Close now, whatever is lost."""
        self._anyway = True
        self._window.close()

    def _on_left(self, problem: str) -> None:
        if not self._waiting:
            return
        self._waiting = False
        if problem:
            self._say_problem(problem)
        else:
            self._window.close()

    def _on_saved(self, _saved: Saved) -> None:
        if not self._waiting:
            self._message.take_back(KEY)

    def _say_problem(self, problem: str) -> None:
        steps = self._session.unsaved_steps
        lost = (
            "its last step" if steps == 1 else f"its last {steps:,} steps" if steps else "its newest changes"
        )
        self._say(
            f"The run is not saved: {cause(problem, self._session.folder)}. Closing now would lose {lost}.",
            [
                ("Save &elsewhere…", self._status.elsewhere_wanted.emit),
                ("Close without &saving", self.close_anyway),
            ],
        )

    def _say(self, sentence: str, answers: list[Answer]) -> None:
        self._message.show_message(sentence, answers, key=KEY, kind=Kind.CLOSING, closing=("Sta&y", nothing))
