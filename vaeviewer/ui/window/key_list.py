"""The window of all keys and mouse actions (F1). What the menus have comes from the menus, so that it is complete."""

from __future__ import annotations

from html import escape

from PySide6.QtCore import QObject, QSize, Qt
from PySide6.QtGui import QAction, QKeySequence, QShortcut
from PySide6.QtWidgets import QDialog, QMainWindow, QTextBrowser, QVBoxLayout, QWidget

from vaeviewer.ui.window.text_size import text_scale

Rows = list[tuple[str, str]]
"""Keys, and what they do."""

_PLANE: Rows = [
    ("Press or drag, left button", "Move the handle there, and decode its z"),
    ("Click a point", "Select its image"),
    ("Wheel, + and −", "Zoom"),
    ("Drag, middle or right button", "Move the view"),
    ("Arrow keys", "Move the handle by 0.05, with Shift by 0.5; in the manifold, too"),
    ("H", "Bring the handle into the middle of the view"),
    (
        "M",
        "Mark where the handle is, or once more remove that; it can be dragged, Geometry shows ways between both",
    ),
    ("Click the arrow at the edge", "Go to the handle, which is out of view there"),
    ("Enter", "Select the image nearest to the handle"),
    ("N, P", "Select the next image outwards from there, the one before"),
    ("Home", "Show all points again, as F does"),
    ("Escape", "Select nothing"),
    (
        "0, 1, 2, 3, 4, 5, 6, 7, 8, 9",
        "Decode that class, with a model that sees classes; anywhere in the window",
    ),
    ("C, Shift+C", "The next class, the one before"),
]
_CLASSES: Rows = [
    ("Click, or Space", "Hide the class or group, or show it again"),
    ("Double-click, or Shift+Enter", "Show these alone, or all again"),
    ("Up, Down", "Go to another class"),
    ("Left, Right", "Fold a group, unfold it"),
]
_TRAVERSAL: Rows = [
    ("Mouse over an image, arrow keys", "Move z there for as long"),
    ("Click, or Enter", "Keep it"),
    ("Escape", "Go back to where z was"),
]
_DIMENSIONS: Rows = [
    ("Click, or Enter", "Show this number of z along the horizontal axis"),
    ("Shift+Click, Shift+Enter", "Show it along the vertical axis"),
    ("Up, Down", "Go to another one"),
]
_LEDGER: Rows = [
    ("Click, or Up, Down", "Select an image, and go there in the plane"),
    ("Click a title, or Enter", "Sort by that column, or turn the order round"),
    ("Ctrl+C", "Copy the rows selected"),
    ("F5", "Compute the numbers of the model as it is now"),
]
_STRIPS: Rows = [
    ("Click, or Left, Right and Enter", "Select that image in the plane"),
]
_CURVES: Rows = [
    ("Wheel, drag", "Zoom, move the view"),
    ("Double-click, or F", "Show everything again"),
    ("Mouse over them", "Read the values there"),
]
_ELSEWHERE: Rows = [
    ("Tab, Shift+Tab", "Go to the next field or panel, to the one before"),
    ("Enter in a field", "Take the value, and go back to the plane"),
    ("Escape in a field", "Keep the value there was, and go back to the plane"),
    ("Escape", "Close the message; in full screen, leave it"),
    ("Alt and an underlined letter", "Open that menu, or press that button"),
]


def key_rows(window: QMainWindow) -> dict[str, Rows]:
    """All keys and mouse actions by the heading they stand under: first those of the menus."""
    rows: dict[str, Rows] = {"Anywhere": [(_keys(s.keys()), s.whatsThis()) for s in _named_shortcuts(window)]}
    for top in window.menuBar().actions():
        menu: QObject | None = top.menu()
        if isinstance(menu, QWidget):
            found = [(_keys(a.shortcuts()), _plain(a)) for a in menu.actions() if a.shortcuts()]
            rows.setdefault("Anywhere", []).extend(found)
    panels = {
        "In the plane": _PLANE,
        "In its list of classes": _CLASSES,
        "In the traversal": _TRAVERSAL,
        "In the dimensions": _DIMENSIONS,
        "In the ledger": _LEDGER,
        "In a row of images": _STRIPS,
        "In the curves": _CURVES,
    }
    return {**rows, **panels, "Fields and messages": _ELSEWHERE}


class KeyList(QDialog):
    """Lists what :func:`key_rows` finds; stops nothing, and deletes itself when closed, as by Escape.

    Args:
        window: Whose keys they are.
    """

    def __init__(self, window: QMainWindow) -> None:
        super().__init__(window)
        self.setObjectName("keyList")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle("Keyboard and mouse")
        self.setModal(False)
        self.text = QTextBrowser()
        self.text.setAccessibleName("Keyboard and mouse")
        self.text.setHtml(_html(key_rows(window)))
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.text)
        room = window.screen().availableSize() * 0.9
        self.resize((QSize(620, 720) * text_scale()).boundedTo(room))


def show_key_list(window: QMainWindow) -> None:
    """Show the list, the same one where it is open already."""
    shown = window.findChild(KeyList) or KeyList(window)
    shown.show()
    shown.raise_()
    shown.activateWindow()


def _named_shortcuts(window: QMainWindow) -> list[QShortcut]:
    return [shortcut for shortcut in window.findChildren(QShortcut) if shortcut.whatsThis()]


def _keys(sequences: list[QKeySequence]) -> str:
    texts = (s.toString(QKeySequence.SequenceFormat.NativeText) for s in sequences)
    return " or ".join(f"{text[:-1]}−" if text.endswith("-") else text for text in texts)


def _plain(action: QAction) -> str:
    return action.text().replace("&", "").rstrip("…")


def _html(sections: dict[str, Rows]) -> str:
    parts = []
    for title, rows in sections.items():
        lines = "".join(
            f"<tr><td width='36%'><b>{escape(keys)}</b></td><td>{escape(what)}</td></tr>"
            for keys, what in rows
        )
        parts.append(f"<h3>{escape(title)}</h3><table cellpadding='2' width='100%'>{lines}</table>")
    return "".join(parts)
