"""What stands for a panel that most people never open: the window starts without it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import QVBoxLayout, QWidget

from vaeviewer.ui.panel import Frame, Host, Panel


class Awaited(QWidget):
    """Makes the panel when it is first shown, and from then on holds it.

    Args:
        panel: The panel.
        host: What the window offers it.

    Attributes:
        made: Its widget, or ``None`` as long as nobody wanted it.
    """

    def __init__(self, panel: Panel[Any], host: Host) -> None:
        super().__init__()
        self._panel, self._host = panel, host
        self.made: QWidget | None = None
        self._layout = QVBoxLayout(self)
        self._layout.setContentsMargins(0, 0, 0, 0)

    def showEvent(self, event: QShowEvent) -> None:
        """Now it is wanted."""
        super().showEvent(event)
        if self.made is None:
            self.made = self._panel.make(self._host)
            self.made.windowTitleChanged.connect(self.setWindowTitle)
            self._layout.addWidget(self.made)
        self._panel.update_frame(self.made, self._host.frame())  # while it was hidden none came

    def update_frame(self, frame: Frame) -> None:
        """Draw a frame, if there is anything to draw it."""
        if self.made is not None:
            self._panel.update_frame(self.made, frame)

    def follow_handle(self, frame: Frame) -> None:
        """Draw a move of the handle, likewise."""
        if self.made is not None and self._panel.follow_handle is not None:
            self._panel.follow_handle(self.made, frame)


def awaited(panel: Panel[Any], host: Host) -> tuple[Panel[Any], QWidget]:
    """The panel as the window holds it, which draws nothing until it is wanted, and the widget in its place."""
    follow = Awaited.follow_handle if panel.follow_handle is not None else None
    return replace(panel, update_frame=Awaited.update_frame, follow_handle=follow), Awaited(panel, host)
