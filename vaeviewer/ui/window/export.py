"""Writes images where the user wants them, and says where they went."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QBuffer, QIODevice, QObject, QUrl
from PySide6.QtGui import QDesktopServices, QImage
from PySide6.QtWidgets import QFileDialog, QWidget

from vaeviewer.backend.runs import atomic_files
from vaeviewer.session.background import Background
from vaeviewer.ui.window.message_bar import MessageBar
from vaeviewer.ui.window.messages import Kind, nothing

KEY = "export"
"""Of what is said of an export; the newest replaces the one before."""

SUFFIX = ".png"


class Exports(QObject):
    """Asks for a place and writes an image there as PNG, whole or not at all, on a thread of its own.

    Args:
        window: The window of the dialogs; this becomes its child.
        message: What says where it went, or why not.
    """

    def __init__(self, window: QWidget, message: MessageBar) -> None:
        super().__init__(window)
        self._window, self._message = window, message
        self._background = Background(self)

    def ask(self, make: Callable[[], QImage], title: str, suggestion: str) -> None:
        """Ask for a place and write there.

        Args:
            make: Makes the image, on that thread: of what there is now, as training goes on behind the dialog.
            title: Of the dialog.
            suggestion: A name to begin with.
        """
        name, _ = QFileDialog.getSaveFileName(self._window, title, suggestion, "PNG (*.png)")
        if not name:
            return
        file = Path(name)
        if file.suffix.lower() == SUFFIX:
            self._write(make, file)
            return
        file = file.with_name(file.name + SUFFIX)
        if not os.path.exists(file):  # noqa: PTH110  # Path's own raises where a name is too long
            self._write(make, file)
            return
        self._message.show_message(  # the dialog has asked about another name, if any
            f"{file.name} is there already, in {file.parent}. Replace it?",
            [("&Replace", lambda: self._write(make, file))],
            key=KEY,
            closing=("&Keep it", nothing),
        )

    def close(self, timeout_s: float) -> bool:
        """End the thread, once what it writes is written; returns whether that was in time."""
        return self._background.close(timeout_s)

    def _write(self, make: Callable[[], QImage], file: Path) -> None:
        key = f"{KEY} {file}"
        self._message.take_back(KEY)
        self._message.work.begin(key, f"Writing {file.name}…")

        def write() -> str:
            try:
                write_png(make(), file)
            except (OSError, ValueError) as error:
                return atomic_files.reason(error)
            return ""

        def tell(problem: str) -> None:
            self._message.work.end(key)
            self._tell(file, problem)

        self._background.run(write, tell)

    def _tell(self, file: Path, problem: str) -> None:
        if problem:
            sentence = f"{file} could not be written ({problem}); choose another place."
            self._message.show_message(sentence, key=KEY, kind=Kind.PROBLEM)
            return
        folder = QUrl.fromLocalFile(str(file.parent))
        self._message.show_message(
            f"Exported: {file.name}, in {file.parent}",
            [("Sho&w folder", lambda: QDesktopServices.openUrl(folder))],
            key=KEY,
            kind=Kind.NOTE,
        )


def write_png(image: QImage, file: Path) -> None:
    """Write an image, whole or not at all: what was there before stays where that fails.

    Raises:
        OSError: It could not be written.
        ValueError: No file can have that name.
    """
    buffer = QBuffer()
    buffer.open(QIODevice.OpenModeFlag.WriteOnly)
    image.save(buffer, "PNG")  # type: ignore[call-overload]  # its stubs want bytes
    atomic_files.write_whole(file, bytes(buffer.data().data()))
