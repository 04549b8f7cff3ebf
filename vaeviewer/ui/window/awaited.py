"""What stands for a panel that most people never open: the window starts without it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import QVBoxLayout, QWidget

from vaeviewer.ui.panel import Frame, Host, Panel


class Awaited(QWidget):
    """Makes the panel when its dock first comes to the front, and from then on holds it.

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
        self._wanted = False
        self._layout = QVBoxLayout(self)
        self._layout.setContentsMargins(0, 0, 0, 0)

    def set_in_front(self, in_front: bool) -> None:
        """Its dock came to the front, or went: behind another one's tab Qt counts a widget as visible all the same."""
        self._wanted = in_front
        self._settle()

    def showEvent(self, event: QShowEvent) -> None:
        """The family has what the panel needs, again."""
        super().showEvent(event)
        self._settle()

    def _settle(self) -> None:
        if not self._wanted or self.isHidden():
            if self.made is not None:
                self.made.hide()
            return
        if self.made is None:
            self.made = self._panel.make(self._host)
            policy = self.made.sizePolicy()
            policy.setRetainSizeWhenHidden(True)
            self.made.setSizePolicy(policy)
            self.made.windowTitleChanged.connect(self.setWindowTitle)
            self._layout.addWidget(self.made)
        self.made.show()
        self._panel.update_frame(self.made, self._host.frame())  # while it was hidden none came

    @property
    def in_front(self) -> bool:
        """Whether somebody sees the panel."""
        return self.made is not None and self.made.isVisible()

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
