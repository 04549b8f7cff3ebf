"""Where the docks lie around the plane: at first, as the window grows, and as the user left them."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from PySide6.QtCore import QByteArray, QCoreApplication, QEvent, QObject, QPointF, QSettings, Qt
from PySide6.QtGui import QAction, QMouseEvent
from PySide6.QtWidgets import QDockWidget, QMainWindow, QTabBar, QWidget

from vaeviewer.backend.config import Settings
from vaeviewer.ui.panel import Panel, Place
from vaeviewer.ui.widgets.scrolled import Scrolled
from vaeviewer.ui.window.awaited import Awaited
from vaeviewer.ui.window.panel_help import DockHelp
from vaeviewer.ui.window.text_size import text_scale

VERSION = 1
"""Of the arrangement; one that another version saved is not restored."""

_GEOMETRY, _STATE, _BY_HAND = "window/geometry", "window/state", "window/docks_by_hand"
_CHECKSUM = "window/checksum"

TITLE_HEIGHT = 24
"""Of a floating dock, pixels: what must be on a screen for the mouse to take it."""

log = logging.getLogger(__name__)

_Area = Qt.DockWidgetArea
_FEATURES = (
    QDockWidget.DockWidgetFeature.DockWidgetClosable
    | QDockWidget.DockWidgetFeature.DockWidgetMovable
    | QDockWidget.DockWidgetFeature.DockWidgetFloatable
)


class DockLayout:
    """The docks of a window and their arrangement.

    Args:
        window: Whose docks they are; they are made and placed at once.
        panels: What they hold, with its widget. Those on the left lie behind each other as tabs, the first one in
            front; those on the right one below the other; those at the bottom, beside each other, reach from corner
            to corner but for the right side. What lies in the centre has no dock. Those ``behind`` another one are
            tabs there.

    Attributes:
        docks: All of them: left, right, bottom, then those behind others.
        by_hand: Whether the user has dragged one of their edges; from then on :meth:`fit` leaves them alone.
    """

    def __init__(self, window: QMainWindow, panels: Sequence[tuple[Panel[Any], QWidget]]) -> None:
        self._window = window
        self.by_hand = False
        self._hall: tuple[QDockWidget, QDockWidget] | None = None
        self._before_hall = self._present()
        self._areas: dict[str, Scrolled] = {}
        window.setDockNestingEnabled(True)
        window.setTabPosition(_Area.AllDockWidgetAreas, window.tabPosition(_Area.TopDockWidgetArea))
        window.setCorner(Qt.Corner.BottomLeftCorner, _Area.BottomDockWidgetArea)
        window.setCorner(Qt.Corner.BottomRightCorner, _Area.RightDockWidgetArea)
        places: tuple[Place, ...] = ("left", "right", "bottom")
        self._left, self._right, self._bottom = (
            [
                self._dock(panel, widget)
                for panel, widget in panels
                if panel.place == place and not panel.behind
            ]
            for place in places
        )
        self._behind = [
            (panel, self._dock(panel, widget), self._of_key(panel.behind))
            for panel, widget in panels
            if panel.behind
        ]
        self._settings = Settings()
        self.docks = [*self._left, *self._right, *self._bottom, *(dock for _, dock, _ in self._behind)]
        self._arrange()

    def say(self, sentences: Mapping[str, str]) -> None:
        """Show a sentence in the place of each panel that has one, by its key; the panel where that is empty."""
        for key, area in self._areas.items():
            area.say(sentences.get(key, ""))

    def show_for(self, settings: Settings) -> None:
        """Another kind of model, or other latent dimensions: panels come that are of use there, and others go."""
        before, self._settings = self._settings, settings
        for panel, dock, _ in self._behind:
            fits = panel.fits(settings)
            if fits != panel.fits(before):
                dock.setVisible(fits)

    def reset(self) -> None:
        """Put every dock back where it was at first."""
        self._end_drags()
        self._remove()
        self._arrange()
        for dock in self.docks:
            dock.setFloating(False)
        self._show_all()
        self.by_hand = False
        self.fit()

    def raise_floating(self) -> None:
        """Bring floating docks above the window, which came on screen after them and covers them."""
        for dock in self.docks:
            if dock.isFloating() and dock.isVisible():
                dock.raise_()

    def fit(self) -> None:
        """Give each dock its share of the window, unless somebody arranges them."""
        window, nowhere = self._window, Qt.DockWidgetArea.NoDockWidgetArea
        if self._hall is not None:
            right, bottom = self._hall
            if nowhere in map(window.dockWidgetArea, self._hall):
                return
            window.resizeDocks([right], [round(0.3 * window.width())], Qt.Orientation.Horizontal)
            # As high as large text needs, unless the plane would be left with less than half.
            panel = bottom.widget()
            assert isinstance(panel, Scrolled), "as every dock's is"
            wanted = panel.whole_height() + max(0, bottom.height() - panel.height())
            height = max(round(0.27 * window.height()), min(wanted, round(0.4 * window.height())))
            window.resizeDocks([bottom], [height], Qt.Orientation.Vertical)
            return
        if self.by_hand or any(dock.isFloating() for dock in self.docks):
            return
        if any(window.dockWidgetArea(dock) == nowhere for dock in (*self._left, *self._right, *self._bottom)):
            return  # the window is resized in the middle of another arrangement
        side = max(250, min(460, round(window.width() * 0.22)))
        # Wider where large text needs that, unless the plane would be left with less than half.
        sides = [max(side, min(_needed(docks), window.width() // 4)) for docks in (self._left, self._right)]
        window.resizeDocks([self._left[0], self._right[0]], sides, Qt.Orientation.Horizontal)
        share = window.height() * 0.22
        height = round(max(share, 175, min(175 * text_scale(), window.height() * 0.3)))
        window.resizeDocks([self._bottom[0]], [height + self._tabs_height()], Qt.Orientation.Vertical)
        # Their captions differ in height; so shared, both pictures come out about as large.
        heights = [sides[1] + 70, *[sides[1] + 64] * (len(self._right) - 1)]
        window.resizeDocks(self._right, heights, Qt.Orientation.Vertical)

    def _tabs_height(self) -> int:
        """Of the tabs at the bottom, where another panel lies behind the first one, pixels."""
        bottom = self._bottom[0]
        behind = self._window.tabifiedDockWidgets(bottom)
        if bottom.isHidden() or all(dock.isHidden() for dock in behind):
            return 0
        bars = self._window.findChildren(QTabBar, options=Qt.FindChildOption.FindDirectChildrenOnly)
        return max((bar.sizeHint().height() for bar in bars), default=0)

    def enter_hall(self) -> None:
        """Show nothing but the first dock of the right side and of the bottom, until :meth:`leave_hall`."""
        self._end_drags()
        self._before_hall = self._present()
        self._hall = right, bottom = self._right[0], self._bottom[0]
        self._remove()
        # From side to side: large numbers and curves beside each other need it on a small screen.
        self._window.setCorner(Qt.Corner.BottomRightCorner, _Area.BottomDockWidgetArea)
        for dock, area in ((right, _Area.RightDockWidgetArea), (bottom, _Area.BottomDockWidgetArea)):
            self._window.addDockWidget(area, dock)
            dock.setFloating(False)
            dock.setFeatures(QDockWidget.DockWidgetFeature.NoDockWidgetFeatures)
            dock.show()
        self.fit()

    def leave_hall(self) -> None:
        """Put every dock back where it was; again, if the window was not back to its size the first time."""
        self._end_drags()
        _, state, self.by_hand = self._before_hall
        for dock in self._hall or ():
            dock.setFeatures(_FEATURES)
        self._hall = None
        self._window.setCorner(Qt.Corner.BottomRightCorner, _Area.RightDockWidgetArea)
        self._remove()
        self._window.restoreState(state, VERSION)
        self.fit()

    def _end_drags(self) -> None:
        """Let go of a dock in the mouse's hand: Qt crashes where one is arranged meanwhile."""
        for dock in self.docks:
            at = QPointF(0, 0)
            left, none = Qt.MouseButton.LeftButton, Qt.MouseButton.NoButton
            release = QMouseEvent(
                QEvent.Type.MouseButtonRelease, at, at, left, none, Qt.KeyboardModifier.NoModifier
            )
            QCoreApplication.sendEvent(dock, release)

    def save(self, store: QSettings) -> None:
        """Remember the window's place and the arrangement, with a checksum over both."""
        geometry, state, by_hand = self._before_hall if self._hall is not None else self._present()
        values = {
            _GEOMETRY: _text(geometry),
            _STATE: _text(state),
            _BY_HAND: str(by_hand).lower(),
        }
        for key, value in values.items():
            store.setValue(key, value)
        store.setValue(_CHECKSUM, _checksum(values))

    def restore(self, store: QSettings) -> None:
        """Go back to what is remembered. What was damaged or cannot be restored is left, and logged.

        Qt may crash at a damaged arrangement, so it is given only what passes its checksum.
        """
        values = {key: str(store.value(key, "")) for key in (_GEOMETRY, _STATE, _BY_HAND)}
        if not any(values.values()):
            return
        if store.value(_CHECKSUM) != _checksum(values):
            log.warning(
                "the layout remembered is damaged, or another version's; the window begins with its own"
            )
            return
        if not self._window.restoreGeometry(_bytes(values[_GEOMETRY])):
            log.warning("the window's place could not be restored")
        self._remove()
        if self._window.restoreState(_bytes(values[_STATE]), VERSION):
            self.by_hand = values[_BY_HAND] == "true"
            self._place_new()
        else:
            log.warning("the arrangement of the panels could not be restored")
            self._arrange()
            self._show_all()
        self._bring_on_screen()

    def _present(self) -> tuple[QByteArray, QByteArray, bool]:
        """The window's place, its arrangement, and whether that was made by hand."""
        return self._window.saveGeometry(), self._window.saveState(VERSION), self.by_hand

    def _dock(self, panel: Panel[Any], widget: QWidget) -> QDockWidget:
        dock = QDockWidget(panel.title, self._window)
        dock.setObjectName(dock_name(panel))
        dock.setProperty("panel", panel.key)
        self._areas[panel.key] = Scrolled(widget)
        dock.setWidget(self._areas[panel.key])
        if panel.explanation is not None:
            DockHelp(panel.title, panel.explanation, dock)
        widget.windowTitleChanged.connect(dock.setWindowTitle)  # of a panel that shows one thing or another
        if isinstance(widget, Awaited):
            dock.visibilityChanged.connect(widget.set_in_front)
        dock.setProperty("onDemand", panel.on_demand)
        _ToTheFront(dock)
        dock.visibilityChanged.connect(self._write_titles)
        dock.toggleViewAction().triggered.connect(lambda _: self.fit())  # there may be tabs now
        entry = dock.toggleViewAction()
        mark = partial(_mark_letter, entry, panel)
        mark(panel.title)
        dock.windowTitleChanged.connect(mark)  # upon which Qt writes the title itself there
        return dock

    def _write_titles(self) -> None:
        """In full in all tabs: arrows reach those that there is no room for, where Qt would leave "D…"."""
        here = Qt.FindChildOption.FindDirectChildrenOnly
        for bar in self._window.findChildren(QTabBar, options=here):
            if bar.elideMode() != Qt.TextElideMode.ElideNone:
                bar.setElideMode(Qt.TextElideMode.ElideNone)

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
        for entry in self._behind:
            self._put_behind(*entry)

    def _put_behind(self, panel: Panel[Any], dock: QDockWidget, front: QDockWidget) -> None:
        dock.setVisible(panel.fits(self._settings))  # first: one hidden later leaves a tab bar behind
        if self._window.dockWidgetArea(front) == _Area.NoDockWidgetArea or front.isFloating():
            self._window.addDockWidget(_Area.RightDockWidgetArea, dock)
        else:
            self._window.tabifyDockWidget(front, dock)
            front.raise_()

    def _show_all(self) -> None:
        """All of those that are of use for the model there is."""
        for dock in (*self._left, *self._right, *self._bottom):
            dock.show()
        for panel, dock, _ in self._behind:
            dock.setVisible(panel.fits(self._settings))

    def _of_key(self, key: str) -> QDockWidget:
        return next(
            dock for dock in (*self._left, *self._right, *self._bottom) if dock.property("panel") == key
        )

    def _place_new(self) -> None:
        """Panels that there were not yet when the arrangement was saved come to where they lie at first."""
        areas = ((self._left, _Area.LeftDockWidgetArea), (self._right, _Area.RightDockWidgetArea))
        for docks, area in (*areas, (self._bottom, _Area.BottomDockWidgetArea)):
            for dock in docks:
                if self._window.dockWidgetArea(dock) == _Area.NoDockWidgetArea:
                    self._window.addDockWidget(area, dock)
                    dock.show()
        for panel, dock, front in self._behind:
            if self._window.dockWidgetArea(dock) == _Area.NoDockWidgetArea:
                self._put_behind(panel, dock, front)

    def _bring_on_screen(self) -> None:
        """A floating dock on a screen that is gone, or too small now, comes to where the window is."""
        room = self._window.screen().availableGeometry()
        for dock in self.docks:
            title = dock.frameGeometry()
            title.setHeight(TITLE_HEIGHT)
            screens = (screen.availableGeometry() for screen in self._window.screen().virtualSiblings())
            if dock.isFloating() and not any(screen.contains(title.center()) for screen in screens):
                dock.resize(dock.size().boundedTo(room.size() * 0.8))
                dock.move(room.center() - dock.rect().center())

    def _remove(self) -> None:
        """Before another arrangement: over the one there is, Qt would leave its tab bars behind."""
        for dock in self.docks:
            self._window.removeDockWidget(dock)
        layout = self._window.layout()
        assert layout is not None, "a main window has one from the first"
        layout.activate()


