"""Whatever images or run a user names, by a dialog, a drop or the command line, is opened here."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QEvent, QMimeData, QObject, QSettings, Qt
from PySide6.QtGui import QDropEvent
from PySide6.QtWidgets import QFileDialog, QMainWindow, QWidget

from vaeviewer import paths
from vaeviewer.backend.data.base import ImageDataset
from vaeviewer.backend.runs.folder import is_run
from vaeviewer.session.data_loader import DataLoader
from vaeviewer.session.session import Session
from vaeviewer.ui.data.image_sheet import ImageSheet
from vaeviewer.ui.window.message_bar import MessageBar

_PLACE = "data/place"
"""Where the last images lay, in the window's settings."""

DROP = "drop"
"""Key of what is said of something that was dropped."""

ONE_AT_A_TIME = "Several things were dropped; drop one folder or file at a time."
NO_FILE = "This is no folder or file of this computer; save it first, then drop the folder it lies in."


class Opening(QObject):
    """Opens runs, and shows images on a sheet before they are used. One sheet at a time.

    Args:
        window: What things are dropped onto; this becomes its child.
        session: Gets the run, or the images.
        store: Where the last place is remembered.
        message: Where it is said what cannot be dropped.
    """

    def __init__(self, window: QMainWindow, session: Session, store: QSettings, message: MessageBar) -> None:
        super().__init__(window)
        self._window, self._session, self._store, self._message = window, session, store, message
        self._loader = DataLoader(self)
        self._sheet: ImageSheet | None = None
        self._take_drops(window)

    def open(self, path: Path) -> None:
        """Open a run folder as a run, and all else on the sheet."""
        self._put_away()
        if is_run(path):
            self._session.open_run(path)
            return
        sheet = self._sheet = ImageSheet(self._window, self._loader, path)
        sheet.chosen.connect(self._on_chosen)
        sheet.rejected.connect(self._on_rejected)
        self._take_drops(sheet)
        sheet.show()
        sheet.activateWindow()

    def choose_folder(self) -> None:
        """Ask for a folder and open it."""
        folder = QFileDialog.getExistingDirectory(
            self._window, "Open a folder of images, or a run", str(self._place())
        )
        self._chosen(folder, folder)

    def choose_file(self) -> None:
        """Ask for a file and open it."""
        name, _ = QFileDialog.getOpenFileName(
            self._window, "Open a NumPy file or an idx file of images", str(self._place())
        )
        self._chosen(name, str(Path(name).parent))

    def close(self, timeout_s: float) -> bool:
        """Close the sheet and end its thread; returns whether that ended in time."""
        self._put_away()
        return self._loader.close(timeout_s)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Take what is dropped onto the window or the sheet."""
        kinds = (QEvent.Type.DragEnter, QEvent.Type.DragMove, QEvent.Type.Drop)
        if isinstance(event, QDropEvent) and event.type() in kinds:
            event.setDropAction(
                Qt.DropAction.CopyAction
            )  # after a move, a file manager would delete the files
            event.accept()  # whatever it is: the drop says what cannot be opened
            if event.type() == QEvent.Type.Drop:
                self._drop(event.mimeData())
            return True
        return super().eventFilter(watched, event)

    def _drop(self, dropped: QMimeData) -> None:
        urls = dropped.urls()
        if len(urls) > 1:
            self._message.show_message(ONE_AT_A_TIME, key=DROP)
        elif not urls or not urls[0].isLocalFile():
            self._message.show_message(NO_FILE, key=DROP)
        else:
            self._message.take_back(DROP)
            self.open(Path(urls[0].toLocalFile()))

    def _take_drops(self, widget: QWidget) -> None:
        widget.setAcceptDrops(True)
        widget.installEventFilter(self)

    def _chosen(self, name: str, place: str) -> None:
        if name:
            self._store.setValue(_PLACE, place)
            self.open(Path(name))

    def _place(self) -> Path:
        place = self._store.value(_PLACE)
        return paths.nearest_folder(Path(place)) if isinstance(place, str) and place else Path.home()

    def _put_away(self) -> None:
        sheet, self._sheet = self._sheet, None
        if sheet is not None:
            sheet.close()

    def _on_chosen(self, dataset: ImageDataset) -> None:
        self._sheet = None
        self._session.offer_data(dataset)

    def _on_rejected(self) -> None:
        if self._sheet is not None:  # else another one takes its place
            self._sheet = None
            self._session.load_something()
