"""What can be found out of a whole window: its stops for the keys, its shortcuts, and texts without room."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from PySide6.QtCore import Qt
from PySide6.QtGui import QAction, QKeySequence, QShortcut
from PySide6.QtWidgets import QAbstractButton, QLabel, QMenu, QWidget

from vaeviewer.ui.widgets.labels import ElidedLabel, LiveLabel, NumberLabel
from vaeviewer.ui.window.main_window import MainWindow


def places(window: MainWindow) -> Iterator[QWidget]:
    """Everything in the window that can have the focus, with the focus."""
    for widget in [window.plane, *window.findChildren(QWidget)]:
        if (
            widget.isVisibleTo(window)
            and widget.isEnabled()
            and widget.focusPolicy() & Qt.FocusPolicy.TabFocus
        ):
            widget.setFocus()
            if widget.hasFocus():
                yield widget


def reachable(window: MainWindow, focus: QWidget) -> Counter[str]:
    """What may be pressed with the focus in ``focus``, and how many answer to it."""
    here = Qt.ShortcutContext
    pressed: Counter[str] = Counter()

    def count(key: QKeySequence, owner: QWidget, context: Qt.ShortcutContext) -> None:
        near = {
            here.WidgetShortcut: owner is focus,
            here.WidgetWithChildrenShortcut: owner is focus or owner.isAncestorOf(focus),
        }
        if not key.isEmpty() and owner.isVisible() and near.get(context, True):
            pressed[key.toString(QKeySequence.SequenceFormat.PortableText)] += 1

    for action in window.findChildren(QAction):
        owners = [o for o in action.associatedObjects() if isinstance(o, QWidget)]
        menus = {o for o in owners if isinstance(o, QMenu)}
        if action.isEnabled() and action.isVisible() and owners:
            owner = window if menus else owners[0]
            for key in action.shortcuts():
                count(key, owner, action.shortcutContext())
    for shortcut in window.findChildren(QShortcut):
        if shortcut.isEnabled():
            for key in shortcut.keys():  # noqa: SIM118
                count(key, shortcut.parent(), shortcut.context())
    for title in window.menuBar().actions():
        count(QKeySequence.mnemonic(title.text()), window.menuBar(), here.WindowShortcut)
    for widget in (*window.findChildren(QAbstractButton), *window.findChildren(QLabel)):
        if widget.isEnabled() and (isinstance(widget, QAbstractButton) or widget.buddy() is not None):
            count(QKeySequence.mnemonic(widget.text()), widget, here.WindowShortcut)
    return pressed


def cut_short(window: MainWindow) -> list[str]:
    """Texts with less room than they need; those that are made to end in "…" say so themselves."""
    cut = []
    for widget in window.findChildren(QWidget):
        if widget.visibleRegion().isEmpty() or isinstance(widget, ElidedLabel):
            continue
        if isinstance(widget, LiveLabel):
            if widget.is_cut and not widget._shrinks:
                cut.append(widget.objectName())
        elif isinstance(widget, NumberLabel):
            text = widget.fontMetrics().size(0, widget.text())
            if widget.width() < text.width() or widget.height() < text.height():
                cut.append(widget.text())
        elif isinstance(widget, (QLabel, QAbstractButton)) and widget.text():
            least = widget.minimumSizeHint()
            if isinstance(widget, QLabel) and widget.wordWrap():
                least.setHeight(widget.heightForWidth(widget.width()))
            if widget.width() < least.width() or widget.height() < least.height():
                cut.append(f"{widget.objectName()} {widget.text()} {widget.size()} {least}")
    return cut