class _ToTheFront(QObject):
    """Brings a dock to the front where its menu entry is chosen, also one that lies behind another's tab.

    Qt would close that, whose entry is checked: somebody who wants to see it had to choose it twice.

    Args:
        dock: The dock, which becomes the parent.
    """

    def __init__(self, dock: QDockWidget) -> None:
        super().__init__(dock)
        self._dock, self._in_front = dock, False
        dock.installEventFilter(self)
        dock.visibilityChanged.connect(self._remember)
        dock.toggleViewAction().triggered.connect(self._raise)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Refuse to close what nobody sees: its own button cannot have been pressed."""
        if event.type() != QEvent.Type.Close:
            return False  # asked nothing: it may be a dock that is being taken apart
        # Of a floating one Qt does not always say that it is visible.
        if self._in_front or self._dock.isFloating() or self._dock.isHidden():
            return False
        event.ignore()
        return True

    def _remember(self, in_front: bool) -> None:
        self._in_front = in_front

    def _raise(self) -> None:
        self._dock.toggleViewAction().setChecked(not self._dock.isHidden())
        if not self._dock.isHidden():
            self._dock.raise_()


def _needed(docks: Sequence[QDockWidget]) -> int:
    """The width from which on no panel scrolls sideways, pixels."""
    panels = (dock.widget() for dock in docks)
    return max(panel.whole_width() for panel in panels if isinstance(panel, Scrolled))


def dock_name(panel: Panel[Any]) -> str:
    """The name under which Qt remembers where a panel's dock lies."""
    return panel.title.lower().replace(" ", "-") + "-dock"


def _mark_letter(entry: QAction, panel: Panel[Any], title: str) -> None:
    entry.setText(panel.menu_text(title))


def forget(store: QSettings) -> None:
    """Forget what :meth:`DockLayout.save` remembered."""
    for key in (_GEOMETRY, _STATE, _BY_HAND, _CHECKSUM):
        store.remove(key)


def _text(data: QByteArray) -> str:
    return bytes(data.data()).hex()


def _bytes(text: str) -> QByteArray:
    return QByteArray(bytes.fromhex(text))


def _checksum(values: Mapping[str, str]) -> str:
    lines = [str(VERSION), *(f"{key}={values[key]}" for key in sorted(values))]
    return hashlib.sha256("\n".join(lines).encode(errors="replace")).hexdigest()
