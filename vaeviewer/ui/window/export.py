"""Writes images where the user wants them, and says where they went."""

from __future__ import annotations

import os
from pathlib import Path

from PySide6.QtCore import QBuffer, QIODevice, QUrl
from PySide6.QtGui import QDesktopServices, QImage
from PySide6.QtWidgets import QFileDialog, QWidget

from vaeviewer.backend.runs import atomic_files
from vaeviewer.ui.window.message_bar import MessageBar
from vaeviewer.ui.window.messages import Kind, nothing

KEY = "export"
"""Of what is said of an export; the newest replaces the one before."""

SUFFIX = ".png"


def export_image(image: QImage, parent: QWidget, title: str, suggestion: str, message: MessageBar) -> None:
    """Ask for a place, write an image there as PNG, whole or not at all, and say so.

    Args:
        image: What to write; taken before the dialog, behind which training goes on.
        parent: The window of the dialog.
        title: Of the dialog.
        suggestion: A name to begin with.
        message: What says where it went, or why not.
    """
    name, _ = QFileDialog.getSaveFileName(parent, title, suggestion, "PNG (*.png)")
    if not name:
        return
    file = Path(name)
    if file.suffix.lower() == SUFFIX:
        _write(image, file, message)
        return
    file = file.with_name(file.name + SUFFIX)
    if not os.path.exists(file):  # noqa: PTH110  # Path's own raises where a name is too long
        _write(image, file, message)
        return
    message.show_message(  # the dialog has asked about another name, if any
        f"{file.name} is there already, in {file.parent}. Replace it?",
        [("&Replace", lambda: _write(image, file, message))],
        key=KEY,
        closing=("&Keep it", nothing),
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


def _write(image: QImage, file: Path, message: MessageBar) -> None:
    try:
        write_png(image, file)
    except (OSError, ValueError) as error:
        sentence = f"{file} could not be written ({atomic_files.reason(error)}); choose another place."
        message.show_message(sentence, key=KEY, kind=Kind.PROBLEM)
        return
    folder = QUrl.fromLocalFile(str(file.parent))
    message.show_message(
        f"Exported: {file.name}, in {file.parent}",
        [("Sho&w folder", lambda: QDesktopServices.openUrl(folder))],
        key=KEY,
        kind=Kind.NOTE,
    )
