"""The Data menu: the catalogue, and images of one's own."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from PySide6.QtCore import QObject
from PySide6.QtGui import QAction, QActionGroup, QKeySequence
from PySide6.QtWidgets import QMenu

from vaeviewer.backend.data import CATALOG, ImageDataset
from vaeviewer.session.messages import DATA, PREPARING
from vaeviewer.ui.window.main_window import MainWindow
from vaeviewer.ui.window.messages import Kind

TEXTS = {
    "mnist-10k": "&Bundled digits (MNIST 10k)",
    "mnist": "&MNIST",
    "fashion-mnist": "&Fashion-MNIST",
    "cifar-10": "&CIFAR-10",
    "Digits and letters": "&Digits and letters",
    "kmnist": "&KMNIST",
    "qmnist": "&QMNIST",
    "usps": "&USPS",
    "emnist-balanced": "EMNIST &balanced",
    "emnist-letters": "EMNIST &letters",
    "emnist-digits": "EMNIST &digits",
    "emnist-mnist": "EMNIST &mnist",
    "emnist-byclass": "EMNIST by&class",
    "emnist-bymerge": "EMNIST bym&erge",
}
"""What has a letter to press in its menu that was chosen for it; no letter twice in one menu. Others get one."""

FOLDER, FILE = "&Open folder…", "Open fi&le…"


class DataMenu(QObject):
    """Fills a menu with the catalogue and marks the entry of the data in use.

    Args:
        menu: The empty menu.
        window: Whose session loads what is chosen.
    """

    def __init__(self, menu: QMenu, window: MainWindow) -> None:
        super().__init__(menu)
        self._window = window
        self._entries: dict[str, QAction] = {}
        group = QActionGroup(menu)
        group.setExclusionPolicy(QActionGroup.ExclusionPolicy.ExclusiveOptional)
        menus: dict[str, QMenu] = {"": menu}
        taken = {text[text.index("&") + 1].lower() for text in (*TEXTS.values(), FOLDER, FILE)}
        for entry in CATALOG:
            if entry.key == "folder":
                continue
            if entry.group not in menus:
                menus[entry.group] = menu.addMenu(_menu_text(entry.group, entry.group, taken))
            action = self._add(
                menus[entry.group],
                _menu_text(entry.key, entry.title, taken),
                partial(window.session.load_data, entry.key),
                entry.note,
            )
            action.setCheckable(True)
            group.addAction(action)
            self._entries[entry.key] = action
        menu.addSeparator()
        opening = window.opening
        folder = self._add(
            menu,
            FOLDER,
            opening.choose_folder,
            "A folder of pictures, or of idx files; dropping it onto the window does the same",
        )
        folder.setShortcut(QKeySequence("Ctrl+Shift+O"))
        self._add(
            menu,
            FILE,
            opening.choose_file,
            "A NumPy file or an idx file; dropping it onto the window does the same",
        )
        for each in menus.values():
            each.setToolTipsVisible(True)
        session = window.session
        session.opened.connect(lambda opened: self._show(opened.dataset))
        session.work_ended.connect(self._on_work_ended)
        session.not_fetched.connect(self._offer_a_folder)
        for nothing_came in (session.problem, session.not_fetched, session.data_declined):
            nothing_came.connect(self._show_data_in_use)

    def _add(self, menu: QMenu, text: str, do: Callable[[], object], note: str) -> QAction:
        action = QAction(text, self._window)
        action.triggered.connect(lambda _checked=False: do())
        action.setToolTip(note)
        action.setStatusTip(note)
        menu.addAction(action)
        self._window.addAction(action)  # so that its keys work without the menu bar, too
        return action

    def _show(self, dataset: ImageDataset) -> None:
        """Mark the entry of the data in use; images of a user's own have none."""
        for key, action in self._entries.items():
            action.setChecked(key == dataset.source.key)

    def _on_work_ended(self, key: str) -> None:
        """The same images again are no news, and yet choosing them has changed the mark."""
        if key == PREPARING:
            self._show_data_in_use()

    def _show_data_in_use(self) -> None:
        """After a choice that came to nothing, mark the entry of the data there were."""
        dataset = self._window.session.dataset
        if dataset is not None:
            self._show(dataset)

    def _offer_a_folder(self, sentence: str) -> None:
        """What could not be fetched may lie on a disk."""
        self._window.message.show_message(
            sentence,
            [("&Open a folder instead…", self._window.opening.choose_folder)],
            key=DATA,
            kind=Kind.PROBLEM,
        )


def _menu_text(key: str, title: str, taken: set[str]) -> str:
    """A title with a letter to press: the one chosen for it, or its first that is free, which is taken then."""
    if key in TEXTS:
        return TEXTS[key]
    at = next((i for i, sign in enumerate(title) if sign.isalpha() and sign.lower() not in taken), None)
    if at is None:
        return title
    taken.add(title[at].lower())
    return f"{title[:at]}&{title[at:]}"
