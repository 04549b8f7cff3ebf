"""Which part of the plane is in view: it follows the points until the user zooms or pans."""

from __future__ import annotations

from PySide6.QtCore import QObject, QTimer, Signal

from vaeviewer.ui.plane.latent_canvas import LatentCanvas
from vaeviewer.ui.plane.latent_geometry import PRIOR_BOX, Box, steady_box

_ROOM = 0.06  # share by which a box that must be seen whole is widened
_STEP_MS = 25
_LIVE_STEP_MS = 120  # while points keep coming, it goes along with them: they are drawn anew for each range
_STEP_SHARE = 0.5  # of the way that is left, at each step


class RangeFollower(QObject):
    """Moves a canvas's visible range after the points: at once to the first ones, smoothly to later ones."""

    following_changed = Signal(bool)
    """Whether the range follows the points."""

    def __init__(self, canvas: LatentCanvas) -> None:
        super().__init__(canvas)
        self._canvas = canvas
        self._following = True
        self._at_once = True  # the next box is jumped to
        self._shown = self._wanted = PRIOR_BOX.grown(_ROOM)
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.timeout.connect(self._step)
        canvas.navigated.connect(lambda: self._set_following(False))
        canvas.handle_released.connect(self._step)
        canvas.show_box(self._shown)

    @property
    def following(self) -> bool:
        """Whether the range follows the points."""
        return self._following

    def fit(self) -> None:
        """Follow from now on, and jump to the next box."""
        self._set_following(True)
        self._at_once = True

    def follow(self, needed: Box | None) -> bool:
        """Bring a box into view, unless the user has chosen the range; ``None`` where there are no points.

        Returns whether another range is wanted than before.
        """
        if not self._following:
            return False
        before = self._wanted
        if self._at_once:
            self._at_once = needed is None
            self._timer.stop()
            self._shown = self._wanted = (needed or PRIOR_BOX).grown(_ROOM)
            self._canvas.show_box(self._shown)
        elif needed is not None:
            self._wanted = steady_box(self._wanted, needed)
            if not self._timer.isActive():
                self._step(_LIVE_STEP_MS)
        return self._wanted != before

    def keep_pace(self) -> None:
        """The points are about to be drawn: if the range is on its way, it goes a step further at the same time."""
        if self._timer.isActive():
            self._step(_LIVE_STEP_MS)

    def _step(self, next_ms: int = _STEP_MS) -> None:
        """Go a part of the way to the range that is wanted, and come back for the rest."""
        if not self._following or self._canvas.dragging or self._shown == self._wanted:
            return  # a range that moves under a held handle would move the handle
        step = self._shown.towards(self._wanted, _STEP_SHARE)
        self._shown = self._wanted if step.close_to(self._wanted) else step
        self._canvas.show_box(self._shown)
        self._timer.start(next_ms)

    def _set_following(self, following: bool) -> None:
        if following != self._following:
            self._following = following
            self._timer.stop()
            self.following_changed.emit(following)
