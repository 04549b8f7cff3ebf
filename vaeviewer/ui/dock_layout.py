"""Where the docks lie around the plane: at first, as the window grows, and as the user left them."""

from __future__ import annotations

from collections.abc import Mapping

from PySide6.QtCore import QByteArray, QSettings, Qt
from PySide6.QtWidgets import QDockWidget, QMainWindow, QWidget

VERSION = 1
"""Of the arrangement; one that another version saved is not restored."""

_STATE, _BY_HAND = "window/state", "window/docks_by_hand"

_Area = Qt.DockWidgetArea


class DockLayout:
    """The docks of a window and their arrangement.

    Args:
        window: Whose docks they are; they are made and placed at once.
        left: Panels by title, behind each other as tabs, the first one in front.
        right: Panels by title, one below the other.
        bottom: Panels by title, from corner to corner but for the right side.

    Attributes:
        docks: All of them, in the order given.
        by_hand: Whether the user has dragged one of their edges; from then on :meth:`fit` leaves them alone.
    """

    def __init__(
        self,
        window: QMainWindow,
        *,
        left: Mapping[str, QWidget],
        right: Mapping[str, QWidget],
        bottom: Mapping[str, QWidget],
    ) -> None:
        self._window = window
        self.by_hand = False
        window.setDockNestingEnabled(True)
        window.setTabPosition(_Area.AllDockWidgetAreas, window.tabPosition(_Area.TopDockWidgetArea))
        window.setCorner(Qt.Corner.BottomLeftCorner, _Area.BottomDockWidgetArea)
        window.setCorner(Qt.Corner.BottomRightCorner, _Area.RightDockWidgetArea)
        self._left, self._right, self._bottom = (
            [self._dock(title, panel) for title, panel in panels.items()] for panels in (left, right, bottom)
        )
        self.docks = [*self._left, *self._right, *self._bottom]
        self._arrange()

    def reset(self) -> None:
        """Put every dock back where it was at first."""
        self._remove()
        self._arrange()
        for dock in self.docks:
            dock.setFloating(False)
            dock.show()
        self.by_hand = False
        self.fit()

    def fit(self) -> None:
        """Give each dock its share of the window, unless somebody arranges them."""
        if self.by_hand or any(dock.isFloating() for dock in self.docks):
            return
        window = self._window
        side = max(250, min(460, round(window.width() * 0.22)))
        window.resizeDocks([self._left[0], self._right[0]], [side, side], Qt.Orientation.Horizontal)
        height = max(175, round(window.height() * 0.22))
        window.resizeDocks([self._bottom[0]], [height], Qt.Orientation.Vertical)
        # Their captions differ in height; so shared, both pictures come out about as large.
        window.resizeDocks(self._right, [side + 70, side + 64], Qt.Orientation.Vertical)

    def save(self, store: QSettings) -> None:
        """Remember the arrangement."""
        store.setValue(_STATE, self._window.saveState(VERSION))
        store.setValue(_BY_HAND, self.by_hand)

    def restore(self, store: QSettings) -> None:
        """Go back to the arrangement remembered, if there is one and it can be read."""
        state = store.value(_STATE)
        if not isinstance(state, QByteArray):
            return
        self._remove()
        if not self._window.restoreState(state, VERSION):
            self._arrange()
            for dock in self.docks:
                dock.show()
        self.by_hand = store.value(_BY_HAND) in (True, "true")

    def _dock(self, title: str, panel: QWidget) -> QDockWidget:
        dock = QDockWidget(title, self._window)
        dock.setObjectName(title.lower().replace(" ", "-") + "-dock")
        dock.setWidget(panel)
        panel.windowTitleChanged.connect(dock.setWindowTitle)  # of a panel that shows one thing or another
        return dock

    def _arrange(self) -> None:
        window = self._window
        for dock in self._left:
            window.addDockWidget(_Area.LeftDockWidgetArea, dock)
        for behind in self._left[1:]:
            window.tabifyDockWidget(self._left[0], behind)
        self._left[0].raise_()
        for dock in self._right:
            window.addDockWidget(_Area.RightDockWidgetArea, dock)
        for dock in self._bottom:
            window.addDockWidget(_Area.BottomDockWidgetArea, dock)

    def _remove(self) -> None:
        """Before another arrangement: over the one there is, Qt would leave its tab bars behind."""
        for dock in self.docks:
            self._window.removeDockWidget(dock)
        layout = self._window.layout()
        assert layout is not None, "a main window has one from the first"
        layout.activate()
