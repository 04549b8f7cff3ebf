"""Says above the plane that training makes no sense any more, with one press back to where it did."""

from __future__ import annotations

from PySide6.QtCore import QObject

from vaeviewer.backend.training.health import Finding
from vaeviewer.session.failure_sentences import senseless, way_back
from vaeviewer.session.session import Session
from vaeviewer.ui.window.message_bar import MessageBar
from vaeviewer.ui.window.messages import Kind

KEY = "health"


class HealthNotice(QObject):
    """One message as long as a finding of the session's holds.

    Args:
        session: What finds it, and goes back.
        message: Where it is said; the notice becomes its child.
    """

    def __init__(self, session: Session, message: MessageBar) -> None:
        super().__init__(message)
        self._session = session
        self._message = message
        session.exploding.connect(self._on_exploding)
        session.opened.connect(lambda _opened: message.take_back(KEY))

    def _on_exploding(self, finding: Finding | None) -> None:
        if finding is None:
            self._message.take_back(KEY)
            return
        back = (f"&{way_back(finding)}", lambda: self._session.go_back(finding))
        self._message.show_message(senseless(finding), [back], key=KEY, kind=Kind.QUESTION)
