"""What the user sees when no window comes up: a message box, as not everybody starts the program from a terminal."""

from __future__ import annotations

import logging
import sys
import traceback
from contextlib import suppress

from vaeviewer import log

FAILED = 1
"""Exit code after what the user cannot mend."""


def tell(error: BaseException) -> int:
    """Log an error, show it with its details, and return the exit code."""
    if not logging.getLogger().handlers:
        log.start()
    details = "".join(traceback.format_exception(error))
    log.log.error("the window could not be opened\n%s", details)
    reason = str(error).strip().partition("\n")[0].rstrip(".") or "no more is known"
    sentence = f"The window could not be opened: {type(error).__name__}, {reason}."
    print(f"vaeviewer: {sentence} More is in {log.log_file()}", file=sys.stderr)
    with suppress(Exception):  # it may be Qt itself that fails
        _show(sentence, details)
    return FAILED


def _show(sentence: str, details: str) -> None:
    from PySide6.QtCore import Qt
    from PySide6.QtWidgets import QApplication, QMessageBox

    app = QApplication.instance() or QApplication(["vaeviewer"])
    assert isinstance(app, QApplication), "no other kind of application runs here"
    if app.platformName() in ("offscreen", "minimal"):
        return  # nobody would see it
    for widget in app.topLevelWidgets():
        widget.hide()  # what was made of the window
    box = QMessageBox(QMessageBox.Icon.Critical, "vaeviewer", sentence)
    box.setTextFormat(Qt.TextFormat.PlainText)
    box.setInformativeText(f"More is in {log.log_file()}")
    box.setDetailedText(details)
    box.exec()
