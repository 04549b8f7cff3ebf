"""What keys do on the plane while it has the focus: they move the handle and the range, and select images."""

from __future__ import annotations

from PySide6.QtCore import QObject, Qt, Signal
from PySide6.QtGui import QKeyEvent

from vaeviewer.ui.plane.latent_walk import Way
from vaeviewer.ui.window.focus_keys import handle_step, is_command

_FIT = (Qt.Key.Key_F, Qt.Key.Key_Home)
_ZOOM_IN = (Qt.Key.Key_Plus, Qt.Key.Key_Equal)
_ZOOM_OUT = Qt.Key.Key_Minus
_ZOOM = 1.2
_BRING = Qt.Key.Key_H
_MARK = Qt.Key.Key_M
_WAYS: dict[int, Way] = {
    Qt.Key.Key_Return: "nearest",
    Qt.Key.Key_Enter: "nearest",
    Qt.Key.Key_N: "next",
    Qt.Key.Key_P: "previous",
}
OWN_KEYS = (*_WAYS, _BRING, _MARK, *_FIT, *_ZOOM_IN, _ZOOM_OUT)
"""Those that are the plane's own while it has the focus, not the window's shortcuts; the arrow keys are, too."""


class PlaneKeys(QObject):
    """Arrows and H move the handle, F and Home fit, plus and minus zoom, Enter, N and P select, Escape does not.

    M marks the place of the handle.
    """

    stepped = Signal(float, float)
    """Move the handle by this much, units of z."""
    brought = Signal()
    """Bring the handle into the middle of what is visible."""
    marked = Signal()
    """Mark where the handle is, as the second handle."""
    fitted = Signal()
    zoomed = Signal(float)
    """Zoom in by this factor; out where below 1."""
    walked = Signal(str)
    """Select the image that lies this :data:`Way`."""
    cleared = Signal()
    """Select none."""

    def owns(self, event: QKeyEvent) -> bool:
        """Whether the plane takes a key before the window's shortcuts do."""
        return not is_command(event) and (event.key() in OWN_KEYS or handle_step(event) is not None)

    def press(self, event: QKeyEvent) -> bool:
        """Do what a key stands for; whether it stands for anything."""
        key = event.key()  # a plain number: not every key of every keyboard has a name
        step = handle_step(event)
        if is_command(event):
            return False
        if step is not None:
            self.stepped.emit(*step)
        elif key in _FIT:
            self.fitted.emit()
        elif key in _ZOOM_IN:
            self.zoomed.emit(_ZOOM)
        elif key == _ZOOM_OUT:
            self.zoomed.emit(1 / _ZOOM)
        elif key == _BRING:
            self.brought.emit()
        elif key == _MARK:
            self.marked.emit()
        elif key in _WAYS:
            self.walked.emit(_WAYS[key])
        elif key == Qt.Key.Key_Escape:
            self.cleared.emit()
        else:
            return False
        return True
